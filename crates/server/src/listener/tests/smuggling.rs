//! What comes behind a request whose end two readers could see in two places is never read as a request.
//! Each case ends with a request for `/smuggled`, which nobody may get to see.

use super::*;
use axum::extract::Request;

/// What the routes saw: paths and bodies, of which `None` is one that did not come whole.
type Seen = Vec<(String, Option<String>)>;

/// What came of a case: the first answer's status, 0 without one, and what the routes saw. That the
/// connection was closed is seen by all of them.
type Outcome = (u16, Seen);

async fn outcome(sent: &[u8], says_all: bool) -> Outcome {
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let log = Arc::clone(&seen);
    let router = Router::new().fallback(async move |request: Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.ok();
        let body = body.map(|body| String::from_utf8(body.to_vec()).unwrap());
        let status = if body.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        log.lock().unwrap().push((parts.uri.path().to_owned(), body));
        status
    });
    let server = Server::start(router, PATIENT).await;
    let mut stream = server.connect().await;
    stream.write_all(sent).await.unwrap();
    if says_all {
        stream.shutdown().await.unwrap();
    }
    // Until it is closed; it would stay open for a minute.
    let answers = rest(stream).await;
    let status = answers.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    if status != 0 {
        assert_eq!(answers.matches("HTTP/1.").count(), seen.len().max(1), "{answers}");
    }
    (status, seen)
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{body}{SMUGGLED}")
}

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways_is_refused() {
    for (fields, body) in [
        // Lengths.
        ("content-length: 5\r\ncontent-length: 6", "hello"),
        ("content-length: 0\r\ncontent-length: 5", "hello"),
        ("content-length: +5", "hello"),
        ("content-length: -5", "hello"),
        ("content-length: 5, 5", "hello"),
        ("content-length: 5, 6", "hello"),
        ("content-length: 5;", "hello"),
        ("content-length: 0x5", "hello"),
        ("content-length: 5 5", "hello"),
        ("content-length: ", "hello"),
        ("content-length: 18446744073709551621", "hello"),
        // Codings that do not end in chunks.
        ("transfer-encoding: chunked, identity", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity", "0\r\n\r\n"),
        ("transfer-encoding: identity", "0\r\n\r\n"),
        ("transfer-encoding: xchunked", "0\r\n\r\n"),
        ("transfer-encoding: chunkedx", "0\r\n\r\n"),
        ("transfer-encoding: chunked;q=1", "0\r\n\r\n"),
        ("transfer-encoding: \"chunked\"", "0\r\n\r\n"),
        ("transfer-encoding: \u{b}chunked", "0\r\n\r\n"),
        ("transfer-encoding:", "0\r\n\r\n"),
        ("content-length: 5\r\ntransfer-encoding: identity", "0\r\n\r\n"),
        // Fields.
        ("x: a\r\n transfer-encoding: chunked", "0\r\n\r\n"),
        ("x: a\r\n\ttransfer-encoding: chunked", "0\r\n\r\n"),
        ("transfer-encoding:\r\n chunked", "0\r\n\r\n"),
        ("transfer-encoding : chunked", "0\r\n\r\n"),
        ("content-length : 5", "hello"),
        ("content-length\t: 5", "hello"),
        (" content-length: 5", "hello"),
        ("x: a\0b", ""),
        ("x: a\rb", ""),
        ("x: a\rtransfer-encoding: chunked", "0\r\n\r\n"),
        ("x: a\r\r", ""),
        ("x\0: a", ""),
        ("x y: a", ""),
        (": a", ""),
        ("content-length: 5\0", "hello"),
        ("no colon", ""),
    ] {
        let (status, seen) = outcome(post(fields, body).as_bytes(), false).await;
        assert_eq!((status, seen), (400, vec![]), "{fields:?}");
    }
}

#[tokio::test]
async fn a_request_line_that_can_be_read_in_two_ways_is_refused() {
    for line in [
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / \r\n\r\n",
        "GET / HTTP/1.1 x\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET / http/1.1\r\nhost: a\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\rx HTTP/1.1\r\nhost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let (status, seen) = outcome(format!("{line}{SMUGGLED}").as_bytes(), false).await;
        assert_eq!((status, seen), (400, vec![]), "{line:?}");
    }
    // Who begins to speak HTTP/2 is left.
    let sent = format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{SMUGGLED}");
    assert_eq!(outcome(sent.as_bytes(), false).await, (0, vec![]));
}

#[tokio::test]
async fn a_length_beside_chunks_counts_for_nothing_and_ends_the_connection() {
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ntransfer-encoding: chunked\r\ncontent-length: 6",
        "transfer-encoding: chunked\r\ncontent-length: +5",
        "transfer-encoding: chunked\r\ncontent-length: 0",
        "content-length: 0\r\ntransfer-encoding: CHUNKED\r\nconnection: keep-alive",
        "transfer-encoding: chunked",
        "Transfer-Encoding: \tchunked \t",
        // Who does not take a lone LF for the end of a line sees no chunks here.
        "content-length: 4\r\nx: y\ntransfer-encoding: chunked",
    ] {
        let (status, seen) = outcome(post(fields, chunks).as_bytes(), false).await;
        assert_eq!((status, seen), (200, vec![("/".into(), Some("hello".into()))]), "{fields:?}");
    }
}

#[tokio::test]
async fn codings_that_nobody_here_undoes_are_told_so() {
    for fields in [
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: unknown, chunked",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: identity, chunked\r\ncontent-length: 5",
    ] {
        let sent = post(fields, "5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(outcome(sent.as_bytes(), false).await, (501, vec![]), "{fields:?}");
    }
}

#[tokio::test]
async fn chunks_that_can_be_read_in_two_ways_are_no_body() {
    for chunks in [
        "5\nhello\n0\n\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    ] {
        let sent = post("transfer-encoding: chunked", chunks);
        let (status, seen) = outcome(sent.as_bytes(), false).await;
        assert_eq!((status, seen), (400, vec![("/".into(), None)]), "{chunks:?}");
    }
    // All that comes belongs to a chunk of this length, and is not enough.
    let sent = post("transfer-encoding: chunked", "fffffffffffffff0\r\nhello");
    assert_eq!(outcome(sent.as_bytes(), true).await, (400, vec![("/".into(), None)]));
}

/// RFC 9112 section 2.2 lets a lone LF end a line of a head. It does so here, everywhere alike, and
/// moves no end of a body.
#[tokio::test]
async fn a_lone_lf_ends_a_line_and_nothing_else() {
    let body = "GET /smuggled HTTP/1.1\n\n";
    let len = body.len();
    let post = format!("POST / HTTP/1.1\nhost: a\ncontent-length: {len}\n\n{body}");
    let sent = format!("{post}GET /last HTTP/1.1\nhost: a\nconnection: close\n\n{SMUGGLED}");
    let (status, seen) = outcome(sent.as_bytes(), false).await;
    assert_eq!(status, 200);
    let whole = vec![("/".into(), Some(body.into())), ("/last".into(), Some(String::new()))];
    assert_eq!(seen, whole);
}

/// RFC 9110 section 8.6 lets one length that is told twice be one.
#[tokio::test]
async fn two_equal_lengths_are_one() {
    let fields = "content-length: 5\r\nconnection: close\r\ncontent-length: 5";
    let (status, seen) = outcome(post(fields, "hello").as_bytes(), false).await;
    assert_eq!((status, seen), (200, vec![("/".into(), Some("hello".into()))]));
}

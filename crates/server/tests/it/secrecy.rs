//! No secret, no name and no content stands in a log, however much is logged, or in an address that we
//! give out.

use crate::filr::{Filr, MY_FILES, entry, text};
use crate::world::{PASSWORD, bytes};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_server::listener::{self, Limits};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing_subscriber::filter::LevelFilter;

/// All that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every text in an answer that is an address.
fn addresses(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with("http://") || text.starts_with('/') => {
            found.push(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|value| addresses(value, found)),
        Value::Object(members) => members.values().for_each(|value| addresses(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_or_stands_in_an_address() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let ann = Filr::new().await;
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let front_ends = ann.world.front_ends.clone();
    let served = tokio::spawn(listener::serve(tcp, front_ends, None, Limits::default(), async {
        let _stopped = stopped.await;
    }));

    let file = ann.file(MY_FILES, "mayfly.txt", b"dragonfly in a body").await;
    let large = ann.file(MY_FILES, "hornet.dat", &bytes(100_000)).await;
    let link = json!({"recipient": {"type": "public_link"}, "access": {"role": "VIEWER"}});
    let link = ann.json(&format!("{}/shares", entry(&file)), link).await.expect(200);
    let link = text(&link["permalinks"][0]["href"]).replace("http://files.example", "");
    let secret = link.split("/links/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let token = ann.person.token.clone();
    let basic = BASE64_STANDARD.encode(format!("ann:{PASSWORD}"));
    let wrong = BASE64_STANDARD.encode("ann:wrong cicada");
    let (token_header, basic_header, wrong_header) = (
        format!("authorization: Token {token}\r\n"),
        format!("authorization: Basic {basic}\r\n"),
        format!("authorization: Basic {wrong}\r\n"),
    );
    let hex = text(&file["id"]);
    let number: i64 = text(&file["owning_entity"]["id"]).parse().unwrap();
    let letters = bindery_core::FileId(number).letters();
    // A content that cannot be opened is what is logged most loudly.
    for object in ann.world.objects() {
        std::fs::write(object, "damaged").unwrap();
    }
    let large = text(&large["id"]);
    let form = "--XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"earwig.txt\"\r\n\r\ndragonfly\r\n--XX--\r\n";
    let post = |kind: &str, body: &str| {
        format!("content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let get = "\r\n".to_owned();
    let mut answers = String::new();
    for (line, credentials, rest) in [
        (format!("GET /api/files/{letters}/"), &token_header, &get),
        (format!("GET /api/files/{letters}/contents/"), &token_header, &get),
        (format!("GET /api/files/?search=mayfly&token={token}"), &token_header, &get),
        (format!("GET /api/files/?token={token}"), &String::new(), &get),
        (
            "POST /api/files/contents/".into(),
            &token_header,
            &post("multipart/form-data; boundary=XX", form),
        ),
        (
            "POST /api/files/contents/".into(),
            &token_header,
            &post("multipart/form-data; boundary=XX", "--XX\r\nmayfly dragonfly"),
        ),
        (
            format!("PATCH /api/files/{letters}/"),
            &token_header,
            &post("application/json", "{\"name\": \"mayfly"),
        ),
        (format!("GET /rest/files/{hex}"), &basic_header, &get),
        (format!("GET /rest/files/{large}"), &basic_header, &get),
        (format!("GET /rest/files/{hex}/metadata"), &wrong_header, &get),
        (
            format!("GET {MY_FILES}/library_files"),
            &format!("authorization: Bearer wrong{token}\r\n"),
            &get,
        ),
        (
            format!("POST /rest/files/{hex}/name"),
            &basic_header,
            &post("application/x-www-form-urlencoded", "name=mayfly/2"),
        ),
        (
            format!("POST /rest{MY_FILES}/library_files?file_name=mayfly.txt"),
            &basic_header,
            &post("application/octet-stream", "dragonfly"),
        ),
        (
            format!("POST /rest{MY_FILES}/library_files?file_name=weevil.txt"),
            &basic_header,
            &post("application/octet-stream", "dragonfly"),
        ),
        (format!("GET {link}"), &String::new(), &get),
        (format!("GET {link}x"), &String::new(), &get),
        (format!("GET /rest/links/{secret}x"), &String::new(), &get),
        (format!("GET /rest/files/{hex}"), &format!("authorization : {token}\r\n"), &get),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let sent = format!(
            "{line} HTTP/1.1\r\nhost: files.example\r\nconnection: close\r\n{credentials}{rest}"
        );
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answers += &format!("{line}: {}\n", String::from_utf8_lossy(&answer[9..12]));
        if let Some((_, body)) = String::from_utf8_lossy(&answer).split_once("\r\n\r\n") {
            let mut found = Vec::new();
            addresses(&serde_json::from_str(body).unwrap_or_default(), &mut found);
            for address in found {
                for secret in [&*token, PASSWORD, &basic, "dragonfly"] {
                    assert!(!address.contains(secret), "{address}");
                }
            }
        }
    }
    // A token in an address opens nothing.
    assert!(answers.contains(&format!("GET /api/files/?token={token}: 401")), "{answers}");
    for status in [": 200", ": 201", ": 400", ": 401", ": 404", ": 409", ": 500"] {
        assert!(answers.contains(status), "{status}: {answers}");
    }
    let key = ann.send(ann.person.get(&format!("/api/files/{letters}/"))).await.expect(200);
    let key = text(&key["encodedEncryptionKey"]);
    stop.send(()).unwrap();
    served.await.unwrap();

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a stored content was refused"), "nothing was logged: {logged}");
    for secret in [
        &*token,
        PASSWORD,
        "cicada",
        &basic,
        &wrong,
        &secret,
        &key,
        "dragonfly",
        "mayfly",
        "weevil",
        "hornet",
        "earwig",
    ] {
        assert!(secret.len() > 5);
        let line = logged.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is logged");
    }
    assert!(!logged.to_lowercase().contains("authorization: "), "{logged}");
}

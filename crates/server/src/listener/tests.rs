//! Against real sockets on the loopback address. Deadlines are short here, and the other side of each
//! is a minute: a test waits for what happens and not for the time.

mod smuggling;

use super::*;
use axum::body::Body;
use axum::routing::{get, post};
use axum::{Extension, extract::State};
use hyper::body::Bytes;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);
const PATIENT: Limits = Limits {
    connections: 100,
    head_timeout: LONG,
    handshake_timeout: LONG,
    write_stall: LONG,
    linger: LONG,
    drain: LONG,
};

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, limits: Limits) -> Self {
        Self::with_tls(router, limits, None).await
    }

    async fn with_tls(
        router: Router,
        limits: Limits,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            stopped.await.unwrap();
        };
        let ended = tokio::spawn(serve(listener, router, tls, limits, shutdown));
        Server { address, stop, ended }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }
}

/// What must happen, and not because of a deadline that is not the test's own.
async fn soon<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG / 4, happens).await.unwrap()
}

/// Everything until the other side closes.
async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn until(stream: &mut TcpStream, end: &str) {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        seen.push(stream.read_u8().await.unwrap());
    }
}

fn ok() -> Router {
    Router::new().route("/", get(|| async { "done" }))
}

#[tokio::test]
async fn a_request_carries_its_peer_and_scheme() {
    let who = |peer: ConnectInfo<SocketAddr>, scheme: Extension<Scheme>| async move {
        format!("{} {}", peer.0, scheme.as_str())
    };
    let server = Server::start(Router::new().route("/", get(who)), PATIENT).await;
    let stream = server.send("GET / HTTP/1.0\r\n\r\n").await;
    let peer = stream.local_addr().unwrap();
    let answer = rest(stream).await;
    assert!(answer.ends_with(&format!("\r\n\r\n{peer} http")), "{answer}");
}

#[tokio::test]
async fn who_has_said_everything_hears_the_answer() {
    let read = |body: Body| async {
        let read = axum::body::to_bytes(body, usize::MAX).await;
        // The connection is looked at meanwhile, and finds the other side shut.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        read.map_or(StatusCode::BAD_REQUEST, |_| StatusCode::CREATED)
    };
    let server = Server::start(Router::new().route("/", post(read)), PATIENT).await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n";
    for (body, status) in [("12345", "400"), ("1234567890", "201")] {
        let mut stream = server.send(&format!("{head}{body}")).await;
        stream.shutdown().await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn who_is_refused_while_still_sending_hears_why() {
    let refuse = post(|| async { StatusCode::UNAUTHORIZED });
    let server = Server::start(Router::new().route("/", refuse), PATIENT).await;
    let len = 64 << 20;
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {len}\r\n\r\n");
    let mut stream = server.send(&head).await;
    stream.write_all(&vec![b'x'; len]).await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn only_for_a_peer_on_this_machine_the_system_holds_less() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_sender, (tcp, peer)) =
        tokio::try_join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept())
            .unwrap();
    let held = || rustix::net::sockopt::socket_send_buffer_size(&tcp).unwrap();
    let before = held();
    set_options(&tcp, "192.0.2.1:80".parse().unwrap());
    assert_eq!(held(), before);
    assert!(before > 2 * NEARBY_BUFFER, "{before}");
    set_options(&tcp, peer);
    assert!(held() <= 2 * NEARBY_BUFFER, "{}", held());
}

#[tokio::test]
async fn lingering_has_an_end() {
    let refuse = post(|| async { StatusCode::UNAUTHORIZED });
    let limits = Limits { linger: SHORT, ..PATIENT };
    let server = Server::start(Router::new().route("/", refuse), limits).await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000000\r\n\r\n";
    let mut stream = server.send(head).await;
    let piece = vec![b'x'; 1 << 16];
    soon(async { while stream.write_all(&piece).await.is_ok() {} }).await;
}

#[tokio::test]
async fn late_heads_and_idle_connections_are_closed() {
    let limits = Limits { head_timeout: SHORT, ..PATIENT };
    let server = Server::start(ok(), limits).await;
    for text in ["", "GET / HT"] {
        assert_eq!(rest(server.send(text).await).await, "", "{text:?}");
    }
    let idle = server.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(rest(idle).await.ends_with("done"));
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let server = Server::start(ok(), PATIENT).await;
    let large = "x".repeat(HEAD_MAX);
    let text = format!("GET / HTTP/1.1\r\nhost: a\r\nlarge: {large}\r\n\r\n");
    let answer = rest(server.send(&text).await).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_served() {
    #[derive(Clone, Default)]
    struct Count(Arc<[AtomicUsize; 2]>);
    async fn count(State(Count(counts)): State<Count>) {
        let [now, most] = &*counts;
        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        now.fetch_sub(1, SeqCst);
    }
    let counts = Count::default();
    let router = Router::new().route("/", get(count)).with_state(counts.clone());
    let limits = Limits { connections: 2, ..PATIENT };
    let server = Server::start(router, limits).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(server.send("GET / HTTP/1.0\r\n\r\n").await);
    }
    for stream in streams {
        assert!(rest(stream).await.starts_with("HTTP/1.0 200"));
    }
    assert_eq!(counts.0[1].load(SeqCst), 2);
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut() {
    struct Endless(
        #[expect(dead_code, reason = "its drop is what is waited for")] mpsc::Sender<()>,
    );
    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            let piece = Bytes::from_static(&[0; 1 << 16]);
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
        }
    }
    let (sending, mut ended) = mpsc::channel(1);
    let sending = Arc::new(Mutex::new(Some(sending)));
    let endless = get(move || {
        let sending = sending.lock().unwrap().take();
        std::future::ready(Body::new(Endless(sending.unwrap())))
    });
    let limits = Limits { write_stall: SHORT, ..PATIENT };
    let server = Server::start(Router::new().route("/", endless), limits).await;
    let mut stream = server.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    until(&mut stream, "\r\n\r\n").await;
    assert_eq!(soon(ended.recv()).await, None);
}

#[tokio::test]
async fn a_shutdown_lets_requests_end_and_closes_what_is_idle() {
    let gate = Arc::new(Notify::new());
    let (began, mut begun) = mpsc::channel(1);
    let held = Arc::clone(&gate);
    let wait = get(async move || {
        began.send(()).await.unwrap();
        held.notified().await;
        "done"
    });
    let server = Server::start(ok().route("/wait", wait), PATIENT).await;
    let mut idle = server.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    until(&mut idle, "done").await;
    let fresh = server.connect().await;
    let running = server.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    begun.recv().await.unwrap();
    server.stop.send(()).unwrap();
    assert_eq!(rest(idle).await, "");
    assert_eq!(rest(fresh).await, "");
    assert!(!server.ended.is_finished());
    gate.notify_one();
    assert!(rest(running).await.ends_with("done"));
    soon(server.ended).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let (began, mut begun) = mpsc::channel(1);
    let never = get(async move || {
        began.send(()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let limits = Limits { drain: SHORT, ..PATIENT };
    let server = Server::start(Router::new().route("/", never), limits).await;
    let stream = server.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    begun.recv().await.unwrap();
    server.stop.send(()).unwrap();
    soon(server.ended).await.unwrap();
    assert_eq!(rest(stream).await, "");
}

mod tls {
    use super::*;
    use rustls::pki_types::ServerName;
    use tokio_rustls::TlsConnector;

    /// A server with a certificate from files, and clients that believe it.
    async fn start(limits: Limits) -> (Server, impl Fn(&str) -> TlsConnector) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let config = crate::tls::from_files(&certificate, &key).unwrap();
        let scheme = |scheme: Extension<Scheme>| async move { scheme.as_str() };
        let router = Router::new().route("/", get(scheme));
        let server = Server::with_tls(router, limits, Some(Arc::new(config))).await;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = move |alpn: &str| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut client = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            client.alpn_protocols = vec![alpn.into()];
            TlsConnector::from(Arc::new(client))
        };
        (server, client)
    }

    fn localhost() -> ServerName<'static> {
        "localhost".try_into().unwrap()
    }

    #[tokio::test]
    async fn requests_come_through() {
        let (server, client) = start(PATIENT).await;
        let tcp = server.connect().await;
        let mut stream = client("http/1.1").connect(localhost(), tcp).await.unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.ends_with("\r\n\r\nhttps"), "{answer}");
    }

    #[tokio::test]
    async fn only_http_1_is_agreed_on() {
        let (server, client) = start(PATIENT).await;
        let tcp = server.connect().await;
        assert!(client("h2").connect(localhost(), tcp).await.is_err());
    }

    #[tokio::test]
    async fn a_handshake_has_an_end() {
        let limits = Limits { handshake_timeout: SHORT, ..PATIENT };
        let (server, _) = start(limits).await;
        assert_eq!(rest(server.connect().await).await, "");
    }
}

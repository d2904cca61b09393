//! Connections: accepting them, TLS, their deadlines and their end. It knows no routes and reads no
//! request; how slowly a body may come is the routes' to say.

mod stream;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use stream::{BodyWatch, GuardedStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// The longest request line and headers together, in bytes; beyond it the answer is 431.
const HEAD_MAX: usize = 64 << 10;
/// What is read from and gathered for a connection at once, in bytes.
const BUFFER_MAX: usize = HEAD_MAX;
/// What the system holds for a peer on the same machine, a proxy most often, in bytes; Linux doubles it for what it
/// keeps beside them. For such a peer it would grow to 4 MiB, which no core's cache has: a download is then a tenth
/// slower, and more. Whoever is further away may need all of that.
const NEARBY_BUFFER: usize = 256 << 10;
/// After a failure to accept that is ours, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections there may be, and how long each may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; more wait in the system's queue.
    pub connections: usize,
    /// For a request's head to arrive, counted from the end of the answer before it, so that it
    /// ends idle connections too.
    pub head_timeout: Duration,
    /// For a TLS handshake.
    pub handshake_timeout: Duration,
    /// How long a peer may take no byte of what is sent to it.
    pub write_stall: Duration,
    /// How long a peer that was answered early may go on sending its body, which is discarded:
    /// closing at once would reset the connection and could destroy the answer on its way.
    pub linger: Duration,
    /// How long running requests may take to end after a shutdown.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 10_000,
            head_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            write_stall: Duration::from_secs(60),
            linger: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

/// By which scheme a request came to this listener; an extension of every request, beside
/// `ConnectInfo<SocketAddr>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    #[default]
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The answer to one; a failure is an answer, too.
    fn handle(&self, request: Request) -> impl Future<Output = Response> + Send;
}

impl Handler for Router {
    async fn handle(&self, request: Request) -> Response {
        let Ok(response) = self.clone().oneshot(request).await;
        response
    }
}

/// Serves `handler` on every connection until `shutdown` completes; then accepts no more, lets the
/// running requests end within [`Limits::drain`], cuts the rest, and returns.
pub async fn serve(
    listener: TcpListener,
    handler: impl Handler,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let front = Arc::new(Front::new(handler, tls, limits));
    let room = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => note_end(ended),
            (tcp, peer, permit) = accept(&listener, &room) => {
                let front = Arc::clone(&front);
                connections.spawn(front.connection(tcp, peer, graceful.watcher(), permit));
            }
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
    while let Some(ended) = connections.try_join_next() {
        note_end(ended);
    }
    if drained.is_err() {
        let cut = connections.len();
        tracing::warn!(connections = cut, "requests that did not end were cut");
    }
    connections.shutdown().await;
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(room).acquire_owned().await;
    let permit = permit.expect("nothing closes the semaphore");
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => return (tcp, peer, permit),
            Err(error) if is_the_peers(&error) => tracing::debug!(%error, "a peer gave up"),
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended by a fault of the server");
    }
}

fn set_options(tcp: &TcpStream, peer: SocketAddr) {
    // Two peers that both wait for more to send would lose 40 ms a request.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    if peer.ip().to_canonical().is_loopback()
        && let Err(error) = set_socket_send_buffer_size(tcp, NEARBY_BUFFER)
    {
        tracing::debug!(%error, "SO_SNDBUF was refused");
    }
}

/// What all connections share.
struct Front<H> {
    handler: H,
    tls: Option<TlsAcceptor>,
    http: http1::Builder,
    limits: Limits,
}

impl<H: Handler> Front<H> {
    fn new(handler: H, tls: Option<Arc<rustls::ServerConfig>>, limits: Limits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_header_size(HEAD_MAX)
            .max_buf_size(BUFFER_MAX)
            // A client that has said everything, or was cut off, still hears the answer.
            .half_close(true);
        Front { handler, tls: tls.map(TlsAcceptor::from), http, limits }
    }

    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
        _room: OwnedSemaphorePermit,
    ) {
        set_options(&tcp, peer);
        let body = BodyWatch::default();
        let stream = GuardedStream::new(tcp, &self.limits, body.clone());
        let Some(tls) = &self.tls else {
            return self.requests(stream, Scheme::Http, peer, body, watcher).await;
        };
        match tokio::time::timeout(self.limits.handshake_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                self.requests(stream, Scheme::Https, peer, body, watcher).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn requests(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        scheme: Scheme,
        peer: SocketAddr,
        body: BodyWatch,
        watcher: Watcher,
    ) {
        let handler = &self.handler;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            // Where a body ends that comes in chunks, someone between may have seen otherwise: a request
            // that also told a length is read by its chunks (RFC 9112 section 6.3). What follows such a
            // body is never read as a request.
            let codings: Vec<_> = request.headers().get_all(TRANSFER_ENCODING).iter().collect();
            let is_last = !codings.is_empty();
            // Whatever else was done to the body would have to be undone (RFC 9112 section 6.1).
            let is_coded = is_last
                && !matches!(codings[..], [one] if one.as_bytes().eq_ignore_ascii_case(b"chunked"));
            let mut request = request.map(|incoming| body.watch(incoming));
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(scheme);
            async move {
                let mut response = match is_coded {
                    true => StatusCode::NOT_IMPLEMENTED.into_response(),
                    // In a box, since a connection has room for all of this while it has no request, too.
                    false => Box::pin(handler.handle(request)).await,
                };
                if is_last {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection was cut");
        }
    }
}

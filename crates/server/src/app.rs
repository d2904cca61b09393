//! The routes of every front-end, over one store.

use crate::filr;
use crate::health;
use crate::http::authorization;
use crate::rescale;
use crate::site::{peer, refuse_host};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use bindery_core::Drive;
use http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;

use crate::http::body::RateFloor;

/// What the front-ends are told by the operator.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Scheme and host that links are made with; without it, those of the request.
    pub public_url: Option<String>,
    /// Peers whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Hosts that requests may name, with or without a port; none is all of them.
    pub allowed_hosts: Vec<String>,
    /// How slowly a request body may come.
    pub rate_floor: RateFloor,
}

/// What every handler has: the store and the settings.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) drive: Drive,
    pub(crate) settings: Arc<Settings>,
}

/// The routes of every front-end.
pub fn app(drive: Drive, settings: Settings) -> Router {
    let app = App { drive, settings: Arc::new(settings) };
    // Handlers take bodies as they come, which no framework limits: that is done where they are read.
    let watching = health::routes().layer(from_fn_with_state(app.clone(), watched));
    rescale::routes(&app).merge(filr::routes(&app)).merge(watching).with_state(app)
}

/// What goes for every request of a front-end, as its only layer: each costs a request as much as the routing does.
pub(crate) async fn front(State(app): State<App>, request: Request, next: Next) -> Response {
    guarded(&app, request, |request| next.run(request)).await
}

/// The same around a layer that a front-end has itself.
pub(crate) async fn guarded<A: Future<Output = Response>>(
    app: &App,
    request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let answer = match refuse_host(&app.settings, &request) {
        Some(refused) => refused,
        None => noted(app, request, answer).await,
    };
    defended(answer)
}

/// What goes for who balances load or watches, and names no host.
async fn watched(State(app): State<App>, request: Request, next: Next) -> Response {
    defended(noted(&app, request, |request| next.run(request)).await)
}

/// Whatever an answer holds, a content, a name in a message or what a client sent: a browser takes it for
/// what it is said to be, runs nothing of it on this origin, and tells nobody the link that led here.
fn defended(mut response: Response) -> Response {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Has the audit log tell of each token that is refused. Of passwords the domain knows itself, and whose.
async fn noted<A: Future<Output = Response>>(
    app: &App,
    request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if !authorization::shows_token(header) {
        return answer(request).await;
    }
    let (parts, body) = request.into_parts();
    let address = peer(&parts, &app.settings);
    let response = answer(Request::from_parts(parts, body)).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        app.drive.note_failed_sign_in(address);
    }
    response
}

//! The routes of every front-end, over one store.

use crate::filr::Filr;
use crate::health;
use crate::http::authorization;
use crate::listener::Handler;
use crate::rescale;
use crate::site::{peer, refuse_host};
use axum::Router;
use axum::extract::Request;
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

/// Every front-end over one store, and what goes for each of their requests.
#[derive(Clone, Debug)]
pub struct FrontEnds {
    app: App,
    filr: Filr,
    others: Router,
}

impl FrontEnds {
    /// Over `drive`, as the operator set them.
    pub fn new(drive: Drive, settings: Settings) -> Self {
        let app = App { drive, settings: Arc::new(settings) };
        // Handlers take bodies as they come, which no framework limits: that is done where they are read.
        let others = rescale::routes().merge(health::routes()).with_state(app.clone());
        FrontEnds { filr: Filr::new(&app), others, app }
    }

    /// Has the audit log tell of each token that is refused. Of passwords the domain knows itself, and whose.
    async fn noted(&self, request: Request) -> Response {
        let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        if !authorization::shows_token(header) {
            return self.answered(request).await;
        }
        let (parts, body) = request.into_parts();
        let address = peer(&parts, &self.app.settings);
        let response = self.answered(Request::from_parts(parts, body)).await;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.app.drive.note_failed_sign_in(address);
        }
        response
    }

    async fn answered(&self, request: Request) -> Response {
        match Filr::serves(request.uri().path()) {
            true => self.filr.handle(request).await,
            false => self.others.handle(request).await,
        }
    }
}

/// Around the routes, and no layer of theirs: each costs a request as much as the routing does.
impl Handler for FrontEnds {
    async fn handle(&self, request: Request) -> Response {
        // Who balances load or watches names no host.
        let refused = match health::is_asked(request.uri().path()) {
            true => None,
            false => refuse_host(&self.app.settings, &request),
        };
        defended(match refused {
            Some(refused) => refused,
            None => self.noted(request).await,
        })
    }
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

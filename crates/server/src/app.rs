//! The routes of every front-end, over one store.

use crate::filr;
use crate::health;
use crate::rescale;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use bindery_core::Drive;
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
    // Bodies are limited where they are read, since an upload has no limit of its own.
    let routes = rescale::routes().merge(filr::routes(&app)).merge(health::routes());
    routes.layer(DefaultBodyLimit::disable()).with_state(app)
}

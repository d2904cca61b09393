//! The routes of every front-end, over one store.

use bindery_core::Drive;
use std::net::IpAddr;

/// What the front-ends are told by the operator.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Scheme and host that links are made with; without it, those of the request.
    pub public_url: Option<String>,
    /// Peers whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// The routes of every front-end.
pub fn app(drive: Drive, settings: Settings) -> axum::Router {
    let _ = (drive, settings);
    axum::Router::new()
}

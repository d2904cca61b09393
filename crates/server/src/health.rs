//! What stands around this server asks: a load balancer, whether this process lives and whether it can serve;
//! monitoring, how it is.

use crate::app::App;
use crate::metrics;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(lives))
        .route("/readyz", get(is_ready))
        .route("/metrics", get(metrics::show))
}

/// Whether a path is one of these.
pub(crate) fn is_asked(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

async fn lives() -> &'static str {
    "ok\n"
}

/// 503 while the catalog or the store of objects cannot be reached, or has no room.
async fn is_ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.drive.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    }
}

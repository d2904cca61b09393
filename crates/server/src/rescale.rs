//! The Rescale files API, under `/api/`, `/api/v2/` and `/api/v3/`. The route table is here; a row of
//! `docs/protocols/rescale.md` says of each route what it takes and answers.

mod auth;
mod download;
mod error;
mod files;
mod list;
mod patch;
mod upload;
mod wire;

use crate::app::App;
use auth::Credentials;
use axum::Router;
use axum::extract::State;
use axum::routing::{MethodRouter, get, post};
use bindery_core::{Error, Thing};
use error::Problem;
use http::{Method, StatusCode};

const PREFIXES: [&str; 3] = ["/api", "/api/v2", "/api/v3"];

/// Every route with and without its trailing slash: a redirect would lose a request's body.
pub(crate) fn routes() -> Router<App> {
    let mut router = Router::new();
    for prefix in PREFIXES {
        for slash in ["", "/"] {
            let mut route = |path: &str, methods: MethodRouter<App>| {
                let methods = methods.fallback(method_not_allowed);
                router =
                    std::mem::take(&mut router).route(&format!("{prefix}{path}{slash}"), methods);
            };
            route("", get(files::root));
            route("/users/me", get(files::me));
            route("/files", get(list::list));
            route("/files/contents", post(upload::upload).put(upload::upload));
            route("/files/{id}", get(files::show).patch(patch::patch).delete(files::delete));
            route("/files/{id}/contents", get(download::contents));
            route("/files/{id}/lines", get(download::lines));
        }
    }
    router.fallback(not_found)
}

async fn method_not_allowed(
    State(app): State<App>,
    credentials: Credentials,
    method: Method,
) -> Result<StatusCode, Problem> {
    app.drive.identify(&credentials.caller).await?;
    Err(Problem::MethodNotAllowed(method))
}

async fn not_found() -> Problem {
    Problem::Domain(Error::NotFound(Thing::File))
}

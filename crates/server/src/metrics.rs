//! What monitoring asks of this process: a few figures in Prometheus' text format, version 0.0.4, for
//! administrators.

use crate::app::App;
use crate::credentials::{self, Refused};
use crate::site::peer;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bindery_core::{Error, Figures};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn show(State(app): State<App>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match figures(&app, &parts).await {
        Ok(figures) => {
            ([(CONTENT_TYPE, FORMAT), (CACHE_CONTROL, "no-store")], text(&figures)).into_response()
        }
        Err(refused) => refusal(&refused),
    }
}

async fn figures(app: &App, parts: &Parts) -> Result<Figures, Refused> {
    let address = peer(parts, &app.settings);
    app.drive.admit_from(address)?;
    let caller = credentials::sign_in(app, &parts.headers, address).await?;
    app.drive.admit(&caller).await?;
    Ok(app.drive.figures(&caller).await?)
}

fn text(figures: &Figures) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let opened = figures.opened.0 as f64 / 1e6;
    [
        gauge(
            "bindery_oldest_unverified_byte_seconds",
            "No stored byte was last verified, or stored, longer ago than this.",
            "",
            figures.oldest_unverified.as_secs_f64(),
        ),
        gauge(
            "bindery_writing_ended",
            "1 if this process writes no more, because a sync failed: check the disk and restart.",
            "",
            f64::from(u8::from(figures.writing_ended)),
        ),
        gauge(
            "bindery_start_time_seconds",
            "When this process opened the store, since the Unix epoch.",
            "",
            opened,
        ),
        gauge(
            "bindery_build_info",
            "Always 1; the label says which version runs.",
            &format!("{{version=\"{version}\"}}"),
            1.0,
        ),
    ]
    .concat()
}

/// Neither names nor help have anything in them that would have to be escaped.
fn gauge(name: &str, help: &str, labels: &str, value: f64) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name}{labels} {value}\n")
}

/// A cause is logged once, and never sent.
fn refusal(refused: &Refused) -> Response {
    let (status, why) = match refused {
        Refused::Missing | Refused::Unreadable | Refused::Domain(Error::Unauthenticated) => {
            (StatusCode::UNAUTHORIZED, "Sign in as an administrator.\n")
        }
        Refused::Domain(Error::Forbidden) => (StatusCode::FORBIDDEN, "For administrators.\n"),
        Refused::Domain(Error::Throttled { .. } | Error::TooManyRequests { .. }) => {
            (StatusCode::TOO_MANY_REQUESTS, "Later, please.\n")
        }
        Refused::Domain(error @ Error::Unavailable(_)) => {
            tracing::warn!(%error, "a request was not served");
            (StatusCode::SERVICE_UNAVAILABLE, "Not available now.\n")
        }
        Refused::Domain(error) => {
            tracing::error!(%error, "a request failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "A server error occurred.\n")
        }
    };
    let mut response = (status, why).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Bindery\""));
    }
    if let Refused::Domain(Error::Throttled { seconds } | Error::TooManyRequests { seconds }) =
        refused
    {
        headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

//! Public links: whoever has one needs no credentials, and sees one file.

use super::error::Problem;
use crate::app::App;
use crate::http::content::{self, Announced};
use crate::http::disposition::Disposition;
use crate::site::peer;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::Response;
use bindery_core::{Caller, Error, Thing};
use http::request::Parts;
use http::{HeaderMap, Method};

/// The content to be saved. The name in the path is for people and clients; the secret says all.
pub(super) async fn download(
    State(app): State<App>,
    _: Visitor,
    method: Method,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let secret = path.ok().map(|Path((secret, _))| secret);
    respond(&app, &method, &headers, (secret, Disposition::Attachment)).await
}

/// The content to be shown, if a browser may.
pub(super) async fn view(
    State(app): State<App>,
    _: Visitor,
    method: Method,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let secret = path.ok().map(|Path(secret)| secret);
    respond(&app, &method, &headers, (secret, Disposition::Inline)).await
}

/// Whoever comes with a link: known by the address alone.
pub(super) struct Visitor;

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        app.drive.admit_from(peer(parts, &app.settings))?;
        Ok(Visitor)
    }
}

async fn respond(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
    (secret, disposition): (Option<String>, Disposition),
) -> Result<Response, Problem> {
    let secret = secret.ok_or(Error::NotFound(Thing::Share))?;
    let caller = Caller::with_link(&secret);
    let file = app.drive.linked(&caller).await?;
    let download = app.drive.download(&caller, file.id).await?;
    let announced = Announced { name: &file.label, disposition };
    Ok(content::respond(method, headers, download, announced).await?)
}

//! Public links: whoever has one needs no credentials, and sees one file.

use super::error::Problem;
use crate::app::App;
use crate::http::content::{self, Announced};
use crate::http::disposition::Disposition;
use crate::site::peer;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::Response;
use bindery_core::{Caller, Error, Thing};
use http::request::Parts;

/// The content to be saved. The name in the path is for people and clients; the secret says all.
pub(super) async fn download(
    State(app): State<App>,
    _: Visitor,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let secret = path.ok().map(|Path((secret, _))| secret);
    respond(&app, request, (secret, Disposition::Attachment)).await
}

/// The content to be shown, if a browser may.
pub(super) async fn view(
    State(app): State<App>,
    _: Visitor,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let secret = path.ok().map(|Path(secret)| secret);
    respond(&app, request, (secret, Disposition::Inline)).await
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
    request: Request,
    (secret, disposition): (Option<String>, Disposition),
) -> Result<Response, Problem> {
    let secret = secret.ok_or(Error::NotFound(Thing::Share))?;
    let caller = Caller::with_link(&secret);
    let file = app.drive.linked(&caller).await?;
    let download = app.drive.download(&caller, file.id).await?;
    let announced = Announced { name: &file.label, disposition };
    Ok(content::respond(request.method(), request.headers(), download, announced).await?)
}

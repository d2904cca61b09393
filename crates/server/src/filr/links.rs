//! Public links: whoever has one needs no credentials, and sees one file.

use super::BASE;
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

/// Whether a path is that of a link, which may be followed by a name.
pub(super) fn is_link(path: &str) -> bool {
    let Some(link) = path.strip_prefix(BASE).and_then(|rest| rest.strip_prefix("/links/")) else {
        return false;
    };
    let words: Vec<_> = link.strip_suffix('/').unwrap_or(link).split('/').collect();
    words.len() <= 2 && words.iter().all(|word| !word.is_empty())
}

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

#[cfg(test)]
mod tests {
    use super::is_link;

    #[test]
    fn a_link_is_a_secret_and_perhaps_a_name() {
        for path in ["/rest/links/a", "/rest/links/a/", "/rest/links/a/b.txt", "/rest/links/a/b/"] {
            assert!(is_link(path), "{path}");
        }
        for path in [
            "/rest/links",
            "/rest/links/",
            "/rest/links//",
            "/rest/links//b",
            "/rest/links/a//",
            "/rest/links/a/b/c",
            "/rest/linksa/b",
            "/links/a",
        ] {
            assert!(!is_link(path), "{path}");
        }
    }
}

//! The root, the user, and one file's metadata.

use super::auth::Credentials;
use super::error::Problem;
use super::wire::{FileObject, Root, UserObject};
use crate::app::App;
use crate::http::json::Json;
use crate::site::Site;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, State};
use bindery_core::{Caller, Drive, Error, FileId, Thing};
use http::StatusCode;
use http::request::Parts;

/// The prefix that a request used, so that the links in its answer keep it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefix(pub(super) &'static str);

impl FromRequestParts<App> for Prefix {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Self::Rejection> {
        let path = parts.uri.path();
        let longest_first = super::PREFIXES.iter().rev();
        let prefix = longest_first.copied().find(|prefix| path.starts_with(prefix));
        Ok(Prefix(prefix.unwrap_or(super::PREFIXES[0])))
    }
}

/// The id in a route, as it came.
pub(super) type RawId = Result<Path<String>, PathRejection>;

/// Reads an id. Credentials come first: only who has good ones learns that an id is none.
pub(super) async fn file_id(drive: &Drive, caller: &Caller, raw: RawId) -> Result<FileId, Problem> {
    match raw.ok().and_then(|Path(letters)| FileId::from_letters(&letters)) {
        Some(id) => Ok(id),
        None => {
            drive.identify(caller).await?;
            Err(Error::NotFound(Thing::File).into())
        }
    }
}

pub(super) async fn root(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    Site(site): Site,
    Prefix(prefix): Prefix,
) -> Result<Json<Root>, Problem> {
    app.drive.identify(&caller).await?;
    let link = |path: &str| format!("{site}{prefix}/{path}");
    Ok(Json(Root {
        files: link("files/"),
        upload: link("files/contents/"),
        user: link("users/me/"),
    }))
}

pub(super) async fn me(
    State(app): State<App>,
    Credentials { caller }: Credentials,
) -> Result<Json<UserObject>, Problem> {
    let user = app.drive.identify(&caller).await?;
    Ok(Json(UserObject { username: user.login, email: user.email, name: user.name }))
}

pub(super) async fn show(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    site: Site,
    Prefix(prefix): Prefix,
    id: RawId,
) -> Result<Json<FileObject>, Problem> {
    let id = file_id(&app.drive, &caller, id).await?;
    let file = app.drive.file(&caller, id).await?.node;
    Ok(Json(FileObject::new((&app.drive, &caller), file, &site, prefix)))
}

pub(super) async fn delete(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    id: RawId,
) -> Result<StatusCode, Problem> {
    let id = file_id(&app.drive, &caller, id).await?;
    app.drive.trash(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

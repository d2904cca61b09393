//! The versions of a file: an older one is read, made the current one again, or deleted.

use super::ask::Ask;
use super::body::Fields;
use super::error::Problem;
use super::place::{AtFile, AtVersion};
use super::wire::{FileProperties, List, VersionProperties};
use crate::http::content::{self, Announced};
use crate::http::json::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bindery_core::{Error, Thing, VersionId};
use http::StatusCode;

pub(super) async fn list(
    ask: Ask,
    AtFile(id): AtFile,
) -> Result<Json<List<VersionProperties>>, Problem> {
    let (file, versions) = ask.drive().versions(&ask.caller, id.into()).await?;
    let shown = versions.iter().map(|version| VersionProperties::new(&file, version));
    Ok(Json(List::whole(shown.collect())))
}

pub(super) async fn current(
    ask: Ask,
    AtFile(id): AtFile,
) -> Result<Json<VersionProperties>, Problem> {
    let (file, versions) = ask.drive().versions(&ask.caller, id.into()).await?;
    let current = versions.iter().find(|version| version.id.number == file.version);
    let current = current.ok_or(Error::NotFound(Thing::Version))?;
    Ok(Json(VersionProperties::new(&file, current)))
}

pub(super) async fn promote(
    ask: Ask,
    AtFile(id): AtFile,
    body: Body,
) -> Result<Json<FileProperties>, Problem> {
    const GONE: Error = Error::NotFound(Thing::Version);
    let version = Fields::read(&ask, body).await?.required("id")?;
    let version = VersionId::parse(&version).ok_or(GONE)?;
    // A version belongs to its file for ever: between the two calls nothing can change that.
    let file = ask.drive().file(&ask.caller, id).await?;
    if version.file != file.id {
        return Err(GONE.into());
    }
    let file = ask.drive().promote(&ask.caller, version).await?;
    Ok(Json(FileProperties::new(&file, &ask.site, None)))
}

pub(super) async fn content(
    ask: Ask,
    AtVersion(id): AtVersion,
    request: Request,
) -> Result<Response, Problem> {
    let download = ask.drive().download_version(&ask.caller, id).await?;
    let name = download.file.label.clone();
    let announced = Announced::attachment(&name);
    Ok(content::respond(request.method(), request.headers(), download, announced).await?)
}

pub(super) async fn show(
    ask: Ask,
    AtVersion(id): AtVersion,
) -> Result<Json<VersionProperties>, Problem> {
    let (file, version) = ask.drive().version(&ask.caller, id).await?;
    Ok(Json(VersionProperties::new(&file, &version)))
}

pub(super) async fn delete(ask: Ask, AtVersion(id): AtVersion) -> Result<StatusCode, Problem> {
    ask.drive().delete_version(&ask.caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

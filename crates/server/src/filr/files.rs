//! A file: its content and metadata, its name and place, its end.

use super::ask::Ask;
use super::body::Fields;
use super::error::Problem;
use super::paths::Paths;
use super::place::{AtFile, Place};
use super::wire::{Binder, FileProperties};
use crate::http::content::{self, Announced};
use crate::http::json::Json;
use crate::http::media_type::ContentType;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bindery_core::{DeleteFile, Error, FileRef, Name, NodeRef, Thing};
use http::StatusCode;

pub(super) async fn content(
    ask: Ask,
    AtFile(id): AtFile,
    // Whole: its headers would be copied.
    request: Request,
) -> Result<Response, Problem> {
    let download = ask.drive().download(&ask.caller, id).await?;
    let name = download.file.label.clone();
    let announced = Announced::attachment(&name);
    Ok(content::respond(request.method(), request.headers(), download, announced).await?)
}

pub(super) async fn show(ask: Ask, AtFile(id): AtFile) -> Result<Json<FileProperties>, Problem> {
    let file = ask.drive().file(&ask.caller, id).await?;
    Ok(Json(Paths::as_asked(&ask)?.file(&file).await?))
}

pub(super) async fn ancestry(ask: Ask, AtFile(id): AtFile) -> Result<Json<Vec<Binder>>, Problem> {
    of_node(&ask, NodeRef::File(id.into())).await
}

pub(super) async fn rename(
    ask: Ask,
    AtFile(id): AtFile,
    content_type: ContentType,
    body: Body,
) -> Result<Json<FileProperties>, Problem> {
    let name = Fields::read_form(&ask, &content_type, body).await?.name("name")?;
    let file = ask.drive().rename_file(&ask.caller, id.into(), &name).await?;
    Ok(Json(FileProperties::new(&file, &ask.site, None)))
}

pub(super) async fn relocate(
    ask: Ask,
    AtFile(id): AtFile,
    content_type: ContentType,
    body: Body,
) -> Result<Json<FileProperties>, Problem> {
    let fields = Fields::read_form(&ask, &content_type, body).await?;
    let place = Place::of_id(fields.required_number("folder_id")?);
    let to = place.ok_or(Error::NotFound(Thing::Folder))?.folder()?;
    let name = fields.text("name")?.map(|name| Name::parse_legal(&name)).transpose()?;
    let file = ask.drive().move_file(&ask.caller, id.into(), to, name.as_ref()).await?;
    Ok(Json(FileProperties::new(&file, &ask.site, None)))
}

pub(super) async fn delete(ask: Ask, AtFile(id): AtFile) -> Result<StatusCode, Problem> {
    end(&ask, id.into()).await
}

/// Puts a file in the trash or deletes it for good, as the query says.
pub(super) async fn end(ask: &Ask, file: FileRef) -> Result<StatusCode, Problem> {
    let version = ask.query.number("version")?;
    let how = DeleteFile { purge: ask.query.is_set("purge")?, version };
    ask.drive().delete_file(&ask.caller, file, how).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The folders that something lies in, the topmost first.
pub(super) async fn of_node(ask: &Ask, node: NodeRef) -> Result<Json<Vec<Binder>>, Problem> {
    let folders = ask.drive().ancestry(&ask.caller, node).await?;
    let mut paths = Paths::new(ask);
    let mut binders = Vec::with_capacity(folders.len());
    for folder in &folders {
        binders.push(paths.binder(folder).await?);
    }
    Ok(Json(binders))
}

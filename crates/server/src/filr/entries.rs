//! Folder entries: what holds a file, and what sharing hangs off.

use super::ask::Ask;
use super::error::Problem;
use super::files;
use super::place::AtEntry;
use super::wire::{Access, Binder, FolderEntry};
use crate::http::json::Json;
use bindery_core::NodeRef;
use http::StatusCode;

pub(super) async fn show(ask: Ask, AtEntry(id): AtEntry) -> Result<Json<FolderEntry>, Problem> {
    let file = ask.drive().file(&ask.caller, id).await?;
    Ok(Json(FolderEntry::new(&file, &ask.site)))
}

pub(super) async fn ancestry(ask: Ask, AtEntry(id): AtEntry) -> Result<Json<Vec<Binder>>, Problem> {
    files::of_node(&ask, NodeRef::File(id)).await
}

pub(super) async fn access(ask: Ask, AtEntry(id): AtEntry) -> Result<Json<Access>, Problem> {
    let (role, sharing) = ask.drive().rights(&ask.caller, NodeRef::File(id)).await?;
    Ok(Json(Access::new(role, sharing)))
}

pub(super) async fn delete(ask: Ask, AtEntry(id): AtEntry) -> Result<StatusCode, Problem> {
    files::end(&ask, id).await
}

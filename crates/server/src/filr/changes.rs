//! What happened in a folder's tree since a client looked last.

use super::ask::Ask;
use super::dates;
use super::error::Problem;
use super::paths::Paths;
use super::place::Place;
use super::wire::{ChangeItem, ChangeList, ChangedId, Item};
use crate::http::json::Json;
use bindery_core::{Action, NodeChange, SharedNode};

pub(super) async fn list(ask: Ask, place: Place) -> Result<Json<ChangeList>, Problem> {
    let since = dates::exact("since", ask.query.required("since")?)?;
    let changes = ask.drive().changes(&ask.caller, place.folder()?, since).await?;
    let mut paths = Paths::as_asked(&ask)?;
    let mut items = Vec::with_capacity(changes.items.len());
    for change in changes.items {
        items.push(item(&mut paths, change).await?);
    }
    Ok(Json(ChangeList { items, last_change_date: dates::text(changes.last) }))
}

async fn item(paths: &mut Paths<'_>, change: NodeChange) -> Result<ChangeItem, Problem> {
    let (kind, id) = match change.node {
        SharedNode::File(_, hex) => ("file", ChangedId::File(hex.to_string())),
        SharedNode::Folder(id) => ("folder", ChangedId::Folder(id.0)),
    };
    let (mut file, mut folder) = (None, None);
    if let Some(entry) = change.entry {
        match paths.entry(entry).await? {
            Item::File(shown) => file = Some(shown),
            Item::Binder(shown) => folder = Some(shown),
        }
    }
    let action = match change.action {
        Action::Added => "add",
        Action::Modified => "modify",
        Action::Deleted => "delete",
    };
    Ok(ChangeItem { kind, action, date: dates::text(change.at), id, file, folder })
}

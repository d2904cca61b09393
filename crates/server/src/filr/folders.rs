//! A folder: what it is, what lies below it, its name and place, its end.

use super::ask::Ask;
use super::body::Fields;
use super::error::Problem;
use super::files;
use super::lists;
use super::paths::Paths;
use super::place::{Place, View};
use super::wire::{Access, Binder, LibraryInfo, Tree};
use crate::http::json::Json;
use crate::http::media_type::ContentType;
use axum::body::Body;
use bindery_core::{
    Above, DeleteFolder, Entry, Error, Folder, FolderId, FolderRef, NodeRef, Seen, Thing,
};
use http::StatusCode;
use std::collections::HashMap;

pub(super) async fn show(ask: Ask, place: Place) -> Result<Json<Binder>, Problem> {
    let folder = match place {
        Place::View(view) => return Ok(Json(Binder::of_view(view, &ask.site).in_full(None))),
        Place::Folder(folder) => folder,
    };
    let seen = ask.drive().folder(&ask.caller, folder).await?;
    let info = if ask.query.is_set("library_info")? {
        Some(ask.drive().tree_sums(&ask.caller, folder).await?.into())
    } else {
        None
    };
    let binder = Paths::as_asked(&ask)?.binder(&seen).await?.in_full(info);
    // By its number, My Files is its user's workspace.
    let workspace = seen.above == Above::Nothing && folder != FolderRef::Home;
    Ok(Json(if workspace { binder.into_workspace(seen.id, &ask.site) } else { binder }))
}

pub(super) async fn create(ask: Ask, place: Place, body: Body) -> Result<Json<Binder>, Problem> {
    let folder = place.folder()?;
    let fields = Fields::read(&ask, body).await?;
    let title = fields.name("title")?;
    let made = match fields.number("source_id")? {
        None => ask.drive().create_folder(&ask.caller, folder, &title).await?,
        Some(source) => {
            let source = named(source)?.folder()?;
            ask.drive().copy_folder(&ask.caller, source, folder, &title).await?
        }
    };
    whole(&ask, &made).await
}

pub(super) async fn rename(
    ask: Ask,
    place: Place,
    content_type: ContentType,
    body: Body,
) -> Result<Json<Binder>, Problem> {
    let folder = place.folder()?;
    let title = Fields::read_form(&ask, &content_type, body).await?.name("title")?;
    let renamed = ask.drive().rename_folder(&ask.caller, folder, &title).await?;
    whole(&ask, &renamed).await
}

pub(super) async fn relocate(
    ask: Ask,
    place: Place,
    content_type: ContentType,
    body: Body,
) -> Result<Json<Binder>, Problem> {
    let folder = place.folder()?;
    let fields = Fields::read_form(&ask, &content_type, body).await?;
    let to = named(fields.required_number("binder_id")?)?.folder()?;
    let moved = ask.drive().move_folder(&ask.caller, folder, to).await?;
    whole(&ask, &moved).await
}

pub(super) async fn delete(ask: Ask, place: Place) -> Result<StatusCode, Problem> {
    let how = DeleteFolder {
        only_if_empty: ask.query.is_set("only_if_empty")?,
        purge: ask.query.is_set("purge")?,
    };
    ask.drive().delete_folder(&ask.caller, place.folder()?, how).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn ancestry(ask: Ask, place: Place) -> Result<Json<Vec<Binder>>, Problem> {
    match place {
        Place::Folder(folder) => files::of_node(&ask, NodeRef::Folder(folder)).await,
        Place::View(view) => Ok(Json(vec![Binder::of_view(view, &ask.site)])),
    }
}

pub(super) async fn access(ask: Ask, place: Place) -> Result<Json<Access>, Problem> {
    let node = NodeRef::Folder(place.folder()?);
    let (role, sharing) = ask.drive().rights(&ask.caller, node).await?;
    Ok(Json(Access::new(role, sharing)))
}

pub(super) async fn info(ask: Ask, place: Place) -> Result<Json<LibraryInfo>, Problem> {
    Ok(Json(ask.drive().tree_sums(&ask.caller, place.folder()?).await?.into()))
}

pub(super) async fn tree(ask: Ask, place: Place) -> Result<Json<Tree>, Problem> {
    match place {
        Place::Folder(folder) => {
            let tree = ask.drive().tree(&ask.caller, folder).await?;
            let children = grown(&ask, tree).await?.children;
            Ok(Json(Tree { item: None, children }))
        }
        Place::View(view) => forest(&ask, view).await,
    }
}

/// The trees of all folders that a view shows.
async fn forest(ask: &Ask, view: View) -> Result<Json<Tree>, Problem> {
    let mut children = Vec::new();
    for entry in lists::shown(ask, view).await? {
        if let Entry::Folder(folder) = &entry.node {
            let tree = match ask.drive().tree(&ask.caller, folder.id.into()).await {
                // It went away meanwhile.
                Err(Error::NotFound(_)) => continue,
                tree => tree?,
            };
            children.push(grown(ask, tree).await?);
        }
    }
    Ok(Json(Tree { item: None, children }))
}

/// A tree out of its folders, which come level by level.
async fn grown(ask: &Ask, folders: Vec<Seen<Folder>>) -> Result<Tree, Problem> {
    let mut paths = Paths::as_asked(ask)?;
    let mut binders = Vec::with_capacity(folders.len());
    for folder in &folders {
        binders.push((folder.id, folder.parent, paths.binder(folder).await?));
    }
    let mut below: HashMap<FolderId, Vec<Tree>> = HashMap::new();
    // From the deepest level up, so that each tree is whole when it is hung into the one above.
    while let Some((id, parent, binder)) = binders.pop() {
        let mut children = below.remove(&id).unwrap_or_default();
        children.reverse();
        let tree = Tree { item: Some(binder), children };
        match parent.filter(|_| !binders.is_empty()) {
            None => return Ok(tree),
            Some(parent) => below.entry(parent).or_default().push(tree),
        }
    }
    Ok(Tree::default())
}

fn named(id: i64) -> Result<Place, Problem> {
    Place::of_id(id).ok_or_else(|| Error::NotFound(Thing::Folder).into())
}

async fn whole(ask: &Ask, folder: &Seen<Folder>) -> Result<Json<Binder>, Problem> {
    Ok(Json(Paths::new(ask).binder(folder).await?.in_full(None)))
}

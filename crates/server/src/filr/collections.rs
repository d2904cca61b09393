//! Folders, files and entries that are asked for by their ids, or all that the caller has.

use super::ask::Ask;
use super::error::Problem;
use super::paths::Paths;
use super::place::Place;
use super::wire::{Binder, FileProperties, FolderEntry, List};
use crate::http::json::Json;
use bindery_core::{
    Entry, EntryKey, Error, File, FileHex, FileId, FileRef, Folder, FolderId, FolderRef, Kinds,
    Search, Seen,
};

pub(super) async fn folders(ask: Ask) -> Result<Json<List<Binder>>, Problem> {
    if ask.query.get("id").is_none() {
        return all_folders(&ask).await;
    }
    let mut found = Vec::new();
    let mut paths = Paths::as_asked(&ask)?;
    for place in ask.query.all("id").filter_map(|id| id.parse().ok().and_then(Place::of_id)) {
        match place {
            Place::View(view) => found.push(Binder::of_view(view, &ask.site)),
            Place::Folder(folder) => match ask.drive().folder(&ask.caller, folder).await {
                Err(Error::NotFound(_)) => {}
                folder => found.push(paths.binder(&folder?).await?),
            },
        }
    }
    Ok(Json(List::whole(found)))
}

pub(super) async fn files(ask: Ask) -> Result<Json<List<FileProperties>>, Problem> {
    let read = |id: &str| FileHex::parse(id).map(FileRef::Hex);
    let List { first, count, total, next, items: found } = find_files(&ask, read).await?;
    let mut paths = Paths::as_asked(&ask)?;
    let mut items = Vec::with_capacity(found.len());
    for file in &found {
        items.push(paths.file(file).await?);
    }
    Ok(Json(List { first, count, total, next, items }))
}

pub(super) async fn entries(ask: Ask) -> Result<Json<List<FolderEntry>>, Problem> {
    let read = |id: &str| id.parse().ok().map(|id| FileRef::Id(FileId(id)));
    let List { first, count, total, next, items: found } = find_files(&ask, read).await?;
    let items = found.iter().map(|file| FolderEntry::new(file, &ask.site)).collect();
    Ok(Json(List { first, count, total, next, items }))
}

/// The files whose ids the query names, as far as they are there; without any, all in My Files.
async fn find_files(
    ask: &Ask,
    read: impl Fn(&str) -> Option<FileRef>,
) -> Result<List<Seen<File>>, Problem> {
    if ask.query.get("id").is_none() {
        return all_files(ask).await;
    }
    let mut found = Vec::new();
    for id in ask.query.all("id").filter_map(read) {
        match ask.drive().file(&ask.caller, id).await {
            Err(Error::NotFound(_)) => {}
            file => found.push(file?),
        }
    }
    Ok(List::whole(found))
}

async fn all_files(ask: &Ask) -> Result<List<Seen<File>>, Problem> {
    let window = ask.query.window();
    let first = window.first;
    let search = Search {
        folder: FolderRef::Home,
        recursive: true,
        keyword: String::new(),
        kinds: Kinds::Files,
    };
    let (_, listing) = ask.drive().search(&ask.caller, search, window).await?;
    let count = listing.entries.len() as u64;
    let next = listing.next.map(|key| ask.query.next(&ask.path, first + count, Some(&key)));
    let file = |entry: Seen<Entry>| match entry.node {
        Entry::File(node) => Some(Seen { node, above: entry.above, role: entry.role }),
        Entry::Folder(_) => None,
    };
    let items = listing.entries.into_iter().filter_map(file).collect();
    Ok(List { first, count, total: listing.total, next, items })
}

/// Every folder in the caller's tree, by number.
async fn all_folders(ask: &Ask) -> Result<Json<List<Binder>>, Problem> {
    let window = ask.query.window();
    let total = ask.drive().tree_sums(&ask.caller, FolderRef::Home).await?.folders;
    let wanted = window.count.unwrap_or(total);
    // Without the last id of the part before, the parts before are passed over.
    let (behind, skipped) = match &window.behind {
        Some(key) => (FolderId(key.id), 0),
        None => (FolderId(0), window.first),
    };
    let found = ask.drive().folders(&ask.caller, behind, skipped.saturating_add(wanted)).await?;
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let shown = found.get(skipped..).unwrap_or_default();
    let end = window.first.saturating_add(shown.len() as u64);
    let next = shown.last().filter(|_| end < total).map(|last| {
        let key = EntryKey { file: false, label_key: String::new(), id: last.id.0 };
        ask.query.next(&ask.path, end, Some(&key))
    });
    let items = binders(ask, shown).await?;
    Ok(Json(List { first: window.first, count: items.len() as u64, total, next, items }))
}

async fn binders(ask: &Ask, folders: &[Seen<Folder>]) -> Result<Vec<Binder>, Problem> {
    let mut paths = Paths::as_asked(ask)?;
    let mut binders = Vec::with_capacity(folders.len());
    for folder in folders {
        binders.push(paths.binder(folder).await?);
    }
    Ok(binders)
}

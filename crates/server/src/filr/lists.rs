//! What lies in a folder, or in a view beside My Files; what a search finds, and what changed last. A
//! part at a time.

use super::ask::Ask;
use super::error::Problem;
use super::paths::Paths;
use super::place::{Place, View};
use super::wire::{Binder, Item, List};
use crate::http::conditional::is_unmodified;
use crate::http::json::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bindery_core::{Entry, FolderRef, Kinds, Listing, Name, Search, Seen, Time, Window};
use http::header::{CACHE_CONTROL, LAST_MODIFIED};
use http::{HeaderValue, StatusCode};
use std::time::{Duration, UNIX_EPOCH};

pub(super) async fn children(
    ask: Ask,
    place: Place,
    request: Request,
) -> Result<Response, Problem> {
    list(&ask, place, Kinds::Both).await?.respond(&request)
}

pub(super) async fn child_folders(
    ask: Ask,
    place: Place,
    request: Request,
) -> Result<Response, Problem> {
    list(&ask, place, Kinds::Folders).await?.respond(&request)
}

pub(super) async fn child_files(
    ask: Ask,
    place: Place,
    request: Request,
) -> Result<Response, Problem> {
    list(&ask, place, Kinds::Files).await?.respond(&request)
}

pub(super) async fn search(ask: Ask, place: Place) -> Result<Json<List<Item>>, Problem> {
    let recursive = ask.query.is_set("recursive")?;
    find(&ask, place.folder()?, recursive).await
}

/// A search in all of My Files.
pub(super) async fn everything(ask: Ask) -> Result<Json<List<Item>>, Problem> {
    find(&ask, FolderRef::Home, true).await
}

pub(super) async fn recent(ask: Ask, place: Place) -> Result<Json<List<Item>>, Problem> {
    latest(&ask, place.folder()?).await
}

pub(super) async fn recent_everywhere(ask: Ask) -> Result<Json<List<Item>>, Problem> {
    latest(&ask, FolderRef::Home).await
}

/// My Files, and the views beside it.
pub(super) async fn roots(ask: Ask) -> Result<Json<List<Binder>>, Problem> {
    let home = ask.drive().folder(&ask.caller, FolderRef::Home).await?;
    let mut roots = vec![Paths::new(&ask).binder(&home).await?];
    roots.extend(View::ALL.map(|view| Binder::of_view(view, &ask.site)));
    Ok(Json(List::whole(roots)))
}

/// A list, and when anything in it changed last.
struct Dated {
    list: List<Item>,
    changed: Option<Time>,
}

impl Dated {
    fn respond(self, request: &Request) -> Result<Response, Problem> {
        let Some(changed) = self.changed else {
            return Ok(Json(self.list).into_response());
        };
        let seconds = u64::try_from(changed.seconds()).unwrap_or(0);
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        let date = HeaderValue::try_from(date).map_err(bindery_core::Error::internal)?;
        // Without this a cache may think for days that a list that was old is still the same.
        let cache = HeaderValue::from_static("private, no-cache");
        let headers = [(LAST_MODIFIED, date), (CACHE_CONTROL, cache)];
        if is_unmodified(request.method(), request.headers(), seconds) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        Ok((headers, Json(self.list)).into_response())
    }
}

async fn list(ask: &Ask, place: Place, kinds: Kinds) -> Result<Dated, Problem> {
    let folder = match place {
        Place::Folder(folder) => folder,
        Place::View(view) => {
            let list = view_list(ask, view, kinds).await?;
            return Ok(Dated { list, changed: None });
        }
    };
    let window = ask.query.window();
    let listing = if let Some(name) = wanted_name(ask) {
        named_child(ask, folder, kinds, &name).await?
    } else if ask.query.is_set("recursive")? {
        let search = Search { folder, recursive: true, keyword: String::new(), kinds };
        ask.drive().search(&ask.caller, search, window.clone()).await?.1
    } else {
        ask.drive().children(&ask.caller, folder, kinds, window.clone()).await?.1
    };
    let changed = listing.changed;
    Ok(Dated { list: part(ask, listing, &window).await?, changed })
}

/// The one name that a list is narrowed to.
fn wanted_name(ask: &Ask) -> Option<String> {
    let names = ["title", "file_name"].map(|name| ask.query.get(name));
    names.into_iter().flatten().find(|name| !name.is_empty()).map(str::to_owned)
}

/// The child of a name, as a list: what can be no name is found nowhere.
async fn named_child(
    ask: &Ask,
    folder: FolderRef,
    kinds: Kinds,
    name: &str,
) -> Result<Listing, Problem> {
    let (folder, child) = match Name::parse_legal(name) {
        Ok(name) => ask.drive().child(&ask.caller, folder, &name).await?,
        Err(_) => (ask.drive().folder(&ask.caller, folder).await?, None),
    };
    let entries: Vec<_> = child.into_iter().filter(|child| is_of(child, kinds)).collect();
    Ok(Listing {
        total: entries.len() as u64,
        entries,
        next: None,
        changed: Some(folder.node.changed),
    })
}

fn is_of(entry: &Seen<Entry>, kinds: Kinds) -> bool {
    match kinds {
        Kinds::Both => true,
        Kinds::Folders => matches!(entry.node, Entry::Folder(_)),
        Kinds::Files => matches!(entry.node, Entry::File(_)),
    }
}

async fn find(ask: &Ask, folder: FolderRef, recursive: bool) -> Result<Json<List<Item>>, Problem> {
    let window = ask.query.window();
    let keyword = ask.query.get("keyword").unwrap_or_default().to_owned();
    let search = Search { folder, recursive, keyword, kinds: Kinds::Both };
    let (_, listing) = ask.drive().search(&ask.caller, search, window.clone()).await?;
    Ok(Json(part(ask, listing, &window).await?))
}

async fn latest(ask: &Ask, folder: FolderRef) -> Result<Json<List<Item>>, Problem> {
    let window = ask.query.window();
    let (_, listing) = ask.drive().recent(&ask.caller, folder, window.clone()).await?;
    Ok(Json(part(ask, listing, &window).await?))
}

/// A part of a list, with the link to the next.
async fn part(ask: &Ask, listing: Listing, window: &Window) -> Result<List<Item>, Problem> {
    let count = listing.entries.len() as u64;
    let first = window.first;
    let next = listing.next.map(|key| ask.query.next(&ask.path, first + count, Some(&key)));
    let items = Paths::as_asked(ask)?.entries(listing.entries).await?;
    Ok(List { first, count, total: listing.total, next, items })
}

/// What a view shows at its top.
pub(super) async fn shown(ask: &Ask, view: View) -> Result<Vec<Seen<Entry>>, Problem> {
    Ok(match view {
        View::SharedWithMe => ask.drive().shared_with_me(&ask.caller, false).await?,
        View::SharedByMe => ask.drive().shared_by_me(&ask.caller).await?,
        View::Public => ask.drive().shared_with_me(&ask.caller, true).await?,
        View::NetFolders => Vec::new(),
    })
}

async fn view_list(ask: &Ask, view: View, kinds: Kinds) -> Result<List<Item>, Problem> {
    let mut entries = shown(ask, view).await?;
    entries.retain(|entry| is_of(entry, kinds));
    if let Some(name) = wanted_name(ask) {
        let key = Name::parse_legal(&name).ok().map(|name| name.key());
        entries.retain(|entry| key.is_some() && label_key(entry) == key);
    }
    let List { first, count, total, next, items } = cut(ask, entries);
    let items = Paths::as_asked(ask)?.entries(items).await?;
    Ok(List { first, count, total, next, items })
}

fn label_key(entry: &Seen<Entry>) -> Option<String> {
    let label = match &entry.node {
        Entry::Folder(folder) => &folder.title,
        Entry::File(file) => &file.label,
    };
    Name::parse(label).ok().map(|name| name.key())
}

/// The part of something that is known whole which the client asks for.
pub(super) fn cut<T>(ask: &Ask, all: Vec<T>) -> List<T> {
    let window = ask.query.window();
    let total = all.len() as u64;
    let first = window.first.min(total);
    let end = window.count.map_or(total, |count| first.saturating_add(count).min(total));
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let items: Vec<T> = all.into_iter().skip(index(first)).take(index(end - first)).collect();
    let more = end < total && end > first;
    let next = more.then(|| ask.query.next(&ask.path, end, None));
    List { first: window.first, count: end - first, total, next, items }
}

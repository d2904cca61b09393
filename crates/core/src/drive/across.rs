//! Looking across folders: what a search finds, what happened lately, what is shared.

use super::Drive;
use super::entries::PART_MAX;
use crate::access::{Caller, Right, grant, grant_folder, identify};
use crate::catalog::conn::Tx;
use crate::catalog::entries::{self, Hunt, key};
use crate::catalog::folders::{self, Action, DEPTH_MAX};
use crate::catalog::names::{self, Compared};
use crate::catalog::{pages, shares};
use crate::clock::Time;
use crate::error::{Error, Result, Thing};
use crate::id::{FileId, FolderId};
use crate::name::fold;
use crate::node::{Entry, FileRef, Folder, FolderRef, Kinds, Listing, Seen, Window};
use crate::share::SharedNode;
use crate::sweep::CHANGES_DAYS;

/// Changes that are told at once, at most.
const CHANGES_MAX: u64 = 10_000;

/// What to look for in a folder's tree.
#[derive(Clone, Debug)]
pub struct Search {
    /// Where.
    pub folder: FolderRef,
    /// Whether also in the folders below.
    pub recursive: bool,
    /// What the name must look like, without regard to case: `*` stands for anything, `?` for one
    /// character; without either, it may be anywhere in the name. Empty finds all.
    pub keyword: String,
    /// Which kinds of entries.
    pub kinds: Kinds,
}

/// What happened in a folder's tree.
#[derive(Clone, Debug)]
pub struct Changes {
    /// In order.
    pub items: Vec<Change>,
    /// When the last of them happened; without any, when it was asked.
    pub last: Time,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Change {
    /// What.
    pub action: Action,
    /// When.
    pub at: Time,
    /// To what.
    pub node: SharedNode,
    /// That as it is now, if it still lives.
    pub entry: Option<Seen<Entry>>,
}

impl Drive {
    /// What a search in a folder finds, by name.
    pub async fn search(
        &self,
        caller: &Caller,
        search: Search,
        window: Window,
    ) -> Result<(Seen<Folder>, Listing)> {
        let input = (caller.clone(), self.now(), search, window);
        self.catalog()
            .scan(&input, |tx, (caller, now, search, window)| {
                Box::pin(async move {
                    let folder = grant_folder(tx, caller, *now, search.folder, Right::Read).await?;
                    let pattern = wildcards(&fold(&search.keyword))?;
                    let candidates = names::candidates(tx, &pattern, Compared::Labels).await?;
                    let hunt = Hunt {
                        folder: folder.id,
                        pattern: &pattern,
                        candidates: candidates.as_deref(),
                        depth: if search.recursive { DEPTH_MAX } else { 0 },
                        kinds: search.kinds,
                    };
                    let limit = window.count.unwrap_or(PART_MAX).min(PART_MAX);
                    let (ids, total) = entries::found(tx, &hunt, window.first, limit).await?;
                    let listing = found(tx, caller, *now, ids, (window.first, total)).await?;
                    Ok((folder.into_seen(), listing))
                })
            })
            .await
    }

    /// The files of a folder's tree by date, the newest first.
    pub async fn recent(
        &self,
        caller: &Caller,
        folder: FolderRef,
        window: Window,
    ) -> Result<(Seen<Folder>, Listing)> {
        let input = (caller.clone(), self.now(), folder, window);
        self.catalog()
            .scan(&input, |tx, (caller, now, folder, window)| {
                Box::pin(async move {
                    let folder = grant_folder(tx, caller, *now, *folder, Right::Read).await?;
                    let total = folders::sums(tx, folder.id).await?.files;
                    let limit = window.count.unwrap_or(PART_MAX).min(PART_MAX);
                    let ids = entries::recent(tx, folder.id, window.first, limit).await?;
                    let ids = ids.into_iter().map(|id| (id, true)).collect();
                    let listing = found(tx, caller, *now, ids, (window.first, total)).await?;
                    Ok((folder.into_seen(), listing))
                })
            })
            .await
    }

    /// What happened in a folder's tree since a time.
    pub async fn changes(
        &self,
        caller: &Caller,
        folder: FolderRef,
        since: Time,
    ) -> Result<Changes> {
        let now = self.now();
        if since < now.plus_seconds(-86_400 * CHANGES_DAYS) {
            return Err(Error::WindowPassed);
        }
        let input = (caller.clone(), now, folder, since);
        self.catalog()
            .scan(&input, |tx, (caller, now, folder, since)| {
                Box::pin(async move {
                    let folder = grant_folder(tx, caller, *now, *folder, Right::Read).await?;
                    let rows = folders::changes(tx, folder.id, *since, CHANGES_MAX).await?;
                    let last = rows.last().map_or(*now, |row| row.at);
                    let mut items = Vec::with_capacity(rows.len());
                    for row in rows {
                        let kind = i64::from(row.hex.is_some());
                        let node = SharedNode::from_row(row.node, kind, row.hex)
                            .ok_or_else(|| Error::internal("a change names no node"))?;
                        let entry = match row.action {
                            Action::Deleted => None,
                            _ => see(tx, caller, *now, (row.node, kind == 1)).await?,
                        };
                        items.push(Change { action: row.action, at: row.at, node, entry });
                    }
                    Ok(Changes { items, last })
                })
            })
            .await
    }

    /// What others share with the caller: each thing once, whether by name or with everyone.
    pub async fn shared_with_me(
        &self,
        caller: &Caller,
        everyone: bool,
    ) -> Result<Vec<Seen<Entry>>> {
        let input = (caller.clone(), self.now(), everyone);
        self.catalog()
            .scan(&input, |tx, (caller, now, everyone)| {
                Box::pin(async move {
                    let user = identify(tx, caller, *now).await?.id;
                    let found = if *everyone {
                        shares::with_everyone(tx).await?
                    } else {
                        shares::with_user(tx, user).await?
                    };
                    let nodes = found.into_iter().map(|share| share.node);
                    gather(tx, caller, *now, nodes).await
                })
            })
            .await
    }

    /// What the caller shares with others: each thing once.
    pub async fn shared_by_me(&self, caller: &Caller) -> Result<Vec<Seen<Entry>>> {
        let input = (caller.clone(), self.now());
        self.catalog()
            .scan(&input, |tx, (caller, now)| {
                Box::pin(async move {
                    let user = identify(tx, caller, *now).await?.id;
                    let found = shares::by_sharer(tx, user).await?;
                    let nodes = found.into_iter().map(|share| share.node);
                    gather(tx, caller, *now, nodes).await
                })
            })
            .await
    }
}

/// A pattern for `like`, from a keyword with `*` and `?`.
fn wildcards(keyword: &str) -> Result<String> {
    if keyword.starts_with(['*', '?']) && keyword != "*" {
        return Err(Error::invalid("keyword", "A search cannot begin with a wildcard."));
    }
    if keyword.chars().count() > pages::PATTERN_MAX {
        return Err(Error::invalid("keyword", "This is longer than any name."));
    }
    let anywhere = pages::pattern(keyword);
    if !keyword.contains(['*', '?']) {
        return Ok(anywhere);
    }
    let exact = anywhere[1..anywhere.len() - 1].to_owned();
    Ok(exact.replace('*', "%").replace('?', "_"))
}

/// Things that a search found, as the caller sees them.
async fn found(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    ids: Vec<(i64, bool)>,
    (first, total): (u64, u64),
) -> Result<Listing> {
    let shown = ids.len() as u64;
    let mut entries = Vec::with_capacity(ids.len());
    for id in ids {
        entries.extend(see(tx, caller, now, id).await?);
    }
    let more = first + shown < total && shown > 0;
    let next = if more { entries.last().map(|entry| key(&entry.node)) } else { None };
    Ok(Listing { total, entries, next, changed: None })
}

/// Something, if it lives and the caller may see it.
async fn see(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    (id, file): (i64, bool),
) -> Result<Option<Seen<Entry>>> {
    let seen = if file {
        let id = FileRef::Id(FileId(id));
        grant(tx, caller, now, id, Right::Read).await.map(|file| file.into_seen().map(Entry::File))
    } else {
        let id = FolderRef::Id(FolderId(id));
        let folder = grant_folder(tx, caller, now, id, Right::Read).await;
        folder.map(|folder| folder.into_seen().map(Entry::Folder))
    };
    match seen {
        Ok(seen) => Ok(Some(seen)),
        Err(Error::NotFound(Thing::File | Thing::Folder)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn gather(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    nodes: impl Iterator<Item = SharedNode>,
) -> Result<Vec<Seen<Entry>>> {
    let mut nodes: Vec<_> =
        nodes.map(|node| (node.number(), matches!(node, SharedNode::File(..)))).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut seen = Vec::new();
    for node in nodes {
        seen.extend(see(tx, caller, now, node).await?);
    }
    seen.sort_by_cached_key(|entry| {
        let key = key(&entry.node);
        (key.file, key.label_key, key.id)
    });
    Ok(seen)
}

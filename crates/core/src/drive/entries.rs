//! Looking at folders: one, its children, its tree.

use super::Drive;
use super::browse::{LONG_PAGE, Skipped, Span};
use crate::access::{
    Caller, Granted, Right, Roles, above, grant, grant_children, grant_folder, identify, roles,
};
use crate::catalog::asked::Part;
use crate::catalog::conn::Tx;
use crate::catalog::entries::key;
use crate::catalog::files::{self, File};
use crate::catalog::folders::{self, TreeSums};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId, UserId};
use crate::name::Name;
use crate::node::{Entry, Folder, FolderRef, Kinds, Listing, NodeRef, Seen, Window};

/// Entries of one part of a list, at most: a list that is longer goes on in a next part.
pub(super) const PART_MAX: u64 = 10_000;
/// Folders of one tree that are shown, at most.
const TREE_MAX: u64 = 100_000;

impl Drive {
    /// A folder, if the caller may see it.
    pub async fn folder(&self, caller: &Caller, folder: FolderRef) -> Result<Seen<Folder>> {
        let input = (caller.clone(), self.now(), folder);
        let seen = self
            .catalog()
            .look_up(&input, |tx, (caller, now, folder)| {
                Box::pin(async move {
                    let folder = grant_folder(tx, caller, *now, *folder, Right::Read).await?;
                    Ok(folder.into_seen())
                })
            })
            .await?;
        self.note_use(caller, input.1);
        Ok(seen)
    }

    /// The folders that the caller owns, by number, behind one; the root is among them.
    pub async fn folders(
        &self,
        caller: &Caller,
        behind: FolderId,
        limit: u64,
    ) -> Result<Vec<Seen<Folder>>> {
        let input = (caller.clone(), self.now(), behind, limit.min(PART_MAX));
        self.catalog()
            .scan(&input, |tx, (caller, now, behind, limit)| {
                Box::pin(async move {
                    let user = identify(tx, caller, *now).await?.id;
                    let found = folders::of_owner(tx, user, *behind, *limit).await?;
                    Ok(found.into_iter().map(|folder| own(folder, user)).collect())
                })
            })
            .await
    }

    /// A part of a folder's children, with the folder itself.
    pub async fn children(
        &self,
        caller: &Caller,
        folder: FolderRef,
        kinds: Kinds,
        window: Window,
    ) -> Result<(Seen<Folder>, Listing)> {
        let input = (caller.clone(), self.now(), folder, kinds, window);
        let long = input.4.count.is_none_or(|count| count > LONG_PAGE);
        let listed = if long {
            self.catalog().scan(&input, |tx, input| Box::pin(children(tx, input))).await?
        } else if is_counted(&input.4) {
            self.catalog().read(&input, |tx, input| Box::pin(children(tx, input))).await?
        } else {
            self.catalog().look_up(&input, |tx, input| Box::pin(children(tx, input))).await?
        };
        self.note_use(caller, input.1);
        Ok(listed)
    }

    /// The child of a folder that has a name, without regard to case, if there is one.
    pub async fn child(
        &self,
        caller: &Caller,
        folder: FolderRef,
        name: &Name,
    ) -> Result<(Seen<Folder>, Option<Seen<Entry>>)> {
        let input = (caller.clone(), self.now(), folder, name.clone());
        self.catalog()
            .read(&input, |tx, (caller, now, folder, name)| {
                Box::pin(async move {
                    let folder = grant_folder(tx, caller, *now, *folder, Right::Read).await?;
                    let found = match files::taken(tx, folder.id, &name.label()).await? {
                        Some(taken) => Some(entry(tx, &folder, taken).await?),
                        None => None,
                    };
                    Ok((folder.into_seen(), found))
                })
            })
            .await
    }

    /// All folders of a folder's tree, itself first, level by level.
    pub async fn tree(&self, caller: &Caller, folder: FolderRef) -> Result<Vec<Seen<Folder>>> {
        let input = (caller.clone(), self.now(), folder);
        self.catalog()
            .scan(&input, |tx, (caller, now, folder)| {
                Box::pin(async move {
                    let top = grant_folder(tx, caller, *now, *folder, Right::Read).await?;
                    let tree = folders::tree(tx, top.id, TREE_MAX).await?;
                    Ok(tree.into_iter().map(|folder| below(&top, folder)).collect())
                })
            })
            .await
    }

    /// What a folder's tree holds in all.
    pub async fn tree_sums(&self, caller: &Caller, folder: FolderRef) -> Result<TreeSums> {
        let input = (caller.clone(), self.now(), folder);
        self.catalog()
            .scan(&input, |tx, (caller, now, folder)| {
                Box::pin(async move {
                    let folder = grant_folder(tx, caller, *now, *folder, Right::Read).await?;
                    folders::sums(tx, folder.id).await
                })
            })
            .await
    }

    /// The folders that something lies in, the topmost first, as far up as the caller may see; a
    /// folder itself is the last of them.
    pub async fn ancestry(&self, caller: &Caller, node: NodeRef) -> Result<Vec<Seen<Folder>>> {
        let input = (caller.clone(), self.now(), node);
        self.catalog()
            .read(&input, |tx, (caller, now, node)| {
                Box::pin(async move {
                    identify(tx, caller, *now).await?;
                    let (id, owner, user) = match node {
                        NodeRef::File(file) => {
                            let file = grant(tx, caller, *now, *file, Right::Read).await?;
                            (file.id.0, file.owner, file.caller())
                        }
                        NodeRef::Folder(folder) => {
                            let folder =
                                grant_folder(tx, caller, *now, *folder, Right::Read).await?;
                            (folder.id.0, folder.owner, folder.caller())
                        }
                    };
                    let mut seen = Vec::new();
                    for folder in folders::ancestry(tx, id).await? {
                        let roles = roles(tx, folder.id.0, owner, user, *now).await?;
                        if owner == user || roles.here.is_some() {
                            seen.push(seen_by(folder, user, roles));
                        }
                    }
                    Ok(seen)
                })
            })
            .await
    }
}

/// A live child of a folder, which is there.
pub(super) async fn entry(
    tx: &mut Tx<'_>,
    folder: &Granted<'_, Folder>,
    (id, file): (i64, bool),
) -> Result<Seen<Entry>> {
    let entry = if file {
        Entry::File(own_file(tx, FileId(id)).await?)
    } else {
        Entry::Folder(own_folder(tx, FolderId(id)).await?)
    };
    Ok(folder.child(entry))
}

/// A file that is known to be there, with whom it is shared.
pub(super) async fn own_file(tx: &mut Tx<'_>, id: FileId) -> Result<File> {
    let found = files::find(tx, id.into()).await?;
    let mut file = found.ok_or_else(|| Error::internal("a file that was found is not there"))?;
    files::load_shares(tx, &mut file).await?;
    Ok(file)
}

/// A file as the unit that wrote it made it, in place of asking for it again; with whom it is shared.
pub(super) async fn written(tx: &mut Tx<'_>, mut file: File) -> Result<File> {
    files::load_shares(tx, &mut file).await?;
    check_written(tx, &file).await?;
    Ok(file)
}

/// In a build for tests each such file is compared with what was written.
pub(super) async fn check_written(tx: &mut Tx<'_>, file: &File) -> Result<()> {
    if cfg!(debug_assertions) {
        let found = own_file(tx, file.id).await?;
        assert_eq!(format!("{file:?}"), format!("{found:?}"), "a file is not what was written");
    }
    Ok(())
}

/// A folder that is known to be there.
pub(super) async fn own_folder(tx: &mut Tx<'_>, id: FolderId) -> Result<Folder> {
    let found = folders::find(tx, id).await?;
    found.ok_or_else(|| Error::internal("a folder that was found is not there"))
}

async fn children(
    tx: &mut Tx<'_>,
    (caller, now, folder, kinds, window): &(Caller, Time, FolderRef, Kinds, Window),
) -> Result<(Seen<Folder>, Listing)> {
    let size = window.count.unwrap_or(PART_MAX).min(PART_MAX);
    let (part, limit, more) = if is_counted(window) {
        let granted = grant_folder(tx, caller, *now, *folder, Right::Read).await?;
        let span = Span::new(window.first, size, total(&granted, *kinds));
        let part = match span.skipped() {
            Skipped::Before(before) => Part::At(before),
            Skipped::Behind(behind) => Part::To(behind),
        };
        (part, span.shown, span.behind > 0)
    } else {
        // One more than is shown tells whether there is another part.
        (window.behind.as_ref().map_or(Part::At(0), Part::Behind), size + 1, false)
    };
    let part = (*kinds, &part, limit);
    let (folder, mut found) = grant_children(tx, caller, *now, *folder, part).await?;
    let one_more = found.len() as u64 > size;
    if one_more {
        found.pop();
    }
    let next = if more || one_more { found.last().map(key) } else { None };
    let listing = Listing {
        total: total(&folder, *kinds),
        entries: found.into_iter().map(|entry| folder.child(entry)).collect(),
        next,
        changed: Some(folder.changed),
    };
    Ok((folder.into_seen(), listing))
}

/// Whether a part is found by counting from the nearer end: how much there is is asked first.
fn is_counted(window: &Window) -> bool {
    window.behind.is_none() && window.first > 0
}

/// How many children of some kinds a folder has.
fn total(folder: &Folder, kinds: Kinds) -> u64 {
    match kinds {
        Kinds::Both => folder.folders + folder.files,
        Kinds::Folders => folder.folders,
        Kinds::Files => folder.files,
    }
}

fn own(folder: Folder, user: UserId) -> Seen<Folder> {
    seen_by(folder, user, Roles::default())
}

fn seen_by(folder: Folder, user: UserId, roles: Roles) -> Seen<Folder> {
    let owns = folder.owner == user;
    let above = above(owns && folder.in_root, owns, roles, folder.parent);
    Seen { node: folder, above, role: if owns { None } else { roles.here } }
}

/// A folder of a tree whose top was granted: rights reach down, so only the top's place is special.
fn below(top: &Granted<'_, Folder>, folder: Folder) -> Seen<Folder> {
    let seen = top.seen_as(folder);
    if seen.node.id == top.id {
        return seen;
    }
    let (owns, roles) = (seen.role.is_none(), Roles { here: seen.role, above: seen.role });
    let above = above(owns && seen.node.in_root, owns, roles, seen.node.parent);
    Seen { above, ..seen }
}

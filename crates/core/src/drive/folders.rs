//! Making folders, renaming and moving them, and copying whole trees.

use super::Drive;
use super::arrange::{Spot, copy_to, leave_tree, parent, refuse_taken};
use super::entries::own_folder;
use super::once::{Request, recall};
use crate::access::{Caller, Granted, Right, grant_folder};
use crate::audit::{Act, Event, did};
use crate::catalog::conn::Tx;
use crate::catalog::entries::{self, key};
use crate::catalog::files::{self, Place};
use crate::catalog::folders::{self, Action, Child, DEPTH_MAX, NewFolder};
use crate::catalog::{shares, trash, users};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::FolderId;
use crate::name::{Label, Name, fold};
use crate::node::{Entry, EntryKey, FileHex, Folder, FolderRef, Seen, Stamp};
use crate::vault::keys::Keyring;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Files of one unit: short enough to stand in no one's way.
const CHUNK: u64 = 200;
/// Files that can go from one owner's tree to another's at once.
const GIVEN_MAX: u64 = 10_000;
/// Folders of a tree that can be copied.
const COPIED_MAX: u64 = 100_000;

impl Drive {
    /// Makes a folder, if the name is free.
    pub async fn create_folder(
        &self,
        caller: &Caller,
        folder: FolderRef,
        name: &Name,
    ) -> Result<Seen<Folder>> {
        let request = Request::of(caller, "create_folder", &(folder, name));
        let input = (caller.clone(), self.now(), folder, name.clone());
        self.once(caller, request, input, |tx, (caller, now, folder, name)| {
            Box::pin(async move {
                let above = grant_folder(tx, caller, *now, *folder, Right::Add).await?;
                let label = name.label();
                refuse_taken(tx, &above, &label, 0).await?;
                if folders::height(tx, above.id).await? + 1 > DEPTH_MAX {
                    return Err(Error::Hierarchy);
                }
                let at = users::change_tree(tx, above.owner, 0, 0, *now).await?;
                let created = Stamp { at, by: above.caller() };
                let id = folders::insert(tx, &above, &label, created).await?;
                child(tx, above.id, id, Action::Added, at).await?;
                let event = Event::by(above.caller(), Act::FolderCreated).folder(id);
                let event = event.with("in", above.id);
                Ok(did(above.child(own_folder(tx, id).await?), event))
            })
        })
        .await
    }

    /// Renames a folder, if the name is free.
    pub async fn rename_folder(
        &self,
        caller: &Caller,
        folder: FolderRef,
        name: &Name,
    ) -> Result<Seen<Folder>> {
        let request = Request::of(caller, "rename_folder", &(folder, name));
        let input = (caller.clone(), self.now(), folder, name.clone());
        self.once(caller, request, input, |tx, (caller, now, folder, name)| {
            Box::pin(async move {
                let folder = grant_folder(tx, caller, *now, *folder, Right::Arrange).await?;
                let above = above(tx, caller, *now, &folder).await?;
                let label = name.label();
                refuse_taken(tx, &above, &label, folder.id.0).await?;
                let at = users::change_tree(tx, folder.owner, 0, 0, *now).await?;
                folders::arrange(tx, &folder, place(&above, &label)).await?;
                folders::modified(tx, &folder, at).await?;
                child(tx, above.id, folder.id, Action::Modified, at).await?;
                let event = Event::by(folder.caller(), Act::FolderRenamed).folder(folder.id);
                Ok(did(folder.seen_as(own_folder(tx, folder.id).await?), event))
            })
        })
        .await
    }

    /// Moves a folder with all that is in it, if its name is free there. In another owner's tree it
    /// belongs to that owner, and is shared as the folder above it is.
    pub async fn move_folder(
        &self,
        caller: &Caller,
        folder: FolderRef,
        to: FolderRef,
    ) -> Result<Seen<Folder>> {
        let request = Request::of(caller, "move_folder", &(folder, to));
        let input = (caller.clone(), self.now(), folder, to);
        self.once(caller, request, input, |tx, (caller, now, folder, to)| {
            Box::pin(async move {
                let folder = grant_folder(tx, caller, *now, *folder, Right::Arrange).await?;
                let to = grant_folder(tx, caller, *now, *to, Right::Add).await?;
                let from = move_folder(tx, caller, &folder, &to, *now).await?;
                let event = Event::by(to.caller(), Act::FolderMoved).folder(folder.id);
                let event = event.with("from", from).with("to", to.id);
                Ok(did(to.child(own_folder(tx, folder.id).await?), event))
            })
        })
        .await
    }

    /// Copies a folder with all that is in it, if the name is free. Contents are shared, not copied.
    ///
    /// The copy is built out of sight, piece by piece, and attached at once. What changes in the
    /// original meanwhile may or may not be in it.
    pub async fn copy_folder(
        &self,
        caller: &Caller,
        source: FolderRef,
        to: FolderRef,
        name: &Name,
    ) -> Result<Seen<Folder>> {
        let request = Request::of(caller, "copy_folder", &(source, to, name));
        let (top, tree) = match self.begin_copy(caller, request.clone(), (source, to, name)).await?
        {
            ControlFlow::Continue(begun) => begun,
            ControlFlow::Break(made) => return Ok(made),
        };
        let copied = match self.copy_tree(caller, top, &tree).await {
            Ok(()) => {
                let source = tree.first().map_or(top, |source| source.id);
                self.attach(caller, request, (source, top), (to, name)).await
            }
            Err(error) => Err(error),
        };
        // Another one may have been made under the same key meanwhile.
        if copied.as_ref().map_or(true, |copied| copied.id != top) {
            self.drop_copy(top).await;
        }
        copied
    }

    /// Makes the top of a copy, out of sight; the folders to be copied, level by level. Or there is
    /// nothing to be done: the copy that was made under the caller's key.
    async fn begin_copy(
        &self,
        caller: &Caller,
        request: Option<Request>,
        (source, to, name): (FolderRef, FolderRef, &Name),
    ) -> Result<ControlFlow<Seen<Folder>, (FolderId, Vec<Folder>)>> {
        let input = (caller.clone(), self.now(), request, source, to, name.clone());
        self.catalog()
            .write(input, |tx, (caller, now, request, source, to, name)| {
                Box::pin(async move {
                    if let Some(request) = request
                        && let Some(made) = recall(tx, caller, *now, request).await?
                    {
                        return Ok(ControlFlow::Break(made));
                    }
                    let source = grant_folder(tx, caller, *now, *source, Right::Read).await?;
                    let to = grant_folder(tx, caller, *now, *to, Right::Add).await?;
                    let label = name.label();
                    refuse_taken(tx, &to, &label, 0).await?;
                    let sums = folders::sums(tx, source.id).await?;
                    let depth = folders::height(tx, to.id).await? + 1 + sums.depth;
                    if folders::is_in(tx, to.id.0, source.id.0).await? || depth > DEPTH_MAX {
                        return Err(Error::Hierarchy);
                    }
                    if sums.folders > COPIED_MAX {
                        return Err(too_many("folders", COPIED_MAX));
                    }
                    let created = Stamp { at: *now, by: to.caller() };
                    let top = NewFolder {
                        owner: to.owner,
                        parent: None,
                        label: &label,
                        created,
                        hidden_with: Some(None),
                    };
                    let top = folders::insert_node(tx, &top).await?;
                    trash::hide(tx, top).await?;
                    let tree = folders::tree(tx, source.id, COPIED_MAX).await?;
                    Ok(ControlFlow::Continue((top, tree)))
                })
            })
            .await
    }

    async fn copy_tree(&self, caller: &Caller, top: FolderId, tree: &[Folder]) -> Result<()> {
        let Some((source, below)) = tree.split_first() else {
            return Ok(());
        };
        let mut copies = HashMap::from([(source.id, top)]);
        for some in below.chunks(usize::try_from(CHUNK).unwrap_or(1)) {
            let wanted: Vec<_> = some.to_vec();
            let input = (caller.clone(), self.now(), source.id, top, wanted, copies);
            copies = self
                .catalog()
                .write(input, |tx, (caller, now, source, top, wanted, copies)| {
                    Box::pin(async move {
                        let source =
                            grant_folder(tx, caller, *now, (*source).into(), Right::Read).await?;
                        let created = Stamp { at: *now, by: source.caller() };
                        copy_folders(tx, *top, created, wanted, copies.clone()).await
                    })
                })
                .await?;
        }
        let mut titles: HashMap<FolderId, HashSet<String>> = HashMap::new();
        for folder in below {
            if let Some(copy) = folder.parent.and_then(|parent| copies.get(&parent)) {
                titles.entry(*copy).or_default().insert(fold(&folder.title));
            }
        }
        for folder in tree {
            if let Some(copy) = copies.get(&folder.id) {
                let titles = titles.remove(copy).unwrap_or_default();
                self.copy_files(caller, (source.id, folder.id), (top, *copy), titles).await?;
            }
        }
        Ok(())
    }

    /// Copies the files of a folder. A folder below the top of the original that went away meanwhile
    /// has none.
    async fn copy_files(
        &self,
        caller: &Caller,
        (source_top, source): (FolderId, FolderId),
        (top, copy): (FolderId, FolderId),
        titles: HashSet<String>,
    ) -> Result<()> {
        let titles = Arc::new(titles);
        let mut behind: Option<EntryKey> = None;
        loop {
            let copied = (Arc::clone(&self.vault().keys), Arc::clone(&titles), behind);
            let input = (caller.clone(), self.now(), (source_top, source), (top, copy), copied);
            behind = self
                .catalog()
                .write(input, |tx, (caller, now, (source_top, source), (top, copy), copied)| {
                    Box::pin(async move {
                        let found =
                            grant_folder(tx, caller, *now, (*source).into(), Right::Read).await;
                        if source != source_top && matches!(found, Err(Error::NotFound(_))) {
                            grant_folder(tx, caller, *now, (*source_top).into(), Right::Read)
                                .await?;
                            return Ok(None);
                        }
                        unattached(tx, *top).await?;
                        let (source, copy) = (found?, own_folder(tx, *copy).await?);
                        let (keys, titles, behind) = copied;
                        let into = (&copy, &**titles);
                        copy_some_files(tx, keys, &source, into, behind.as_ref(), *now).await
                    })
                })
                .await?;
            if behind.is_none() {
                return Ok(());
            }
        }
    }

    async fn attach(
        &self,
        caller: &Caller,
        request: Option<Request>,
        (source, top): (FolderId, FolderId),
        (to, name): (FolderRef, &Name),
    ) -> Result<Seen<Folder>> {
        let input = (caller.clone(), self.now(), (source, top), to, name.clone());
        self.once(caller, request, input, |tx, (caller, now, (source, top), to, name)| {
            Box::pin(async move {
                let to = grant_folder(tx, caller, *now, *to, Right::Add).await?;
                let label = name.label();
                refuse_taken(tx, &to, &label, 0).await?;
                let copy = unattached(tx, *top).await?;
                if copy.owner != to.owner {
                    let why = "the folder that a copy was to go to changed hands";
                    return Err(Error::Unavailable(why.into()));
                }
                trash::put_back(tx, top.0, to.id, &label).await?;
                trash::unmark_folders(tx, *top).await?;
                let sums = folders::sums(tx, *top).await?;
                if folders::height(tx, *top).await? + sums.depth > DEPTH_MAX {
                    return Err(Error::Hierarchy);
                }
                let (files, bytes) = (sums.files.cast_signed(), sums.bytes.cast_signed());
                let at = users::change_tree(tx, to.owner, files, bytes, *now).await?;
                child(tx, to.id, *top, Action::Added, at).await?;
                let event = Event::by(to.caller(), Act::FolderCopied).folder(*top);
                let event = event.with("from", source).with("in", to.id);
                Ok(did(to.child(own_folder(tx, *top).await?), event))
            })
        })
        .await
    }

    /// Removes a copy that did not come to its end; what cannot be removed now goes with the trash.
    /// One that was attached after all, though the answer to that was lost, stays.
    async fn drop_copy(&self, top: FolderId) {
        let cut = self
            .catalog()
            .write(top, |tx, top| {
                Box::pin(async move {
                    unattached(tx, *top).await?;
                    trash::cut_off(tx, *top).await
                })
            })
            .await;
        let gone = match cut {
            Ok(()) => self.take_apart(top).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = gone {
            tracing::warn!(%error, "a copy that was given up is left to the sweep");
        }
    }
}

async fn above<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    folder: &Granted<'tx, Folder>,
) -> Result<Granted<'tx, Folder>> {
    parent(tx, caller, now, folder.parent.ok_or(Error::Forbidden)?).await
}

fn place<'a>(above: &Granted<'_, Folder>, label: &'a Label) -> Place<'a> {
    Place { owner: above.owner, folder: above.id, name: label.as_str(), label }
}

fn too_many(what: &str, most: u64) -> Error {
    Error::invalid("folder", format!("This holds more than {most} {what}: take it in parts."))
}

/// Notes in a folder what happened to a folder inside it.
async fn child(
    tx: &mut Tx<'_>,
    above: FolderId,
    folder: FolderId,
    action: Action,
    at: Time,
) -> Result<()> {
    let by = match action {
        Action::Added => 1,
        Action::Modified => 0,
        Action::Deleted => -1,
    };
    let child = Child { id: folder.0, hex: None, files: 0, folders: by, bytes: 0 };
    folders::child_changed(tx, above, child, action, at).await
}

/// Moves a folder; from where.
async fn move_folder<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    folder: &Granted<'tx, Folder>,
    to: &Granted<'tx, Folder>,
    now: Time,
) -> Result<FolderId> {
    let from = above(tx, caller, now, folder).await?;
    let sums = folders::sums(tx, folder.id).await?;
    let depth = folders::height(tx, to.id).await? + 1 + sums.depth;
    if folders::is_in(tx, to.id.0, folder.id.0).await? || depth > DEPTH_MAX {
        return Err(Error::Hierarchy);
    }
    let label = Name::parse(&folder.title)?.label();
    refuse_taken(tx, to, &label, folder.id.0).await?;
    let at = if to.owner == folder.owner {
        users::change_tree(tx, folder.owner, 0, 0, now).await?
    } else {
        if sums.files > GIVEN_MAX {
            return Err(too_many("files", GIVEN_MAX));
        }
        let totals = (sums.files.cast_signed(), sums.bytes.cast_signed());
        let at = leave_tree(tx, folder.id.0, (folder.owner, to.owner), totals, now).await?;
        folders::give(tx, folder, to.owner).await?;
        at
    };
    let lost = shares::above(tx, folder.id.0).await?;
    folders::arrange(tx, folder, place(to, &label)).await?;
    shares::drop_lost(tx, folder.id.0, lost).await?;
    if from.id == to.id {
        child(tx, to.id, folder.id, Action::Modified, at).await?;
        return Ok(from.id);
    }
    child(tx, from.id, folder.id, Action::Deleted, at).await?;
    child(tx, to.id, folder.id, Action::Added, at).await?;
    Ok(from.id)
}

/// The top of a copy that is being made, unless the sweep has taken it for given up.
async fn unattached(tx: &mut Tx<'_>, top: FolderId) -> Result<Folder> {
    let found = folders::find(tx, top).await?;
    let made = found.filter(|top| top.parent.is_none() && top.trashed > Some(Time(0)));
    made.ok_or_else(|| Error::Unavailable("the copy took too long and was given up".into()))
}

/// Makes copies of folders below those that were copied before; all copies so far.
async fn copy_folders(
    tx: &mut Tx<'_>,
    top: FolderId,
    created: Stamp,
    wanted: &[Folder],
    mut copies: HashMap<FolderId, FolderId>,
) -> Result<HashMap<FolderId, FolderId>> {
    let owner = unattached(tx, top).await?.owner;
    for folder in wanted {
        let Some(parent) = folder.parent.and_then(|parent| copies.get(&parent)).copied() else {
            continue;
        };
        let label = Name::parse(&folder.title)?.label();
        let hidden_with = Some(Some(top));
        let new = NewFolder { owner, parent: Some(parent), label: &label, created, hidden_with };
        let copy = folders::insert_node(tx, &new).await?;
        folders::children_added(tx, parent, (0, 1, 0)).await?;
        copies.insert(folder.id, copy);
    }
    Ok(copies)
}

/// A label that is free in a copy that is being made: its folders were read before its files, and are
/// not among its live children yet.
async fn free_label(
    tx: &mut Tx<'_>,
    copy: FolderId,
    titles: &HashSet<String>,
    wanted: &Label,
) -> Result<Label> {
    let (mut label, mut number) = (wanted.clone(), 2);
    while titles.contains(&label.key()) || files::taken(tx, copy, &label).await?.is_some() {
        label = wanted.numbered(number);
        number += 1;
    }
    Ok(label)
}

/// Copies some files of a folder into its copy; behind which to go on, `None` at the end.
async fn copy_some_files(
    tx: &mut Tx<'_>,
    keys: &Keyring,
    source: &Granted<'_, Folder>,
    (copy, titles): (&Folder, &HashSet<String>),
    behind: Option<&EntryKey>,
    now: Time,
) -> Result<Option<EntryKey>> {
    let files = entries::files(tx, source.id, behind, CHUNK).await?;
    let spot = Spot { owner: copy.owner, folder: copy.id, by: source.caller() };
    let mut bytes = 0;
    for file in &files {
        let name = Name::parse(&file.name)?;
        let label = free_label(tx, copy.id, titles, &Name::parse(&file.label)?.label()).await?;
        copy_to(tx, keys, file, spot, (&name, &label), (FileHex::new(), now)).await?;
        bytes += file.size.cast_signed();
    }
    folders::children_added(tx, copy.id, (files.len().cast_signed() as i64, 0, bytes)).await?;
    if (files.len() as u64) < CHUNK {
        return Ok(None);
    }
    Ok(files.into_iter().next_back().map(|file| key(&Entry::File(file))))
}

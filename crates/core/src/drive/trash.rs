//! Deleting: into the trash and back, and for good. A tree goes as one: everything in it is out of
//! sight at once, and comes back at once.

use super::Drive;
use super::arrange::parent;
use super::entries::{own_file, own_folder};
use super::once::Request;
use crate::access::{Caller, Granted, Right, grant, grant_folder};
use crate::audit::{Act, Event, did};
use crate::catalog::conn::Tx;
use crate::catalog::entries::{self, Trashed};
use crate::catalog::files::{self, File};
use crate::catalog::folders::{self, Action, Child};
use crate::catalog::{contents, shares, trash, users};
use crate::clock::Time;
use crate::error::{Error, Result, Thing};
use crate::id::{FileId, FolderId, UserId};
use crate::name::{Label, Name, fold};
use crate::node::{FileRef, Folder, FolderRef};

/// Files of one unit: short enough to stand in no one's way.
const CHUNK: i64 = 200;

/// How to delete a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeleteFile {
    /// For good, and not into the trash.
    pub purge: bool,
    /// The version that must still be the current one.
    pub version: Option<u64>,
}

/// How to delete a folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeleteFolder {
    /// For good, and not into the trash.
    pub purge: bool,
    /// Only if nothing is in it.
    pub only_if_empty: bool,
}

impl Drive {
    /// Deletes a file.
    pub async fn delete_file(&self, caller: &Caller, file: FileRef, how: DeleteFile) -> Result<()> {
        let request = Request::of(caller, "delete_file", &(file, how));
        let input = (caller.clone(), self.now(), file, how);
        self.once(caller, request, input, |tx, (caller, now, file, how)| {
            Box::pin(async move {
                let file = grant(tx, caller, *now, *file, Right::Arrange).await?;
                if how.version.is_some_and(|version| version != file.version) {
                    return Err(Error::VersionConflict(Box::new(file.into_seen())));
                }
                let at = trash_file(tx, &file, *now).await?;
                if how.purge {
                    purge_file(tx, file.id, at).await?;
                }
                let act = if how.purge { Act::FilePurged } else { Act::FileTrashed };
                Ok(did((), Event::by(file.caller(), act).file(file.id)))
            })
        })
        .await
    }

    /// Puts a file of the caller's in the trash.
    pub async fn trash(&self, caller: &Caller, id: FileId) -> Result<()> {
        let request = Request::of(caller, "trash", &id);
        let input = (caller.clone(), self.now(), id);
        self.once(caller, request, input, |tx, (caller, now, id)| {
            Box::pin(async move {
                let file = grant(tx, caller, *now, (*id).into(), Right::Own).await?;
                trash_file(tx, &file, *now).await?;
                Ok(did((), Event::by(file.caller(), Act::FileTrashed).file(file.id)))
            })
        })
        .await
    }

    /// Deletes a folder with all that is in it.
    pub async fn delete_folder(
        &self,
        caller: &Caller,
        folder: FolderRef,
        how: DeleteFolder,
    ) -> Result<()> {
        let request = Request::of(caller, "delete_folder", &(folder, how));
        let input = (caller.clone(), self.now(), folder, how);
        let id = self
            .once(caller, request, input, |tx, (caller, now, folder, how)| {
                Box::pin(async move {
                    let folder = grant_folder(tx, caller, *now, *folder, Right::Arrange).await?;
                    if how.only_if_empty && folder.files + folder.folders > 0 {
                        return Err(Error::NotEmpty);
                    }
                    trash_folder(tx, caller, &folder, *now).await?;
                    if how.purge {
                        trash::cut_off(tx, folder.id).await?;
                    }
                    let act = if how.purge { Act::FolderPurged } else { Act::FolderTrashed };
                    let event = Event::by(folder.caller(), act).folder(folder.id);
                    Ok(did(folder.id, event))
                })
            })
            .await?;
        let drive = self.clone();
        // The answer does not wait for this; what is not done here, the sweep does.
        tokio::spawn(async move {
            let done = if how.purge {
                drive.take_apart(id).await.map(drop)
            } else {
                drive.mark_files().await.map(drop)
            };
            if let Err(error) = done {
                tracing::warn!(%error, "what was deleted is left to the sweep");
            }
        });
        Ok(())
    }

    /// Takes a file of the caller's out of the trash; one that is not there stays as it is. If its
    /// folder is gone it comes back to My Files, and if its label is taken it gets a number.
    pub async fn restore(&self, caller: &Caller, id: FileId) -> Result<File> {
        let request = Request::of(caller, "restore", &id);
        let input = (caller.clone(), self.now(), id);
        self.once(caller, request, input, |tx, (caller, now, id)| {
            Box::pin(async move {
                let file = grant(tx, caller, *now, (*id).into(), Right::Restore).await?;
                let mut events = Vec::new();
                if file.trashed.is_some() {
                    refuse_cut_off(tx, id.0).await?;
                    restore_file(tx, &file, *now).await?;
                    events.push(Event::by(file.caller(), Act::FileRestored).file(*id));
                }
                Ok((own_file(tx, *id).await?, events))
            })
        })
        .await
    }

    /// What is in the trash, of one user or of all, the oldest first: for administrators.
    pub async fn trash_list(&self, login: Option<&str>) -> Result<Vec<Trashed>> {
        let login = login.map(fold);
        self.catalog()
            .scan(&login, |tx, login| {
                Box::pin(async move {
                    let owner = match login {
                        None => None,
                        Some(login) => {
                            let found = users::by_login(tx, login).await?;
                            Some(found.ok_or(Error::NotFound(Thing::User))?.id)
                        }
                    };
                    let all = entries::trashed(tx, owner).await?;
                    if !trash::any_cut_off(tx).await? {
                        return Ok(all);
                    }
                    let mut there = Vec::with_capacity(all.len());
                    for top in all {
                        if !is_cut_off(tx, top.id).await? {
                            there.push(top);
                        }
                    }
                    Ok(there)
                })
            })
            .await
    }

    /// Takes a file or folder out of the trash, as [`Drive::restore`] does: for administrators. What
    /// went there with it comes back with it.
    pub async fn restore_node(&self, id: i64) -> Result<()> {
        // Files come back into sight with their folders, in the last unit: until then this can end
        // anywhere and begin again.
        loop {
            let input = (id, self.now());
            let more = self
                .administer(input, |tx, (id, now)| {
                    Box::pin(async move {
                        match trashed(tx, *id).await? {
                            Node::File(file) => {
                                restore_file(tx, &file, *now).await?;
                                let event = Event::by_command(Act::FileRestored).file(file.id);
                                Ok(did(false, event))
                            }
                            Node::Folder(folder) => {
                                if trash::unmark_files(tx, folder.id, CHUNK).await? {
                                    return Ok((true, Vec::new()));
                                }
                                restore_folder(tx, &folder, *now).await?;
                                let event = Event::by_command(Act::FolderRestored);
                                Ok(did(false, event.folder(folder.id)))
                            }
                        }
                    })
                })
                .await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Deletes what is in the trash for good: for administrators.
    pub async fn purge_node(&self, id: i64) -> Result<()> {
        let folder = self
            .administer((id, self.now()), |tx, (id, now)| {
                Box::pin(async move {
                    match trashed(tx, *id).await? {
                        Node::File(file) => {
                            purge_file(tx, file.id, *now).await?;
                            Ok(did(None, Event::by_command(Act::FilePurged).file(file.id)))
                        }
                        Node::Folder(Folder { id, .. }) => {
                            trash::cut_off(tx, id).await?;
                            Ok(did(Some(id), Event::by_command(Act::FolderPurged).folder(id)))
                        }
                    }
                })
            })
            .await?;
        match folder {
            Some(folder) => self.take_apart(folder).await.map(drop),
            None => Ok(()),
        }
    }

    /// Takes a tree that is cut off apart; how many units that took.
    pub(crate) async fn take_apart(&self, top: FolderId) -> Result<u64> {
        for units in 1.. {
            let left = self
                .catalog()
                .write((top, self.now()), |tx, (top, now)| {
                    Box::pin(async move {
                        let Some(gone) = trash::take_apart(tx, *top, CHUNK).await? else {
                            return Ok(false);
                        };
                        for content in gone {
                            contents::release(tx, content, *now).await?;
                        }
                        Ok(true)
                    })
                })
                .await?;
            if !left {
                return Ok(units);
            }
        }
        unreachable!("the numbers of units do not end before a tree does")
    }

    /// Marks the files in folders that are in the trash; how many units that took.
    pub(crate) async fn mark_files(&self) -> Result<u64> {
        let mut units = 0;
        while self.catalog().write((), |tx, ()| Box::pin(trash::mark_files(tx, CHUNK))).await? {
            units += 1;
        }
        Ok(units)
    }
}

/// Puts a file in the trash; when.
pub(super) async fn trash_file<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    now: Time,
) -> Result<Time> {
    let bytes = -file.size.cast_signed();
    let at = users::change_tree(tx, file.owner, -1, bytes, now).await?;
    files::trash(tx, file, at).await?;
    let hex = file.hex.to_string();
    let child = Child { id: file.id.0, hex: Some(&hex), files: -1, folders: 0, bytes };
    folders::child_changed(tx, file.parent, child, Action::Deleted, at).await?;
    Ok(at)
}

/// Puts a folder in the trash, with all that is in it.
async fn trash_folder<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    folder: &Granted<'tx, Folder>,
    now: Time,
) -> Result<()> {
    let above = folder.parent.ok_or(Error::Forbidden)?;
    let above = parent(tx, caller, now, above).await?;
    let sums = folders::sums(tx, folder.id).await?;
    let (files, bytes) = (sums.files.cast_signed(), sums.bytes.cast_signed());
    let at = users::change_tree(tx, folder.owner, -files, -bytes, now).await?;
    trash::mark_tree(tx, folder.id, at).await?;
    let child = Child { id: folder.id.0, hex: None, files: 0, folders: -1, bytes: 0 };
    folders::child_changed(tx, above.id, child, Action::Deleted, at).await
}

/// Removes a file for good.
pub(crate) async fn purge_file(tx: &mut Tx<'_>, file: FileId, at: Time) -> Result<()> {
    for content in files::purge(tx, file).await? {
        contents::release(tx, content, at).await?;
    }
    Ok(())
}

/// The folder that something comes back to: where it was, if that lives, else its owner's root.
async fn way_back(tx: &mut Tx<'_>, owner: UserId, was: FolderId) -> Result<FolderId> {
    let there = folders::find(tx, was).await?;
    match there.filter(|folder| folder.trashed.is_none() && folder.owner == owner) {
        Some(folder) => Ok(folder.id),
        None => users::home(tx, owner).await,
    }
}

async fn restore_file(tx: &mut Tx<'_>, file: &File, now: Time) -> Result<()> {
    let bytes = file.size.cast_signed();
    let at = users::change_tree(tx, file.owner, 1, bytes, now).await?;
    if trash::top_is_file(tx, file.id.0).await?.is_none() {
        // It went with its folder, which counts it for the day when it comes back itself.
        folders::children_added(tx, file.parent, (-1, 0, -bytes)).await?;
    }
    let folder = way_back(tx, file.owner, file.parent).await?;
    let wanted = Name::parse(&file.name)?.label();
    let label = files::free_label(tx, folder, &wanted).await?;
    put_back(tx, file.id.0, folder, &label).await?;
    let hex = file.hex.to_string();
    let child = Child { id: file.id.0, hex: Some(&hex), files: 1, folders: 0, bytes };
    folders::child_changed(tx, folder, child, Action::Added, at).await
}

/// Puts something back; what was shared on because of a share that it no longer lies under ends.
async fn put_back(tx: &mut Tx<'_>, node: i64, to: FolderId, label: &Label) -> Result<()> {
    let lost = shares::above(tx, node).await?;
    trash::put_back(tx, node, to, label).await?;
    shares::drop_lost(tx, node, lost).await
}

async fn restore_folder(tx: &mut Tx<'_>, folder: &Folder, now: Time) -> Result<()> {
    let was = folder.parent.ok_or(Error::NotFound(Thing::Folder))?;
    let to = way_back(tx, folder.owner, was).await?;
    let wanted = Name::parse(&folder.title)?.label();
    let label = files::free_label(tx, to, &wanted).await?;
    put_back(tx, folder.id.0, to, &label).await?;
    trash::unmark_folders(tx, folder.id).await?;
    let sums = folders::sums(tx, folder.id).await?;
    let (files, bytes) = (sums.files.cast_signed(), sums.bytes.cast_signed());
    let at = users::change_tree(tx, folder.owner, files, bytes, now).await?;
    let child = Child { id: folder.id.0, hex: None, files: 0, folders: 1, bytes: 0 };
    folders::child_changed(tx, to, child, Action::Added, at).await
}

enum Node {
    File(Box<File>),
    Folder(Folder),
}

/// The top of something that is in the trash.
async fn trashed(tx: &mut Tx<'_>, id: i64) -> Result<Node> {
    let file = trash::top_is_file(tx, id).await?.ok_or(Error::NotFound(Thing::File))?;
    refuse_cut_off(tx, id).await?;
    Ok(if file {
        Node::File(Box::new(own_file(tx, FileId(id)).await?))
    } else {
        Node::Folder(own_folder(tx, FolderId(id)).await?)
    })
}

async fn is_cut_off(tx: &mut Tx<'_>, node: i64) -> Result<bool> {
    let above = folders::ancestry(tx, node).await?;
    Ok(above.first().is_some_and(|top| top.trashed.is_some()))
}

/// What lies in a tree that goes for good, or that is not yet attached, stays there: parts of it may
/// be gone, and nothing below its top is counted.
async fn refuse_cut_off(tx: &mut Tx<'_>, node: i64) -> Result<()> {
    if is_cut_off(tx, node).await? {
        return Err(Error::NotFound(Thing::File));
    }
    Ok(())
}

//! Changing what a file is called, where it lies, what it is for and who may read it; and copying it.

use super::Drive;
use super::entries::{entry, own_file, written};
use super::once::Request;
use super::trash::trash_file;
use super::upload::{Wrapped, insert_version, upload_path};
use crate::access::{Caller, Granted, Right, grant, grant_folder};
use crate::audit::{Act, Event, did};
use crate::catalog::conn::Tx;
use crate::catalog::files::{self, File, NewFile, Place};
use crate::catalog::folders::{self, Action, Child};
use crate::catalog::{keys as master_keys, shares, users};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId, UserId};
use crate::name::{Label, Name, fold};
use crate::node::{FileHex, FileRef, Folder, FolderRef, Seen, Stamp, Version, VersionId};
use crate::vault::keys::{Keyring, not_held};
use std::sync::Arc;

/// What to change of a file; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The name.
    pub name: Option<Name>,
    /// What the file is for, 1 to 12.
    pub type_id: Option<i64>,
    /// The e-mails of exactly those who may read it.
    pub shared_with: Option<Vec<String>>,
    /// Whether to put it in the trash.
    pub trash: bool,
}

impl Drive {
    /// Changes a file of the caller's, all of it or nothing. A file in the trash is not found.
    pub async fn change(&self, caller: &Caller, id: FileId, change: Change) -> Result<File> {
        if let Some(type_id) = change.type_id {
            check_type(type_id)?;
        }
        let request = Request::of(caller, "change", &(id, &change));
        let input = (caller.clone(), self.now(), id, change);
        self.once(caller, request, input, |tx, (caller, now, id, change)| {
            Box::pin(async move {
                let file = grant(tx, caller, *now, (*id).into(), Right::Own).await?;
                let (made, events) = apply(tx, &file, change, *now).await?;
                let made =
                    if change.trash { own_file(tx, *id).await? } else { written(tx, made).await? };
                Ok((made, events))
            })
        })
        .await
    }

    /// Renames a file, if the name is free.
    pub async fn rename_file(
        &self,
        caller: &Caller,
        file: FileRef,
        name: &Name,
    ) -> Result<Seen<File>> {
        let request = Request::of(caller, "rename_file", &(file, name));
        let input = (caller.clone(), self.now(), file, name.clone());
        self.once(caller, request, input, |tx, (caller, now, file, name)| {
            Box::pin(async move {
                let file = grant(tx, caller, *now, *file, Right::Arrange).await?;
                let above = parent(tx, caller, *now, file.parent).await?;
                let label = name.label();
                refuse_taken(tx, &above, &label, file.id.0).await?;
                let at = users::change_tree(tx, file.owner, 0, 0, *now).await?;
                rename(tx, &file, name, &label, at).await?;
                let event = Event::by(file.caller(), Act::FileRenamed).file(file.id);
                let made = written(tx, called(&file, name, &label)).await?;
                Ok(did(file.seen_as(made), event))
            })
        })
        .await
    }

    /// Moves a file to another folder, and renames it too if there is a name, if that is free there.
    /// Both dates stay. In another owner's tree it belongs to that owner, and is shared as the folder is.
    pub async fn move_file(
        &self,
        caller: &Caller,
        file: FileRef,
        to: FolderRef,
        name: Option<&Name>,
    ) -> Result<Seen<File>> {
        let request = Request::of(caller, "move_file", &(file, to, name));
        let input = (caller.clone(), self.now(), file, to, name.cloned());
        self.once(caller, request, input, |tx, (caller, now, file, to, name)| {
            Box::pin(async move {
                let file = grant(tx, caller, *now, *file, Right::Arrange).await?;
                let to = grant_folder(tx, caller, *now, *to, Right::Add).await?;
                let made = move_file(tx, &file, &to, name.as_ref(), *now).await?;
                let event = Event::by(to.caller(), Act::FileMoved).file(file.id);
                let event = event.with("from", file.parent).with("to", to.id);
                Ok(did(to.child(made), event))
            })
        })
        .await
    }

    /// Copies a file into a folder, if the name is free there. The content is shared, not copied: this
    /// takes the same time at any size.
    pub async fn copy_file(
        &self,
        caller: &Caller,
        file: FileRef,
        to: FolderRef,
        name: &Name,
    ) -> Result<Seen<File>> {
        let keys = Arc::clone(&self.vault().keys);
        let request = Request::of(caller, "copy_file", &(file, to, name));
        let input = (caller.clone(), self.now(), file, to, name.clone(), (keys, FileHex::new()));
        self.once(caller, request, input, |tx, (caller, now, file, to, name, (keys, hex))| {
            Box::pin(async move {
                let file = grant(tx, caller, *now, *file, Right::Read).await?;
                let to = grant_folder(tx, caller, *now, *to, Right::Add).await?;
                refuse_taken(tx, &to, &name.label(), 0).await?;
                let bytes = file.size.cast_signed();
                let at = users::change_tree(tx, to.owner, 1, bytes, *now).await?;
                let copy = copy(tx, keys, &file, &to, name, (*hex, at)).await?;
                let event = Event::by(to.caller(), Act::FileCopied).file(copy);
                let event = event.folder(to.id).with("from", file.id);
                Ok(did(to.child(own_file(tx, copy).await?), event))
            })
        })
        .await
    }
}

/// Refuses what is no file type of the document or its later clients.
pub(super) fn check_type(type_id: i64) -> Result<()> {
    if (1..=12).contains(&type_id) {
        return Ok(());
    }
    Err(Error::invalid("type_id", format!("\"{type_id}\" is not a valid choice.")))
}

/// Makes the changes; what the file is but for the trash, and what was done.
async fn apply<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    change: &Change,
    now: Time,
) -> Result<(File, Vec<Event>)> {
    let mut made = File::clone(file);
    let event = |act| Event::by(file.caller(), act).file(file.id);
    let mut events = Vec::new();
    let at = users::change_tree(tx, file.owner, 0, 0, now).await?;
    if let Some(name) = change.name.as_ref().filter(|name| name.as_str() != file.name) {
        let wanted = name.label();
        // Its own label is not in its way.
        let label = if wanted.key() == fold(&file.label) {
            wanted
        } else {
            files::free_label(tx, file.parent, &wanted).await?
        };
        rename(tx, file, name, &label, at).await?;
        made = called(file, name, &label);
        events.push(event(Act::FileRenamed));
    }
    if let Some(type_id) = change.type_id {
        files::set_type(tx, file, type_id).await?;
        made.type_id = type_id;
        events.push(event(Act::FileTyped).with("type", type_id));
    }
    if let Some(emails) = &change.shared_with {
        let readers = readers(tx, file.owner, emails).await?;
        shares::set_readers(tx, file, &readers, at).await?;
        events.push(event(Act::ReadersSet).users(&readers));
    }
    if change.trash {
        trash_file(tx, file, now).await?;
        events.push(event(Act::FileTrashed));
    }
    Ok((made, events))
}

/// A file under another name.
fn called(file: &File, name: &Name, label: &Label) -> File {
    let (name, label) = (name.as_str().to_owned(), label.as_str().to_owned());
    File { name, label, ..file.clone() }
}

async fn rename<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    name: &Name,
    label: &Label,
    at: Time,
) -> Result<()> {
    let place = Place { owner: file.owner, folder: file.parent, name: name.as_str(), label };
    files::arrange(tx, file, place).await?;
    child(tx, file, file.parent, Action::Modified, at).await
}

/// Notes in a folder what happened to a file.
async fn child(
    tx: &mut Tx<'_>,
    file: &File,
    folder: FolderId,
    action: Action,
    at: Time,
) -> Result<()> {
    let sign = match action {
        Action::Added => 1,
        Action::Modified => 0,
        Action::Deleted => -1,
    };
    let (hex, bytes) = (file.hex.to_string(), sign * file.size.cast_signed());
    let child = Child { id: file.id.0, hex: Some(&hex), files: sign, folders: 0, bytes };
    folders::child_changed(tx, folder, child, action, at).await
}

/// The folder above something that the caller may arrange, as far as the caller may see it.
pub(super) async fn parent<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    folder: FolderId,
) -> Result<Granted<'tx, Folder>> {
    grant_folder(tx, caller, now, folder.into(), Right::Add).await
}

/// Refuses a label that another live child has than the one that asks for it.
pub(super) async fn refuse_taken(
    tx: &mut Tx<'_>,
    folder: &Granted<'_, Folder>,
    label: &Label,
    asking: i64,
) -> Result<()> {
    match files::taken(tx, folder.id, label).await? {
        Some(taken) if taken.0 != asking => {
            Err(Error::Exists(Box::new(entry(tx, folder, taken).await?)))
        }
        _ => Ok(()),
    }
}

/// Moves a file; what it is there.
async fn move_file<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    to: &Granted<'tx, Folder>,
    name: Option<&Name>,
    now: Time,
) -> Result<File> {
    let label = match name {
        Some(name) => name.label(),
        None => Name::parse(&file.label)?.label(),
    };
    refuse_taken(tx, to, &label, file.id.0).await?;
    let bytes = file.size.cast_signed();
    let at = if to.owner == file.owner {
        users::change_tree(tx, file.owner, 0, 0, now).await?
    } else {
        leave_tree(tx, file.id.0, (file.owner, to.owner), (1, bytes), now).await?
    };
    let lost = shares::above(tx, file.id.0).await?;
    let name = name.map_or(file.name.as_str(), Name::as_str);
    files::arrange(tx, file, Place { owner: to.owner, folder: to.id, name, label: &label }).await?;
    shares::drop_lost(tx, file.id.0, lost).await?;
    if to.id == file.parent {
        child(tx, file, to.id, Action::Modified, at).await?;
    } else {
        child(tx, file, file.parent, Action::Deleted, at).await?;
        child(tx, file, to.id, Action::Added, at).await?;
    }
    if to.owner != file.owner {
        return own_file(tx, file.id).await;
    }
    let made = File {
        name: name.to_owned(),
        label: label.as_str().to_owned(),
        parent: to.id,
        in_root: to.parent.is_none(),
        ..File::clone(file)
    };
    written(tx, made).await
}

/// Takes something from one owner's tree to another's: the totals go with it, its shares end. The
/// trees are taken in the order of their owners, so that two such moves never wait for each other.
pub(super) async fn leave_tree(
    tx: &mut Tx<'_>,
    node: i64,
    (from, to): (UserId, UserId),
    (files, bytes): (i64, i64),
    now: Time,
) -> Result<Time> {
    shares::clear_tree(tx, node).await?;
    let (gives, takes) = ((from, -files, -bytes), (to, files, bytes));
    let order = if from < to { [gives, takes] } else { [takes, gives] };
    let mut latest = now;
    for (owner, files, bytes) in order {
        latest = users::change_tree(tx, owner, files, bytes, now).await?.max(latest);
    }
    Ok(latest)
}

/// Makes a new file with the content of one, under a key that is wrapped anew.
pub(super) async fn copy<'tx>(
    tx: &mut Tx<'tx>,
    keys: &Keyring,
    file: &File,
    to: &Granted<'tx, Folder>,
    name: &Name,
    (hex, at): (FileHex, Time),
) -> Result<FileId> {
    let spot = Spot { owner: to.owner, folder: to.id, by: to.caller() };
    let id = copy_to(tx, keys, file, spot, (name, &name.label()), (hex, at)).await?;
    let made = own_file(tx, id).await?;
    child(tx, &made, to.id, Action::Added, at).await?;
    Ok(id)
}

/// Where a copy goes, and who makes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) owner: UserId,
    pub(super) folder: FolderId,
    pub(super) by: UserId,
}

pub(super) async fn copy_to(
    tx: &mut Tx<'_>,
    keys: &Keyring,
    file: &File,
    spot: Spot,
    (name, label): (&Name, &Label),
    (hex, at): (FileHex, Time),
) -> Result<FileId> {
    let created = Stamp { at, by: spot.by };
    let new = NewFile {
        name,
        label,
        hex,
        path: &upload_path(spot.owner, name, hex.uuid()),
        type_id: file.type_id,
        size: file.size,
        md5: &file.md5,
        created,
        modified: file.modified.at,
    };
    let id = files::insert_at(tx, (spot.owner, spot.folder), &new).await?;
    let id = id.ok_or_else(|| Error::internal("a label that was free is taken"))?;
    let version = Version {
        id: VersionId { file: id, number: 1 },
        size: file.size,
        md5: file.md5,
        created,
        modified: file.modified.at,
    };
    rewrap(tx, keys, file, &version).await?;
    Ok(id)
}

/// Records a version that shows the content of another one.
pub(super) async fn rewrap(
    tx: &mut Tx<'_>,
    keys: &Keyring,
    file: &File,
    version: &Version,
) -> Result<()> {
    let held = file.held()?;
    let master_key = &held.master_key;
    if !keys.holds(master_key) && master_keys::is_known(tx, master_key).await? {
        return Err(not_held(master_key));
    }
    let key = file.data_key(keys)?;
    let sealed = Wrapped {
        content: held.content,
        objects: held.objects()?,
        plain: held.plain,
        sha512: held.sha512,
    };
    insert_version(tx, keys, version, &sealed, &key).await.map(drop)
}

/// The users with these e-mails. The owner needs no share.
async fn readers(tx: &mut Tx<'_>, owner: UserId, emails: &[String]) -> Result<Vec<UserId>> {
    let mut readers = Vec::new();
    for email in emails {
        let user = users::id_by_email(tx, &fold(email.trim())).await?.ok_or_else(|| {
            Error::invalid("shared_with", format!("No user has the e-mail \"{email}\"."))
        })?;
        if user != owner && !readers.contains(&user) {
            readers.push(user);
        }
    }
    Ok(readers)
}

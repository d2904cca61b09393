//! The end of an upload: one unit that makes the file, or its next version, of a content that is stored.

use super::{Base, OnTaken, Target, UploadEnd, lease_lost};
use crate::access::{Caller, Granted, Right, grant, grant_folder};
use crate::audit::{Act, Did, Event, did};
use crate::catalog;
use crate::catalog::conn::Tx;
use crate::catalog::files::{self, File, NewFile, NewVersion};
use crate::catalog::folders::{self, Action, Child};
use crate::catalog::held::{Held, wrap_context};
use crate::catalog::{contents, users};
use crate::clock::Time;
use crate::drive::Drive;
use crate::drive::arrange::refuse_taken;
use crate::drive::entries::{check_written, own_file, written};
use crate::drive::once::{Outcome, Request};
use crate::error::{Error, Result};
use crate::id::{FileId, UserId};
use crate::name::Name;
use crate::node::{FileHex, Folder, Seen, Stamp, Version, VersionId};
use crate::vault::keys::Keyring;
use crate::vault::seal::{ContentId, DataKey};
use crate::vault::{Finished, ObjectList};
use std::sync::Arc;
use uuid::Uuid;

/// What a file is for when nothing says so: an input file.
const TYPE_DEFAULT: i64 = 1;

/// What an upload becomes.
#[expect(clippy::large_enum_variant, reason = "one at a time, and only while a unit runs")]
pub(super) enum Spot<'tx> {
    New(Granted<'tx, Folder>, Option<Name>),
    Onto(Granted<'tx, File>),
}

/// Where an upload goes, if the caller may: asked before the content comes, and again with it.
pub(super) async fn spot<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    target: &Target,
    late_name: Option<&Name>,
) -> Result<Spot<'tx>> {
    match target {
        Target::File { file, base } => {
            let file = grant(tx, caller, now, *file, Right::Edit).await?;
            match base {
                Base::Version(seen) if *seen != file.version => {
                    Err(Error::VersionConflict(Box::new(file.into_seen())))
                }
                _ => Ok(Spot::Onto(file)),
            }
        }
        Target::Folder { folder, name, on_taken } => {
            let name = name.as_ref().or(late_name);
            let unique = name.filter(|_| *on_taken != OnTaken::Number).map(Name::label);
            if let (Some(label), OnTaken::Overwrite) = (&unique, on_taken) {
                let folder = grant_folder(tx, caller, now, *folder, Right::Read).await?;
                if let Some((id, true)) = files::taken(tx, folder.id, label).await? {
                    let file = grant(tx, caller, now, FileId(id).into(), Right::Edit).await?;
                    return Ok(Spot::Onto(file));
                }
            }
            let folder = grant_folder(tx, caller, now, *folder, Right::Add).await?;
            if let Some(label) = &unique {
                refuse_taken(tx, &folder, label, 0).await?;
            }
            Ok(Spot::New(folder, name.cloned()))
        }
    }
}

/// Makes the file or version of what was stored; once, where the caller gave a key.
pub(super) async fn store(
    drive: &Drive,
    (caller, target, end): (Caller, Target, UploadEnd),
    finished: Finished,
) -> Result<Seen<File>> {
    let sent = (finished.content.size, finished.digested.md5);
    let request = Request::of(&caller, "upload", &(&target, &end, sent));
    // What is sent again under a key may be answered on another day than the log tells of, or with another content.
    let tells_of_key = end.shows_key && request.is_none();
    let (asking, now) = (caller.clone(), drive.now());
    let input = Commit {
        caller,
        target,
        end,
        keys: Arc::clone(&drive.vault().keys),
        now,
        uuid: Uuid::new_v4(),
        hex: FileHex::new(),
        finished,
    };
    let made = drive.once(&asking, request, input, |tx, input| Box::pin(commit(tx, input))).await?;
    let made = made.0.ok_or_else(lease_lost)?;
    drive.note_use(&asking, now);
    if tells_of_key {
        drive.0.pending.told(&asking.shown, made.id, now);
    }
    Ok(made)
}

struct Commit {
    caller: Caller,
    target: Target,
    end: UploadEnd,
    keys: Arc<Keyring>,
    now: Time,
    uuid: Uuid,
    hex: FileHex,
    finished: Finished,
}

/// The file or version that was made. `None`: a lease is lost, and the objects are doomed, since the
/// sweep may have been there before the last of them was.
struct Made(Option<Seen<File>>);

impl Outcome for Made {
    fn note(&self) -> Option<String> {
        self.0.as_ref().and_then(Outcome::note)
    }

    async fn recall(tx: &mut Tx<'_>, caller: &Caller, now: Time, note: &str) -> Result<Self> {
        Ok(Made(Some(Seen::<File>::recall(tx, caller, now, note).await?)))
    }
}

async fn commit(tx: &mut Tx<'_>, input: &Commit) -> Result<Did<Made>> {
    let Commit { caller, target, end, now, finished, .. } = input;
    let objects = finished.content.objects();
    if !contents::are_leased(tx, objects).await? {
        contents::give_up(tx, objects, *now).await?;
        return Ok((Made(None), Vec::new()));
    }
    match spot(tx, caller, *now, target, end.name.as_ref()).await? {
        Spot::New(folder, name) => {
            let name = name.ok_or_else(|| Error::internal("an upload ended without a name"))?;
            let event = Event::by(folder.caller(), Act::FileCreated).with("in", folder.id);
            let made = new_file(tx, input, folder, &name).await?;
            let event = event.file(made.id);
            Ok(did(Made(Some(made)), with_key(event, end)))
        }
        Spot::Onto(file) => {
            let event = Event::by(file.caller(), Act::FileReplaced).file(file.id);
            let made = next_version(tx, input, file).await?;
            let event = event.with("version", made.version);
            Ok(did(Made(Some(made)), with_key(event, end)))
        }
    }
}

fn with_key(event: Event, end: &UploadEnd) -> Event {
    if end.shows_key { event.with("key", "shown") } else { event }
}

async fn new_file<'tx>(
    tx: &mut Tx<'tx>,
    input: &Commit,
    folder: Granted<'tx, Folder>,
    name: &Name,
) -> Result<Seen<File>> {
    let Finished { content, digested, .. } = &input.finished;
    let bytes = content.size.cast_signed();
    let (at, owner_email) = users::enter_tree(tx, folder.owner, 1, bytes, input.now).await?;
    contents::insert(tx, content, digested.sha512.as_ref()).await?;
    let created = Stamp { at, by: folder.caller() };
    let modified = input.end.modified.unwrap_or(at);
    let path = upload_path(folder.owner, name, input.uuid);
    let type_id = input.end.type_id.unwrap_or(TYPE_DEFAULT);
    let new = NewFile {
        name,
        label: &name.label(),
        hex: input.hex,
        path: &path,
        type_id,
        size: content.size,
        md5: &digested.md5,
        created,
        modified,
    };
    let (id, label) = files::insert(tx, &folder, &new).await?;
    let version = VersionId { file: id, number: 1 };
    let (_, held) = add_version(tx, input, version, created).await?;
    let child = Child { id: id.0, hex: Some(&input.hex.to_string()), files: 1, folders: 0, bytes };
    folders::child_changed(tx, folder.id, child, Action::Added, at).await?;
    let made = File {
        id,
        owner: folder.owner,
        owner_email,
        name: name.as_str().to_owned(),
        path,
        type_id,
        uploaded: at,
        trashed: None,
        version: 1,
        size: content.size,
        md5: digested.md5,
        hex: input.hex,
        label: label.as_str().to_owned(),
        parent: folder.id,
        created,
        modified: Stamp { at: modified, by: created.by },
        shared_with: Vec::new(),
        in_root: folder.parent.is_none(),
        last_version: 1,
        held: Some(held),
    };
    check_written(tx, &made).await?;
    Ok(folder.child(made))
}

async fn next_version<'tx>(
    tx: &mut Tx<'tx>,
    input: &Commit,
    file: Granted<'tx, File>,
) -> Result<Seen<File>> {
    let Finished { content, digested, .. } = &input.finished;
    let bytes = content.size.cast_signed() - file.size.cast_signed();
    let at = users::change_tree(tx, file.owner, 0, bytes, input.now).await?;
    contents::insert(tx, content, digested.sha512.as_ref()).await?;
    let id = VersionId { file: file.id, number: file.next_number() };
    let stamp = Stamp { at, by: file.caller() };
    let (version, held) = add_version(tx, input, id, stamp).await?;
    files::set_current(tx, &version).await?;
    if let Some(type_id) = input.end.type_id {
        files::set_type(tx, &file, type_id).await?;
    }
    note_replaced(tx, &file, bytes, at).await?;
    let mut seen = file.into_seen();
    let made = File {
        type_id: input.end.type_id.unwrap_or(seen.type_id),
        uploaded: at,
        version: id.number,
        size: content.size,
        md5: digested.md5,
        modified: Stamp { at: version.modified, by: stamp.by },
        last_version: id.number,
        held: Some(held),
        ..seen.node
    };
    seen.node = written(tx, made).await?;
    Ok(seen)
}

/// Notes that a file has another content now, and shows it again.
pub(in crate::drive) async fn replaced<'tx>(
    tx: &mut Tx<'tx>,
    file: Granted<'tx, File>,
    bytes: i64,
    at: Time,
) -> Result<Seen<File>> {
    note_replaced(tx, &file, bytes, at).await?;
    let now = own_file(tx, file.id).await?;
    Ok(file.into_seen().map(|_| now))
}

async fn note_replaced(tx: &mut Tx<'_>, file: &File, bytes: i64, at: Time) -> Result<()> {
    let hex = file.hex.to_string();
    let child = Child { id: file.id.0, hex: Some(&hex), files: 0, folders: 0, bytes };
    folders::child_changed(tx, file.parent, child, Action::Modified, at).await
}

async fn add_version(
    tx: &mut Tx<'_>,
    input: &Commit,
    id: VersionId,
    created: Stamp,
) -> Result<(Version, Held)> {
    let Finished { content, key, digested } = &input.finished;
    let modified = input.end.modified.unwrap_or(created.at);
    let version = Version { id, size: content.size, md5: digested.md5, created, modified };
    let sealed = Wrapped {
        content: content.id,
        objects: content.objects(),
        plain: digested.plain,
        sha512: digested.sha512,
    };
    let held = insert_version(tx, &input.keys, &version, &sealed, key).await?;
    Ok((version, held))
}

/// The content that a version shows.
pub(in crate::drive) struct Wrapped<'a> {
    pub(in crate::drive) content: ContentId,
    pub(in crate::drive) objects: &'a ObjectList,
    pub(in crate::drive) plain: bool,
    pub(in crate::drive) sha512: Option<[u8; 64]>,
}

/// Records a version, with its content's key wrapped for it alone.
pub(in crate::drive) async fn insert_version(
    tx: &mut Tx<'_>,
    keys: &Keyring,
    version: &Version,
    sealed: &Wrapped<'_>,
    key: &DataKey,
) -> Result<Held> {
    let Version { id, size, md5, created, modified } = version;
    let of = (sealed.content, *size);
    let context = wrap_context(id.file, id.number, of, md5, sealed.objects)?;
    // Asking first costs a journey to the database each time; the active key changes once a year.
    let mut active = keys.active();
    loop {
        let wrapped_key = keys.wrap(&active, &context, key)?;
        let new = NewVersion {
            file: id.file,
            number: id.number,
            content: sealed.content,
            size: *size,
            md5,
            plain: sealed.plain,
            created: *created,
            modified: *modified,
            master_key: &active,
            wrapped_key: &wrapped_key,
        };
        if files::insert_version(tx, &new).await? {
            return Ok(Held {
                content: sealed.content,
                plain: sealed.plain,
                master_key: active,
                wrapped_key,
                objects: Some(sealed.objects.clone()),
                sha512: sealed.sha512,
            });
        }
        let now = active_key(tx, keys).await?;
        if now == active {
            return Err(Error::internal("a version was not inserted"));
        }
        active = now;
    }
}

/// The master key that wraps now, in the place of what this process knew.
pub(in crate::drive) async fn active_key(tx: &mut Tx<'_>, keys: &Keyring) -> Result<String> {
    let active = catalog::keys::active(tx).await?;
    let active = active.ok_or_else(|| Error::internal("the catalog has no active master key"))?;
    keys.set_active(&active);
    Ok(active)
}

/// The documented form: `user/user_<uid>/<stem>-<uuid><.ending>`.
pub(in crate::drive) fn upload_path(owner: UserId, name: &Name, uuid: Uuid) -> String {
    let (stem, ending) = name.stem_and_ending();
    format!("user/user_{}/{stem}-{uuid}{ending}", owner.letters())
}

//! Uploads: begin, write, finish. Every dialect's upload is a parser onto these three.
//!
//! What is durable when: an object's name is leased in the catalog before the object is begun; the
//! object is complete and synced before the unit that makes the file; and only then is anyone told.
//! A crash leaves a leased name, which the sweep collects, and never a file without its bytes.

use super::Drive;
use super::arrange::{check_type, refuse_taken};
use super::entries::own_file;
use super::once::{Outcome, Request, is_answered};
use crate::access::{Caller, Granted, Right, grant, grant_folder, identify};
use crate::catalog::conn::{Tx, Unit};
use crate::catalog::files::{self, File, NewFile, NewVersion, wrap_context};
use crate::catalog::folders::{self, Action, Child};
use crate::catalog::{contents, users};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, UserId};
use crate::name::Name;
use crate::node::{FileHex, FileRef, Folder, FolderRef, Seen, Stamp, Version, VersionId};
use crate::vault::keys::Keyring;
use crate::vault::seal::{ContentId, DataKey};
use crate::vault::{BlobKey, ContentWriter, Finished, ObjectList, Taken, UploadId};
use bytes::Bytes;
use std::sync::Arc;
use uuid::Uuid;

/// How long a writer may leave an object without a sign of life.
const LEASE_SECONDS: i64 = 3600;
/// What a file is for when nothing says so: an input file.
const TYPE_DEFAULT: i64 = 1;

/// A file on its way in. Dropped before [`Upload::finish`] it leaves nothing behind.
pub struct Upload {
    drive: Drive,
    caller: Caller,
    target: Target,
    owner: UserId,
    writer: Option<ContentWriter>,
    received: u64,
    leased: Vec<BlobKey>,
    renew: Time,
    /// A part may be on its way to the store, and nobody waits for it.
    unsure: bool,
}

/// Where an upload goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// To a folder, under a name: a new file, or a new version of the one that has the name.
    Folder {
        /// The folder.
        folder: FolderRef,
        /// The name, if it is known before the content: what is refused is refused before it.
        name: Option<Name>,
        /// What to do when a live child has the name already.
        on_taken: OnTaken,
    },
    /// To a file: its next version.
    File {
        /// The file.
        file: FileRef,
        /// Which version the sender must have seen.
        base: Base,
    },
}

impl Target {
    /// A new file in the caller's My Files, whatever else is called so.
    pub fn home() -> Self {
        Target::Folder { folder: FolderRef::Home, name: None, on_taken: OnTaken::Number }
    }
}

/// What to do when a name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTaken {
    /// Keep the name, and give the label a number.
    Number,
    /// Refuse.
    Refuse,
    /// Make a new version of the file that has it. A folder is not overwritten.
    Overwrite,
}

/// Which version whoever replaces a content must have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Any.
    Any,
    /// This one must still be the current one.
    Version(u64),
}

/// What is known of an upload only at its end.
#[derive(Clone, Debug, Default)]
pub struct UploadEnd {
    /// The name, where the target did not say it.
    pub name: Option<Name>,
    /// What the file is for; `None` is an input file, or leaves it as it is.
    pub type_id: Option<i64>,
    /// When the content was last changed, by its sender's word.
    pub modified: Option<Time>,
    /// The MD5 that the content must have.
    pub md5: Option<[u8; 16]>,
}

impl Drive {
    /// Begins an upload, if the caller may, the target is free, and there is room. Where the caller's key
    /// was given to a write before, that is not in the way of itself: [`Upload::finish`] decides.
    pub async fn upload(&self, caller: &Caller, target: Target) -> Result<Upload> {
        let now = self.now();
        let input = (caller.clone(), now, target);
        let owner = self
            .catalog()
            .read(&input, |tx, (caller, now, target)| {
                Box::pin(async move {
                    if is_answered(tx, caller, *now).await? {
                        return Ok(identify(tx, caller, *now).await?.id);
                    }
                    match spot(tx, caller, *now, target, None).await? {
                        Spot::New(folder, _) => Ok(folder.owner),
                        Spot::Onto(file) => Ok(file.owner),
                    }
                })
            })
            .await?;
        self.note_use(caller, now);
        self.vault().blobs.check_room()?;
        let (caller, _, target) = input;
        Ok(Upload {
            drive: self.clone(),
            caller,
            target,
            owner,
            writer: Some(ContentWriter::new(self.vault())),
            received: 0,
            leased: Vec::new(),
            renew: self.now().plus_seconds(LEASE_SECONDS / 2),
            unsure: false,
        })
    }
}

/// What an upload becomes.
#[expect(clippy::large_enum_variant, reason = "one at a time, and only while a unit runs")]
enum Spot<'tx> {
    New(Granted<'tx, Folder>, Option<Name>),
    Onto(Granted<'tx, File>),
}

/// Where an upload goes, if the caller may: asked before the content comes, and again with it.
async fn spot<'tx>(
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

impl Upload {
    /// Takes a chunk; holds back only what does not yet fill a part. An upload of which a chunk was
    /// refused, or not waited for, has ended.
    pub async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        // It comes back when all is in, so that a content with a gap is never finished.
        let mut writer = self.writer.take().ok_or_else(ended)?;
        self.received += chunk.len() as u64;
        if let Some(limit) = self.drive.0.limits.file_size.filter(|most| self.received > *most) {
            writer.discard().await;
            return Err(Error::TooLarge { limit });
        }
        // Until it is known better: this future may be dropped.
        self.unsure = true;
        let filled = self.fill(&mut writer, &mut chunk).await;
        match filled {
            Ok(()) => self.writer = Some(writer),
            Err(_) => drop(writer.discard().await),
        }
        self.unsure = matches!(filled, Err(Error::Unavailable(_)));
        filled
    }

    async fn fill(&mut self, writer: &mut ContentWriter, chunk: &mut Bytes) -> Result<()> {
        loop {
            match writer.write(chunk).await? {
                Taken::All => return self.keep_leases().await,
                Taken::NeedsObject => {
                    let blob = BlobKey::random();
                    self.leased.push(blob.clone());
                    lease(&self.drive, blob.clone(), self.owner).await?;
                    writer.begin_object(blob).await?;
                }
                Taken::NeedsParts => {
                    if let Some(begun) = writer.begin_parts().await? {
                        note_upload(&self.drive, begun).await?;
                    }
                }
            }
        }
    }

    /// Ends the upload. When this returns `Ok`, the file is durable and can be seen.
    ///
    /// It comes to its end also when the caller stops waiting: from here on the objects may belong to
    /// a file, and must not be removed for a caller who hung up.
    pub async fn finish(self, end: UploadEnd) -> Result<Seen<File>> {
        if let Some(Err(error)) = end.type_id.map(check_type) {
            self.discard().await;
            return Err(error);
        }
        tokio::spawn(self.complete(end)).await.map_err(Error::internal)?
    }

    async fn complete(mut self, end: UploadEnd) -> Result<Seen<File>> {
        if let Err(error) = self.keep_leases().await {
            // No file can have the objects yet.
            self.discard().await;
            return Err(error);
        }
        let writer = self.writer.take().ok_or_else(ended)?;
        let leased = std::mem::take(&mut self.leased);
        let asked = (self.caller.clone(), self.target.clone(), end);
        let mut content = None;
        let made = match writer.finish().await {
            Ok(finished) if asked.2.md5.is_some_and(|md5| md5 != finished.digested.md5) => {
                Err(Error::ChecksumFailed)
            }
            Ok(finished) => {
                content = Some(finished.content.id);
                store(&self.drive, asked, finished).await
            }
            Err(error) => Err(error),
        };
        match &made {
            Ok(file) if content == Some(file.content) => self.drive.digest_later(file),
            // It may be committed: the lease decides, not we.
            Err(Error::Unavailable(_)) => {}
            // Also when another content was there under the same key: this one is none of it.
            Ok(_) | Err(_) => abandon(&self.drive, None, leased, false).await,
        }
        made
    }

    /// Gives the upload up and removes what was stored; what cannot be removed now, the sweep removes
    /// when the lease is over.
    pub async fn discard(mut self) {
        let (writer, leased) = (self.writer.take(), std::mem::take(&mut self.leased));
        abandon(&self.drive, writer, leased, self.unsure).await;
    }

    /// Extends the leases when half of their time is over.
    async fn keep_leases(&mut self) -> Result<()> {
        let now = self.drive.now();
        if self.leased.is_empty() || now < self.renew {
            return Ok(());
        }
        let input =
            (self.leased.clone(), now.plus_seconds(LEASE_SECONDS), self.caller.clone(), now);
        self.drive
            .catalog()
            .write(input, |tx, (blobs, until, caller, now)| {
                Box::pin(async move {
                    // A long upload ends with the right to it.
                    identify(tx, caller, *now).await?;
                    for blob in blobs {
                        if !contents::extend_lease(tx, blob, *until).await? {
                            return Err(lease_lost());
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        self.renew = now.plus_seconds(LEASE_SECONDS / 2);
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (writer, leased) = (self.writer.take(), std::mem::take(&mut self.leased));
        if leased.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (drive, unsure) = (self.drive.clone(), self.unsure);
            runtime.spawn(async move { abandon(&drive, writer, leased, unsure).await });
        }
    }
}

async fn store(
    drive: &Drive,
    (caller, target, end): (Caller, Target, UploadEnd),
    finished: Finished,
) -> Result<Seen<File>> {
    let sent = (finished.content.size, finished.digested.md5);
    let request = Request::new("upload", &(&target, &end, sent));
    let asking = caller.clone();
    let input = Commit {
        caller,
        target,
        end,
        keys: Arc::clone(&drive.vault().keys),
        now: drive.now(),
        uuid: Uuid::new_v4(),
        hex: FileHex::new(),
        finished,
    };
    let made = drive.once(&asking, request, input, |tx, input| Box::pin(commit(tx, input))).await?;
    made.0.ok_or_else(lease_lost)
}

fn ended() -> Error {
    Error::internal("the upload has ended")
}

fn lease_lost() -> Error {
    Error::Unavailable("the upload took longer than its lease".into())
}

async fn lease(drive: &Drive, blob: BlobKey, owner: UserId) -> Result<()> {
    let until = drive.now().plus_seconds(LEASE_SECONDS);
    drive
        .catalog()
        .write((blob, owner, until), |tx, (blob, owner, until)| {
            Box::pin(contents::lease(tx, blob, *owner, *until))
        })
        .await
}

/// Before the first part is sent, so that there is none that the sweep does not know of.
/// Makes known what a service calls an object that it is sent in parts.
pub(super) async fn note_upload(drive: &Drive, begun: (BlobKey, UploadId)) -> Result<()> {
    let noted = drive
        .catalog()
        .write(begun, |tx, (blob, upload)| Box::pin(contents::set_upload(tx, blob, upload)))
        .await?;
    if noted { Ok(()) } else { Err(lease_lost()) }
}

/// Removes what an upload stored. A part that may still be on its way, no service can be kept from storing
/// behind an abort: such an object is left to the sweep, for when its lease is over.
async fn abandon(drive: &Drive, writer: Option<ContentWriter>, leased: Vec<BlobKey>, unsure: bool) {
    if let Some(writer) = writer {
        writer.discard().await;
    }
    for blob in leased {
        if let Err(error) = remove_leased(drive, blob, unsure).await {
            tracing::warn!(%error, "an object that was given up is left to the sweep");
        }
    }
}

async fn remove_leased(drive: &Drive, blob: BlobKey, unsure: bool) -> Result<()> {
    let catalog = drive.catalog();
    // As a write, it comes behind what the upload itself may have left in the queue.
    let (blob, upload) = catalog
        .write(blob, |tx, blob| {
            Box::pin(async move { Ok((blob.clone(), contents::upload(tx, blob).await?)) })
        })
        .await?;
    if unsure && upload.is_some() {
        return Ok(());
    }
    drive.vault().blobs.remove(&blob, upload.as_ref()).await?;
    catalog.write(blob, |tx, blob| Box::pin(contents::forget_pending(tx, blob))).await
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

    fn recall<'a>(
        tx: &'a mut Tx<'_>,
        caller: &'a Caller,
        now: Time,
        note: &'a str,
    ) -> Unit<'a, Self> {
        Box::pin(async move { Ok(Made(Some(Outcome::recall(tx, caller, now, note).await?))) })
    }
}

async fn commit(tx: &mut Tx<'_>, input: &Commit) -> Result<Made> {
    let Commit { caller, target, end, now, finished, .. } = input;
    let objects = finished.content.objects();
    if !contents::are_leased(tx, objects).await? {
        contents::give_up(tx, objects, *now).await?;
        return Ok(Made(None));
    }
    match spot(tx, caller, *now, target, end.name.as_ref()).await? {
        Spot::New(folder, name) => {
            let name = name.ok_or_else(|| Error::internal("an upload ended without a name"))?;
            new_file(tx, input, folder, &name).await.map(Some).map(Made)
        }
        Spot::Onto(file) => next_version(tx, input, file).await.map(Some).map(Made),
    }
}

async fn new_file<'tx>(
    tx: &mut Tx<'tx>,
    input: &Commit,
    folder: Granted<'tx, Folder>,
    name: &Name,
) -> Result<Seen<File>> {
    let Finished { content, digested, .. } = &input.finished;
    let bytes = content.size.cast_signed();
    let at = users::change_tree(tx, folder.owner, 1, bytes, input.now).await?;
    contents::insert(tx, content, digested.sha512.as_ref()).await?;
    let label = files::free_label(tx, folder.id, &name.label()).await?;
    let created = Stamp { at, by: folder.caller() };
    let modified = input.end.modified.unwrap_or(at);
    let new = NewFile {
        name,
        label: &label,
        hex: input.hex,
        path: &upload_path(folder.owner, name, input.uuid),
        type_id: input.end.type_id.unwrap_or(TYPE_DEFAULT),
        size: content.size,
        created,
        modified,
    };
    let id = files::insert(tx, &folder, &new).await?;
    add_version(tx, input, VersionId { file: id, number: 1 }, created).await?;
    let child = Child { id: id.0, hex: Some(&input.hex.to_string()), files: 1, folders: 0, bytes };
    folders::child_changed(tx, folder.id, child, Action::Added, at).await?;
    Ok(folder.child(own_file(tx, id).await?))
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
    let id = VersionId { file: file.id, number: files::next_number(tx, &file).await? };
    let version = add_version(tx, input, id, Stamp { at, by: file.caller() }).await?;
    files::set_current(tx, &version).await?;
    if let Some(type_id) = input.end.type_id {
        files::set_type(tx, &file, type_id).await?;
    }
    replaced(tx, file, bytes, at).await
}

/// Notes that a file has another content now, and shows it again.
pub(super) async fn replaced<'tx>(
    tx: &mut Tx<'tx>,
    file: Granted<'tx, File>,
    bytes: i64,
    at: Time,
) -> Result<Seen<File>> {
    let hex = file.hex.to_string();
    let child = Child { id: file.id.0, hex: Some(&hex), files: 0, folders: 0, bytes };
    folders::child_changed(tx, file.parent, child, Action::Modified, at).await?;
    let now = own_file(tx, file.id).await?;
    Ok(file.into_seen().map(|_| now))
}

async fn add_version(
    tx: &mut Tx<'_>,
    input: &Commit,
    id: VersionId,
    created: Stamp,
) -> Result<Version> {
    let Finished { content, key, digested } = &input.finished;
    let modified = input.end.modified.unwrap_or(created.at);
    let version = Version { id, size: content.size, md5: digested.md5, created, modified };
    let sealed = Wrapped { content: content.id, objects: content.objects(), plain: digested.plain };
    insert_version(tx, &input.keys, &version, &sealed, key).await?;
    Ok(version)
}

/// The content that a version shows.
pub(super) struct Wrapped<'a> {
    pub(super) content: ContentId,
    pub(super) objects: &'a ObjectList,
    pub(super) plain: bool,
}

/// Records a version, with its content's key wrapped for it alone.
pub(super) async fn insert_version(
    tx: &mut Tx<'_>,
    keys: &Keyring,
    version: &Version,
    sealed: &Wrapped<'_>,
    key: &DataKey,
) -> Result<()> {
    let Version { id, size, md5, created, modified } = version;
    let of = (sealed.content, *size);
    let context = wrap_context(id.file, id.number, of, md5, sealed.objects)?;
    let new = NewVersion {
        file: id.file,
        number: id.number,
        content: sealed.content,
        size: *size,
        md5,
        plain: sealed.plain,
        created: *created,
        modified: *modified,
        master_key: keys.active(),
        wrapped_key: &keys.wrap(&context, key),
    };
    files::insert_version(tx, &new).await
}

/// The documented form: `user/user_<uid>/<stem>-<uuid><.ending>`.
pub(super) fn upload_path(owner: UserId, name: &Name, uuid: Uuid) -> String {
    let (stem, ending) = name.stem_and_ending();
    format!("user/user_{}/{stem}-{uuid}{ending}", owner.letters())
}

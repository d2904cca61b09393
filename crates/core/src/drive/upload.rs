//! Uploads: begin, write, finish. Every dialect's upload is a parser onto these three.
//!
//! What is durable when: an object's name is leased in the catalog before the object is begun; the
//! object is complete and synced before the unit that makes the file; and only then is anyone told.
//! A crash leaves a leased name, which the sweep collects, and never a file without its bytes.

mod commit;

pub(super) use commit::{Wrapped, active_key, insert_version, replaced, upload_path};

use super::Drive;
use super::arrange::check_type;
use super::limits::Transfer;
use super::once::is_answered;
use super::underway::Underway;
use crate::access::{Caller, identify};
use crate::catalog::conn::Tx;
use crate::catalog::contents;
use crate::catalog::files::File;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::name::Name;
use crate::node::{FileRef, FolderRef, Seen};
use crate::vault::{BlobKey, ContentWriter, INLINE_MAX, Taken, UploadId};
use bytes::Bytes;
use commit::{Spot, spot, store};

/// How long a writer may leave an object without a sign of life.
const LEASE_SECONDS: i64 = 3600;

/// A file on its way in. Dropped before [`Upload::finish`] it leaves nothing behind.
pub struct Upload {
    drive: Drive,
    caller: Caller,
    target: Target,
    /// `None`: it was not asked yet whether the upload may be.
    owner: Option<UserId>,
    writer: Option<ContentWriter>,
    received: u64,
    leased: Vec<BlobKey>,
    renew: Time,
    /// A part may be on its way to the store, and nobody waits for it.
    unsure: bool,
    _transfer: Transfer,
    _underway: Underway,
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

    /// Whether [`spot`] asks the catalog no more than whether the caller may.
    fn is_one_question(&self) -> bool {
        match self {
            Target::Folder { name, on_taken, .. } => name.is_none() || *on_taken == OnTaken::Number,
            Target::File { .. } => true,
        }
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
    /// The answer shows the content's key: the audit log tells of that with the upload.
    pub shows_key: bool,
}

impl Drive {
    /// Begins an upload, if the caller may, the target is free, and there is room. Where the caller's key
    /// was given to a write before, that is not in the way of itself: [`Upload::finish`] decides.
    ///
    /// `announced` is how many bytes come at most, by the sender's word. A small content is taken in before that is
    /// asked, from a caller who was known within the last minute: [`Upload::finish`] asks it in any case. The SHA-512 of
    /// a large one is not begun, to be left off when its size is found out.
    pub async fn upload(
        &self,
        caller: &Caller,
        target: Target,
        announced: Option<u64>,
    ) -> Result<Upload> {
        let is_small = announced.is_some_and(|bytes| bytes <= INLINE_MAX as u64);
        let owner = if is_small && self.was_known(caller) {
            None
        } else {
            Some(self.may_upload(caller, &target).await?)
        };
        let transfer = self.0.admission.transfer()?;
        self.vault().blobs.check_room()?;
        Ok(Upload {
            drive: self.clone(),
            caller: caller.clone(),
            target,
            owner,
            writer: Some(ContentWriter::new(self.vault(), announced.unwrap_or_default())),
            received: 0,
            leased: Vec::new(),
            renew: self.now().plus_seconds(LEASE_SECONDS / 2),
            unsure: false,
            _transfer: transfer,
            _underway: self.0.uploads.begin(),
        })
    }

    /// Whose an upload will be, if it may be.
    async fn may_upload(&self, caller: &Caller, target: &Target) -> Result<UserId> {
        let now = self.now();
        let input = (caller.clone(), now, target.clone());
        let owner = if caller.key.is_none() && target.is_one_question() {
            self.catalog().look_up(&input, |tx, input| Box::pin(owner(tx, input))).await?
        } else {
            self.catalog().read(&input, |tx, input| Box::pin(owner(tx, input))).await?
        };
        self.note_use(caller, now);
        Ok(owner)
    }
}

/// Whose the upload will be, if it may begin.
async fn owner(tx: &mut Tx<'_>, (caller, now, target): &(Caller, Time, Target)) -> Result<UserId> {
    if is_answered(tx, caller, *now).await? {
        return Ok(identify(tx, caller, *now).await?.id);
    }
    match spot(tx, caller, *now, target, None).await? {
        Spot::New(folder, _) => Ok(folder.owner),
        Spot::Onto(file) => Ok(file.owner),
    }
}

impl Upload {
    /// Takes a chunk; holds back only what does not yet fill a part. An upload of which a chunk was
    /// refused, or not waited for, has ended.
    pub async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        // It comes back when all is in, so that a content with a gap is never finished.
        let mut writer = self.writer.take().ok_or_else(ended)?;
        self.received += chunk.len() as u64;
        if let Some(limit) = self.drive.0.admission.file_size.filter(|most| self.received > *most) {
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
                    let owner = self.owner().await?;
                    let blob = BlobKey::random();
                    self.leased.push(blob.clone());
                    lease(&self.drive, blob.clone(), owner).await?;
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
    /// a file, and must not be removed for a caller who hung up. Without objects there is nothing to remove.
    pub async fn finish(self, end: UploadEnd) -> Result<Seen<File>> {
        if let Some(Err(error)) = end.type_id.map(check_type) {
            return Err(self.refuse(error).await);
        }
        if self.leased.is_empty() {
            return self.complete(end).await;
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
                self.owner().await.and(Err(Error::ChecksumFailed))
            }
            Ok(finished) => {
                content = Some(finished.content.id);
                store(&self.drive, asked, finished).await
            }
            Err(error) => Err(error),
        };
        match &made {
            Ok(file) if file.content() == content => self.drive.digest_later(file),
            // It may be committed: the lease decides, not we.
            Err(Error::Unavailable(_)) => {}
            // Also when another content was there under the same key: this one is none of it.
            Ok(_) | Err(_) => abandon(&self.drive, None, leased, false).await,
        }
        made
    }

    /// Whose it will be; asks whether it may be, where that was not asked yet.
    async fn owner(&mut self) -> Result<UserId> {
        if let Some(owner) = self.owner {
            return Ok(owner);
        }
        let owner = self.drive.may_upload(&self.caller, &self.target).await?;
        self.owner = Some(owner);
        Ok(owner)
    }

    /// Gives the upload up, as [`Upload::discard`], for a reason; that, or why it may not have been at all.
    pub async fn refuse<E: From<Error>>(mut self, why: E) -> E {
        let why = self.owner().await.map_or_else(E::from, |_| why);
        self.discard().await;
        why
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

/// Makes known what a service calls an object that it is sent in parts: before the first of them is sent,
/// so that there is none that the sweep does not know of.
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

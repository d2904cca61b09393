//! Uploads: begin, write, finish. Every dialect's upload is a parser onto these three.
//!
//! What is durable when: an object's name is leased in the catalog before the object is begun; the
//! object is complete and synced before the unit that makes the file; and only then is anyone told.
//! A crash leaves a leased name, which the sweep collects, and never a file without its bytes.

use super::Drive;
use super::arrange::check_type;
use crate::access::{Caller, grant_home, identify};
use crate::catalog::files::{self, File, NewFile, NewVersion, wrap_context};
use crate::catalog::{contents, users};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, UserId};
use crate::name::Name;
use crate::vault::{BlobKey, ContentWriter, Finished, Taken};
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
    owner: UserId,
    writer: Option<ContentWriter>,
    leased: Vec<BlobKey>,
    renew: Time,
}

/// What is known of an upload only at its end.
#[derive(Clone, Debug)]
pub struct UploadEnd {
    /// The name.
    pub name: Name,
    /// What the file is for; `None` is an input file.
    pub type_id: Option<i64>,
}

impl Drive {
    /// Begins an upload into the caller's My Files, if the caller may, and if there is room.
    pub async fn upload(&self, caller: &Caller) -> Result<Upload> {
        let owner = self.identify(caller).await?.id;
        self.vault().blobs.check_room()?;
        Ok(Upload {
            drive: self.clone(),
            caller: caller.clone(),
            owner,
            writer: Some(ContentWriter::new(self.vault())),
            leased: Vec::new(),
            renew: self.now().plus_seconds(LEASE_SECONDS / 2),
        })
    }
}

impl Upload {
    /// Takes a chunk; holds back only what does not yet fill a part. An upload of which a chunk was
    /// refused, or not waited for, has ended.
    pub async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        // It comes back when all is in, so that a content with a gap is never finished.
        let mut writer = self.writer.take().ok_or_else(ended)?;
        while let Taken::NeedsObject = writer.write(&mut chunk).await? {
            let blob = BlobKey::random();
            self.leased.push(blob.clone());
            lease(&self.drive, blob.clone(), self.owner).await?;
            writer.begin_object(blob).await?;
        }
        self.keep_leases().await?;
        self.writer = Some(writer);
        Ok(())
    }

    /// Ends the upload. When this returns `Ok`, the file is durable and can be seen.
    ///
    /// It comes to its end also when the caller stops waiting: from here on the objects may belong to
    /// a file, and must not be removed for a caller who hung up.
    pub async fn finish(self, end: UploadEnd) -> Result<File> {
        if let Some(Err(error)) = end.type_id.map(check_type) {
            self.discard().await;
            return Err(error);
        }
        tokio::spawn(self.complete(end)).await.map_err(Error::internal)?
    }

    async fn complete(mut self, end: UploadEnd) -> Result<File> {
        if let Err(error) = self.keep_leases().await {
            // No file can have the objects yet.
            self.discard().await;
            return Err(error);
        }
        let writer = self.writer.take().ok_or_else(ended)?;
        let leased = std::mem::take(&mut self.leased);
        let made = match writer.finish().await {
            Ok(finished) => make_file(&self.drive, &self.caller, finished, end).await,
            Err(error) => Err(error),
        };
        match &made {
            Ok(file) => self.drive.digest_later(file),
            // It may be committed: the lease decides, not we.
            Err(Error::Unavailable(_)) => {}
            Err(_) => abandon(&self.drive, None, leased).await,
        }
        made
    }

    /// Gives the upload up and removes what was stored; what cannot be removed now, the sweep removes
    /// when the lease is over.
    pub async fn discard(mut self) {
        let (writer, leased) = (self.writer.take(), std::mem::take(&mut self.leased));
        abandon(&self.drive, writer, leased).await;
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
            let drive = self.drive.clone();
            runtime.spawn(async move { abandon(&drive, writer, leased).await });
        }
    }
}

async fn make_file(
    drive: &Drive,
    caller: &Caller,
    finished: Finished,
    end: UploadEnd,
) -> Result<File> {
    let input = Commit {
        caller: caller.clone(),
        keys: Arc::clone(&drive.vault().keys),
        now: drive.now(),
        uuid: Uuid::new_v4(),
        hex: Uuid::now_v7().simple().to_string(),
        finished,
        end,
    };
    let made = drive.catalog().write(input, |tx, input| Box::pin(commit(tx, input))).await?;
    made.ok_or_else(lease_lost)
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

async fn abandon(drive: &Drive, writer: Option<ContentWriter>, leased: Vec<BlobKey>) {
    if let Some(writer) = writer {
        writer.discard().await;
    }
    for blob in leased {
        if let Err(error) = drive.vault().blobs.remove(&blob).await {
            tracing::warn!(%error, "an object that was given up is left to the sweep");
            continue;
        }
        let forgotten = drive
            .catalog()
            .write(blob, |tx, blob| Box::pin(contents::forget_pending(tx, blob)))
            .await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "the lease of an object that was given up is left to the sweep");
        }
    }
}

struct Commit {
    caller: Caller,
    keys: Arc<crate::vault::keys::Keyring>,
    now: Time,
    uuid: Uuid,
    hex: String,
    finished: Finished,
    end: UploadEnd,
}

/// Makes the file. `None`: a lease is lost, and the objects are doomed, since the sweep may have been
/// there before the last of them was.
async fn commit(tx: &mut crate::catalog::Tx<'_>, input: &Commit) -> Result<Option<File>> {
    let Finished { content, key, digested } = &input.finished;
    if !contents::are_leased(tx, content.objects()).await? {
        contents::give_up(tx, content.objects(), input.now).await?;
        return Ok(None);
    }
    let name = &input.end.name;
    let place = grant_home(tx, &input.caller, input.now).await?;
    let size = content.size.cast_signed();
    let at = users::change_tree(tx, place.owner, 1, size, input.now).await?;
    contents::insert(tx, content, digested.sha512.as_ref()).await?;
    let label = files::free_label(tx, place.folder, &name.label()).await?;
    let new = NewFile {
        name,
        label: &label,
        hex: &input.hex,
        path: &upload_path(place.owner, name, input.uuid),
        type_id: input.end.type_id.unwrap_or(TYPE_DEFAULT),
        size: content.size,
        at,
    };
    let id = files::insert(tx, &place, &new).await?;
    let sealed = (content.id, content.size);
    let context = wrap_context(id, 1, sealed, &digested.md5, content.objects())?;
    let version = NewVersion {
        file: id,
        number: 1,
        content: content.id,
        size: content.size,
        md5: &digested.md5,
        plain: digested.plain,
        at,
        by: place.caller(),
        master_key: input.keys.active(),
        wrapped_key: &input.keys.wrap(&context, key),
    };
    files::insert_version(tx, &version).await?;
    find(tx, id).await.map(Some)
}

async fn find(tx: &mut crate::catalog::Tx<'_>, id: FileId) -> Result<File> {
    files::find_any(tx, id).await?.ok_or_else(|| Error::internal("a new file is not there"))
}

/// The documented form: `user/user_<uid>/<stem>-<uuid><.ending>`.
fn upload_path(owner: UserId, name: &Name, uuid: Uuid) -> String {
    let (stem, ending) = name.stem_and_ending();
    format!("user/user_{}/{stem}-{uuid}{ending}", owner.letters())
}

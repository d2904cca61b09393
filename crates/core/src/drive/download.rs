//! Downloads: the current version of a file, or a range of it.

use super::Drive;
use super::limits::Transfer;
use crate::access::{Caller, Right, grant, grant_readable};
use crate::catalog::files::File;
use crate::catalog::keys;
use crate::catalog::readable::Readable;
use crate::clock::Time;
use crate::error::{Error, Result, Thing};
use crate::id::FileId;
use crate::node::{FileRef, VersionId};
use crate::vault::keys::not_held;
use crate::vault::seal::DataKey;
use crate::vault::{ContentReader, StoredContent};
use bytes::Bytes;
use std::ops::Range;

/// How often a download asks whether it may go on.
const RENEW_SECONDS: i64 = 1;

/// A file that may be read, and its content.
#[derive(Debug)]
pub struct Download {
    /// The file.
    pub file: Readable,
    drive: Drive,
    caller: Caller,
    content: StoredContent,
    transfer: Transfer,
}

/// The bytes of a download, in order.
#[derive(Debug)]
pub struct DownloadBody {
    drive: Drive,
    caller: Caller,
    file: FileId,
    reader: ContentReader,
    renew: Time,
    _transfer: Transfer,
}

impl Drive {
    /// Opens a file for reading, if the caller may.
    pub async fn download(&self, caller: &Caller, file: impl Into<FileRef>) -> Result<Download> {
        self.open_file(caller, file.into(), None).await
    }

    /// Opens one version of a file for reading, if the caller may.
    pub async fn download_version(&self, caller: &Caller, id: VersionId) -> Result<Download> {
        match self.open_file(caller, id.file.into(), Some(id.number)).await {
            Err(Error::NotFound(_)) => Err(Error::NotFound(Thing::Version)),
            opened => opened,
        }
    }

    async fn open_file(
        &self,
        caller: &Caller,
        file: FileRef,
        version: Option<u64>,
    ) -> Result<Download> {
        let now = self.now();
        let input = (caller.clone(), now, (file, version));
        let mut file = self
            .catalog()
            .look_up(&input, |tx, (caller, now, what)| {
                Box::pin(async move {
                    Ok(grant_readable(tx, caller, *now, *what).await?.into_seen().node)
                })
            })
            .await?;
        self.note_use(caller, now);
        let transfer = self.0.admission.transfer()?;
        self.check_held(&file.held.master_key).await?;
        let content = file.take_stored()?;
        Ok(Download { file, drive: self.clone(), caller: caller.clone(), content, transfer })
    }

    /// Opens a plain text file for reading, if the caller may.
    pub async fn text(&self, caller: &Caller, file: FileId) -> Result<Download> {
        let download = self.download(caller, file).await?;
        if download.file.plain() { Ok(download) } else { Err(Error::NotText) }
    }

    /// The key that a file's content is sealed under, to be shown to a caller who was granted the file. The
    /// audit log tells of it, within a second.
    pub fn disclose_key(&self, caller: &Caller, file: &File) -> Result<DataKey> {
        let key = file.data_key(&self.vault().keys)?;
        self.0.pending.disclosed(&caller.shown, file.id, self.now());
        Ok(key)
    }

    /// That this process holds a master key which the catalog knows. Another id is none: what was wrapped under
    /// that is damaged, and found to be when it is unwrapped.
    pub(crate) async fn check_held(&self, master_key: &String) -> Result<()> {
        if self.vault().keys.holds(master_key) {
            return Ok(());
        }
        let is_known =
            self.catalog().read(master_key, |tx, id| Box::pin(keys::is_known(tx, id))).await?;
        if is_known { Err(not_held(master_key)) } else { Ok(()) }
    }
}

impl Download {
    /// Begins to read. `range` lies within the file's size.
    pub fn read(self, range: Range<u64>) -> Result<DownloadBody> {
        let (file, vault) = (&self.file, self.drive.vault());
        let reader = vault.read(self.content, &file.data_key(&vault.keys)?, range)?;
        let renew = self.drive.now().plus_seconds(RENEW_SECONDS);
        let (drive, caller, file) = (self.drive, self.caller, self.file.id);
        Ok(DownloadBody { drive, caller, file, reader, renew, _transfer: self.transfer })
    }
}

impl DownloadBody {
    /// The next verified bytes, `None` at the end. A right that ends, ends a download within about a
    /// second.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let now = self.drive.now();
        if now >= self.renew {
            let input = (self.caller.clone(), now, FileRef::Id(self.file));
            self.drive
                .catalog()
                .look_up(&input, |tx, (caller, now, file)| {
                    Box::pin(
                        async move { grant(tx, caller, *now, *file, Right::Read).await.map(drop) },
                    )
                })
                .await?;
            self.renew = now.plus_seconds(RENEW_SECONDS);
        }
        self.reader.next().await
    }
}

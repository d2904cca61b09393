//! The store of objects: immutable, under random names, on local disk. All of `object_store` is
//! here, and what its local backend leaves unsynced is synced here: it syncs a finished file, its
//! name and new folders when told to, but no deletion, and a failed finish leaves its staging file.

use super::object::BlobKey;
use crate::error::{Error, Result};
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
};
use std::io::ErrorKind::NotFound;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How much is handed to the store at once, in bytes.
pub(crate) const PART_LEN: usize = 256 << 10;
/// Parts on their way to the store; with these an upload holds about three parts in memory.
const PARTS_IN_FLIGHT: usize = 2;
/// What uploads leave free on the disk, in bytes: the catalog needs room to delete a file too, and
/// on a disk that is full to its last byte nothing could ever be deleted.
const RESERVE: u64 = 32 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    store: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Blobs {
    /// Opens the store in `root`, making it and its 256 folders on first use.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(root)?;
            for folder in 0..=0xff {
                std::fs::create_dir(root.join(format!("{folder:02x}")))?;
            }
            sync_directory(root)?;
            sync_directory(root.parent().unwrap_or(Path::new(".")))?;
        }
        let root = root.canonicalize()?;
        let store = LocalFileSystem::new_with_prefix(&root)?.with_fsync(true);
        Ok(Blobs { store: Arc::new(store), root })
    }

    /// Refuses when uploads have taken all that they may.
    pub(crate) fn check_room(&self) -> Result<()> {
        let disk = rustix::fs::statvfs(&self.root).map_err(std::io::Error::from)?;
        // There are file systems that tell no sizes.
        if disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < RESERVE {
            return Err(Error::StorageFull);
        }
        Ok(())
    }

    /// Begins to write an object. It becomes visible, and durable, when it is finished.
    pub(crate) async fn create(&self, blob: &BlobKey) -> Result<BlobWriter> {
        let upload = self.store.put_multipart(&object_path(blob)).await?;
        Ok(BlobWriter { blobs: self.clone(), blob: blob.clone(), upload, parts: JoinSet::new() })
    }

    /// Reads a range, whole or not at all. `None`: there is no such object, or it is shorter.
    pub(crate) async fn read(&self, blob: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>> {
        let Range { start, end } = range;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..Default::default() };
        let found = match self.store.get_opts(&object_path(blob), options).await {
            // The backend cuts a range at the object's end, and refuses one behind it.
            Ok(found) if found.range == (start..end) => found,
            Ok(_) => return Ok(None),
            Err(error) => match self.size(blob).await? {
                Some(size) if size >= end => return Err(error.into()),
                _ => return Ok(None),
            },
        };
        Ok(Some(found.bytes().await?))
    }

    /// The size of a stored object in bytes, `None` if there is none.
    pub(crate) async fn size(&self, blob: &BlobKey) -> Result<Option<u64>> {
        match self.store.head(&object_path(blob)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an object and what a failed writer may have left of it; durable when it returns.
    pub(crate) async fn remove(&self, blob: &BlobKey) -> Result<()> {
        let path = self.root.join(blob.as_str());
        let remove = move || {
            // A name is written once, so the backend's staging file is always the first. It goes
            // first, too: a writer that is late can then no longer turn it into the object.
            let staging = path.with_file_name(format!(
                "{}#1",
                path.file_name().unwrap_or_default().to_string_lossy()
            ));
            for file in [&staging, &path] {
                match std::fs::remove_file(file) {
                    Err(error) if error.kind() != NotFound => return Err(error),
                    _ => {}
                }
            }
            match sync_directory(path.parent().unwrap_or(Path::new("."))) {
                // A copy of the store may lack folders that were empty.
                Err(error) if error.kind() == NotFound => Ok(()),
                synced => synced,
            }
        };
        Ok(tokio::task::spawn_blocking(remove).await.map_err(Error::internal)??)
    }
}

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    blobs: Blobs,
    blob: BlobKey,
    upload: Box<dyn MultipartUpload>,
    parts: JoinSet<object_store::Result<()>>,
}

impl BlobWriter {
    /// Adds a part; waits only while enough parts are on their way.
    pub(crate) async fn write(&mut self, part: Vec<u8>) -> Result<()> {
        while self.parts.len() >= PARTS_IN_FLIGHT {
            self.part_written().await?;
        }
        self.blobs.check_room()?;
        self.parts.spawn(self.upload.put_part(PutPayload::from(part)));
        Ok(())
    }

    /// Makes the object visible and durable: content synced, named, and its folder synced.
    pub(crate) async fn finish(mut self) -> Result<()> {
        while !self.parts.is_empty() {
            self.part_written().await?;
        }
        self.upload.complete().await?;
        Ok(())
    }

    /// Leaves nothing behind.
    pub(crate) async fn discard(mut self) -> Result<()> {
        self.parts.shutdown().await;
        // What it does not remove, the next line does.
        let _aborted = self.upload.abort().await;
        self.blobs.remove(&self.blob).await
    }

    async fn part_written(&mut self) -> Result<()> {
        match self.parts.join_next().await {
            None => Ok(()),
            Some(joined) => Ok(joined.map_err(Error::internal)??),
        }
    }
}

/// Makes names that were added to or removed from a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    std::fs::File::open(directory)?.sync_all()
}

fn object_path(blob: &BlobKey) -> ObjectPath {
    ObjectPath::from(blob.as_str())
}

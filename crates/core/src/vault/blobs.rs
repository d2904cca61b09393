//! The store of objects: immutable, under random names, on local disk or with a service such as S3.
//! All of `object_store` is here. On local disk, what its local backend leaves unsynced is synced here: it syncs a finished file, its
//! name and new folders when told to, but no deletion, and a failed finish leaves its staging file.

mod remote;

use super::object::BlobKey;
use crate::error::{Error, Result};
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
};
use std::collections::VecDeque;
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
    store: Arc<dyn ObjectStore>,
    place: Place,
}

/// Where the objects are.
#[derive(Clone, Debug)]
enum Place {
    /// In a directory of this machine.
    Local(Arc<PathBuf>),
    /// With a service, under names that begin so.
    Remote(ObjectPath),
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
        Ok(Blobs { store: Arc::new(store), place: Place::Local(Arc::new(root)) })
    }

    /// Opens the store behind a URL. Nothing is asked of it yet.
    pub(crate) fn open_url(url: &str) -> Result<Self> {
        let (store, prefix) = remote::open(url)?;
        Ok(Blobs { store, place: Place::Remote(prefix) })
    }

    /// Makes sure that a service's objects are those of the catalog `id`, and makes new ones known as
    /// its. A directory lies beside its catalog.
    pub(crate) async fn belong_to(&self, id: &str) -> Result<()> {
        let Place::Remote(prefix) = &self.place else {
            return Ok(());
        };
        let marker = remote::marker(prefix);
        let found = match self.store.get(&marker).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => {
                self.store.put(&marker, PutPayload::from(id.to_owned())).await?;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if found == id.as_bytes() {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "the objects under {prefix} belong to another catalog: name the bucket and prefix that \
             are this one's, or new ones"
        )))
    }

    /// Whether this is that directory.
    pub(crate) fn is_same_directory(&self, other: &Self) -> bool {
        matches!((&self.place, &other.place), (Place::Local(a), Place::Local(b)) if a == b)
    }

    /// Whether there is a store that can be reached and has room.
    pub(crate) async fn ready(&self) -> Result<()> {
        let Place::Remote(prefix) = &self.place else {
            return self.check_room();
        };
        self.store.head(&remote::marker(prefix)).await?;
        Ok(())
    }

    /// Refuses when uploads have taken all that they may.
    pub(crate) fn check_room(&self) -> Result<()> {
        let Place::Local(root) = &self.place else {
            return Ok(());
        };
        let disk = rustix::fs::statvfs(root.as_path()).map_err(std::io::Error::from)?;
        // There are file systems that tell no sizes.
        if disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < RESERVE {
            return Err(Error::StorageFull);
        }
        Ok(())
    }

    /// Begins to write an object. It becomes visible, and durable, when it is finished.
    pub(crate) async fn create(&self, blob: &BlobKey) -> Result<BlobWriter> {
        let (upload, part_len) = match self.place {
            Place::Local(_) => (Some(self.store.put_multipart(&self.path(blob)).await?), PART_LEN),
            Place::Remote(_) => (None, remote::PART_LEN),
        };
        Ok(BlobWriter {
            blobs: self.clone(),
            blob: blob.clone(),
            upload,
            part_len,
            waiting: VecDeque::new(),
            parts: JoinSet::new(),
        })
    }

    /// Reads a range, whole or not at all. `None`: there is no such object, or it is shorter.
    pub(crate) async fn read(&self, blob: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>> {
        let Range { start, end } = range;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..Default::default() };
        let found = match self.store.get_opts(&self.path(blob), options).await {
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
        match self.store.head(&self.path(blob)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an object and what a failed writer may have left of it; durable when it returns.
    pub(crate) async fn remove(&self, blob: &BlobKey) -> Result<()> {
        let root = match &self.place {
            Place::Local(root) => Arc::clone(root),
            Place::Remote(_) => {
                return match self.store.delete(&self.path(blob)).await {
                    Err(object_store::Error::NotFound { .. }) => Ok(()),
                    removed => Ok(removed?),
                };
            }
        };
        let path = root.join(blob.as_str());
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

    fn path(&self, blob: &BlobKey) -> ObjectPath {
        match &self.place {
            Place::Local(_) => ObjectPath::from(blob.as_str()),
            Place::Remote(prefix) => ObjectPath::from(format!("{prefix}/{blob}")),
        }
    }
}

/// An object that is being written. Dropped unfinished, it is left to the sweep.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    blobs: Blobs,
    blob: BlobKey,
    /// A service is asked for one only when the object is larger than a part.
    upload: Option<Box<dyn MultipartUpload>>,
    part_len: usize,
    /// What does not yet fill a part.
    waiting: VecDeque<Bytes>,
    parts: JoinSet<object_store::Result<()>>,
}

impl BlobWriter {
    /// Adds bytes; waits only while enough parts are on their way.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.blobs.check_room()?;
        self.waiting.push_back(bytes.into());
        while self.waiting.iter().map(Bytes::len).sum::<usize>() >= self.part_len {
            let part = self.next_part();
            self.send(part).await?;
        }
        Ok(())
    }

    /// Takes a part off what is waiting: on this machine whatever is there, for a service exactly the
    /// length that all parts must have.
    fn next_part(&mut self) -> PutPayload {
        if matches!(self.blobs.place, Place::Local(_)) {
            return self.waiting.drain(..).collect();
        }
        let (mut part, mut room) = (Vec::new(), self.part_len);
        while let Some(mut first) = self.waiting.pop_front() {
            if first.len() > room {
                let rest = first.split_off(room);
                self.waiting.push_front(rest);
            }
            room -= first.len();
            part.push(first);
            if room == 0 {
                break;
            }
        }
        part.into_iter().collect()
    }

    async fn send(&mut self, part: PutPayload) -> Result<()> {
        let most = match self.blobs.place {
            Place::Local(_) => PARTS_IN_FLIGHT,
            Place::Remote(_) => remote::PARTS_IN_FLIGHT,
        };
        while self.parts.len() >= most {
            self.part_written().await?;
        }
        if self.upload.is_none() {
            let path = self.blobs.path(&self.blob);
            self.upload = Some(self.blobs.store.put_multipart(&path).await?);
        }
        if let Some(upload) = &mut self.upload {
            self.parts.spawn(upload.put_part(part));
        }
        Ok(())
    }

    /// Makes the object visible and durable: on this machine its content is synced, it is named, and
    /// its folder is synced; a service says that it has it.
    pub(crate) async fn finish(mut self) -> Result<()> {
        let ended = self.end().await;
        if ended.is_err() {
            self.abort().await;
        }
        ended
    }

    async fn end(&mut self) -> Result<()> {
        let rest: PutPayload = self.waiting.drain(..).collect();
        if self.upload.is_none() {
            self.blobs.store.put(&self.blobs.path(&self.blob), rest).await?;
            return Ok(());
        }
        if rest.content_length() > 0 {
            self.send(rest).await?;
        }
        while !self.parts.is_empty() {
            self.part_written().await?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
        }
        Ok(())
    }

    /// A service keeps, and charges for, the parts of what was never completed nor aborted.
    async fn abort(&mut self) {
        match self.blobs.place {
            Place::Local(_) => self.parts.shutdown().await,
            // A part that is on its way may arrive after what it belongs to was aborted, and stay.
            Place::Remote(_) => while self.parts.join_next().await.is_some() {},
        }
        if let Some(upload) = &mut self.upload {
            // What it does not remove on this machine, `remove` does.
            let _aborted = upload.abort().await;
        }
    }

    /// Leaves nothing behind.
    pub(crate) async fn discard(mut self) -> Result<()> {
        self.abort().await;
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

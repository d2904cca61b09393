//! The store of objects: immutable, under random names, on local disk or with a service such as S3.
//! All of `object_store` is here. On local disk, what its local backend leaves unsynced is synced here: it syncs a finished file, its
//! name and new folders when told to, but no deletion, and a failed finish leaves its staging file.

mod remote;

use super::object::BlobKey;
use crate::error::{Error, Result};
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::multipart::PartId;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
};
pub use remote::Service;
use remote::ServiceStore;
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
    Remote(Arc<dyn ServiceStore>, ObjectPath),
}

/// What a service calls an object that it is sent in parts. Only who knows it can end that, so the
/// catalog learns it before the first part is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadId(pub(crate) String);

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
    pub(crate) fn open_url(url: &str, service: &Service) -> Result<Self> {
        let (store, prefix) = remote::open(url, service)?;
        Ok(Blobs { store: Arc::clone(&store) as _, place: Place::Remote(store, prefix) })
    }

    /// Makes sure that a service's objects are those of the catalog `id`, and makes new ones known as
    /// its. A directory lies beside its catalog.
    pub(crate) async fn belong_to(&self, id: &str) -> Result<()> {
        let Place::Remote(_, prefix) = &self.place else {
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
        let Place::Remote(_, prefix) = &self.place else {
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
        let sink = match &self.place {
            Place::Local(_) => Sink::File(self.store.put_multipart(&self.path(blob)).await?),
            Place::Remote(service, _) => {
                Sink::Service { service: Arc::clone(service), upload: None, begun: 0 }
            }
        };
        Ok(BlobWriter {
            blobs: self.clone(),
            blob: blob.clone(),
            sink,
            waiting: VecDeque::new(),
            parts: JoinSet::new(),
            written: Vec::new(),
            size: 0,
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

    /// Removes an object and what a failed writer may have left of it; durable when it returns. With a
    /// service that is what was sent under `upload`.
    pub(crate) async fn remove(&self, blob: &BlobKey, upload: Option<&UploadId>) -> Result<()> {
        let root = match &self.place {
            Place::Local(root) => Arc::clone(root),
            Place::Remote(service, _) => {
                let path = self.path(blob);
                // It goes first: nobody can then turn it into the object any more.
                if let Some(upload) = upload {
                    remote::abort(service.as_ref(), &path, upload).await?;
                }
                return match self.store.delete(&path).await {
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
            Place::Remote(_, prefix) => ObjectPath::from(format!("{prefix}/{blob}")),
        }
    }
}

/// An object that is being written. Dropped unfinished, it is left to the sweep.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    blobs: Blobs,
    blob: BlobKey,
    sink: Sink,
    /// What was not sent yet.
    waiting: VecDeque<Bytes>,
    parts: JoinSet<object_store::Result<Option<(usize, PartId)>>>,
    /// The parts that a service has, each with its place.
    written: Vec<(usize, PartId)>,
    /// Bytes that were taken.
    size: u64,
}

/// Where parts go.
#[derive(Debug)]
enum Sink {
    /// To a file of this machine.
    File(Box<dyn MultipartUpload>),
    /// To a service, which is asked to take parts only when the object is larger than one.
    Service { service: Arc<dyn ServiceStore>, upload: Option<UploadId>, begun: usize },
}

impl BlobWriter {
    /// Whether no more can be taken before [`BlobWriter::begin_parts`].
    pub(crate) fn wants_parts(&self) -> bool {
        matches!(self.sink, Sink::Service { upload: None, .. })
            && self.waiting_len() >= remote::PART_LEN
    }

    /// Asks the service to take the object in parts. The next thing to do is to make the answer known to
    /// the catalog.
    pub(crate) async fn begin_parts(&mut self) -> Result<Option<UploadId>> {
        let Sink::Service { service, upload, .. } = &mut self.sink else {
            return Ok(None);
        };
        let begun = UploadId(service.create_multipart(&self.blobs.path(&self.blob)).await?);
        *upload = Some(begun.clone());
        Ok(Some(begun))
    }

    /// Adds bytes; waits only while enough parts are on their way.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.blobs.check_room()?;
        self.size += bytes.len() as u64;
        self.waiting.push_back(bytes.into());
        let part_len = match self.sink {
            Sink::File(_) => PART_LEN,
            Sink::Service { upload: None, .. } => return Ok(()),
            Sink::Service { .. } => remote::PART_LEN,
        };
        while self.waiting_len() >= part_len {
            let part = self.next_part();
            self.send(part).await?;
        }
        Ok(())
    }

    fn waiting_len(&self) -> usize {
        self.waiting.iter().map(Bytes::len).sum()
    }

    /// Takes a part off what is waiting: on this machine whatever is there, for a service exactly the
    /// length that all parts must have, or what is left.
    fn next_part(&mut self) -> PutPayload {
        if matches!(self.sink, Sink::File(_)) {
            return self.waiting.drain(..).collect();
        }
        let (mut part, mut room) = (Vec::new(), remote::PART_LEN);
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
        let most = match self.sink {
            Sink::File(_) => PARTS_IN_FLIGHT,
            Sink::Service { .. } => remote::PARTS_IN_FLIGHT,
        };
        while self.parts.len() >= most {
            self.part_written().await?;
        }
        match &mut self.sink {
            Sink::File(file) => {
                let write = file.put_part(part);
                self.parts.spawn(async { write.await.map(|()| None) });
            }
            Sink::Service { service, upload, begun } => {
                let upload =
                    upload.clone().ok_or_else(|| Error::internal("no parts were begun"))?;
                let (service, path) = (Arc::clone(service), self.blobs.path(&self.blob));
                let place = *begun;
                *begun += 1;
                self.parts.spawn(async move {
                    let id = service.put_part(&path, &upload.0, place, part).await?;
                    Ok(Some((place, id)))
                });
            }
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
        if matches!(self.sink, Sink::Service { upload: None, .. }) {
            let whole: PutPayload = self.waiting.drain(..).collect();
            self.blobs.store.put(&self.blobs.path(&self.blob), whole).await?;
            return Ok(());
        }
        while !self.waiting.is_empty() {
            let part = self.next_part();
            self.send(part).await?;
        }
        while !self.parts.is_empty() {
            self.part_written().await?;
        }
        match &mut self.sink {
            Sink::File(file) => file.complete().await.map(drop).map_err(Error::from),
            Sink::Service { .. } => self.join_parts().await,
        }
    }

    /// Has a service make the object of its parts.
    async fn join_parts(&mut self) -> Result<()> {
        let Sink::Service { service, upload: Some(upload), .. } = &self.sink else {
            return Ok(());
        };
        self.written.sort_by_key(|(place, _)| *place);
        let parts = self.written.drain(..).map(|(_, id)| id).collect();
        let path = self.blobs.path(&self.blob);
        match service.complete_multipart(&path, &upload.0, parts).await {
            Ok(_) => Ok(()),
            // When its answer was lost, the request that is sent again finds no parts any more. The name
            // is this writer's alone, so an object of this size is the one that was asked for.
            Err(error) => match self.blobs.size(&self.blob).await {
                Ok(Some(size)) if size == self.size => Ok(()),
                _ => Err(remote::unavailable(error)),
            },
        }
    }

    /// A service keeps, and charges for, the parts of what was never completed nor aborted.
    async fn abort(&mut self) {
        let aborted = match &mut self.sink {
            Sink::File(file) => {
                self.parts.shutdown().await;
                // What it does not remove, `remove` does.
                let _aborted = file.abort().await;
                return;
            }
            Sink::Service { service, upload: Some(upload), .. } => {
                // A part that is on its way may arrive after what it belongs to was aborted, and stay.
                while self.parts.join_next().await.is_some() {}
                remote::abort(service.as_ref(), &self.blobs.path(&self.blob), upload).await
            }
            Sink::Service { .. } => return,
        };
        if let Err(error) = aborted {
            tracing::warn!(%error, "the parts of an object that was given up are left to the sweep");
        }
    }

    /// Leaves nothing behind.
    pub(crate) async fn discard(mut self) -> Result<()> {
        self.abort().await;
        self.blobs.remove(&self.blob, None).await
    }

    async fn part_written(&mut self) -> Result<()> {
        match self.parts.join_next().await.transpose().map_err(Error::internal)? {
            None => Ok(()),
            Some(Ok(part)) => {
                self.written.extend(part);
                Ok(())
            }
            Some(Err(error)) if matches!(self.sink, Sink::File(_)) => Err(error.into()),
            Some(Err(error)) => Err(remote::unavailable(error)),
        }
    }
}

/// Makes names that were added to or removed from a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    std::fs::File::open(directory)?.sync_all()
}

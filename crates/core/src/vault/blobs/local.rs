//! Objects as files of this machine: a folder for each first two digits of a name. A file is written under
//! a staging name, and has its own only when what is in it is durable.

use super::buffer::{Buffer, PART_LEN};
use crate::disk::{self, Disk, DiskFile};
use crate::error::{Error, Result};
use crate::vault::object::BlobKey;
use bytes::Bytes;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// What uploads leave free on the disk, in bytes: the catalog needs room to delete a file too, and
/// on a disk that is full to its last byte nothing could ever be deleted.
const RESERVE: u64 = 32 << 20;
/// Where there is a GiB more than that, the disk is not asked again by the next uploads and parts: together they
/// are some MiB.
const PLENTY: u64 = RESERVE + (1 << 30);
const UNASKED: u32 = 64;

/// A directory of objects.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    root: Arc<PathBuf>,
    disk: Disk,
    /// There is no disk below it.
    is_memory: bool,
    /// How many more times there is room, without asking.
    unasked: Arc<AtomicU32>,
}

impl Local {
    /// Opens the store in `root`, making what is missing of it and its 256 folders.
    pub(super) fn open(root: &Path, disk: Disk) -> Result<Self> {
        make_folders(root, &disk)?;
        let is_memory = disk::is_memory(root)?;
        let (root, unasked) = (Arc::new(root.canonicalize()?), Arc::default());
        Ok(Local { root, disk, is_memory, unasked })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Refuses when uploads have taken all that they may.
    pub(super) fn check_room(&self) -> Result<()> {
        let one_less = |left: u32| left.checked_sub(1);
        let unasked = self.unasked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        if unasked.is_err() && self.ask_for_room()? >= PLENTY {
            self.unasked.store(UNASKED, Ordering::Relaxed);
        }
        Ok(())
    }

    /// As [`Local::check_room`], but the disk is asked now; how many bytes are free.
    pub(super) fn ask_for_room(&self) -> Result<u64> {
        let free = self.disk.room(&self.root)?.unwrap_or(u64::MAX);
        if free < RESERVE { Err(Error::StorageFull) } else { Ok(free) }
    }

    pub(super) async fn create(&self, blob: &BlobKey) -> Result<LocalWriter> {
        let (local, blob) = (self.clone(), blob.clone());
        blocking(move || {
            let staging = staging(&local.path(&blob));
            let created = match local.disk.create(&staging)? {
                None => {
                    make_folders(&local.root, &local.disk)?;
                    local.disk.create(&staging)?
                }
                created => created,
            };
            let file = created.ok_or_else(|| Error::internal("the store's folders are gone"))?;
            Ok(LocalWriter { local, blob, file: Some(Arc::new(file)), writing: None, size: 0 })
        })
        .await
    }

    pub(super) async fn read(&self, blob: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>> {
        let (local, blob) = (self.clone(), blob.clone());
        blocking(move || local.read_waiting(&blob, range, 0)).await
    }

    /// The same on a thread that may wait; `next` bytes behind it will be wanted soon.
    pub(crate) fn read_waiting(
        &self,
        blob: &BlobKey,
        range: Range<u64>,
        next: u64,
    ) -> Result<Option<Bytes>> {
        Ok(disk::read(&self.path(blob), range, next)?.map(Bytes::from))
    }

    /// The same on a thread that may not: `None` where it would have to, and also where nothing is found.
    pub(crate) fn read_cached(&self, blob: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>> {
        let path = self.path(blob);
        let found = if self.is_memory {
            disk::read(&path, range, 0)?
        } else {
            disk::read_cached(&path, range)?
        };
        Ok(found.map(Bytes::from))
    }

    pub(super) async fn size(&self, blob: &BlobKey) -> Result<Option<u64>> {
        let path = self.path(blob);
        blocking(move || disk::size(&path)).await
    }

    pub(super) async fn remove(&self, blob: &BlobKey) -> Result<()> {
        let (disk, path) = (self.disk.clone(), self.path(blob));
        blocking(move || {
            // It goes first: a writer that is late can then no longer turn it into the object.
            disk.remove(&staging(&path))?;
            disk.remove(&path)?;
            disk.sync_directory(folder(&path))
        })
        .await
    }

    fn path(&self, blob: &BlobKey) -> PathBuf {
        self.root.join(blob.as_str())
    }
}

/// Also where all are there they are synced: a process that was killed may have made them and not come
/// to that.
fn make_folders(root: &Path, disk: &Disk) -> Result<()> {
    disk.make_directory(root, 0o700)?;
    for folder in 0..=0xff {
        disk.make_directory(&root.join(format!("{folder:02x}")), 0o777)?;
    }
    disk.sync_directory(root)?;
    disk.sync_directory(folder(root))
}

/// What a file is called while it is written; a name is given to one object only, so to one writer.
fn staging(path: &Path) -> PathBuf {
    let mut staging = path.as_os_str().to_owned();
    staging.push("#1");
    staging.into()
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// A file that is being written. Dropped unfinished, it is removed.
#[derive(Debug)]
pub(crate) struct LocalWriter {
    local: Local,
    blob: BlobKey,
    /// `None`: it has been closed.
    file: Option<Arc<DiskFile>>,
    /// A part on its way to the disk, while the next one is gathered.
    writing: Option<JoinHandle<Result<Buffer>>>,
    size: u64,
}

impl LocalWriter {
    pub(super) async fn write(&mut self, full: &mut Buffer) -> Result<()> {
        self.local.check_room()?;
        let (disk, file) = (self.local.disk.clone(), self.file.clone().ok_or_else(closed)?);
        if self.local.is_memory {
            disk.write(&file, self.size, full.part().0)?;
            self.size += PART_LEN as u64;
            full.drop_part();
            return Ok(());
        }
        let mut next = self.written().await?.unwrap_or_default();
        let at = self.size;
        self.size += PART_LEN as u64;
        next.end().extend_from_slice(full.part().1);
        let mut full = std::mem::replace(full, next);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            disk.write(&file, at, full.part().0)?;
            full.clear();
            Ok(full)
        }));
        Ok(())
    }

    /// Waits until nothing is on its way; what was, with nothing in it.
    async fn written(&mut self) -> Result<Option<Buffer>> {
        let Some(writing) = &mut self.writing else { return Ok(None) };
        let written = writing.await;
        self.writing = None;
        written.map_err(Error::internal)?.map(Some)
    }

    /// Makes the content durable, then the name.
    pub(super) async fn finish(mut self, rest: Buffer) -> Result<()> {
        self.local.check_room()?;
        self.written().await?;
        // With all that it is, so that it is removed when it fails, or nobody waits for it any more.
        blocking(move || {
            let (disk, path) = (self.local.disk.clone(), self.local.path(&self.blob));
            let file = self.file.as_ref().ok_or_else(closed)?;
            disk.write(file, self.size, rest.filled())?;
            disk.sync(file)?;
            disk.close(self.file.take().and_then(Arc::into_inner).ok_or_else(closed)?)?;
            disk.rename(&staging(&path), &path)?;
            disk.sync_directory(folder(&path))
        })
        .await
    }

    pub(super) async fn discard(mut self) -> Result<()> {
        let _unneeded = self.written().await;
        self.file = None;
        self.local.remove(&self.blob).await
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if let Some(writing) = &self.writing {
            writing.abort();
        }
        let (disk, staging) = (self.local.disk.clone(), staging(&self.local.path(&self.blob)));
        let remove = move || {
            drop(file);
            // What stays has a lease, which the sweep ends.
            let _left = disk.remove(&staging);
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

fn closed() -> Error {
    Error::internal("an object was written to behind its end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Step;
    use std::sync::atomic::AtomicUsize;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n % 251) as u8).collect()
    }

    async fn write(local: &Local, blob: &BlobKey, bytes: &[u8]) -> Result<()> {
        let (mut writer, mut buffer) = (local.create(blob).await?, Buffer::default());
        for piece in bytes.chunks(100_003) {
            buffer.end().extend_from_slice(piece);
            if buffer.is_full() {
                writer.write(&mut buffer).await?;
            }
        }
        writer.finish(buffer).await
    }

    /// Whether parts are waited for or not.
    #[tokio::test]
    async fn an_object_is_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::watched_by(|step| {
            if let Step::Write(_, at, part) = step
                && part.len() == PART_LEN
            {
                assert!(disk::unaligned(part) == 0 && at.is_multiple_of(PART_LEN as u64));
            }
            Ok(())
        });
        let mut local = Local::open(directory.path(), disk).unwrap();
        for is_memory in [false, true] {
            local.is_memory = is_memory;
            for len in [0, 1, PART_LEN - 1, PART_LEN, PART_LEN + 1, 4 * PART_LEN + 5] {
                let (blob, bytes) = (BlobKey::random(), bytes(len));
                write(&local, &blob, &bytes).await.unwrap();
                let stored = local.read(&blob, 0..len as u64).await.unwrap().unwrap();
                assert_eq!(local.size(&blob).await.unwrap(), Some(len as u64));
                assert!(stored == bytes, "{len} bytes, in memory: {is_memory}");
            }
        }
    }

    #[tokio::test]
    async fn a_part_that_is_not_written_is_told_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let written = Arc::new(AtomicUsize::new(0));
        let disk = Disk::watched_by({
            let written = Arc::clone(&written);
            move |step| match step {
                Step::Write(..) if written.fetch_add(1, Ordering::Relaxed) == 1 => {
                    Err(std::io::ErrorKind::StorageFull.into())
                }
                _ => Ok(()),
            }
        });
        let mut local = Local::open(directory.path(), disk).unwrap();
        for is_memory in [false, true] {
            local.is_memory = is_memory;
            written.store(0, Ordering::Relaxed);
            let blob = BlobKey::random();
            let refused = write(&local, &blob, &bytes(3 * PART_LEN)).await.unwrap_err();
            assert!(matches!(refused, Error::StorageFull), "{refused:?}");
            let path = local.path(&blob);
            // It is removed beside whoever goes on.
            while staging(&path).exists() {
                tokio::task::yield_now().await;
            }
            assert!(!path.exists());
        }
    }
}

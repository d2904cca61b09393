//! The disk of this machine, as the store writes to it: every step that something durable rests on, each
//! by itself. What a sync that failed left behind is not known, and one that succeeds later proves nothing;
//! so the first that fails, of an object or of the catalog, ends all writing by this process.
//!
//! In tests the steps are watched, and fail where a test wants it: `survivors` derives from them what a
//! power cut may leave.

mod direct;
mod read;
#[cfg(test)]
pub(crate) mod survivors;

use crate::error::{Error, Result};
pub(crate) use direct::{ALIGNED_TO, unaligned};
use nix::sys::statvfs::statvfs;
pub(crate) use read::{is_memory, read, read_cached};
use std::fmt::Display;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::io::ErrorKind::{AlreadyExists, NotFound};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The disk below one store. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    ended: AtomicBool,
    /// A write past the system's cache was refused: none is tried again.
    is_indirect: AtomicBool,
    #[cfg(test)]
    watch: Option<Watch>,
}

/// A step, before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    MakeDirectory(&'a Path),
    Create(&'a Path),
    Write(&'a Path, u64, &'a [u8]),
    Sync(&'a Path),
    Close(&'a Path),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
    SyncDirectory(&'a Path),
    /// Of the catalog: a statement that begins, divides or ends a transaction, or copies the log back.
    Statement(&'a str),
    /// Of the catalog: a commit was made, and is not believed yet.
    Committed,
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct DiskFile {
    path: PathBuf,
    file: File,
    /// Its writes go past the system's cache as long as this is set, so no two of them are made at once.
    is_direct: AtomicBool,
}

impl Disk {
    /// Whether this process may still write.
    pub(crate) fn may_write(&self) -> Result<()> {
        if self.0.ended.load(Ordering::Acquire) { Err(ended()) } else { Ok(()) }
    }

    /// Ends all writing: what `what` was to make durable may or may not be.
    pub(crate) fn end_writing(&self, what: &str, error: &dyn Display) -> Error {
        tracing::error!(%error, "{what} failed with an unknown outcome: no more writes");
        self.0.ended.store(true, Ordering::Release);
        ended()
    }

    /// Makes a directory, unless it is there.
    pub(crate) fn make_directory(&self, path: &Path, mode: u32) -> Result<()> {
        self.step(Step::MakeDirectory(path))?;
        match DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() != AlreadyExists || !path.is_dir() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes a new file; `None` if its directory is not there.
    pub(crate) fn create(&self, path: &Path) -> Result<Option<DiskFile>> {
        self.step(Step::Create(path))?;
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => Ok(Some(DiskFile { path: path.to_owned(), file, is_direct: false.into() })),
            Err(error) if error.kind() == NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes all of `bytes` at a place in a file: past the system's cache, if all three fit [`ALIGNED_TO`].
    pub(crate) fn write(&self, file: &DiskFile, at: u64, bytes: &[u8]) -> Result<()> {
        self.step(Step::Write(&file.path, at, bytes))?;
        Ok(self.write_all(file, at, bytes)?)
    }

    /// Makes what is in a file durable.
    pub(crate) fn sync(&self, file: &DiskFile) -> Result<()> {
        self.synced(Step::Sync(&file.path), || file.file.sync_all())
    }

    /// Closes a file; some file systems only then tell what went wrong.
    pub(crate) fn close(&self, file: DiskFile) -> Result<()> {
        self.step(Step::Close(&file.path))?;
        Ok(nix::unistd::close(file.file).map_err(io::Error::from)?)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.step(Step::Rename(from, to))?;
        Ok(std::fs::rename(from, to)?)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        self.step(Step::Remove(path))?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes names that were added to or removed from a directory durable. One that is not there has none.
    pub(crate) fn sync_directory(&self, path: &Path) -> Result<()> {
        let directory = match open_directory(path) {
            Err(error) if error.kind() == NotFound => return Ok(()),
            opened => opened?,
        };
        self.synced(Step::SyncDirectory(path), || directory.sync_all())
    }

    /// Bytes that are free for this user; `None` where a file system does not tell.
    pub(crate) fn room(&self, path: &Path) -> Result<Option<u64>> {
        let disk = statvfs(path).map_err(io::Error::from)?;
        // Their widths differ from system to system.
        let free = u128::from(disk.blocks_available()) * u128::from(disk.fragment_size());
        Ok((disk.blocks() > 0).then(|| u64::try_from(free).unwrap_or(u64::MAX)))
    }

    /// Goes before a step.
    fn step(&self, step: Step<'_>) -> Result<()> {
        self.may_write()?;
        Ok(self.watched(step)?)
    }

    fn synced(&self, step: Step<'_>, sync: impl FnOnce() -> io::Result<()>) -> Result<()> {
        self.may_write()?;
        self.watched(step)
            .and_then(|()| sync())
            .map_err(|error| self.end_writing(&format!("{step:?}"), &error))
    }

    #[cfg(not(test))]
    fn watched(&self, _: Step<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// What a write is answered when there are no more.
pub(crate) fn ended() -> Error {
    let why =
        "a write to the disk failed with an unknown outcome: see the log, check the disk, restart";
    Error::Unavailable(why.into())
}

/// The size of a file in bytes, `None` if there is none.
pub(crate) fn size(path: &Path) -> Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// As [`Disk::sync_directory`], while a store is being opened: it is not used if this fails.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    open_directory(path)?.sync_all()
}

fn open_directory(path: &Path) -> io::Result<File> {
    File::open(if path.as_os_str().is_empty() { Path::new(".") } else { path })
}

/// What a test makes of each step: it may note it, hold it up, panic, or have it fail.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct Watch(Arc<dyn Fn(Step<'_>) -> io::Result<()> + Send + Sync>);

#[cfg(test)]
impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

#[cfg(test)]
impl Disk {
    pub(crate) fn watched_by(
        watch: impl Fn(Step<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Disk(Arc::new(Inner { watch: Some(Watch(Arc::new(watch))), ..Inner::default() }))
    }

    pub(crate) fn watched(&self, step: Step<'_>) -> io::Result<()> {
        self.0.watch.as_ref().map_or(Ok(()), |watch| (watch.0)(step))
    }
}

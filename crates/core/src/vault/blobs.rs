//! The store of objects: immutable, under random names, on local disk or with a service such as S3. All of
//! `object_store` is here, and serves the services alone; a directory is ours, since a power cut must find
//! each of its steps in the right order.

mod buffer;
mod local;
mod remote;

use super::object::BlobKey;
use crate::disk::Disk;
use crate::error::Result;
pub(crate) use buffer::{APPEND_MAX, Buffer, PART_LEN};
use bytes::Bytes;
pub(crate) use local::Local;
use local::LocalWriter;
pub use remote::Service;
use remote::{Remote, RemoteWriter};
use std::ops::Range;
use std::path::Path;

/// Where the objects are.
#[derive(Clone, Debug)]
pub(crate) enum Blobs {
    /// In a directory of this machine.
    Local(Local),
    /// With a service, under names that begin alike.
    Remote(Remote),
}

/// What a service calls an object that it is sent in parts. Only who knows it can end that, so the
/// catalog learns it before the first part is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadId(pub(crate) String);

impl Blobs {
    /// Opens the store in `root`, making what is missing of it.
    pub(crate) fn open(root: &Path, disk: Disk) -> Result<Self> {
        Local::open(root, disk).map(Blobs::Local)
    }

    /// Opens the store behind a URL. Nothing is asked of it yet.
    pub(crate) fn open_url(url: &str, service: &Service) -> Result<Self> {
        Remote::open(url, service).map(Blobs::Remote)
    }

    /// Makes sure that a service's objects are those of the catalog `id`, and makes new ones known as
    /// its. A directory lies beside its catalog.
    pub(crate) async fn belong_to(&self, id: &str) -> Result<()> {
        match self {
            Blobs::Local(_) => Ok(()),
            Blobs::Remote(remote) => remote.belong_to(id).await,
        }
    }

    /// Whether this is that directory.
    pub(crate) fn is_same_directory(&self, other: &Self) -> bool {
        matches!((self, other), (Blobs::Local(a), Blobs::Local(b)) if a.root() == b.root())
    }

    /// Whether there is a store that can be reached and has room.
    pub(crate) async fn ready(&self) -> Result<()> {
        match self {
            Blobs::Local(local) => local.ask_for_room().map(drop),
            Blobs::Remote(remote) => remote.ready().await,
        }
    }

    /// Refuses when uploads have taken all that they may.
    pub(crate) fn check_room(&self) -> Result<()> {
        match self {
            Blobs::Local(local) => local.check_room(),
            Blobs::Remote(_) => Ok(()),
        }
    }

    /// Begins to write an object. It becomes visible, and durable, when it is finished.
    pub(crate) async fn create(&self, blob: &BlobKey) -> Result<BlobWriter> {
        Ok(match self {
            Blobs::Local(local) => BlobWriter::Local(local.create(blob).await?),
            Blobs::Remote(remote) => BlobWriter::Remote(Box::new(remote.create(blob))),
        })
    }

    /// Reads a range, whole or not at all. `None`: there is no such object, or it is shorter.
    pub(crate) async fn read(&self, blob: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>> {
        match self {
            Blobs::Local(local) => local.read(blob, range).await,
            Blobs::Remote(remote) => remote.read(blob, range).await,
        }
    }

    /// The size of a stored object in bytes, `None` if there is none.
    pub(crate) async fn size(&self, blob: &BlobKey) -> Result<Option<u64>> {
        match self {
            Blobs::Local(local) => local.size(blob).await,
            Blobs::Remote(remote) => remote.size(blob).await,
        }
    }

    /// Removes an object and what a failed writer may have left of it; durable when it returns. With a
    /// service that is what was sent under `upload`.
    pub(crate) async fn remove(&self, blob: &BlobKey, upload: Option<&UploadId>) -> Result<()> {
        match self {
            Blobs::Local(local) => local.remove(blob).await,
            Blobs::Remote(remote) => remote.remove(blob, upload).await,
        }
    }
}

/// An object that is being written. Dropped unfinished, it is left to the sweep.
#[derive(Debug)]
pub(crate) enum BlobWriter {
    Local(LocalWriter),
    Remote(Box<RemoteWriter>),
}

impl BlobWriter {
    /// Whether no more can be taken before [`BlobWriter::begin_parts`].
    pub(crate) fn wants_parts(&self) -> bool {
        matches!(self, BlobWriter::Remote(writer) if writer.wants_parts())
    }

    /// Asks the service to take the object in parts. The next thing to do is to make the answer known to
    /// the catalog.
    pub(crate) async fn begin_parts(&mut self) -> Result<Option<UploadId>> {
        match self {
            BlobWriter::Local(_) => Ok(None),
            BlobWriter::Remote(writer) => writer.begin_parts().await.map(Some),
        }
    }

    /// Takes the part of a full buffer, once what is on its way leaves room for it; what was behind it stays.
    pub(crate) async fn write(&mut self, full: &mut Buffer) -> Result<()> {
        match self {
            BlobWriter::Local(writer) => writer.write(full).await,
            BlobWriter::Remote(writer) => writer.write(full).await,
        }
    }

    /// Takes the last bytes, and makes the object visible and durable: on this machine its content is synced, it is
    /// named, and its folder is synced; a service says that it has it.
    pub(crate) async fn finish(self, rest: Buffer) -> Result<()> {
        match self {
            BlobWriter::Local(writer) => writer.finish(rest).await,
            BlobWriter::Remote(writer) => writer.finish(rest).await,
        }
    }

    /// Leaves nothing behind.
    pub(crate) async fn discard(self) -> Result<()> {
        match self {
            BlobWriter::Local(writer) => writer.discard().await,
            BlobWriter::Remote(writer) => writer.discard().await,
        }
    }
}

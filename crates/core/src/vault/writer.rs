//! One content on its way in: hashed, sealed and stored while it arrives, in constant memory.

use super::blobs::{APPEND_MAX, BlobWriter, Blobs, Buffer, PART_LEN, UploadId};
use super::digest::Digested;
use super::digest::lane::{DigestLane, Hashers};
use super::object::{BlobKey, ObjectList, ObjectRef, Sealed, StoredContent};
use super::seal::{ContentId, DataKey, SEGMENT_LEN, Sealer, seal_all};
use super::{Digests, Vault};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::sync::Arc;

/// The largest content that is kept in the catalog, in bytes: at most a segment, since it is opened in place.
pub(crate) const INLINE_MAX: usize = 16 << 10;
const _: () = assert!(INLINE_MAX <= SEGMENT_LEN);

/// What became of a chunk.
pub(crate) enum Taken {
    /// All of it was taken.
    All,
    /// The rest needs a new object first: see [`ContentWriter::begin_object`].
    NeedsObject,
    /// The object has become so large that it is sent in parts: see [`ContentWriter::begin_parts`].
    NeedsParts,
}

/// A content that is complete and durable, except for inline bytes, which the catalog makes so.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) content: StoredContent,
    pub(crate) key: DataKey,
    pub(crate) digested: Digested,
}

pub(crate) struct ContentWriter {
    blobs: Blobs,
    hashers: Arc<Hashers>,
    object_max: u64,
    id: ContentId,
    key: DataKey,
    expected: u64,
    size: u64,
    stage: Stage,
    done: Vec<ObjectRef>,
}

enum Stage {
    /// Small so far.
    Inline(Vec<u8>),
    /// Between objects.
    Between(DigestLane),
    Object(DigestLane, Box<OpenObject>),
}

struct OpenObject {
    blob: BlobKey,
    writer: BlobWriter,
    sealer: Sealer,
    sealed: Buffer,
    size: u64,
}

impl ContentWriter {
    /// `expected`: how many bytes will come, as far as is known.
    pub(crate) fn new(vault: &Vault, expected: u64) -> Self {
        ContentWriter {
            blobs: vault.blobs.clone(),
            hashers: Arc::clone(&vault.hashers),
            object_max: vault.object_max,
            id: ContentId::unique(),
            key: DataKey::generate(),
            expected,
            size: 0,
            stage: Stage::Inline(Vec::new()),
            done: Vec::new(),
        }
    }

    /// Takes as much of `chunk` from its front as there is room for.
    pub(crate) async fn write(&mut self, chunk: &mut Bytes) -> Result<Taken> {
        match &mut self.stage {
            Stage::Inline(small) if small.len() + chunk.len() <= INLINE_MAX => {
                small.extend_from_slice(chunk);
                self.size += chunk.len() as u64;
                chunk.clear();
                Ok(Taken::All)
            }
            Stage::Inline(_) | Stage::Between(_) => Ok(Taken::NeedsObject),
            Stage::Object(digests, object) => {
                while !chunk.is_empty() {
                    let room = usize::try_from(self.object_max - object.size).unwrap_or(usize::MAX);
                    if room == 0 {
                        self.end_object().await?;
                        return Ok(Taken::NeedsObject);
                    }
                    if object.writer.wants_parts() {
                        return Ok(Taken::NeedsParts);
                    }
                    let piece = chunk.split_to(chunk.len().min(room).min(PART_LEN));
                    self.size += piece.len() as u64;
                    digests.update(piece.clone()).await?;
                    object.write(&piece).await?;
                }
                Ok(Taken::All)
            }
        }
    }

    /// Goes on in a new object, whose name is committed in the catalog already.
    pub(crate) async fn begin_object(&mut self, blob: BlobKey) -> Result<()> {
        let ordinal = u32::try_from(self.done.len()).map_err(Error::internal)?;
        let writer = self.blobs.create(&blob).await?;
        let mut sealed = Buffer::default();
        let sealer = Sealer::new(&self.key, self.id, ordinal, sealed.end());
        let mut object = Box::new(OpenObject { blob, writer, sealer, sealed, size: 0 });
        let stage = std::mem::replace(&mut self.stage, Stage::Inline(Vec::new()));
        let digests = match stage {
            Stage::Inline(small) => {
                let mut digests = DigestLane::new(&self.hashers, self.expected);
                let small = Bytes::from(small);
                object.write(&small).await?;
                digests.update(small).await?;
                digests
            }
            Stage::Between(digests) | Stage::Object(digests, _) => digests,
        };
        self.stage = Stage::Object(digests, object);
        Ok(())
    }

    /// Goes on with the object in parts, once the catalog knows what is returned: which object, and what
    /// the service calls what it is sent.
    pub(crate) async fn begin_parts(&mut self) -> Result<Option<(BlobKey, UploadId)>> {
        let Stage::Object(_, object) = &mut self.stage else {
            return Ok(None);
        };
        let upload = object.writer.begin_parts().await?;
        Ok(upload.map(|upload| (object.blob.clone(), upload)))
    }

    /// Ends the content.
    pub(crate) async fn finish(mut self) -> Result<Finished> {
        self.end_object().await?;
        let (sealed, digested) = match self.stage {
            Stage::Inline(small) => {
                let mut digests = Digests::new(self.size);
                digests.update(&small);
                let sealed = seal_all(&self.key, self.id, 0, &small).map_err(Error::internal)?;
                (Sealed::Inline(sealed.into()), digests.finish())
            }
            Stage::Between(digests) | Stage::Object(digests, _) => {
                (Sealed::Objects(ObjectList(self.done)), digests.finish().await?)
            }
        };
        let content = StoredContent { id: self.id, size: self.size, sealed };
        Ok(Finished { content, key: self.key, digested })
    }

    /// Gives the content up; the names of the objects to be removed.
    pub(crate) async fn discard(self) -> Vec<BlobKey> {
        let mut blobs: Vec<_> = self.done.into_iter().map(|object| object.blob).collect();
        if let Stage::Object(_, object) = self.stage {
            blobs.push(object.blob);
            if let Err(error) = object.writer.discard().await {
                tracing::warn!(%error, "an object that was given up is left to the sweep");
            }
        }
        blobs
    }

    async fn end_object(&mut self) -> Result<()> {
        let stage = std::mem::replace(&mut self.stage, Stage::Inline(Vec::new()));
        let Stage::Object(digests, object) = stage else {
            self.stage = stage;
            return Ok(());
        };
        self.stage = Stage::Between(digests);
        self.done.push(ObjectRef { blob: object.blob.clone(), size: object.size });
        object.finish().await
    }
}

impl OpenObject {
    async fn write(&mut self, plain: &[u8]) -> Result<()> {
        for piece in plain.chunks(APPEND_MAX) {
            self.sealer.push(piece, self.sealed.end()).map_err(Error::internal)?;
            self.size += piece.len() as u64;
            if self.sealed.is_full() {
                self.writer.write(&mut self.sealed).await?;
            }
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let OpenObject { mut writer, sealer, mut sealed, .. } = *self;
        sealer.finish(sealed.end());
        if sealed.is_full() {
            writer.write(&mut sealed).await?;
        }
        writer.finish(sealed).await
    }
}

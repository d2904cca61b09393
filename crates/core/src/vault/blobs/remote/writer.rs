//! An object on its way to a service: whole if it is small, else in parts.

use super::{PART_LEN, PARTS_IN_FLIGHT, Remote, UploadId, abort, unavailable};
use crate::error::{Error, Result};
use crate::vault::blobs::Buffer;
use crate::vault::object::BlobKey;
use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::{ObjectStoreExt as _, PutPayload};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinSet;

/// An object that is being sent.
#[derive(Debug)]
pub(crate) struct RemoteWriter {
    remote: Remote,
    blob: BlobKey,
    /// Set once the service was asked to take parts, as it is only when the object is larger than one.
    upload: Option<UploadId>,
    begun: usize,
    /// What was not sent yet.
    waiting: VecDeque<Bytes>,
    parts: JoinSet<object_store::Result<(usize, PartId)>>,
    /// The parts that the service has, each with its place.
    written: Vec<(usize, PartId)>,
    /// Bytes that were taken.
    size: u64,
}

impl RemoteWriter {
    pub(super) fn new(remote: &Remote, blob: &BlobKey) -> Self {
        RemoteWriter {
            remote: remote.clone(),
            blob: blob.clone(),
            upload: None,
            begun: 0,
            waiting: VecDeque::new(),
            parts: JoinSet::new(),
            written: Vec::new(),
            size: 0,
        }
    }

    pub(crate) fn wants_parts(&self) -> bool {
        self.upload.is_none() && self.waiting_len() >= PART_LEN
    }

    pub(crate) async fn begin_parts(&mut self) -> Result<UploadId> {
        let path = self.remote.path(&self.blob);
        let begun = UploadId(self.remote.service.create_multipart(&path).await?);
        self.upload = Some(begun.clone());
        Ok(begun)
    }

    pub(crate) async fn write(&mut self, full: &mut Buffer) -> Result<()> {
        self.keep(std::mem::take(full));
        while self.upload.is_some() && self.waiting_len() >= PART_LEN {
            self.send().await?;
        }
        Ok(())
    }

    fn keep(&mut self, buffer: Buffer) {
        let bytes = Bytes::from(buffer);
        self.size += bytes.len() as u64;
        // A part is not to be empty.
        if !bytes.is_empty() {
            self.waiting.push_back(bytes);
        }
    }

    fn waiting_len(&self) -> usize {
        self.waiting.iter().map(Bytes::len).sum()
    }

    /// Takes a part off what is waiting: exactly the length that all parts must have, or what is left.
    fn next_part(&mut self) -> PutPayload {
        let (mut part, mut room) = (Vec::new(), PART_LEN);
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

    async fn send(&mut self) -> Result<()> {
        let part = self.next_part();
        while self.parts.len() >= PARTS_IN_FLIGHT {
            self.part_written().await?;
        }
        let upload = self.upload.clone().ok_or_else(|| Error::internal("no parts were begun"))?;
        let (service, path) = (Arc::clone(&self.remote.service), self.remote.path(&self.blob));
        let place = self.begun;
        self.begun += 1;
        self.parts.spawn(async move {
            let id = service.put_part(&path, &upload.0, place, part).await?;
            Ok((place, id))
        });
        Ok(())
    }

    pub(crate) async fn finish(mut self: Box<Self>, rest: Buffer) -> Result<()> {
        self.keep(rest);
        let ended = self.end().await;
        if ended.is_err() {
            self.abort().await;
        }
        ended
    }

    async fn end(&mut self) -> Result<()> {
        let Some(upload) = self.upload.clone() else {
            let whole: PutPayload = self.waiting.drain(..).collect();
            self.remote.service.put(&self.remote.path(&self.blob), whole).await?;
            return Ok(());
        };
        while !self.waiting.is_empty() {
            self.send().await?;
        }
        while !self.parts.is_empty() {
            self.part_written().await?;
        }
        self.join_parts(&upload).await
    }

    /// Has the service make the object of its parts.
    async fn join_parts(&mut self, upload: &UploadId) -> Result<()> {
        self.written.sort_by_key(|(place, _)| *place);
        let parts = self.written.drain(..).map(|(_, id)| id).collect();
        let path = self.remote.path(&self.blob);
        match self.remote.service.complete_multipart(&path, &upload.0, parts).await {
            Ok(_) => Ok(()),
            // When its answer was lost, the request that is sent again finds no parts any more. The name
            // is this writer's alone, so an object of this size is the one that was asked for.
            Err(error) => match self.remote.size(&self.blob).await {
                Ok(Some(size)) if size == self.size => Ok(()),
                _ => Err(unavailable(error)),
            },
        }
    }

    /// The service keeps, and charges for, the parts of what was never completed nor aborted.
    async fn abort(&mut self) {
        let Some(upload) = &self.upload else { return };
        // A part that is on its way may arrive after what it belongs to was aborted, and stay.
        while self.parts.join_next().await.is_some() {}
        let path = self.remote.path(&self.blob);
        if let Err(error) = abort(self.remote.service.as_ref(), &path, upload).await {
            tracing::warn!(%error, "the parts of an object that was given up are left to the sweep");
        }
    }

    pub(crate) async fn discard(mut self: Box<Self>) -> Result<()> {
        self.abort().await;
        self.remote.remove(&self.blob, None).await
    }

    async fn part_written(&mut self) -> Result<()> {
        if let Some(part) = self.parts.join_next().await.transpose().map_err(Error::internal)? {
            self.written.push(part.map_err(unavailable)?);
        }
        Ok(())
    }
}

//! One content on its way out: fetched a window at a time, opened segment by segment. No byte leaves
//! that was not verified.

use super::blobs::Blobs;
use super::object::{ObjectRef, Sealed, StoredContent, damaged};
use super::seal::{
    ContentId, DataKey, HEADER_LEN, Layout, Opener, SEALED_SEGMENT_LEN, SEGMENT_LEN, SealError,
    open_all,
};
use crate::error::{Error, Result};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::ops::Range;
use tokio::task::JoinHandle;

/// Plaintext that is fetched and opened at once, in bytes, and another such window ahead.
const WINDOW: u64 = 4 * SEGMENT_LEN as u64;
/// The same at the beginning of what does not fit in one window, and nothing ahead: a peer that takes next to
/// nothing holds no more than that. What does fit is opened whole before a byte of it is sent.
const FIRST_WINDOW: u64 = SEGMENT_LEN as u64;
/// Whoever has taken so many bytes goes on taking: a system holds up to 4 MiB for one that does not.
const TRUSTED: u64 = 4 << 20;

/// A range of a content, in order.
#[derive(Debug)]
pub struct ContentReader {
    ready: VecDeque<Bytes>,
    ahead: Option<JoinHandle<Result<VecDeque<Bytes>>>>,
    windows: Option<Windows>,
}

impl ContentReader {
    /// Reads `range` of a content; the caller has checked that the content reaches so far.
    pub(super) fn new(
        blobs: &Blobs,
        content: &StoredContent,
        key: &DataKey,
        range: Range<u64>,
    ) -> Result<Self> {
        let mut reader = ContentReader { ready: VecDeque::new(), ahead: None, windows: None };
        match &content.sealed {
            Sealed::Inline(sealed) => {
                let plain = open_all(key, content.id, 0, sealed)
                    .map_err(|error| damaged(content.id, &error))?;
                if plain.len() as u64 != content.size {
                    return Err(damaged(content.id, &SealError::WrongLength));
                }
                let bounds = |at| usize::try_from(at).map_err(Error::internal);
                let plain = Bytes::from(plain).slice(bounds(range.start)?..bounds(range.end)?);
                if !plain.is_empty() {
                    reader.ready.push_back(plain);
                }
            }
            Sealed::Objects(list) => {
                let source = Source { blobs: blobs.clone(), content: content.id, key: key.clone() };
                reader.windows = Some(Windows::new(source, list.0.clone(), range));
                reader.look_ahead();
            }
        }
        Ok(reader)
    }

    /// The next verified piece, `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.ahead.is_none() {
                self.look_ahead();
            }
            let Some(ahead) = &mut self.ahead else {
                return Ok(None);
            };
            let fetched = ahead.await;
            self.ahead = None;
            self.ready = fetched.map_err(Error::internal)??;
            if self.windows.as_ref().is_some_and(Windows::is_trusted) {
                self.look_ahead();
            }
        }
    }

    fn look_ahead(&mut self) {
        let window = self.windows.as_mut().and_then(Windows::next);
        self.ahead = window.map(|window| tokio::spawn(window.fetch()));
    }
}

impl Drop for ContentReader {
    fn drop(&mut self) {
        if let Some(ahead) = &self.ahead {
            ahead.abort();
        }
    }
}

#[derive(Clone, Debug)]
struct Source {
    blobs: Blobs,
    content: ContentId,
    key: DataKey,
}

/// Cuts a range of a content into windows, each within one object.
#[derive(Debug)]
struct Windows {
    source: Source,
    objects: Vec<ObjectRef>,
    /// The object that the next window is in, and where it begins in the content.
    current: usize,
    begins: u64,
    range: Range<u64>,
    fetched: u64,
    first: u64,
}

impl Windows {
    fn new(source: Source, objects: Vec<ObjectRef>, range: Range<u64>) -> Self {
        let first = if range.end - range.start <= WINDOW { WINDOW } else { FIRST_WINDOW };
        Windows { source, objects, current: 0, begins: 0, range, fetched: 0, first }
    }

    fn is_trusted(&self) -> bool {
        self.fetched >= TRUSTED
    }

    fn next(&mut self) -> Option<Window> {
        if self.range.is_empty() {
            return None;
        }
        while self.range.start >= self.begins + self.objects.get(self.current)?.size {
            self.begins += self.objects[self.current].size;
            self.current += 1;
        }
        let object = &self.objects[self.current];
        let start = self.range.start - self.begins;
        let window = if self.is_trusted() { WINDOW } else { self.first };
        // Windows end at a multiple of their size, so that no segment is fetched twice.
        let end = (start / window + 1) * window;
        let end = end.min(object.size).min(self.range.end - self.begins);
        self.fetched += end - start;
        self.range.start = self.begins + end;
        Some(Window {
            source: self.source.clone(),
            object: object.clone(),
            ordinal: u32::try_from(self.current).unwrap_or(u32::MAX),
            plain: start..end,
        })
    }
}

/// A piece of one object.
#[derive(Debug)]
struct Window {
    source: Source,
    object: ObjectRef,
    ordinal: u32,
    plain: Range<u64>,
}

impl Window {
    async fn fetch(self) -> Result<VecDeque<Bytes>> {
        let fail = |error: &SealError| damaged(self.source.content, error);
        let layout = Layout::of_plain(self.object.size).map_err(|error| fail(&error))?;
        let span = layout.span(self.plain.clone()).ok_or_else(|| fail(&SealError::WrongLength))?;
        let header_len = HEADER_LEN as u64;
        // The first window of an object brings the header along.
        let with_header = span.sealed.start == header_len;
        let header = if with_header { None } else { Some(self.read(0..header_len).await?) };
        let from = if with_header { 0 } else { span.sealed.start };
        let mut sealed = self.read(from..span.sealed.end).await?;
        let header = header.unwrap_or_else(|| sealed.split_to(HEADER_LEN));
        let (source, object) = (&self.source, &self.object);
        let opener = Opener::new(&source.key, &header, source.content, self.ordinal, object.size)
            .map_err(|error| fail(&error))?;
        let mut pieces = VecDeque::with_capacity(span.segments as usize);
        let (mut skip, mut left) = (span.skip, span.len);
        for index in span.first_segment..span.first_segment + span.segments {
            let mut segment = sealed.split_to(sealed.len().min(SEALED_SEGMENT_LEN));
            let plain_len = opener.open(index, &mut segment).map_err(|error| fail(&error))?.len();
            let end = plain_len.min(skip + usize::try_from(left).unwrap_or(usize::MAX));
            let piece = segment.freeze().slice(skip..end);
            left -= piece.len() as u64;
            skip = 0;
            if !piece.is_empty() {
                pieces.push_back(piece);
            }
        }
        Ok(pieces)
    }

    async fn read(&self, range: Range<u64>) -> Result<BytesMut> {
        let found = self.source.blobs.read(&self.object.blob, range).await?;
        let bytes = found.ok_or_else(|| Error::Damaged {
            why: format!("object {} is missing or cut short", self.object.blob),
        })?;
        Ok(bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..])))
    }
}

//! One content on its way out: fetched a window at a time, opened segment by segment. No byte leaves
//! that was not verified.

use super::blobs::Blobs;
use super::object::{ObjectRef, Sealed, StoredContent, damaged};
use super::seal::{
    ContentId, DataKey, HEADER_LEN, Layout, Opener, SEALED_SEGMENT_LEN, SEGMENT_LEN, SealError,
    Span,
};
use crate::error::{Error, Result};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;
use tokio::task::JoinHandle;

/// Plaintext that is fetched and opened at once, in bytes; of a service, another such window ahead, and of a disk where
/// a core has nothing else to do.
const WINDOW: u64 = 8 * SEGMENT_LEN as u64;
/// What is longer is not opened whole before a byte of it is sent, in bytes.
const WHOLE: u64 = 4 * SEGMENT_LEN as u64;
/// What is fetched and opened at once at the beginning of that, and nothing ahead: a peer that takes next to nothing
/// holds no more than that.
const FIRST_WINDOW: u64 = SEGMENT_LEN as u64;
/// Whoever has taken so many bytes goes on taking: a system holds up to 4 MiB for one that does not.
const TRUSTED: u64 = 4 << 20;
/// What a disk is asked to have at hand behind a window that had to be waited for, in bytes.
const READ_AHEAD: u64 = 2 << 20;

/// A range of a content, in order.
#[derive(Debug)]
pub struct ContentReader {
    ready: VecDeque<Bytes>,
    ahead: Option<JoinHandle<Result<Opened>>>,
    windows: Option<Windows>,
}

impl ContentReader {
    /// Reads `range` of a content; the caller has checked that the content reaches so far.
    pub(super) fn new(
        blobs: &Blobs,
        reading: &Arc<()>,
        content: StoredContent,
        key: &DataKey,
        range: Range<u64>,
    ) -> Result<Self> {
        let mut reader = ContentReader { ready: VecDeque::new(), ahead: None, windows: None };
        match content.sealed {
            Sealed::Inline(sealed) => {
                let fail = |error| damaged(content.id, &error);
                let mut sealed = BytesMut::from(sealed);
                let opener =
                    Opener::new(key, &sealed, content.id, 0, content.size).map_err(fail)?;
                let len = opener.open(0, &mut sealed[HEADER_LEN..]).map_err(fail)?.len();
                let plain = sealed.freeze().slice(HEADER_LEN..HEADER_LEN + len);
                let bounds = |at| usize::try_from(at).map_err(Error::internal);
                let plain = plain.slice(bounds(range.start)?..bounds(range.end)?);
                if !plain.is_empty() {
                    reader.ready.push_back(plain);
                }
            }
            Sealed::Objects(list) => {
                let source = Source { blobs: blobs.clone(), content: content.id, key: key.clone() };
                reader.windows = Some(Windows::new(source, reading, list.0, range));
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
            if let Some(ahead) = &mut self.ahead {
                let opened = ahead.await;
                self.ahead = None;
                self.take(opened.map_err(Error::internal)??);
                continue;
            }
            let Some(window) = self.windows.as_mut().and_then(Windows::next) else {
                return Ok(None);
            };
            if let Some(opened) = window.open_cached()? {
                self.take(opened);
                // A whole content may be at hand, and others wait for this thread. What was opened is kept first:
                // a caller that gives up here and asks again misses nothing.
                tokio::task::yield_now().await;
            } else {
                self.ahead = Some(window.begin());
            }
        }
    }

    fn take(&mut self, opened: Opened) {
        self.ready = opened.pieces;
        if let Some(windows) = &mut self.windows {
            windows.opener = Some(opened.opener);
            if windows.wants_ahead() {
                self.ahead = windows.next().map(Window::begin);
            }
        }
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
    /// The object that the next window is in, where it begins in the content, and what opens it, once its header
    /// was read.
    current: usize,
    begins: u64,
    opener: Option<Arc<Opener>>,
    range: Range<u64>,
    fetched: u64,
    first: u64,
    /// Held by all that are not opened whole.
    reading: Option<Arc<()>>,
}

impl Windows {
    fn new(source: Source, reading: &Arc<()>, objects: Vec<ObjectRef>, range: Range<u64>) -> Self {
        let reading = (range.end - range.start > WHOLE).then(|| Arc::clone(reading));
        let first = if reading.is_some() { FIRST_WINDOW } else { WINDOW };
        let (current, begins, opener, fetched) = (0, 0, None, 0);
        Windows { source, objects, current, begins, opener, range, fetched, first, reading }
    }

    fn is_trusted(&self) -> bool {
        self.fetched >= TRUSTED
    }

    /// Whether there is a core that opens while another one sends. Where there is none a hop to another thread
    /// costs more than that.
    fn has_two_cores(&self) -> bool {
        static CORES: LazyLock<usize> =
            LazyLock::new(|| available_parallelism().map_or(1, usize::from));
        // One more is the vault's.
        let held = self.reading.as_ref().map_or(1, Arc::strong_count);
        (held - 1) * 2 <= *CORES
    }

    /// Whether a window is fetched while the one before it is sent.
    fn wants_ahead(&self) -> bool {
        let helps = match self.source.blobs {
            Blobs::Local(_) => self.has_two_cores(),
            Blobs::Remote(_) => true,
        };
        helps && self.is_trusted()
    }

    fn next(&mut self) -> Option<Window> {
        if self.range.is_empty() {
            return None;
        }
        while self.range.start >= self.begins + self.objects.get(self.current)?.size {
            self.begins += self.objects[self.current].size;
            self.current += 1;
            self.opener = None;
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
            opener: self.opener.clone(),
            plain: start..end,
            next: (self.range.end - self.range.start).min(READ_AHEAD),
        })
    }
}

/// A piece of one object.
#[derive(Debug)]
struct Window {
    source: Source,
    object: ObjectRef,
    ordinal: u32,
    opener: Option<Arc<Opener>>,
    plain: Range<u64>,
    /// How much will be wanted behind it.
    next: u64,
}

/// What is in a window, and what opens the next one of its object.
#[derive(Debug)]
struct Opened {
    pieces: VecDeque<Bytes>,
    opener: Arc<Opener>,
}

impl Window {
    /// Opens it here and now, if nothing has to be waited for: a hop to another thread costs more than that.
    fn open_cached(&self) -> Result<Option<Opened>> {
        let Blobs::Local(local) = &self.source.blobs else { return Ok(None) };
        self.open_read(|range| local.read_cached(&self.object.blob, range))
    }

    /// Fetches and opens it beside the caller. A disk makes a thread wait, and that thread opens it, too.
    fn begin(self) -> JoinHandle<Result<Opened>> {
        match self.source.blobs.clone() {
            Blobs::Local(local) => tokio::task::spawn_blocking(move || {
                if let Some(opened) = self.open_cached()? {
                    return Ok(opened);
                }
                let read = |range| local.read_waiting(&self.object.blob, range, self.next);
                self.open_read(read)?.ok_or_else(|| self.missing())
            }),
            Blobs::Remote(_) => tokio::spawn(self.fetch()),
        }
    }

    fn open_read(
        &self,
        read: impl Fn(Range<u64>) -> Result<Option<Bytes>>,
    ) -> Result<Option<Opened>> {
        let span = self.span()?;
        let header = match self.header(&span) {
            None => None,
            Some(range) => match read(range)? {
                None => return Ok(None),
                header => header,
            },
        };
        let Some(sealed) = read(span.sealed.clone())? else { return Ok(None) };
        self.open(&span, header, sealed).map(Some)
    }

    async fn fetch(self) -> Result<Opened> {
        let span = self.span()?;
        let header = match self.header(&span) {
            Some(range) => Some(self.read(range).await?),
            None => None,
        };
        let sealed = self.read(span.sealed.clone()).await?;
        self.open(&span, header, sealed)
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let found = self.source.blobs.read(&self.object.blob, range).await?;
        found.ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Error {
        let why = format!("object {} is missing or cut short", self.object.blob);
        Error::Damaged { why }
    }

    fn damaged(&self, error: &SealError) -> Error {
        damaged(self.source.content, error)
    }

    /// Where it lies. The first window of an object brings the header along.
    fn span(&self) -> Result<Span> {
        let layout = Layout::of_plain(self.object.size).map_err(|error| self.damaged(&error))?;
        let span = layout.span(self.plain.clone());
        let mut span = span.ok_or_else(|| self.damaged(&SealError::WrongLength))?;
        if self.opener.is_none() && span.sealed.start == HEADER_LEN as u64 {
            span.sealed.start = 0;
        }
        Ok(span)
    }

    /// Where the header lies, if it is wanted and does not come with the rest.
    fn header(&self, span: &Span) -> Option<Range<u64>> {
        (self.opener.is_none() && span.sealed.start > 0).then_some(0..HEADER_LEN as u64)
    }

    fn open(&self, span: &Span, header: Option<Bytes>, sealed: Bytes) -> Result<Opened> {
        let fail = |error: SealError| self.damaged(&error);
        let mut sealed = sealed.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let opener = match &self.opener {
            Some(opener) => Arc::clone(opener),
            None => {
                let header = header.unwrap_or_else(|| sealed.split_to(HEADER_LEN).freeze());
                let Source { content, key, .. } = &self.source;
                let (ordinal, size) = (self.ordinal, self.object.size);
                Arc::new(Opener::new(key, &header, *content, ordinal, size).map_err(fail)?)
            }
        };
        let mut pieces = VecDeque::with_capacity(span.segments as usize);
        let (mut skip, mut left) = (span.skip, span.len);
        for index in span.first_segment..span.first_segment + span.segments {
            let mut segment = sealed.split_to(sealed.len().min(SEALED_SEGMENT_LEN));
            let plain_len = opener.open(index, &mut segment).map_err(fail)?.len();
            let end = plain_len.min(skip + usize::try_from(left).unwrap_or(usize::MAX));
            let piece = segment.freeze().slice(skip..end);
            left -= piece.len() as u64;
            skip = 0;
            if !piece.is_empty() {
                pieces.push_back(piece);
            }
        }
        Ok(Opened { pieces, opener })
    }
}

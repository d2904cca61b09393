//! The embedded engine's log, looked at before the engine is. It takes the first frame that does not verify for the
//! end of what was written, which behind a power cut it is; when the frame was damaged, it would drop commits that
//! were acknowledged, without a word. Here the two are told apart ([decision 17](../../../../docs/decisions/0017-the-log-before-the-engine.md)):
//!
//! - A commit is synced before a frame is written behind it. So a commit with a frame behind it that continues its
//!   checksums was durable with all before it, and what does not verify before it is damaged.
//! - The index of the log, where it outlived its process, says how many frames are committed, and says so only
//!   once they are synced.
//! - A log whose header does not verify was about to begin anew, and is in the catalog already; or else it is damaged.
//!
//! The layout is that of sections 4 of SQLite's "Database File Format" and 2.1 of "WAL-mode File Format".

use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind::{NotFound, UnexpectedEof};
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const HEADER_LEN: usize = 32;
const FRAME_HEADER_LEN: usize = 24;
/// Its last bit says that checksums are made of big-endian words.
const MAGIC: u32 = 0x377f_0682;
const INDEX_HEADER_LEN: usize = 48;
const INDEX_VERSION: u32 = 3_007_000;

type Salts = [u8; 8];

/// What a log is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The engine reads all that was committed.
    Whole,
    /// It was about to begin anew: all of it is in the catalog's file.
    Torn,
    /// It holds commits that the engine would not read.
    Damaged {
        /// Bytes of it up to the end of the last commit that the engine would read.
        whole: u64,
    },
}

/// Refuses a log from which the engine would drop what was committed. True: its header was being written, and it is
/// to be emptied before anything else is. The engine would go on with the salts of such a header, and if they are the old ones,
/// with all that lies behind it.
///
/// To be called before this process comes to the catalog: the files that are closed here would take the engine's
/// locks with them.
pub(super) fn check(catalog: &Path) -> Result<bool> {
    let path = beside(catalog, "-wal");
    let log = match File::open(&path) {
        Err(error) if error.kind() == NotFound => return Ok(false),
        opened => opened?,
    };
    // What a killed process wrote last may not be synced, and the engine is about to write behind it.
    log.sync_all()?;
    let found = look(catalog, &log)?;
    // Another process may write to it meanwhile; a log that is only half read is not found twice the same.
    match found {
        Found::Damaged { whole } if look(catalog, &log)? == found => {
            Err(refused(catalog, &path, whole))
        }
        found => Ok(found == Found::Torn),
    }
}

fn refused(catalog: &Path, log: &Path, whole: u64) -> Error {
    let (log, index) = (log.display(), beside(catalog, "-shm"));
    Error::Refused(format!(
        "the catalog's log {log} is damaged behind byte {whole}, and holds commits there that would be lost: put back \
         an undamaged copy of it, or restore a backup. To go on without them, keep a copy of the \
         directory, then `rm -f {}` and `truncate -s {whole} {log}`",
        index.display(),
    ))
}

fn beside(catalog: &Path, suffix: &str) -> PathBuf {
    let mut path = catalog.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn look(catalog: &Path, mut log: &File) -> Result<Found> {
    // Read before the log: what it says is there is there by then, whoever goes on writing.
    let index = Index::read(&beside(catalog, "-shm"));
    log.rewind()?;
    let mut log = BufReader::with_capacity(1 << 16, log);
    let mut header = [0; HEADER_LEN];
    if !filled(&mut log, &mut header)? {
        return Ok(Found::Whole);
    }
    let Some(known) = Header::parse(&header) else {
        let is_ahead = is_ahead(&header, log, catalog)?;
        return Ok(if is_ahead { Found::Damaged { whole: 0 } } else { Found::Torn });
    };
    let committed =
        index.filter(|index| index.salts == known.salts).map_or(0, |index| index.frames);
    Ok(walk(&known, log, committed)?)
}

/// Fills `bytes`; false where there are not so many.
fn filled(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(bytes) {
        Err(error) if error.kind() == UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

fn word(bytes: &[u8], at: usize) -> [u8; 4] {
    bytes[at..at + 4].try_into().expect("these are 4 bytes")
}

fn salts(bytes: &[u8], at: usize) -> Salts {
    bytes[at..at + 8].try_into().expect("these are 8 bytes")
}

/// The two running sums that everything in the log goes into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums(u32, u32);

impl Sums {
    /// As they are written.
    fn stored(bytes: &[u8], at: usize) -> Self {
        Sums(u32::from_be_bytes(word(bytes, at)), u32::from_be_bytes(word(bytes, at + 4)))
    }

    fn over(self, bytes: &[u8], is_big: bool) -> Self {
        let read = if is_big { u32::from_be_bytes } else { u32::from_le_bytes };
        let Sums(mut one, mut two) = self;
        for pair in bytes.as_chunks::<4>().0.as_chunks::<2>().0 {
            one = one.wrapping_add(read(pair[0])).wrapping_add(two);
            two = two.wrapping_add(read(pair[1])).wrapping_add(one);
        }
        Sums(one, two)
    }
}

/// A header of the log that verifies.
struct Header {
    is_big: bool,
    page_len: usize,
    salts: Salts,
    sums: Sums,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let magic = u32::from_be_bytes(word(bytes, 0));
        let page_len = page_len(u32::from_be_bytes(word(bytes, 8)))?;
        let is_big = magic & 1 == 1;
        let sums = Sums::default().over(&bytes[..24], is_big);
        let verifies = magic & !1 == MAGIC && sums == Sums::stored(bytes, 24);
        verifies.then(|| Header { is_big, page_len, salts: salts(bytes, 16), sums })
    }
}

fn page_len(len: u32) -> Option<usize> {
    (len.is_power_of_two() && (512..=65536).contains(&len)).then_some(len as usize)
}

/// A page as it was written to the log.
struct Frame<'a>(&'a [u8]);

impl Frame<'_> {
    fn page(&self) -> u32 {
        u32::from_be_bytes(word(self.0, 0))
    }

    /// Pages of the catalog, in the last frame of a commit; else 0.
    fn pages(&self) -> u32 {
        u32::from_be_bytes(word(self.0, 4))
    }

    fn salts(&self) -> Salts {
        salts(self.0, 8)
    }

    fn sums(&self) -> Sums {
        Sums::stored(self.0, 16)
    }

    fn content(&self) -> &[u8] {
        &self.0[FRAME_HEADER_LEN..]
    }

    /// Whether it was written behind what these are the sums of, as it is now.
    fn continues(&self, before: Sums, is_big: bool) -> bool {
        self.page() > 0 && self.sums_behind(before, is_big) == self.sums()
    }

    /// The sums behind it, where these are those before it.
    fn sums_behind(&self, before: Sums, is_big: bool) -> Sums {
        before.over(&self.0[..8], is_big).over(self.content(), is_big)
    }
}

/// Walks a log from its first frame on. `committed`: how many frames are known to be.
fn walk(header: &Header, mut log: impl Read, committed: u32) -> io::Result<Found> {
    let mut bytes = vec![0; FRAME_HEADER_LEN + header.page_len];
    // The sums that the frame before has, and those that it ought to: where it is damaged one of them may be right.
    let mut before = (header.sums, header.sums);
    let (mut frames, mut whole) = (0, 0);
    let mut is_read = true;
    // Whether the frame before is a commit, which its sums and the ones before it say.
    let mut behind_commit = false;
    while filled(&mut log, &mut bytes)? {
        let frame = Frame(&bytes);
        let made = frame.sums_behind(before.0, header.is_big);
        let continues = frame.salts() == header.salts
            && frame.page() > 0
            && (made == frame.sums() || frame.continues(before.1, header.is_big));
        is_read &= continues;
        frames += u32::from(is_read);
        if is_read && frame.pages() > 0 {
            whole = frames;
        }
        if !is_read && continues && behind_commit {
            return Ok(damage(header, whole));
        }
        behind_commit = continues && frame.pages() > 0;
        before = (frame.sums(), made);
    }
    Ok(if whole < committed { damage(header, whole) } else { Found::Whole })
}

fn damage(header: &Header, frames: u32) -> Found {
    let frame_len = FRAME_HEADER_LEN + header.page_len;
    Found::Damaged { whole: HEADER_LEN as u64 + u64::from(frames) * frame_len as u64 }
}

/// Whether a log without a header that verifies holds commits that are not in the catalog's file. What is looked
/// at are frames that continue each other; the first one can do so only with one half of the header.
fn is_ahead(header: &[u8; HEADER_LEN], mut log: impl Read, catalog: &Path) -> io::Result<bool> {
    let file = File::open(catalog)?;
    let mut begin = [0; 18];
    if file.read_exact_at(&mut begin, 0).is_err() {
        return Ok(false);
    }
    // A page of 65,536 bytes is said to have one.
    let len = match u16::from_be_bytes([begin[16], begin[17]]) {
        1 => 65536,
        len => len.into(),
    };
    let Some(page_len) = page_len(len) else { return Ok(false) };
    // Of what a header says that does not verify, nothing is believed; the engine writes in the machine's own order.
    let is_big = cfg!(target_endian = "big");
    let made = Sums::default().over(&header[..24], is_big);
    let (mut held, mut uncommitted) = (HashMap::new(), Vec::new());
    let mut previous: Option<(Salts, Sums)> = None;
    let mut pages = 0;
    let mut bytes = vec![0; FRAME_HEADER_LEN + page_len];
    while filled(&mut log, &mut bytes)? {
        let frame = Frame(&bytes);
        let continues = match previous {
            None => [made, Sums::stored(header, 24)]
                .into_iter()
                .any(|before| frame.continues(before, is_big)),
            Some((salts, before)) => frame.salts() == salts && frame.continues(before, is_big),
        };
        if continues {
            uncommitted.push((frame.page(), Sums::default().over(frame.content(), is_big)));
            if frame.pages() > 0 {
                held.extend(uncommitted.drain(..));
                pages = frame.pages();
            }
        } else if previous.is_some() {
            break;
        }
        previous = Some((frame.salts(), frame.sums()));
    }
    held.retain(|page, _| *page <= pages);
    let mut content = vec![0; page_len];
    for (page, sums) in held {
        let at = u64::from(page - 1) * page_len as u64;
        let is_there = file.read_exact_at(&mut content, at).is_ok();
        if !is_there || Sums::default().over(&content, is_big) != sums {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the engine's index of the log says of it.
struct Index {
    salts: Salts,
    /// How many frames are committed.
    frames: u32,
}

impl Index {
    /// `None`: there is none, or it was being written. It is of this machine's words.
    fn read(path: &Path) -> Option<Self> {
        let mut twice = [0; 2 * INDEX_HEADER_LEN];
        File::open(path).ok()?.read_exact_at(&mut twice, 0).ok()?;
        let (bytes, again) = twice.split_at(INDEX_HEADER_LEN);
        let number = |at| u32::from_ne_bytes(word(bytes, at));
        let sums = Sums::default().over(&bytes[..40], cfg!(target_endian = "big"));
        let verifies = bytes == again
            && number(0) == INDEX_VERSION
            && bytes[12] != 0
            && sums == Sums(number(40), number(44));
        verifies.then(|| Index { salts: salts(bytes, 32), frames: number(16) })
    }
}

#[cfg(test)]
mod tests;

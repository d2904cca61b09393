//! Where plaintext lies in a sealed object: arithmetic only. A [`Layout`] exists only for lengths
//! that the format can hold, so nothing computed from one overflows.

use std::ops::Range;

use super::{HEADER_LEN, MAX_OBJECT_LEN, SEALED_SEGMENT_LEN, SEGMENT_LEN, SealError, TAG_LEN};

const HEADER: u64 = HEADER_LEN as u64;
const SEGMENT: u64 = SEGMENT_LEN as u64;
const TAG: u64 = TAG_LEN as u64;
const SEALED_SEGMENT: u64 = SEALED_SEGMENT_LEN as u64;

/// The shape of an object, which follows from the length of its plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    plain_len: u64,
}

/// What to fetch and open to read a range of an object's plaintext.
///
/// It covers at least one segment, so that reading nothing, even from an empty object, still
/// verifies something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the first segment to open.
    pub first_segment: u32,
    /// How many segments to open.
    pub segments: u32,
    /// Where these segments lie in the sealed object, in bytes from its start.
    pub sealed: Range<u64>,
    /// Plaintext bytes to leave out at the front of the first segment.
    pub skip: usize,
    /// Plaintext bytes to take behind them.
    pub len: u64,
}

impl Layout {
    /// The layout of an object with `plain_len` bytes of plaintext.
    ///
    /// # Errors
    /// [`SealError::TooLong`] beyond [`MAX_OBJECT_LEN`].
    pub fn of_plain(plain_len: u64) -> Result<Self, SealError> {
        if plain_len > MAX_OBJECT_LEN {
            return Err(SealError::TooLong("the object"));
        }
        Ok(Self { plain_len })
    }

    /// The layout of an object that is `sealed_len` bytes long as stored.
    ///
    /// # Errors
    /// [`SealError::WrongLength`] if no plaintext seals to that length, [`SealError::TooLong`] as
    /// in [`Layout::of_plain`].
    pub fn of_sealed(sealed_len: u64) -> Result<Self, SealError> {
        let body = sealed_len.checked_sub(HEADER).ok_or(SealError::WrongLength)?;
        let (full, rest) = (body / SEALED_SEGMENT, body % SEALED_SEGMENT);
        let last = match rest {
            0 if full > 0 => 0,
            TAG if full == 0 => 0,
            _ if rest > TAG => rest - TAG,
            _ => return Err(SealError::WrongLength),
        };
        Self::of_plain(full * SEGMENT + last)
    }

    /// Length of the object's plaintext in bytes.
    #[must_use]
    pub fn plain_len(self) -> u64 {
        self.plain_len
    }

    /// Length of the whole sealed object in bytes.
    #[must_use]
    pub fn sealed_len(self) -> u64 {
        HEADER + self.plain_len + u64::from(self.segments()) * TAG
    }

    /// Number of segments, at least 1: an empty object has one empty segment.
    #[must_use]
    pub fn segments(self) -> u32 {
        let segments = self.plain_len.div_ceil(SEGMENT).max(1);
        u32::try_from(segments).expect("32 GiB are 2^19 segments")
    }

    /// Length of a segment as stored, its tag included; `None` behind the last one.
    #[must_use]
    pub fn sealed_segment_len(self, index: u32) -> Option<usize> {
        let last = self.segments() - 1;
        let plain = match index {
            _ if index < last => SEGMENT,
            _ if index == last => self.plain_len - u64::from(last) * SEGMENT,
            _ => return None,
        };
        Some(usize::try_from(plain).expect("a segment holds at most 64 KiB") + TAG_LEN)
    }

    /// What to fetch to read `plain`; `None` if that range does not lie within the plaintext.
    #[must_use]
    pub fn span(self, plain: Range<u64>) -> Option<Span> {
        if plain.start > plain.end || plain.end > self.plain_len {
            return None;
        }
        let len = plain.end - plain.start;
        // The end of the plaintext may be the edge of a segment that does not exist.
        let first = (plain.start / SEGMENT).min(u64::from(self.segments()) - 1);
        let behind = plain.end.div_ceil(SEGMENT).max(first + 1);
        let sealed_end = HEADER + behind * SEALED_SEGMENT;
        Some(Span {
            first_segment: u32::try_from(first).expect("32 GiB are 2^19 segments"),
            segments: u32::try_from(behind - first).expect("32 GiB are 2^19 segments"),
            sealed: HEADER + first * SEALED_SEGMENT..sealed_end.min(self.sealed_len()),
            skip: usize::try_from(plain.start - first * SEGMENT).expect("at most one segment"),
            len,
        })
    }
}

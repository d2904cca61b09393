//! Sealing: plaintext in pieces of any size goes in, header and whole sealed segments come out.
//! It holds back at most one segment, and neither names nor stores the object.

use super::segment::SegmentCipher;
use super::{ContentId, DataKey, Header, Layout, SEGMENT_LEN, SealError, TAG_LEN};

/// Seals one object.
///
/// Every sealer draws its own nonce prefix and counts its segments, so a nonce is never used
/// twice: an upload that is tried again sends the same sealed bytes or begins a new sealer.
pub struct Sealer {
    cipher: SegmentCipher,
    next: u32,
    plain_len: u64,
    held: Vec<u8>,
}

impl Sealer {
    /// Begins the object at place `ordinal` of `content` and appends its header to `out`.
    #[must_use]
    pub fn new(key: &DataKey, content: ContentId, ordinal: u32, out: &mut Vec<u8>) -> Self {
        Self::with_header(key, &Header::fresh(content, ordinal), out)
    }

    /// The caller vouches that no other object of this key has the header's nonce prefix.
    pub(super) fn with_header(key: &DataKey, header: &Header, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&header.encode());
        Self { cipher: SegmentCipher::new(key, header), next: 0, plain_len: 0, held: Vec::new() }
    }

    /// Takes the next plaintext and appends the segments it completes to `out`. Whole segments go
    /// from `plain` to `out` in one copy.
    ///
    /// # Errors
    /// [`SealError::TooLong`] if the object would exceed 32 GiB; then nothing of `plain` was taken.
    pub fn push(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let rest = self.seal_whole(plain, out)?;
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// Seals all segments that `plain` completes; its rest, which may be of the last one.
    fn seal_whole<'a>(
        &mut self,
        mut plain: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<&'a [u8], SealError> {
        let total = self.plain_len.saturating_add(plain.len() as u64);
        self.plain_len = Layout::of_plain(total)?.plain_len();
        // A full segment waits for a byte behind it: until then it may be the last.
        while self.held.len() + plain.len() > SEGMENT_LEN {
            let (rest_of_segment, behind) = plain.split_at(SEGMENT_LEN - self.held.len());
            self.seal_segment(rest_of_segment, false, out);
            plain = behind;
        }
        Ok(plain)
    }

    /// Appends the last segment to `out`; the object is whole.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.seal_segment(&[], true, out);
    }

    /// Seals what is held, then `more`, as one segment.
    fn seal_segment(&mut self, more: &[u8], last: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(self.held.len() + more.len() + TAG_LEN);
        out.extend_from_slice(&self.held);
        out.extend_from_slice(more);
        self.held.clear();
        let tag = self.cipher.seal(self.next, last, &mut out[start..]);
        out.extend_from_slice(tag.as_ref());
        self.next += 1;
    }
}

/// Seals a whole object that fits in memory.
///
/// # Errors
/// [`SealError::TooLong`] beyond 32 GiB.
pub fn seal_all(
    key: &DataKey,
    content: ContentId,
    ordinal: u32,
    plain: &[u8],
) -> Result<Vec<u8>, SealError> {
    let layout = Layout::of_plain(plain.len() as u64)?;
    let mut out = Vec::with_capacity(usize::try_from(layout.sealed_len()).unwrap_or(0));
    let mut sealer = Sealer::new(key, content, ordinal, &mut out);
    let last = sealer.seal_whole(plain, &mut out)?;
    sealer.seal_segment(last, true, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::seal::MAX_OBJECT_LEN;

    #[test]
    fn an_object_holds_32_gib_and_not_a_byte_more() {
        let mut out = Vec::new();
        let mut sealer = Sealer::new(&DataKey::generate(), ContentId([1; 16]), 0, &mut out);
        // Pretending is enough: sealing 32 GiB for real would take ten seconds.
        sealer.plain_len = MAX_OBJECT_LEN - 10;
        assert_eq!(sealer.push(&[0; 11], &mut out), Err(SealError::TooLong("the object")));
        assert!(sealer.held.is_empty());
        sealer.push(&[0; 10], &mut out).unwrap();
        assert_eq!(sealer.push(&[0], &mut out), Err(SealError::TooLong("the object")));
        assert_eq!(sealer.held.len(), 10);
    }
}

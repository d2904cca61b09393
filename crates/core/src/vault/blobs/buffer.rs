//! Bytes on their way to the store.

use crate::disk::{ALIGNED_TO, unaligned};
use bytes::Bytes;

/// How much is handed to the store at once, in bytes.
pub(crate) const PART_LEN: usize = 512 << 10;
const _: () = assert!(PART_LEN.is_multiple_of(ALIGNED_TO));
/// How much is appended at most before a look whether there is a part, in bytes.
pub(crate) const APPEND_MAX: usize = PART_LEN / 8;
/// With that much over a part, and what sealing adds, a buffer is not moved.
const ROOM: usize = ALIGNED_TO + PART_LEN + 2 * APPEND_MAX;

/// Bytes at an address from which a disk takes them as they are.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(ROOM);
        let start = unaligned(&bytes);
        bytes.resize(start, 0);
        Buffer { bytes, start }
    }
}

impl Buffer {
    /// What is appended to.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether there is a part, which [`super::BlobWriter::write`] takes.
    pub(crate) fn is_full(&self) -> bool {
        self.filled().len() >= PART_LEN
    }

    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The part of a full buffer, and what is behind it.
    pub(super) fn part(&self) -> (&[u8], &[u8]) {
        self.filled().split_at(PART_LEN)
    }

    pub(super) fn drop_part(&mut self) {
        self.bytes.drain(self.start..self.start + PART_LEN);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.truncate(self.start);
    }
}

impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        Bytes::from(buffer.bytes).split_off(buffer.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::seal::{ContentId, DataKey, Sealer};

    /// Else its part would be copied through the system's cache.
    #[test]
    fn what_is_sealed_into_a_buffer_does_not_move_it() {
        let mut buffer = Buffer::default();
        let (key, content) = (DataKey::generate(), ContentId::unique());
        let mut sealer = Sealer::new(&key, content, 0, buffer.end());
        while !buffer.is_full() {
            sealer.push(&[7; APPEND_MAX], buffer.end()).unwrap();
        }
        sealer.finish(buffer.end());
        assert_eq!(unaligned(buffer.filled()), 0);
        buffer.drop_part();
        assert_eq!(unaligned(buffer.filled()), 0);
        buffer.clear();
        assert!(buffer.filled().is_empty());
    }
}

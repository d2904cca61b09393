//! The 40 bytes in front of every object, and the id of the content they name. A header is
//! authenticated as associated data of each segment; reading one here proves nothing yet.

use std::fmt;

use super::key::fill_random;
use super::{HEADER_LEN, SEGMENT_LEN, SealError};

const MAGIC: &[u8; 7] = b"BINDERY";
const VERSION: u8 = 1;
const STREAM_BE32_AES_256_GCM: u8 = 1;
const SEGMENT_LEN_LOG2: u8 = SEGMENT_LEN.ilog2() as u8;

/// The id of a content, as every one of its objects carries it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentId(pub [u8; 16]);

impl ContentId {
    /// A new id: a UUID of version 7. What is made at one time is then together in an index, too, and not
    /// on a page for each.
    #[must_use]
    pub fn unique() -> Self {
        Self(uuid::Uuid::now_v7().into_bytes())
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentId(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// An object's header: which content it belongs to, and at which place.
///
/// Outside this module a header comes only from [`Header::decode`]. A [`Sealer`](super::Sealer)
/// makes its own, so no caller can seal twice under one nonce prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    content: ContentId,
    ordinal: u32,
    prefix: [u8; 7],
}

impl Header {
    /// Reads the header that `object` begins with; bytes behind it are not looked at.
    ///
    /// # Errors
    /// [`SealError::BadHeader`] or [`SealError::UnknownVersion`].
    pub fn decode(object: &[u8]) -> Result<Self, SealError> {
        let bytes: &[u8; HEADER_LEN] =
            object.first_chunk().ok_or(SealError::BadHeader("is shorter than 40 bytes"))?;
        if !bytes.starts_with(MAGIC) {
            return Err(SealError::BadHeader("does not begin with BINDERY"));
        }
        if bytes[7] != VERSION {
            return Err(SealError::UnknownVersion(bytes[7]));
        }
        if bytes[8] != STREAM_BE32_AES_256_GCM {
            return Err(SealError::BadHeader("names an unknown algorithm"));
        }
        if bytes[9] != SEGMENT_LEN_LOG2 {
            return Err(SealError::BadHeader("names an unknown segment size"));
        }
        if bytes[10..12] != [0, 0] || bytes[39] != 0 {
            return Err(SealError::BadHeader("has reserved bytes that are not zero"));
        }
        Ok(Self {
            content: ContentId(array(&bytes[16..32])),
            ordinal: u32::from_be_bytes(array(&bytes[12..16])),
            prefix: array(&bytes[32..39]),
        })
    }

    /// The content this object says it belongs to.
    #[must_use]
    pub fn content(&self) -> ContentId {
        self.content
    }

    /// The place this object says it has in its content, counted from 0.
    #[must_use]
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// A header with a fresh nonce prefix, for one new object.
    pub(super) fn fresh(content: ContentId, ordinal: u32) -> Self {
        let mut prefix = [0; 7];
        fill_random(&mut prefix);
        Self::with_prefix(content, ordinal, prefix)
    }

    pub(super) fn with_prefix(content: ContentId, ordinal: u32, prefix: [u8; 7]) -> Self {
        Self { content, ordinal, prefix }
    }

    pub(super) fn prefix(&self) -> [u8; 7] {
        self.prefix
    }

    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..7].copy_from_slice(MAGIC);
        bytes[7] = VERSION;
        bytes[8] = STREAM_BE32_AES_256_GCM;
        bytes[9] = SEGMENT_LEN_LOG2;
        bytes[12..16].copy_from_slice(&self.ordinal.to_be_bytes());
        bytes[16..32].copy_from_slice(&self.content.0);
        bytes[32..39].copy_from_slice(&self.prefix);
        bytes
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice is cut to the array's length")
}

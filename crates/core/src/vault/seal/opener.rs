//! Opening: any segment of an object, in any order, each verified before a byte of it is seen.
//! Which segments to fetch is [`Layout`]'s to say; that a content's objects are all there is what
//! the wrap's associated data says.

use super::segment::SegmentCipher;
use super::{ContentId, DataKey, HEADER_LEN, Header, Layout, SEALED_SEGMENT_LEN, SealError};

/// Opens the segments of one object.
#[derive(Debug)]
pub struct Opener {
    cipher: SegmentCipher,
    layout: Layout,
}

impl Opener {
    /// Prepares to open the object that begins with `header`, is expected at place `ordinal` of
    /// `content`, and holds `plain_len` bytes of plaintext.
    ///
    /// # Errors
    /// What [`Header::decode`] refuses, [`SealError::WrongContent`] if the header names another
    /// content or ordinal, [`SealError::TooLong`] if no object holds `plain_len` bytes.
    pub fn new(
        key: &DataKey,
        header: &[u8],
        content: ContentId,
        ordinal: u32,
        plain_len: u64,
    ) -> Result<Self, SealError> {
        let header = Header::decode(header)?;
        if (header.content(), header.ordinal()) != (content, ordinal) {
            return Err(SealError::WrongContent);
        }
        let layout = Layout::of_plain(plain_len)?;
        Ok(Self { cipher: SegmentCipher::new(key, &header), layout })
    }

    /// The layout of this object.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Opens segment `index` in place. `sealed` must be exactly that segment with its tag. The
    /// plaintext returned is verified; after a refusal `sealed` holds only zeros.
    ///
    /// # Errors
    /// [`SealError::WrongLength`] if the object has no such segment or it is not that long,
    /// [`SealError::Unauthentic`] if its tag does not verify.
    pub fn open<'a>(&self, index: u32, sealed: &'a mut [u8]) -> Result<&'a [u8], SealError> {
        let opened = if self.layout.sealed_segment_len(index) == Some(sealed.len()) {
            let last = index == self.layout.segments() - 1;
            self.cipher.open(index, last, sealed)
        } else {
            Err(SealError::WrongLength)
        };
        match opened {
            Ok(len) => Ok(&sealed[..len]),
            Err(error) => {
                // A cipher may have written plaintext that it then failed to verify.
                sealed.fill(0);
                Err(error)
            }
        }
    }
}

/// Opens a whole object that fits in memory; its plaintext is as long as `sealed` implies.
///
/// # Errors
/// What [`Layout::of_sealed`], [`Opener::new`] and [`Opener::open`] refuse.
pub fn open_all(
    key: &DataKey,
    content: ContentId,
    ordinal: u32,
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let layout = Layout::of_sealed(sealed.len() as u64)?;
    let opener = Opener::new(key, sealed, content, ordinal, layout.plain_len())?;
    // Room for the last tag too, which stands behind the plaintext until it is verified.
    let mut plain = Vec::with_capacity(sealed.len() - HEADER_LEN);
    for (index, segment) in (0..).zip(sealed[HEADER_LEN..].chunks(SEALED_SEGMENT_LEN)) {
        let start = plain.len();
        plain.extend_from_slice(segment);
        let len = opener.open(index, &mut plain[start..])?.len();
        plain.truncate(start + len);
    }
    Ok(plain)
}

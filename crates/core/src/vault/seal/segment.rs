//! The cipher of one segment: AES-256-GCM with the nonce of STREAM (Hoang, Reyhanitabar, Rogaway
//! and Vizár, <https://eprint.iacr.org/2015/189>) and the object's header as associated data. It
//! keeps no count: that each nonce seals once is the sealer's duty.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, Tag};

use super::{DataKey, HEADER_LEN, Header, SealError, TAG_LEN};

#[derive(Debug)]
pub(super) struct SegmentCipher {
    key: LessSafeKey,
    prefix: [u8; 7],
    header: [u8; HEADER_LEN],
}

impl SegmentCipher {
    pub(super) fn new(key: &DataKey, header: &Header) -> Self {
        Self { key: key.cipher(), prefix: header.prefix(), header: header.encode() }
    }

    pub(super) fn seal(&self, index: u32, last: bool, segment: &mut [u8]) -> Tag {
        self.key
            .seal_in_place_separate_tag(self.nonce(index, last), Aad::from(&self.header), segment)
            .expect("64 KiB are within the limits of AES-GCM")
    }

    /// Opens ciphertext and tag in place and returns the length of the plaintext now in front.
    /// After a failure the contents of `segment` are unspecified.
    pub(super) fn open(
        &self,
        index: u32,
        last: bool,
        segment: &mut [u8],
    ) -> Result<usize, SealError> {
        let len = segment.len().checked_sub(TAG_LEN).ok_or(SealError::WrongLength)?;
        let (text, tag) = segment.split_at_mut(len);
        self.key
            .open_in_place_separate_tag(self.nonce(index, last), Aad::from(&self.header), tag, text)
            .map_err(|_| SealError::Unauthentic)?;
        Ok(len)
    }

    fn nonce(&self, index: u32, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..7].copy_from_slice(&self.prefix);
        nonce[7..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

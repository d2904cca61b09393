//! The wrap: a data key sealed under a master key, bound to the one version it serves. It owns the
//! bytes of the wrap and of its associated data; which master key is current is not decided here.

use aws_lc_rs::aead::{Aad, Nonce};

use super::key::fill_random;
use super::{ContentId, DataKey, MasterKey, SealError, WRAPPED_KEY_LEN};

const DOMAIN: &[u8; 16] = b"bindery-wrap-v1\0";
const NONCE_LEN: usize = 12;
const KEY_END: usize = NONCE_LEN + 32;

/// What a wrap is bound to: unwrapping under anything else fails, so rows that were swapped,
/// lengths that were changed and objects that were dropped are all found.
#[derive(Clone, Copy, Debug)]
pub struct WrapContext<'a> {
    /// Id of the file.
    pub file: u64,
    /// Number of the version in its file.
    pub version: u64,
    /// The content the key opens.
    pub content: ContentId,
    /// Length of the whole content's plaintext in bytes.
    pub plain_len: u64,
    /// MD5 of the whole content's plaintext.
    pub md5: [u8; 16],
    /// The stored objects in the order of their ordinals; none if the content lies in the catalog.
    pub objects: &'a [WrapObject<'a>],
}

/// One stored object of a content, as a wrap is bound to it.
#[derive(Clone, Copy, Debug)]
pub struct WrapObject<'a> {
    /// The name under which the object is stored.
    pub key: &'a str,
    /// Length of the object's plaintext in bytes.
    pub plain_len: u64,
}

impl WrapContext<'_> {
    /// The associated data of the wrap. Every field has a fixed or a stated length, so no two
    /// contexts share an encoding.
    ///
    /// # Errors
    /// [`SealError::TooLong`] if a name exceeds 65,535 bytes or the objects are 2^32 or more.
    pub fn encode(&self) -> Result<Vec<u8>, SealError> {
        let too_many = SealError::TooLong("the list of objects");
        let count = u32::try_from(self.objects.len()).map_err(|_| too_many)?;
        let mut aad = Vec::with_capacity(80 + 64 * self.objects.len());
        aad.extend_from_slice(DOMAIN);
        aad.extend_from_slice(&self.file.to_be_bytes());
        aad.extend_from_slice(&self.version.to_be_bytes());
        aad.extend_from_slice(&self.content.0);
        aad.extend_from_slice(&self.plain_len.to_be_bytes());
        aad.extend_from_slice(&self.md5);
        aad.extend_from_slice(&count.to_be_bytes());
        for object in self.objects {
            let too_long = SealError::TooLong("the name of an object");
            let len = u16::try_from(object.key.len()).map_err(|_| too_long)?;
            aad.extend_from_slice(&len.to_be_bytes());
            aad.extend_from_slice(object.key.as_bytes());
            aad.extend_from_slice(&object.plain_len.to_be_bytes());
        }
        Ok(aad)
    }
}

impl MasterKey {
    /// Wraps `key`, bound to `aad`. The nonce is random (NIST SP 800-38D, 8.3), so one master
    /// key may make at most 2^32 wraps; the caller counts them.
    #[must_use]
    pub fn wrap_key(&self, aad: &[u8], key: &DataKey) -> [u8; WRAPPED_KEY_LEN] {
        let mut nonce = [0; NONCE_LEN];
        fill_random(&mut nonce);
        self.wrap_key_with_nonce(nonce, aad, key)
    }

    /// The caller vouches that this master key never sealed under `nonce`.
    pub(super) fn wrap_key_with_nonce(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        key: &DataKey,
    ) -> [u8; WRAPPED_KEY_LEN] {
        let mut wrapped = [0; WRAPPED_KEY_LEN];
        wrapped[..NONCE_LEN].copy_from_slice(&nonce);
        wrapped[NONCE_LEN..KEY_END].copy_from_slice(key.as_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut wrapped[NONCE_LEN..KEY_END])
            .expect("32 bytes are within the limits of AES-GCM");
        wrapped[KEY_END..].copy_from_slice(tag.as_ref());
        wrapped
    }

    /// The data key in `wrapped`, which must have been wrapped by this key for the same `aad`.
    ///
    /// # Errors
    /// [`SealError::WrongLength`] if `wrapped` is not 60 bytes long, [`SealError::Unauthentic`] if
    /// it was changed, or made by another key or for other associated data.
    pub fn unwrap_key(&self, aad: &[u8], wrapped: &[u8]) -> Result<DataKey, SealError> {
        let wrapped: &[u8; WRAPPED_KEY_LEN] =
            wrapped.try_into().map_err(|_| SealError::WrongLength)?;
        let (nonce, sealed) = wrapped.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("the nonce is 12 bytes long");
        // Opened within a key, so that what fails to verify is wiped as a key is.
        let mut key = DataKey::from_bytes([0; 32]);
        self.cipher()
            .open_separate_gather(
                nonce,
                Aad::from(aad),
                &sealed[..32],
                &sealed[32..],
                key.as_mut_bytes(),
            )
            .map_err(|_| SealError::Unauthentic)?;
        Ok(key)
    }
}

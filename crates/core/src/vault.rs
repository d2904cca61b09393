//! Contents: sealed bytes under their own data key, small ones kept in the catalog, larger ones as
//! objects of a store. The vault knows no users, names or rights, and no SQL.
//!
//! In reading order: [`seal`] is the format (pure, no IO), `object` names what is stored, `blobs` is
//! the store, `writer` and `reader` move bytes through both, `digest` is what is known of the whole,
//! `keys` are the master keys, and `attest` what else comes from them.

pub(crate) mod attest;
pub(crate) mod blobs;
mod digest;
pub(crate) mod keys;
mod object;
mod reader;
pub mod seal;
mod writer;

pub use blobs::Service;
pub(crate) use blobs::UploadId;
pub(crate) use digest::Digests;
pub(crate) use object::{BlobKey, ObjectList, ObjectRef, Sealed, StoredContent};
pub use reader::ContentReader;
pub(crate) use writer::{ContentWriter, Finished, INLINE_MAX, Taken};

use crate::error::Result;
use blobs::Blobs;
use digest::lane::Hashers;
use keys::Keyring;
use seal::{DataKey, MAX_OBJECT_LEN};
use std::ops::Range;
use std::sync::Arc;

/// The stored objects and the keys to them.
#[derive(Debug)]
pub(crate) struct Vault {
    pub(crate) blobs: Blobs,
    pub(crate) keys: Arc<Keyring>,
    /// The most plaintext of one object in bytes: what the format allows. Tests lower it, though not
    /// below what is kept inline.
    pub(crate) object_max: u64,
    hashers: Arc<Hashers>,
    /// Held by whoever reads a large content, too, so that they are counted.
    reading: Arc<()>,
}

impl Vault {
    pub(crate) fn new(blobs: Blobs, keys: Arc<Keyring>) -> Self {
        Vault {
            blobs,
            keys,
            object_max: MAX_OBJECT_LEN,
            hashers: Arc::default(),
            reading: Arc::default(),
        }
    }

    /// Reads a range of a content.
    pub(crate) fn read(
        &self,
        content: StoredContent,
        key: &DataKey,
        range: Range<u64>,
    ) -> Result<ContentReader> {
        ContentReader::new(&self.blobs, &self.reading, content, key, range)
    }
}

//! The sealed format, version 1, as pure code: headers, segments, layout, and the wrap of a data key.
//!
//! An *object* is a sealed run of plaintext; a *content* is an ordered list of objects under one
//! [`DataKey`]. This module owns every byte of both, as `docs/format.md` describes them. It does
//! no IO, and neither stores nor chooses the keys, names and lists of objects it is given.

mod error;
mod header;
mod key;
mod layout;
mod opener;
mod sealer;
mod segment;
mod wrap;

#[cfg(test)]
mod tests;

pub use error::SealError;
pub use header::{ContentId, Header};
pub use key::{DataKey, MasterKey};
pub use layout::{Layout, Span};
pub use opener::{Opener, open_all};
pub use sealer::{Sealer, seal_all};
pub use wrap::{WrapContext, WrapObject};

/// Length of an object's header in bytes.
pub const HEADER_LEN: usize = 40;

/// Plaintext bytes in every segment of an object but its last, which may hold fewer.
pub const SEGMENT_LEN: usize = 1 << 16;

/// Length of the AES-GCM tag behind each segment, in bytes.
pub const TAG_LEN: usize = 16;

/// Length of a full segment as it is stored: its ciphertext and its tag.
pub const SEALED_SEGMENT_LEN: usize = SEGMENT_LEN + TAG_LEN;

/// The most plaintext one object holds: 32 GiB.
pub const MAX_OBJECT_LEN: u64 = 32 << 30;

/// Length of a wrapped data key: nonce, ciphertext and tag.
pub const WRAPPED_KEY_LEN: usize = 12 + 32 + TAG_LEN;

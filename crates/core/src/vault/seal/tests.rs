//! The promises of the format: what was sealed opens, in whole and in part; anything else does not;
//! an independent implementation agrees; and the stored vectors stay valid for ever.

mod layout;
mod oracle;
mod refuse;
mod roundtrip;
mod vectors;
mod wrap;

use proptest::prelude::*;

use super::*;

const CONTENT: ContentId = ContentId(*b"a content's id!!");

fn key() -> DataKey {
    DataKey::from_bytes([0x5a; 32])
}

/// The plaintext of tests and vectors: its period of 251 shares no factor with a segment.
fn pattern(range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|i| u8::try_from((i * 31 + 7) % 251).unwrap()).collect()
}

fn sealed(plain_len: u64) -> Vec<u8> {
    seal_all(&key(), CONTENT, 0, &pattern(0..plain_len)).unwrap()
}

fn open(sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    open_all(&key(), CONTENT, 0, sealed)
}

/// Lengths where something changes, and any other up to 300 KiB.
fn plain_len() -> impl Strategy<Value = u64> {
    let edge = (0u64..=4, -1i64..=1)
        .prop_map(|(segments, off)| (segments * SEGMENT_LEN as u64).saturating_add_signed(off));
    prop_oneof![edge, 0u64..300 << 10, 0u64..100]
}

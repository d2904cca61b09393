//! The same objects by another implementation of STREAM, `aead-stream` over `aes-gcm`.

use aead_stream::{DecryptorBE32, EncryptorBE32};
use aes_gcm::aead::Payload;
use aes_gcm::{Aes256Gcm, KeyInit};
use proptest::prelude::*;

use super::*;

fn cipher() -> Aes256Gcm {
    Aes256Gcm::new_from_slice(key().as_bytes()).unwrap()
}

fn prefix_of(header: &[u8]) -> [u8; 7] {
    header[32..39].try_into().unwrap()
}

/// Splits off all pieces but the last, which may be full and is empty only if all is.
fn all_but_last(bytes: &[u8], piece: usize) -> (std::slice::Chunks<'_, u8>, &[u8]) {
    let last = bytes.len().saturating_sub(1) / piece * piece;
    (bytes[..last].chunks(piece), &bytes[last..])
}

fn oracle_seals(header: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut stream = EncryptorBE32::from_aead(cipher(), &prefix_of(header).into());
    let (segments, last) = all_but_last(plain, SEGMENT_LEN);
    let mut out = header.to_vec();
    for msg in segments {
        out.extend(stream.encrypt_next(Payload { msg, aad: header }).unwrap());
    }
    out.extend(stream.encrypt_last(Payload { msg: last, aad: header }).unwrap());
    out
}

fn oracle_opens(object: &[u8]) -> Vec<u8> {
    let (header, body) = object.split_at(HEADER_LEN);
    let mut stream = DecryptorBE32::from_aead(cipher(), &prefix_of(header).into());
    let (segments, last) = all_but_last(body, SEALED_SEGMENT_LEN);
    let mut plain = Vec::new();
    for msg in segments {
        plain.extend(stream.decrypt_next(Payload { msg, aad: header }).unwrap());
    }
    plain.extend(stream.decrypt_last(Payload { msg: last, aad: header }).unwrap());
    plain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn both_implementations_agree(len in plain_len()) {
        let plain = pattern(0..len);
        let object = sealed(len);
        prop_assert!(oracle_opens(&object) == plain);
        prop_assert!(oracle_seals(&object[..HEADER_LEN], &plain) == object);

        let header = Header::fresh(CONTENT, 0).encode();
        prop_assert!(open(&oracle_seals(&header, &plain)).unwrap() == plain);
    }
}

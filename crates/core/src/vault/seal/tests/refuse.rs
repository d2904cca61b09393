//! What is not exactly as it was sealed is refused, and shows no plaintext.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const SEGMENT: u64 = SEGMENT_LEN as u64;

/// Opens every segment of `sealed` as those of an object of `plain_len`, and tells the first refusal.
fn refusal_as(sealed: &[u8], plain_len: u64) -> Option<SealError> {
    let mut bytes = sealed.to_vec();
    let (header, body) = bytes.split_at_mut_checked(HEADER_LEN)?;
    let opener = match Opener::new(&key(), header, CONTENT, 0, plain_len) {
        Ok(opener) => opener,
        Err(error) => return Some(error),
    };
    let mut rest = body;
    for index in 0..opener.layout().segments() {
        let len = opener.layout().sealed_segment_len(index).unwrap().min(rest.len());
        let (segment, behind) = std::mem::take(&mut rest).split_at_mut(len);
        if let Err(error) = opener.open(index, segment) {
            assert!(segment.iter().all(|&b| b == 0), "a refused segment is wiped");
            return Some(error);
        }
        rest = behind;
    }
    None
}

fn segment(object: &[u8], index: usize) -> &[u8] {
    object[HEADER_LEN..].chunks(SEALED_SEGMENT_LEN).nth(index).unwrap()
}

fn assemble(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn every_flipped_bit_of_a_small_object() {
    for len in [0, 1, 50] {
        let object = sealed(len);
        for bit in 0..object.len() * 8 {
            let mut flipped = object.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&flipped).is_err(), "bit {bit} of {len} bytes");
            assert!(refusal_as(&flipped, len).is_some(), "bit {bit} of {len} bytes");
        }
    }
}

#[test]
fn every_cut_of_a_small_object() {
    for len in [0, 1, 50] {
        let object = sealed(len);
        for cut in 0..object.len() {
            assert!(open(&object[..cut]).is_err(), "{cut} bytes left of {len}");
        }
        assert!(open(&assemble(&[&object, b"x"])).is_err());
        assert!(open(&assemble(&[&object, &[0; TAG_LEN]])).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit(len in plain_len(), at in any::<Index>(), bit in 0..8u32) {
        let mut object = sealed(len);
        let at = at.index(object.len());
        object[at] ^= 1u8 << bit;
        prop_assert!(open(&object).is_err());
    }

    #[test]
    fn any_cut(len in plain_len(), cut in any::<Index>()) {
        let object = sealed(len);
        let cut = cut.index(object.len());
        prop_assert!(open(&object[..cut]).is_err());
        if cut >= HEADER_LEN {
            prop_assert!(refusal_as(&object[..cut], len).is_some());
        }
    }
}

#[test]
fn a_cut_between_segments() {
    let object = sealed(3 * SEGMENT);
    for whole in [1, 2] {
        let cut = HEADER_LEN + whole * SEALED_SEGMENT_LEN;
        // The length that is left is a valid one: only the last flag tells.
        assert_eq!(open(&object[..cut]), Err(SealError::Unauthentic));
    }
    assert_eq!(open(&object[..HEADER_LEN]), Err(SealError::WrongLength));
}

#[test]
fn segments_that_were_moved() {
    let object = sealed(3 * SEGMENT);
    let header = &object[..HEADER_LEN];
    let [a, b, c] = [0, 1, 2].map(|i| segment(&object, i));
    assert!(open(&assemble(&[header, a, b, c])).is_ok());
    for moved in [
        assemble(&[header, b, a, c]),
        assemble(&[header, a, c, b]),
        assemble(&[header, a, a, c]),
        assemble(&[header, a, b, b]),
        assemble(&[header, a, c]),
        assemble(&[header, b, c]),
        assemble(&[header, c]),
        assemble(&[header, a, b, b, c]),
        assemble(&[header, a, b, c, c]),
    ] {
        assert_eq!(open(&moved), Err(SealError::Unauthentic));
    }
}

#[test]
fn segments_of_another_object_of_the_same_content() {
    let (one, other) = (sealed(2 * SEGMENT), sealed(2 * SEGMENT));
    let header = &one[..HEADER_LEN];
    let spliced = assemble(&[header, segment(&one, 0), segment(&other, 1)]);
    assert_eq!(open(&spliced), Err(SealError::Unauthentic));
}

#[test]
fn an_object_of_another_place() {
    let object = sealed(10);
    let other = ContentId([9; 16]);
    assert_eq!(open_all(&key(), other, 0, &object), Err(SealError::WrongContent));
    assert_eq!(open_all(&key(), CONTENT, 1, &object), Err(SealError::WrongContent));

    // Nor does it help to write the expected place into the header.
    let mut relabelled = object.clone();
    relabelled[16..32].copy_from_slice(&other.0);
    assert_eq!(open_all(&key(), other, 0, &relabelled), Err(SealError::Unauthentic));
    let mut renumbered = object.clone();
    renumbered[15] = 1;
    assert_eq!(open_all(&key(), CONTENT, 1, &renumbered), Err(SealError::Unauthentic));

    let wrong_key = DataKey::generate();
    assert_eq!(open_all(&wrong_key, CONTENT, 0, &object), Err(SealError::Unauthentic));
}

#[test]
fn an_object_of_another_length() {
    let object = sealed(SEGMENT);
    for claimed in [0, 1, SEGMENT - 1, SEGMENT + 1, 2 * SEGMENT] {
        assert!(refusal_as(&object, claimed).is_some(), "{claimed}");
    }
    assert_eq!(refusal_as(&object, SEGMENT), None);
    let too_long = Opener::new(&key(), &object, CONTENT, 0, MAX_OBJECT_LEN + 1);
    assert_eq!(too_long.unwrap_err(), SealError::TooLong("the object"));
    let opener = Opener::new(&key(), &object, CONTENT, 0, SEGMENT).unwrap();
    let mut behind = object[HEADER_LEN..].to_vec();
    assert_eq!(opener.open(1, &mut behind), Err(SealError::WrongLength));
    assert!(behind.iter().all(|&b| b == 0));
}

#[test]
fn headers_that_break_a_rule() {
    let good = sealed(0);
    let with = |at: usize, byte: u8| {
        let mut header = good.clone();
        header[at] = byte;
        Header::decode(&header)
    };
    assert!(Header::decode(&good[..HEADER_LEN]).is_ok());
    let bad = |why| Err(SealError::BadHeader(why));
    assert_eq!(Header::decode(&good[..39]), bad("is shorter than 40 bytes"));
    assert_eq!(with(6, b'y'), bad("does not begin with BINDERY"));
    assert_eq!(with(7, 0), Err(SealError::UnknownVersion(0)));
    assert_eq!(with(7, 2), Err(SealError::UnknownVersion(2)));
    assert_eq!(with(8, 2), bad("names an unknown algorithm"));
    assert_eq!(with(9, 17), bad("names an unknown segment size"));
    for reserved in [10, 11, 39] {
        assert_eq!(with(reserved, 1), bad("has reserved bytes that are not zero"));
    }
}

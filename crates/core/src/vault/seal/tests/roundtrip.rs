//! What was sealed opens again, whatever the pieces and whatever the range.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Seals `plain` as a streaming caller does, in pieces that end at `cuts`.
fn seal_in_pieces(plain: &[u8], cuts: &[Index]) -> Vec<u8> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(plain.len() + 1)).collect();
    ends.push(plain.len());
    ends.sort_unstable();
    let mut out = Vec::new();
    let mut sealer = Sealer::new(&key(), CONTENT, 7, &mut out);
    let mut start = 0;
    for end in ends {
        sealer.push(&plain[start..end], &mut out).unwrap();
        start = end;
    }
    sealer.finish(&mut out);
    out
}

/// Reads a range as a store does: header, span, then the span's segments one by one.
fn read_range(object: &[u8], plain_len: u64, range: std::ops::Range<u64>) -> Vec<u8> {
    let opener = Opener::new(&key(), &object[..HEADER_LEN], CONTENT, 0, plain_len).unwrap();
    let span = opener.layout().span(range).unwrap();
    let (start, end) = (span.sealed.start as usize, span.sealed.end as usize);
    let mut fetched = object[start..end].to_vec();
    let mut plain = Vec::new();
    let mut opened = 0;
    for (index, segment) in (span.first_segment..).zip(fetched.chunks_mut(SEALED_SEGMENT_LEN)) {
        plain.extend_from_slice(opener.open(index, segment).unwrap());
        opened += 1;
    }
    assert_eq!(opened, span.segments);
    plain[span.skip..][..span.len as usize].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_into_pieces_opens_as_the_whole(
        len in plain_len(),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let plain = pattern(0..len);
        let object = seal_in_pieces(&plain, &cuts);
        prop_assert_eq!(object.len() as u64, Layout::of_plain(len).unwrap().sealed_len());
        prop_assert!(open_all(&key(), CONTENT, 7, &object).unwrap() == plain);
    }

    #[test]
    fn any_range_is_the_slice(len in plain_len(), a in any::<Index>(), b in any::<Index>()) {
        let (a, b) = (a.index(len as usize + 1) as u64, b.index(len as usize + 1) as u64);
        let range = a.min(b)..a.max(b);
        let expected = pattern(range.clone());
        prop_assert!(read_range(&sealed(len), len, range) == expected);
    }
}

#[test]
fn a_full_segment_waits_until_it_is_known_not_to_be_the_last() {
    let mut out = Vec::new();
    let mut sealer = Sealer::new(&key(), CONTENT, 0, &mut out);
    assert_eq!(out.len(), HEADER_LEN);
    sealer.push(&[1; SEGMENT_LEN], &mut out).unwrap();
    assert_eq!(out.len(), HEADER_LEN);
    sealer.push(&[], &mut out).unwrap();
    assert_eq!(out.len(), HEADER_LEN);
    sealer.push(&[1], &mut out).unwrap();
    assert_eq!(out.len(), HEADER_LEN + SEALED_SEGMENT_LEN);
}

#[test]
fn an_empty_content_is_one_empty_segment() {
    let object = sealed(0);
    assert_eq!(object.len(), HEADER_LEN + TAG_LEN);
    assert!(open(&object).unwrap().is_empty());
    assert!(read_range(&object, 0, 0..0).is_empty());
}

#[test]
fn every_object_draws_its_own_nonce_prefix() {
    let prefixes: std::collections::HashSet<_> =
        (0..100).map(|_| Header::decode(&sealed(0)).unwrap().prefix()).collect();
    assert_eq!(prefixes.len(), 100);
}

#[test]
fn keys_are_random_and_never_printed() {
    assert_ne!(DataKey::generate().as_bytes(), DataKey::generate().as_bytes());
    assert_eq!(format!("{:?}", key()), "DataKey(redacted)");
    assert_eq!(format!("{:?}", MasterKey::from_bytes([1; 32])), "MasterKey(redacted)");
    assert_eq!(format!("{:?}", ContentId([0xa7; 16])), format!("ContentId({})", "a7".repeat(16)));
}

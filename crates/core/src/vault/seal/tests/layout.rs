//! The arithmetic, against the plainest statement of it.

use proptest::prelude::*;

use super::*;

const SEGMENT: u64 = SEGMENT_LEN as u64;

proptest! {
    #[test]
    fn a_sealed_length_has_one_plain_length(len in 0..=MAX_OBJECT_LEN) {
        let layout = Layout::of_plain(len).unwrap();
        prop_assert_eq!(Layout::of_sealed(layout.sealed_len()), Ok(layout));
    }

    #[test]
    fn a_span_covers_its_range_and_nothing_idle(
        len in 1..=MAX_OBJECT_LEN,
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
    ) {
        let (a, b) = (a.index(len as usize) as u64, b.index(len as usize) as u64);
        let (start, end) = (a.min(b), a.max(b) + 1);
        let span = Layout::of_plain(len).unwrap().span(start..end).unwrap();
        let (first, last) = (start / SEGMENT, (end - 1) / SEGMENT);
        prop_assert_eq!(u64::from(span.first_segment), first);
        prop_assert_eq!(u64::from(span.segments), last - first + 1);
        prop_assert_eq!(span.sealed.start, 40 + first * 65552);
        prop_assert_eq!(
            span.sealed.end,
            40 + ((last + 1) * SEGMENT).min(len) + (last + 1) * TAG_LEN as u64
        );
        prop_assert_eq!(span.skip as u64, start % SEGMENT);
        prop_assert_eq!(span.len, end - start);
    }
}

#[test]
fn the_edges_of_a_range() {
    let layout = Layout::of_plain(SEGMENT).unwrap();
    let at_end = layout.span(SEGMENT..SEGMENT).unwrap();
    assert_eq!((at_end.first_segment, at_end.segments), (0, 1));
    assert_eq!((at_end.skip, at_end.len), (SEGMENT_LEN, 0));
    assert_eq!(at_end.sealed, 40..40 + 65552);
    assert_eq!(layout.span(0..SEGMENT + 1), None);
    assert_eq!(layout.span(SEGMENT + 1..SEGMENT + 1), None);
    #[expect(clippy::reversed_empty_ranges, reason = "the refusal of such a range is the point")]
    let reversed = layout.span(2..1);
    assert_eq!(reversed, None);
    assert_eq!(layout.span(u64::MAX..u64::MAX), None);

    let empty = Layout::of_plain(0).unwrap();
    assert_eq!(empty.span(0..0).unwrap().sealed, 40..56);
    assert_eq!(empty.span(0..1), None);
}

#[test]
fn lengths_that_no_object_has() {
    let full = 40 + 65552;
    for len in [0, 39, 40, 41, 55, full + 1, full + 15, full + 16] {
        assert_eq!(Layout::of_sealed(len), Err(SealError::WrongLength), "{len}");
    }
    let plain_len = |sealed_len| Layout::of_sealed(sealed_len).unwrap().plain_len();
    assert_eq!([56, 57, full, full + 17].map(plain_len), [0, 1, SEGMENT, SEGMENT + 1]);

    let largest = Layout::of_plain(MAX_OBJECT_LEN).unwrap();
    assert_eq!(largest.segments(), 1 << 19);
    assert_eq!(largest.sealed_len(), 40 + (1 << 19) * 65552);
    for too_long in [MAX_OBJECT_LEN + 1, u64::MAX] {
        assert_eq!(Layout::of_plain(too_long), Err(SealError::TooLong("the object")));
    }
    assert!(Layout::of_sealed(largest.sealed_len() + 1).is_err());
    assert!(Layout::of_sealed(u64::MAX).is_err());
}

#[test]
fn the_lengths_of_segments() {
    let layout = Layout::of_plain(SEGMENT + 5).unwrap();
    assert_eq!(layout.sealed_segment_len(0), Some(65552));
    assert_eq!(layout.sealed_segment_len(1), Some(21));
    assert_eq!(layout.sealed_segment_len(2), None);
    assert_eq!(layout.sealed_segment_len(u32::MAX), None);
    assert_eq!(Layout::of_plain(0).unwrap().sealed_segment_len(0), Some(16));
}

//! Which part of a resource a `Range` header asks for (RFC 9110 section 14). Several ranges in one
//! answer are not offered: the section permits a server to send the whole instead.

use std::ops;

/// What a `Range` header means for a resource of some length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// The header is to be ignored: 200 and all bytes.
    Whole,
    /// 206 and these bytes: never empty, and within the resource.
    Part(ops::Range<u64>),
    /// 416: the range is well formed and begins behind the end.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads the value of a `Range` header for a resource of `len` bytes.
    ///
    /// Section 14.2 has an invalid header ignored, so no value is an error. An empty resource has no
    /// part to send, but its beginning and its last bytes do exist: asked for, they are the whole.
    pub fn parse(header: &[u8], len: u64) -> Self {
        let Some(spec) = parse_spec(header) else {
            return Self::Whole;
        };
        match spec {
            Spec::Suffix(0) => Self::Unsatisfiable,
            Spec::From(0, _) | Spec::Suffix(_) if len == 0 => Self::Whole,
            Spec::Suffix(count) => Self::Part(len.saturating_sub(count)..len),
            Spec::From(first, _) if first >= len => Self::Unsatisfiable,
            Spec::From(first, last) => Self::Part(first..last.saturating_add(1).min(len)),
        }
    }
}

enum Spec {
    /// From the first position to the last, both included.
    From(u64, u64),
    /// That many bytes at the end.
    Suffix(u64),
}

fn parse_spec(header: &[u8]) -> Option<Spec> {
    let (unit, set) = header.split_at_checked(b"bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    // A second range has a second hyphen or a comma: it is no number, and the header is ignored.
    let hyphen = set.iter().position(|&byte| byte == b'-')?;
    match (&set[..hyphen], &set[hyphen + 1..]) {
        ([], count) => Some(Spec::Suffix(parse_position(count)?)),
        (first, []) => Some(Spec::From(parse_position(first)?, u64::MAX)),
        (first, last) => {
            let (first, last) = (parse_position(first)?, parse_position(last)?);
            (first <= last).then_some(Spec::From(first, last))
        }
    }
}

/// A position of any number of digits. Those beyond 64 bits are behind the end of everything, so
/// the greatest number stands for them.
fn parse_position(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let append =
        |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, append))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ByteRange::{Part, Unsatisfiable, Whole};
    use super::*;

    #[track_caller]
    fn check(header: &str, len: u64, expected: &ByteRange) {
        assert_eq!(&ByteRange::parse(header.as_bytes(), len), expected, "{header} of {len}");
    }

    #[test]
    fn one_range_is_a_part() {
        check("bytes=0-0", 10, &Part(0..1));
        check("bytes=2-5", 10, &Part(2..6));
        check("bytes=9-9", 10, &Part(9..10));
        check("bytes=0-9", 10, &Part(0..10));
        check("bytes=4-", 10, &Part(4..10));
        check("BYTES=0-", 10, &Part(0..10));
        check("bytes=0002-05", 10, &Part(2..6));
    }

    #[test]
    fn an_end_behind_the_end_is_clamped() {
        check("bytes=4-10", 10, &Part(4..10));
        check("bytes=4-18446744073709551615", 10, &Part(4..10));
        check("bytes=4-99999999999999999999999", 10, &Part(4..10));
        check("bytes=0-", u64::MAX, &Part(0..u64::MAX));
    }

    #[test]
    fn a_suffix_counts_from_the_end() {
        check("bytes=-1", 10, &Part(9..10));
        check("bytes=-10", 10, &Part(0..10));
        check("bytes=-99999999999999999999999", 10, &Part(0..10));
        check("bytes=-0", 10, &Unsatisfiable);
    }

    #[test]
    fn a_start_behind_the_end_is_unsatisfiable() {
        check("bytes=10-", 10, &Unsatisfiable);
        check("bytes=10-20", 10, &Unsatisfiable);
        check("bytes=18446744073709551615-", 10, &Unsatisfiable);
        check("bytes=99999999999999999999999-", 10, &Unsatisfiable);
    }

    #[test]
    fn an_empty_resource_is_sent_whole() {
        check("bytes=0-1", 0, &Whole);
        check("bytes=0-", 0, &Whole);
        check("bytes=-5", 0, &Whole);
        check("bytes=-0", 0, &Unsatisfiable);
        check("bytes=1-", 0, &Unsatisfiable);
    }

    #[test]
    fn what_is_invalid_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=1",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=1-b",
            "bytes= 0-1",
            "bytes=0-1 ",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=--1",
            "bytes=1--2",
            "items=0-1",
            "bytes:0-1",
            "byte\u{e9}=0-1",
            "bytes=99999999999999999999999-5",
        ] {
            check(header, 10, &Whole);
        }
    }

    #[test]
    fn several_ranges_are_the_whole() {
        check("bytes=0-1,3-4", 10, &Whole);
        check("bytes=0-1, -1", 10, &Whole);
        check("bytes=0-1,", 10, &Whole);
        check("bytes=,0-1", 10, &Whole);
        check("bytes=0-,0-", 10, &Whole);
        check(&format!("bytes={}", "0-0,".repeat(1000)), 10, &Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_what_slicing_gives(first: u8, last: u8, len: u8) {
            let header = format!("bytes={first}-{last}");
            let all: Vec<u64> = (0..u64::from(len)).collect();
            let wanted: Vec<u64> = all
                .iter()
                .copied()
                .filter(|at| (u64::from(first)..=u64::from(last)).contains(at))
                .collect();
            match ByteRange::parse(header.as_bytes(), u64::from(len)) {
                Part(range) => prop_assert_eq!(range.collect::<Vec<_>>(), wanted),
                Unsatisfiable => prop_assert!(first >= len && first <= last),
                Whole => prop_assert!(first > last || len == 0),
            }
        }

        #[test]
        fn a_part_lies_within(header in "bytes=[0-9]{0,21}-?[0-9,]{0,21}", len: u64) {
            if let Part(range) = ByteRange::parse(header.as_bytes(), len) {
                prop_assert!(range.start < range.end && range.end <= len);
            }
        }
    }
}

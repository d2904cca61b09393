//! Preconditions of a request on a representation that exists (RFC 9110 section 13). Where the
//! validators come from, and whether there is a representation at all, is for the caller to know.

use std::time::{Duration, SystemTime};

use http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};
use http::{HeaderMap, Method};

/// What identifies the present state of a representation.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The entity tag without its quotes. It is a strong one.
    pub etag: &'a str,
    /// The time of the last change, in seconds since 1970, if it is known.
    pub last_modified_seconds: Option<u64>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// It is served as if it had no condition.
    Proceed,
    /// 304: a GET or HEAD for what the client has already.
    NotModified,
    /// 412: the state is not the one that the client means.
    Failed,
}

/// Evaluates the preconditions in the order of section 13.2.2. `If-Range`, its last step, is
/// [`range_applies`].
///
/// A date that cannot be read is ignored, as section 13.1.3 wants it.
pub fn evaluate(method: &Method, headers: &HeaderMap, current: Validators<'_>) -> Precondition {
    let reads = method == Method::GET || method == Method::HEAD;
    let unchanged_since = |name| Some(current.last_modified_seconds? <= date(headers, name)?);

    let matches = if headers.contains_key(IF_MATCH) {
        any_tag(headers, IF_MATCH, |tag| tag.is_strongly(current.etag))
    } else {
        unchanged_since(IF_UNMODIFIED_SINCE).unwrap_or(true)
    };
    if !matches {
        return Precondition::Failed;
    }

    if headers.contains_key(IF_NONE_MATCH) {
        return match any_tag(headers, IF_NONE_MATCH, |tag| tag.is_weakly(current.etag)) {
            false => Precondition::Proceed,
            true if reads => Precondition::NotModified,
            true => Precondition::Failed,
        };
    }
    if reads && unchanged_since(IF_MODIFIED_SINCE) == Some(true) {
        return Precondition::NotModified;
    }
    Precondition::Proceed
}

/// Whether a `Range` header counts: there is no `If-Range`, or it names the present state by its
/// strong tag or by the very second of its last change.
pub fn range_applies(headers: &HeaderMap, current: Validators<'_>) -> bool {
    let Some(value) = headers.get(IF_RANGE) else {
        return true;
    };
    match Tag::take(value.as_bytes()) {
        Some((tag, rest)) => rest.is_empty() && tag.is_strongly(current.etag),
        None => {
            let date = date(headers, IF_RANGE);
            date.is_some() && date == current.last_modified_seconds
        }
    }
}

/// Whether a GET or HEAD is for what the client has already, where a representation has no entity tag:
/// `If-Modified-Since` alone then decides (section 13.1.3).
pub fn is_unmodified(method: &Method, headers: &HeaderMap, last_modified_seconds: u64) -> bool {
    let reads = method == Method::GET || method == Method::HEAD;
    let since = || date(headers, IF_MODIFIED_SINCE);
    reads && !headers.contains_key(IF_NONE_MATCH) && since() >= Some(last_modified_seconds)
}

/// Whether `*` or one of the tags in all lines of a header fits. A line counts up to the first
/// thing in it that is no tag.
fn any_tag(headers: &HeaderMap, name: HeaderName, fits: impl Fn(&Tag<'_>) -> bool) -> bool {
    headers.get_all(name).iter().any(|line| {
        let line = line.as_bytes();
        line.trim_ascii() == b"*" || tags(line).any(|tag| fits(&tag))
    })
}

fn tags(line: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        while let [b',' | b' ' | b'\t', tail @ ..] = rest {
            rest = tail;
        }
        let (tag, tail) = Tag::take(rest)?;
        rest = tail;
        Some(tag)
    })
}

struct Tag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl<'a> Tag<'a> {
    /// The tag at the front of the input, and what follows it.
    fn take(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, input) = match input.strip_prefix(b"W/") {
            Some(tail) => (true, tail),
            None => (false, input),
        };
        let input = input.strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', input)?;
        Some((Self { weak, opaque: &input[..end] }, &input[end + 1..]))
    }

    /// The strong comparison of section 8.8.3.2 with a strong tag.
    fn is_strongly(&self, etag: &str) -> bool {
        !self.weak && self.is_weakly(etag)
    }

    /// The weak comparison of section 8.8.3.2.
    fn is_weakly(&self, etag: &str) -> bool {
        self.opaque == etag.as_bytes()
    }
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    let value = headers.get(name)?.to_str().ok()?;
    let time = httpdate::parse_http_date(value).ok()?;
    time.duration_since(SystemTime::UNIX_EPOCH).ok().as_ref().map(Duration::as_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Precondition::{Failed, NotModified, Proceed};
    use super::*;

    const CHANGED: u64 = 784_111_777;
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const SAME_RFC_850: &str = "Sunday, 06-Nov-94 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const CURRENT: Validators<'_> =
        Validators { etag: "v1,x", last_modified_seconds: Some(CHANGED) };

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let parse = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(parse) {
            headers.append(name, value);
        }
        headers
    }

    #[track_caller]
    fn check(lines: &[(&'static str, &str)], expected: Precondition) {
        let headers = headers(lines);
        assert_eq!(evaluate(&Method::GET, &headers, CURRENT), expected, "GET {lines:?}");
        assert_eq!(evaluate(&Method::HEAD, &headers, CURRENT), expected, "HEAD {lines:?}");
    }

    #[track_caller]
    fn check_put(lines: &[(&'static str, &str)], expected: Precondition) {
        assert_eq!(evaluate(&Method::PUT, &headers(lines), CURRENT), expected, "PUT {lines:?}");
    }

    #[test]
    fn if_match_compares_strongly() {
        check(&[], Proceed);
        check(&[("if-match", "*")], Proceed);
        check(&[("if-match", "\"v1,x\"")], Proceed);
        check(&[("if-match", "\"v0\", \"v1,x\"")], Proceed);
        check(&[("if-match", ",\"v0\",\t,\"v1,x\",")], Proceed);
        check(&[("if-match", "\"v0\""), ("if-match", "\"v1,x\"")], Proceed);
        check(&[("if-match", "W/\"v1,x\"")], Failed);
        check(&[("if-match", "\"v0\"")], Failed);
        check(&[("if-match", "\"v1\", x")], Failed);
        check(&[("if-match", "v1,x")], Failed);
        check(&[("if-match", "\"v1,x")], Failed);
        check(&[("if-match", "")], Failed);
        check_put(&[("if-match", "\"v0\"")], Failed);
        check_put(&[("if-match", "\"v1,x\"")], Proceed);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        check(&[("if-none-match", "*")], NotModified);
        check(&[("if-none-match", "\"v1,x\"")], NotModified);
        check(&[("if-none-match", "W/\"v1,x\"")], NotModified);
        check(&[("if-none-match", "W/\"v0\",W/\"v1,x\"")], NotModified);
        check(&[("if-none-match", "\"v0\"")], Proceed);
        check(&[("if-none-match", "w/\"v1,x\"")], Proceed);
        check(&[("if-none-match", "junk, \"v1,x\"")], Proceed);
        check_put(&[("if-none-match", "*")], Failed);
        check_put(&[("if-none-match", "\"v1,x\"")], Failed);
        check_put(&[("if-none-match", "\"v0\"")], Proceed);
    }

    #[test]
    fn dates_count_to_the_second() {
        check(&[("if-modified-since", BEFORE)], Proceed);
        check(&[("if-modified-since", SAME)], NotModified);
        check(&[("if-modified-since", SAME_RFC_850)], NotModified);
        check(&[("if-modified-since", AFTER)], NotModified);
        check(&[("if-modified-since", "yesterday")], Proceed);
        check_put(&[("if-modified-since", AFTER)], Proceed);
        check(&[("if-unmodified-since", BEFORE)], Failed);
        check(&[("if-unmodified-since", SAME)], Proceed);
        check(&[("if-unmodified-since", AFTER)], Proceed);
        check(&[("if-unmodified-since", "yesterday")], Proceed);
        check_put(&[("if-unmodified-since", BEFORE)], Failed);
    }

    #[test]
    fn without_a_tag_the_date_alone_counts() {
        let unmodified = |method, lines: &[_]| is_unmodified(method, &headers(lines), CHANGED);
        assert!(unmodified(&Method::GET, &[("if-modified-since", SAME)]));
        assert!(unmodified(&Method::HEAD, &[("if-modified-since", AFTER)]));
        assert!(!unmodified(&Method::GET, &[("if-modified-since", BEFORE)]));
        assert!(!unmodified(&Method::GET, &[("if-modified-since", "yesterday")]));
        assert!(!unmodified(&Method::GET, &[]));
        assert!(!unmodified(&Method::POST, &[("if-modified-since", SAME)]));
        let both = [("if-modified-since", SAME), ("if-none-match", "*")];
        assert!(!unmodified(&Method::GET, &both));
    }

    #[test]
    fn tags_go_before_dates_and_matches_before_their_negations() {
        check(&[("if-match", "\"v1,x\""), ("if-unmodified-since", BEFORE)], Proceed);
        check(&[("if-match", "\"v0\""), ("if-unmodified-since", AFTER)], Failed);
        check(&[("if-none-match", "\"v0\""), ("if-modified-since", AFTER)], Proceed);
        check(&[("if-none-match", "\"v1,x\""), ("if-modified-since", BEFORE)], NotModified);
        check(&[("if-none-match", "*"), ("if-match", "\"v0\"")], Failed);
        check(&[("if-none-match", "*"), ("if-unmodified-since", BEFORE)], Failed);
        check(&[("if-match", "*"), ("if-modified-since", SAME)], NotModified);
    }

    #[test]
    fn without_a_known_change_dates_say_nothing() {
        let current = Validators { last_modified_seconds: None, ..CURRENT };
        for name in ["if-modified-since", "if-unmodified-since"] {
            for date in [BEFORE, AFTER] {
                let headers = headers(&[(name, date)]);
                assert_eq!(evaluate(&Method::GET, &headers, current), Proceed);
            }
        }
        assert!(!range_applies(&headers(&[("if-range", SAME)]), current));
        assert!(!range_applies(&headers(&[("if-range", "junk")]), current));
    }

    #[test]
    fn a_range_applies_to_the_very_state_it_names() {
        #[track_caller]
        fn check(value: &str, expected: bool) {
            assert_eq!(range_applies(&headers(&[("if-range", value)]), CURRENT), expected);
        }
        assert!(range_applies(&headers(&[]), CURRENT));
        check("\"v1,x\"", true);
        check(SAME, true);
        check("W/\"v1,x\"", false);
        check("\"v0\"", false);
        check("\"v1,x\", \"v0\"", false);
        check("*", false);
        check("v1,x", false);
        check(BEFORE, false);
        check(AFTER, false);
        check("", false);
    }

    proptest! {
        #[test]
        fn a_listed_tag_is_found_among_any_others(
            before in "(\"[!#-~]{0,6}\",){0,3}",
            tag in "[!#-~]{0,6}",
            after in "(,\"[!#-~]{0,6}\"){0,3}",
        ) {
            let current = Validators { etag: &tag, last_modified_seconds: None };
            let headers = headers(&[("if-none-match", &format!("{before}\"{tag}\"{after}"))]);
            prop_assert_eq!(evaluate(&Method::GET, &headers, current), NotModified);
        }
    }
}

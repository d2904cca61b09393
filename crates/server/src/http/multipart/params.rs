//! The parameters behind a header value, `value; name=token; name="quoted"`, as clients send them.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

/// One `name=value`, its quotes taken off.
pub(super) struct Param<'a> {
    name: &'a [u8],
    pub(super) value: Cow<'a, [u8]>,
}

impl Param<'_> {
    /// Whether this is the parameter of that name, in any case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The parameters of a header value, in order. What has no `=` is passed over.
pub(super) fn params(value: &[u8]) -> impl Iterator<Item = Param<'_>> {
    let mut rest = after_semicolon(value);
    std::iter::from_fn(move || {
        loop {
            let input = rest?;
            let Some(equals) = memchr3(b'=', b';', b'"', input).filter(|&i| input[i] == b'=')
            else {
                rest = after_semicolon(input);
                continue;
            };
            let (name, value) =
                (input[..equals].trim_ascii(), input[equals + 1..].trim_ascii_start());
            let (value, tail) = match value.strip_prefix(b"\"") {
                Some(quoted) => unquote(quoted),
                None => {
                    let end = memchr(b';', value).unwrap_or(value.len());
                    (Cow::Borrowed(value[..end].trim_ascii_end()), &value[end..])
                }
            };
            rest = after_semicolon(tail);
            return Some(Param { name, value });
        }
    })
}

fn after_semicolon(input: &[u8]) -> Option<&[u8]> {
    memchr(b';', input).map(|semicolon| &input[semicolon + 1..])
}

/// The text up to the closing quote, and what follows that quote.
///
/// A backslash escapes a quote or a backslash and is itself before anything else: RFC 9110 section
/// 5.6.4 lets it escape any character, but clients send `filename="C:\dir\x"` and mean it.
fn unquote(quoted: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let mut text = Vec::new();
    let mut rest = quoted;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let (before, special) = rest.split_at(at);
        match special {
            [b'"', tail @ ..] if text.is_empty() => return (Cow::Borrowed(before), tail),
            [b'"', tail @ ..] => {
                text.extend_from_slice(before);
                return (Cow::Owned(text), tail);
            }
            [b'\\', escaped @ (b'"' | b'\\'), tail @ ..] => {
                text.extend_from_slice(before);
                text.push(*escaped);
                rest = tail;
            }
            _ => {
                text.extend_from_slice(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    // No closing quote: the value runs to the end of the line.
    text.extend_from_slice(rest);
    (Cow::Owned(text), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &[(&str, &str)]) {
        let found: Vec<_> = params(value.as_bytes())
            .map(|p| {
                (String::from_utf8_lossy(p.name), String::from_utf8_lossy(&p.value).into_owned())
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|&(name, value)| (name.into(), value.to_owned())).collect();
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn tokens_and_quoted_strings() {
        check("x", &[]);
        check("x;", &[]);
        check("x; a=1;b = 2 ; c=\"3;4\"", &[("a", "1"), ("b", "2"), ("c", "3;4")]);
        check("x; flag; a=1", &[("a", "1")]);
        check("x; \"a=1\"; b=2", &[("b", "2")]);
        check("x; a=\"\"; b=", &[("a", ""), ("b", "")]);
        check("x; a=\"1\" junk=2; b=3", &[("a", "1"), ("b", "3")]);
        check("x; a=b=c", &[("a", "b=c")]);
    }

    #[test]
    fn a_backslash_escapes_only_quote_and_backslash() {
        check(r#"x; a="C:\dir\x.txt"; b=1"#, &[("a", r"C:\dir\x.txt"), ("b", "1")]);
        check(r#"x; a="say \"hi\".txt"; b=1"#, &[("a", r#"say "hi".txt"#), ("b", "1")]);
        check(r#"x; a="C:\\dir\\x""#, &[("a", r"C:\dir\x")]);
        check(r#"x; a="\\"; b=1"#, &[("a", r"\"), ("b", "1")]);
        check(r#"x; a="\"";b=1"#, &[("a", r#"""#), ("b", "1")]);
        check(r#"x; a="open; b=1"#, &[("a", "open; b=1")]);
        check(r#"x; a="open\"#, &[("a", r"open\")]);
    }
}

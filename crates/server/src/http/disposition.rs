//! How a content is announced: its `Content-Type` and its `Content-Disposition`. People upload what
//! they like and others open it on this origin, so a browser must get nothing that it would run.

use std::borrow::Cow;
use std::fmt::Write;

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a client is told to do with a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Save it.
    Attachment,
    /// Show it, if it can.
    Inline,
}

/// The media type that a name suggests, and whether a browser may show such a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// The value of `Content-Type`.
    pub media_type: &'static str,
    /// Whether [`Disposition::Inline`] is safe.
    pub may_inline: bool,
}

/// All types that are ever announced to be shown. None of them runs a script of this origin.
const INLINE: [&str; 16] = [
    "application/pdf",
    "audio/aac",
    "audio/flac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/webm",
];

/// All other types that are announced by their name, to be saved.
const ATTACHMENT: [&str; 10] = [
    "application/gzip",
    "application/json",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/x-7z-compressed",
    "application/x-tar",
    "application/zip",
    "image/tiff",
    "text/csv",
];

/// RFC 8187 section 3.2.1: what stands for itself in an extended value.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The media type for a file name, by its extension.
///
/// The two lists above are all there is: whatever else a browser might know, HTML, SVG, XML and
/// scripts among it, is `application/octet-stream`.
pub fn content_type(name: &str) -> ContentType {
    let guess = mime_guess::from_path(name).first_raw().unwrap_or_default();
    if guess == "text/plain" {
        return ContentType { media_type: "text/plain; charset=utf-8", may_inline: true };
    }
    if INLINE.contains(&guess) {
        ContentType { media_type: guess, may_inline: true }
    } else if ATTACHMENT.contains(&guess) {
        ContentType { media_type: guess, may_inline: false }
    } else {
        ContentType { media_type: "application/octet-stream", may_inline: false }
    }
}

/// The value of `Content-Disposition` for any name (RFC 6266): `filename` in plain ASCII, which
/// every client reads, and `filename*` (RFC 8187) with the exact name where the two differ.
///
/// No name ends the quoted string or the header.
pub fn content_disposition(disposition: Disposition, name: &str) -> HeaderValue {
    let fallback = ascii_fallback(name);
    let kind = match disposition {
        Disposition::Attachment => "attachment",
        Disposition::Inline => "inline",
    };
    let mut value = [kind, "; filename=\"", &fallback, "\""].concat();
    if fallback != name {
        let encoded = utf8_percent_encode(name, NOT_ATTR_CHAR);
        write!(value, "; filename*=UTF-8''{encoded}").expect("a String takes all that is written");
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(value))
        .expect("the fallback and the percent encoding are visible ASCII and spaces")
}

/// The name with `_` for each character that a quoted string cannot hold, or that clients are known
/// to take for the beginning of an escape (RFC 6266 appendix D): a backslash, and `%` before two
/// hexadecimal digits.
fn ascii_fallback(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'%'))
    {
        return Cow::Borrowed(name);
    }
    let escapes = |rest: &str| {
        let digits = rest.as_bytes().get(1..3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    name.char_indices()
        .map(|(at, char)| match char {
            '"' | '\\' => '_',
            '%' if escapes(&name[at..]) => '_',
            ' '..='~' => char,
            _ => '_',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::http::multipart::PartHead;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        let value = content_disposition(Disposition::Attachment, name);
        assert_eq!(value.to_str().unwrap(), format!("attachment; {expected}"));
    }

    #[test]
    fn plain_names_need_no_second_form() {
        check("a.txt", r#"filename="a.txt""#);
        check("a b; c='d'.txt", r#"filename="a b; c='d'.txt""#);
        check("100% of it.txt", r#"filename="100% of it.txt""#);
        check("", r#"filename="""#);
        let inline = content_disposition(Disposition::Inline, "a.txt");
        assert_eq!(inline, r#"inline; filename="a.txt""#);
    }

    #[test]
    fn other_names_come_in_both() {
        check("résumé.pdf", r#"filename="r_sum_.pdf"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf"#);
        check(r#"a"b\c"#, r#"filename="a_b_c"; filename*=UTF-8''a%22b%5Cc"#);
        check("a%20b", r#"filename="a_20b"; filename*=UTF-8''a%2520b"#);
        check("a'(é)*", r#"filename="a'(_)*"; filename*=UTF-8''a%27%28%C3%A9%29%2A"#);
        check("a\r\nX: 1", r#"filename="a__X: 1"; filename*=UTF-8''a%0D%0AX%3A%201"#);
        check("\u{7f}\0", r#"filename="__"; filename*=UTF-8''%7F%00"#);
    }

    #[test]
    fn types_are_of_the_short_lists() {
        #[track_caller]
        fn check(name: &str, media_type: &str, may_inline: bool) {
            let found = content_type(name);
            assert_eq!((found.media_type, found.may_inline), (media_type, may_inline), "{name}");
        }
        check("a.txt", "text/plain; charset=utf-8", true);
        check("a.LOG", "text/plain; charset=utf-8", true);
        check("a.PNG", "image/png", true);
        check("a.jpg", "image/jpeg", true);
        check("a.pdf", "application/pdf", true);
        check("a.mp4", "video/mp4", true);
        check("a.zip", "application/zip", false);
        check("a.html.csv", "text/csv", false);
    }

    #[test]
    fn every_listed_type_has_an_extension() {
        let mut found: Vec<_> = [
            "pdf", "aac", "flac", "mp3", "ogg", "wav", "avif", "bmp", "gif", "jpeg", "png", "webp",
            "txt", "mp4", "ogv", "webm", "gz", "json", "pptx", "xlsx", "docx", "7z", "tar", "zip",
            "tiff", "csv",
        ]
        .map(|extension| mime_guess::from_ext(extension).first_raw().unwrap())
        .into();
        let mut listed = [&INLINE[..], &ATTACHMENT].concat();
        found.sort_unstable();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }

    #[test]
    fn nothing_that_a_browser_runs_is_named() {
        for extension in [
            "html", "htm", "HTML", "xhtml", "shtml", "svg", "svgz", "xml", "xsl", "xslt", "js",
            "mjs", "css", "mht", "mhtml", "swf", "wasm", "jar", "hta", "appcache", "rss", "vtt",
            "eml", "exe", "unknown", "html ", "html.",
        ] {
            let octets = ContentType { media_type: "application/octet-stream", may_inline: false };
            assert_eq!(content_type(&format!("a.{extension}")), octets, "{extension}");
        }
        assert!(!content_type("html").may_inline);
        assert!(!content_type("").may_inline);
    }

    proptest! {
        #[test]
        fn any_name_survives_and_nothing_else_does(name in "(\\PC|[\\x00-\\x7f]|[\"\\\\%;=]){0,30}") {
            let value = content_disposition(Disposition::Attachment, &name);
            prop_assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)));
            // What we parse of others' headers is what we write in ours.
            let line = [b"Content-Disposition:", value.as_bytes(), b"\r\n"].concat();
            let head = PartHead::parse(Bytes::from(line), 1).unwrap();
            prop_assert_eq!(head.file_name(), Some(Ok(name)));
            prop_assert_eq!(head.name(), None);
        }
    }
}

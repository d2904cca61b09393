//! The head of one part: its headers as they came, and the names that they carry. A name is decoded
//! and nothing more; whether it is a good name, and its base name, is for the domain to say.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::{memchr, memmem};
use percent_encoding::percent_decode;

use super::SyntaxError;
use super::params::params;

/// The headers of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// Every line with its CRLF; checked to hold header lines only.
    lines: Bytes,
}

/// A name that is no text: not UTF-8, or an extended value of no known form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

impl PartHead {
    /// Takes header lines, each ended by CRLF, without the empty line behind them.
    ///
    /// Folded lines are refused, as RFC 9112 section 5.2 permits: no client of ours sends them.
    pub fn parse(lines: Bytes, lines_max: usize) -> Result<Self, SyntaxError> {
        for (index, line) in split(&lines).enumerate() {
            if index == lines_max {
                return Err(SyntaxError::TooManyHeaders);
            }
            let is_header = memchr(b':', line).is_some_and(|colon| colon > 0)
                && !line[0].is_ascii_whitespace()
                && !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
            if !is_header {
                return Err(SyntaxError::MalformedHead);
            }
        }
        Ok(Self { lines })
    }

    /// The value of a header, as it came; of several lines of that name, the last.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        split(&self.lines).filter_map(|line| field(line, name)).last()
    }

    /// The value of `Content-Type`, as it came: not every client means a media type by it.
    pub fn content_type_raw(&self) -> Option<&[u8]> {
        self.header("content-type")
    }

    /// The name of the form's field.
    pub fn name(&self) -> Option<Result<String, BadName>> {
        self.text("name", "name*")
    }

    /// The file name, in whichever way the client wrote it: `filename*` (RFC 8187) before
    /// `filename`, raw UTF-8 or with the percent escapes of the WHATWG form encoding.
    ///
    /// It may hold separators, a whole path, and control characters.
    pub fn file_name(&self) -> Option<Result<String, BadName>> {
        self.text("filename", "filename*")
    }

    fn text(&self, plain_name: &str, extended_name: &str) -> Option<Result<String, BadName>> {
        let disposition = self.header("content-disposition")?;
        let (mut plain, mut extended) = (None, None);
        for param in params(disposition) {
            if param.is(plain_name) {
                plain = Some(param.value);
            } else if param.is(extended_name) {
                extended = Some(param.value);
            }
        }
        let extended = extended.map(|value| decode_extended(&value));
        match (extended, plain) {
            (Some(Ok(text)), _) => Some(Ok(text)),
            // RFC 6266 section 4.3: an extended value that cannot be read yields to the plain one.
            (_, Some(value)) => Some(decode_plain(&value)),
            (bad, None) => bad,
        }
    }
}

fn split(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let end = memmem::find(rest, b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        Some(line)
    })
}

fn field<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let colon = memchr(b':', line)?;
    let (key, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
    key.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
}

/// Undoes the escapes of the form encoding, which are these three and no others: a `%41` in a file
/// name is the name's own.
fn decode_plain(value: &[u8]) -> Result<String, BadName> {
    let text = str::from_utf8(value).map_err(|_| BadName)?;
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let text = text.replace("%22", "\"");
    let text = text.replace("%0D", "\r").replace("%0d", "\r");
    Ok(text.replace("%0A", "\n").replace("%0a", "\n"))
}

/// Decodes `charset'language'percent-encoded` (RFC 8187 section 3.2).
fn decode_extended(value: &[u8]) -> Result<String, BadName> {
    let mut fields = value.splitn(3, |&byte| byte == b'\'');
    let (Some(charset), Some(_language), Some(encoded)) =
        (fields.next(), fields.next(), fields.next())
    else {
        return Err(BadName);
    };
    let bytes: Cow<'_, [u8]> = percent_decode(encoded).into();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(bytes.into_owned()).map_err(|_| BadName)
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        // Latin-1 is the first 256 code points, byte for byte.
        Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
    } else {
        Err(BadName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[u8]) -> Result<PartHead, SyntaxError> {
        PartHead::parse(Bytes::copy_from_slice(lines), 3)
    }

    #[track_caller]
    fn check(parameters: &[u8], expected: Option<Result<&str, BadName>>) {
        let line = [b"content-disposition: form-data; name=\"file\"", parameters, b"\r\n"].concat();
        let expected = expected.map(|name| name.map(str::to_owned));
        let shown = String::from_utf8_lossy(parameters);
        assert_eq!(head(&line).unwrap().file_name(), expected, "{shown}");
        assert_eq!(head(&line).unwrap().name(), Some(Ok("file".to_owned())), "{shown}");
    }

    #[test]
    fn file_names_in_every_spelling() {
        check(b"", None);
        check(br#"; filename="a.txt""#, Some(Ok("a.txt")));
        check(br#"; filename=a.txt"#, Some(Ok("a.txt")));
        check(br#"; FileName="""#, Some(Ok("")));
        check(br#"; filename="/full/local/path.txt""#, Some(Ok("/full/local/path.txt")));
        check(br#"; filename="C:\dir\x""#, Some(Ok(r"C:\dir\x")));
        check(br#"; filename="say \"hi\"\\.txt""#, Some(Ok(r#"say "hi"\.txt"#)));
        check(br#"; filename="say %22hi%22%0D%0a.txt""#, Some(Ok("say \"hi\"\r\n.txt")));
        check(br#"; filename="100%25 %41.txt""#, Some(Ok("100%25 %41.txt")));
        check("; filename=\"résumé;.pdf\"".as_bytes(), Some(Ok("résumé;.pdf")));
        check(b"; filename=\"r\xe9sum\xe9.pdf\"", Some(Err(BadName)));
        check(br#"; filename="a"; filename="b""#, Some(Ok("b")));
    }

    #[test]
    fn extended_file_names_win_when_they_can_be_read() {
        check(b"; filename*=utf-8''r%C3%A9sultat.txt", Some(Ok("résultat.txt")));
        check(b"; filename*=UTF-8'fr'r%c3%a9sultat.txt", Some(Ok("résultat.txt")));
        check(b"; filename*=\"utf-8''a%27b%3B\"", Some(Ok("a'b;")));
        check(b"; filename*=ISO-8859-1''%A3%20rates", Some(Ok("£ rates")));
        check(b"; filename=\"a\"; filename*=utf-8''b", Some(Ok("b")));
        check(b"; filename*=utf-8''b; filename=\"a\"", Some(Ok("b")));
        check(b"; filename*=utf-8''%E9; filename=\"a\"", Some(Ok("a")));
        check(b"; filename*=koi8-r''b; filename=\"a\"", Some(Ok("a")));
        check(b"; filename*=utf-8''%E9", Some(Err(BadName)));
        check(b"; filename*=koi8-r''b", Some(Err(BadName)));
        check(b"; filename*=b", Some(Err(BadName)));
    }

    #[test]
    fn headers_are_found_in_any_case_and_kept_raw() {
        let head = head(b"Content-Type:  {'type_id': 1} \r\nX: 1\r\nx: 2\r\n").unwrap();
        assert_eq!(head.content_type_raw(), Some(&b"{'type_id': 1}"[..]));
        assert_eq!(head.header("X"), Some(&b"2"[..]));
        assert_eq!((head.name(), head.file_name()), (None, None));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert_eq!(head(b"").unwrap().content_type_raw(), None);
        assert!(head(b"a:1\r\nb:2\r\nc:3\r\n").is_ok());
        assert_eq!(head(b"a:1\r\nb:2\r\nc:3\r\nd:4\r\n"), Err(SyntaxError::TooManyHeaders));
        for bad in
            [&b"a\r\n"[..], b":1\r\n", b"a:1\r\n folded: 1\r\n", b"a:1\nb:2\r\n", b"a:\0\r\n"]
        {
            assert_eq!(head(bad), Err(SyntaxError::MalformedHead), "{bad:?}");
        }
    }
}

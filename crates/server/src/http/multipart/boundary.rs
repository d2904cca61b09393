//! The boundary that a `Content-Type` announces, and why there may be none.

use std::fmt;

use bytes::Bytes;

use super::params::params;

const MEDIA_TYPE: &[u8] = b"multipart/form-data";
const LEN_MAX: usize = 70;

/// The string that separates the parts of one body: 1 to 70 characters of RFC 2046 section 5.1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    delimiter: Bytes,
}

/// Why a `Content-Type` names no usable boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundaryError {
    /// The media type is another one.
    NotMultipart,
    /// The media type is `multipart/form-data`, without a `boundary` parameter.
    Missing,
    /// The boundary is empty, too long, or has characters that no boundary may have.
    Malformed,
}

impl Boundary {
    /// Reads the value of a `Content-Type` header.
    ///
    /// The last of several `boundary` parameters counts: curl appends its own to whatever header
    /// its user set by hand, and separates the parts with that one.
    pub fn from_content_type(value: &[u8]) -> Result<Self, BoundaryError> {
        let media_type = value.split(|&byte| byte == b';').next().unwrap_or_default();
        if !media_type.trim_ascii().eq_ignore_ascii_case(MEDIA_TYPE) {
            return Err(BoundaryError::NotMultipart);
        }
        let last = params(value).filter(|param| param.is("boundary")).last();
        Self::parse(&last.ok_or(BoundaryError::Missing)?.value)
    }

    /// CRLF, two hyphens and the boundary. CR stands at its start and nowhere else.
    pub(super) fn delimiter(&self) -> &Bytes {
        &self.delimiter
    }

    fn parse(boundary: &[u8]) -> Result<Self, BoundaryError> {
        let ends_well = boundary.last().is_some_and(|&byte| byte != b' ');
        if !ends_well || boundary.len() > LEN_MAX || !boundary.iter().all(is_boundary_char) {
            return Err(BoundaryError::Malformed);
        }
        Ok(Self { delimiter: [b"\r\n--", boundary].concat().into() })
    }
}

fn is_boundary_char(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte)
}

impl fmt::Display for BoundaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotMultipart => "The content type is not multipart/form-data.",
            Self::Missing => "The multipart content type has no boundary.",
            Self::Malformed => "The boundary of the multipart content type is malformed.",
        })
    }
}

impl std::error::Error for BoundaryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: &str, expected: Result<&str, BoundaryError>) {
        let boundary = Boundary::from_content_type(content_type.as_bytes());
        let expected = expected.map(|text| Bytes::from(format!("\r\n--{text}")));
        assert_eq!(boundary.map(|b| b.delimiter), expected, "{content_type}");
    }

    #[test]
    fn boundaries_are_read_in_every_spelling() {
        check("multipart/form-data; boundary=abc", Ok("abc"));
        check("multipart/form-data;boundary=abc", Ok("abc"));
        check("Multipart/Form-Data ; charset=utf-8 ; BOUNDARY = abc ", Ok("abc"));
        check("multipart/form-data; boundary=\"a b?\"", Ok("a b?"));
        check("multipart/form-data; boundary=----=_Part_7", Ok("----=_Part_7"));
        check("multipart/form-data; x=\";boundary=no\"; boundary=yes", Ok("yes"));
        check("multipart/form-data; boundary=byhand; boundary=curls", Ok("curls"));
        let longest = "x".repeat(70);
        check(&format!("multipart/form-data; boundary={longest}"), Ok(&longest));
    }

    #[test]
    fn each_absence_has_its_own_name() {
        use BoundaryError::{Malformed, Missing, NotMultipart};
        check("", Err(NotMultipart));
        check("application/json; boundary=abc", Err(NotMultipart));
        check("multipart/mixed; boundary=abc", Err(NotMultipart));
        check("multipart/form-data2; boundary=abc", Err(NotMultipart));
        check("multipart/form-data", Err(Missing));
        check("multipart/form-data; boundary", Err(Missing));
        check("multipart/form-data; x-boundary=abc", Err(Missing));
        check("multipart/form-data; boundary=", Err(Malformed));
        check("multipart/form-data; boundary=\"a \"", Err(Malformed));
        check("multipart/form-data; boundary=\"a\r\nb\"", Err(Malformed));
        check("multipart/form-data; boundary=é", Err(Malformed));
        check(&format!("multipart/form-data; boundary={}", "x".repeat(71)), Err(Malformed));
    }
}

//! The `Authorization` header (RFC 9110 section 11.6.2), read and not judged: whether what it shows is
//! good, and what a dialect calls a bad one, is for others to say.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// What a request shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// `Token KEY` or `Bearer KEY`.
    Token(&'a str),
    /// `Basic` (RFC 7617): a user and a password.
    Basic {
        /// The user, up to the first colon.
        user: String,
        /// The password, which may hold colons.
        password: String,
    },
}

/// Why a header shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is none, or it is of a scheme that is not known here.
    Missing,
    /// `Token` or `Bearer` without a key.
    NoKey,
    /// A key of several words.
    Spaces,
    /// A key that is no text.
    Characters,
    /// `Basic` without base64 of a user, a colon and a password.
    BadBasic,
}

/// Clients leave the padding out, or the last bits set.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What tokens begin with: clients that know nothing but Basic can send one as the password.
pub(crate) const TOKEN_PREFIX: &str = "bindery_";

/// Whether the header shows a token, in whichever way.
pub(crate) fn shows_token(header: Option<&[u8]>) -> bool {
    match read(header) {
        Ok(Shown::Token(_)) => true,
        Ok(Shown::Basic { password, .. }) => password.starts_with(TOKEN_PREFIX),
        Err(_) => false,
    }
}

/// Reads the value of the header.
pub fn read(header: Option<&[u8]>) -> Result<Shown<'_>, Unreadable> {
    let mut words =
        header.unwrap_or_default().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let scheme = words.next().ok_or(Unreadable::Missing)?;
    let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
    if is(b"basic") {
        return words.next().and_then(basic).ok_or(Unreadable::BadBasic);
    }
    if !is(b"token") && !is(b"bearer") {
        return Err(Unreadable::Missing);
    }
    let token = words.next().ok_or(Unreadable::NoKey)?;
    if words.next().is_some() {
        return Err(Unreadable::Spaces);
    }
    std::str::from_utf8(token).map(Shown::Token).map_err(|_| Unreadable::Characters)
}

fn basic(encoded: &[u8]) -> Option<Shown<'static>> {
    let decoded = LENIENT.decode(encoded).ok()?;
    // Clients that do not send UTF-8 send Latin-1.
    let text = String::from_utf8(decoded)
        .unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect());
    let (user, password) = text.split_once(':')?;
    Some(Shown::Basic { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_one_word_of_text() {
        for (header, read_as) in [
            (None, Err(Unreadable::Missing)),
            (Some(&b""[..]), Err(Unreadable::Missing)),
            (Some(b"Digest x"), Err(Unreadable::Missing)),
            (Some(b"Token"), Err(Unreadable::NoKey)),
            (Some(b"Token a b"), Err(Unreadable::Spaces)),
            (Some(b"Token \xff"), Err(Unreadable::Characters)),
            (Some(b"tOKEN \t key "), Ok(Shown::Token("key"))),
            (Some(b"Bearer key"), Ok(Shown::Token("key"))),
            (Some(br"Token \<token\>"), Ok(Shown::Token(r"\<token\>"))),
        ] {
            assert_eq!(read(header), read_as, "{header:?}");
        }
    }

    #[test]
    fn basic_is_read_leniently() {
        let shown = |user: &str, password: &str| {
            Ok(Shown::Basic { user: user.into(), password: password.into() })
        };
        for (header, read_as) in [
            (&b"Basic ZGxld2lzOm5vdmVsbA=="[..], shown("dlewis", "novell")),
            (b"basic ZGxld2lzOm5vdmVsbA", shown("dlewis", "novell")),
            (b"Basic  dTphOmI=", shown("u", "a:b")),
            (b"Basic dTo=", shown("u", "")),
            (b"Basic w6k6eA==", shown("\u{e9}", "x")),
            (b"Basic 6Tp4", shown("\u{e9}", "x")),
            (b"Basic", Err(Unreadable::BadBasic)),
            (b"Basic dQ==", Err(Unreadable::BadBasic)),
            (b"Basic ?", Err(Unreadable::BadBasic)),
        ] {
            assert_eq!(read(Some(header)), read_as, "{header:?}");
        }
    }
}

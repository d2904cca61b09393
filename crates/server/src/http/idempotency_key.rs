//! The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): a name that a client gives to
//! a request, to be able to send it again when it got no answer.

use bindery_core::{Caller, Drive, Error, IdempotencyKey};
use http::HeaderMap;
use http::request::Parts;
use std::fmt;

/// The header's name.
const NAME: &str = "idempotency-key";

/// A header that holds no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Idempotency-Key must be one key of 1 to 255 visible ASCII characters.")
    }
}

/// The caller, with the key that a request gives. To what only reads, a key means nothing. Credentials come first:
/// whoever shows a key that is none is told so if these are good.
pub(crate) async fn keyed<P: From<Error>>(
    drive: &Drive,
    caller: Caller,
    parts: &Parts,
    malformed: fn(String) -> P,
) -> Result<Caller, P> {
    if parts.method.is_safe() {
        return Ok(caller);
    }
    match read(&parts.headers) {
        Ok(Some(key)) => Ok(caller.with_key(key)),
        Ok(None) => Ok(caller),
        Err(error) => {
            drive.identify(&caller).await?;
            Err(malformed(error.to_string()))
        }
    }
}

/// Reads the header: a string as the draft has it (RFC 9651 section 3.3.3), or bare, as most clients do.
pub fn read(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Malformed> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or(Malformed)?.trim();
    let text = match text.strip_prefix('"') {
        Some(rest) => unquote(rest).ok_or(Malformed)?,
        None => text.to_owned(),
    };
    IdempotencyKey::parse(&text).map(Some).ok_or(Malformed)
}

/// What stands in front of the closing quote, which is the end.
fn unquote(text: &str) -> Option<String> {
    let (mut unquoted, mut rest) = (String::new(), text.chars());
    loop {
        match rest.next()? {
            '"' => return rest.next().is_none().then_some(unquoted),
            '\\' => unquoted.push(rest.next().filter(|char| matches!(char, '"' | '\\'))?),
            char => unquoted.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read_all(values: &[&'static [u8]]) -> Result<Option<IdempotencyKey>, Malformed> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(NAME, HeaderValue::from_bytes(value).unwrap());
        }
        read(&headers)
    }

    #[test]
    fn a_key_is_read_bare_and_quoted() {
        let key = |text: &str| Ok(Some(IdempotencyKey::parse(text).unwrap()));
        assert_eq!(read_all(&[]), Ok(None));
        assert_eq!(read_all(&[b"8e03978e-40d5"]), key("8e03978e-40d5"));
        assert_eq!(read_all(&[b" \"8e03978e-40d5\" "]), key("8e03978e-40d5"));
        assert_eq!(read_all(&[br#""a\"b\\c""#]), key(r#"a"b\c"#));
        assert_eq!(read_all(&[b"a\"b"]), key("a\"b"));
        assert_eq!(read_all(&[&[b'k'; 255]]), key(&"k".repeat(255)));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let bad: [&[&'static [u8]]; 11] = [
            &[b""],
            &[b"\"\""],
            &[b"\"a"],
            &[b"\"a\"b"],
            &[b"\"a\"; b=1"],
            &[br#""a\n""#],
            &[b"a b"],
            &[b"\"a b\""],
            &[b"\xc3\xa9"],
            &[&[b'k'; 256]],
            &[b"a", b"a"],
        ];
        for values in bad {
            assert_eq!(read_all(values), Err(Malformed), "{values:?}");
        }
    }
}

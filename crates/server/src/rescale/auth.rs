//! `Authorization: Token KEY` or `Bearer KEY`. Reading the header is all that happens here: whether the
//! key is good, each operation finds out in its own transaction.

use super::error::Problem;
use crate::app::App;
use axum::extract::FromRequestParts;
use bindery_core::Caller;
use http::header::AUTHORIZATION;
use http::request::Parts;

/// What a request shows.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) caller: Caller,
}

impl FromRequestParts<App> for Credentials {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
        let token = read(header).map_err(Problem::Unauthenticated)?;
        Ok(Credentials { caller: Caller::with_token(token) })
    }
}

const MISSING: &str = "Authentication credentials were not provided.";
const ALONE: &str = "Invalid token header. No credentials provided.";
const SPACES: &str = "Invalid token header. Token string should not contain spaces.";
const CHARACTERS: &str =
    "Invalid token header. Token string should not contain invalid characters.";

fn read(header: Option<&[u8]>) -> Result<&str, &'static str> {
    let mut words =
        header.unwrap_or_default().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let scheme = words.next().ok_or(MISSING)?;
    if !scheme.eq_ignore_ascii_case(b"token") && !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(MISSING);
    }
    let token = words.next().ok_or(ALONE)?;
    if words.next().is_some() {
        return Err(SPACES);
    }
    std::str::from_utf8(token).map_err(|_| CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_as_the_platform_reads_it() {
        for (header, read_as) in [
            (None, Err(MISSING)),
            (Some(&b""[..]), Err(MISSING)),
            (Some(b"Basic dTpw"), Err(MISSING)),
            (Some(b"Token"), Err(ALONE)),
            (Some(b"Token a b"), Err(SPACES)),
            (Some(b"Token \xff"), Err(CHARACTERS)),
            (Some(b"tOKEN \t key "), Ok("key")),
            (Some(b"Bearer key"), Ok("key")),
            (Some(br"Token \<token\>"), Ok(r"\<token\>")),
        ] {
            assert_eq!(read(header), read_as, "{header:?}");
        }
    }
}

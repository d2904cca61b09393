//! `Authorization: Token KEY` or `Bearer KEY`. Reading the header is all that happens here: whether the
//! key is good, each operation finds out in its own transaction.

use super::error::Problem;
use crate::app::App;
use crate::http::authorization::{self, Shown, Unreadable};
use crate::http::idempotency_key::keyed;
use crate::site::peer;
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

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        app.drive.admit_from(peer(parts, &app.settings))?;
        let header = parts.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
        let token = read(header).map_err(Problem::Unauthenticated)?;
        let caller = Caller::with_token(token);
        app.drive.admit(&caller).await?;
        let caller = keyed(&app.drive, caller, parts, Problem::Parse).await?;
        Ok(Credentials { caller })
    }
}

const MISSING: &str = "Authentication credentials were not provided.";
const NO_KEY: &str = "Invalid token header. No credentials provided.";
const SPACES: &str = "Invalid token header. Token string should not contain spaces.";
const CHARACTERS: &str =
    "Invalid token header. Token string should not contain invalid characters.";

/// The key. This dialect knows no other scheme, and takes a header of one for none.
fn read(header: Option<&[u8]>) -> Result<&str, &'static str> {
    match authorization::read(header) {
        Ok(Shown::Token(token)) => Ok(token),
        Ok(Shown::Basic { .. }) | Err(Unreadable::Missing | Unreadable::BadBasic) => Err(MISSING),
        Err(Unreadable::NoKey) => Err(NO_KEY),
        Err(Unreadable::Spaces) => Err(SPACES),
        Err(Unreadable::Characters) => Err(CHARACTERS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_header_is_told_as_the_platform_tells_it() {
        for (header, read_as) in [
            (None, Err(MISSING)),
            (Some(&b"Basic dTpw"[..]), Err(MISSING)),
            (Some(b"Basic"), Err(MISSING)),
            (Some(b"Token"), Err(NO_KEY)),
            (Some(b"Token a b"), Err(SPACES)),
            (Some(b"Token \xff"), Err(CHARACTERS)),
            (Some(b"Bearer key"), Ok("key")),
        ] {
            assert_eq!(read(header), read_as, "{header:?}");
        }
    }
}

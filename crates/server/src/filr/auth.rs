//! Credentials: HTTP Basic with a password or with a token in its place, or a token header. Everything
//! but the public links asks for them before anything else is looked at.

use super::error::Problem;
use crate::app::App;
use crate::http::authorization::{self, Shown, TOKEN_PREFIX, Unreadable};
use bindery_core::Caller;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::net::IpAddr;

const MISSING: &str = "Sign in with a user name and a password, or with a token.";
const UNREADABLE: &str = "The Authorization header cannot be read.";

/// Who asks, by credentials that are good now.
pub(super) async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Caller, Problem> {
    let header = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let caller = match authorization::read(header) {
        Ok(Shown::Token(token)) => Caller::with_token(token),
        Ok(Shown::Basic { password, .. }) if password.starts_with(TOKEN_PREFIX) => {
            Caller::with_token(&password)
        }
        Ok(Shown::Basic { user, password }) => {
            return Ok(app.drive.sign_in(&user, &password, address).await?);
        }
        Err(Unreadable::Missing) => return Err(Problem::Unauthenticated(MISSING)),
        Err(_) => return Err(Problem::Unauthenticated(UNREADABLE)),
    };
    app.drive.identify(&caller).await?;
    Ok(caller)
}

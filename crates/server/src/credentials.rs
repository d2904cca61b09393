//! Signing in with what a request shows, where a password is as good as a token. What a refusal is called, whoever
//! asks says.

use crate::app::App;
use crate::http::authorization::{self, Shown, TOKEN_PREFIX, Unreadable};
use bindery_core::{Caller, Error};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::net::IpAddr;

/// Why a request has nobody behind it.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It shows no credentials.
    Missing,
    /// It shows some that cannot be read.
    Unreadable,
    /// They are not good, or cannot be looked up.
    Domain(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Domain(error)
    }
}

/// Who asks: HTTP Basic with a password or with a token in its place, or a token header. A password was verified;
/// whether a token is good, each operation finds out in its own transaction.
pub(crate) async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Caller, Refused> {
    let header = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    match authorization::read(header) {
        Ok(Shown::Token(token)) => Ok(Caller::with_token(token)),
        Ok(Shown::Basic { password, .. }) if password.starts_with(TOKEN_PREFIX) => {
            Ok(Caller::with_token(&password))
        }
        Ok(Shown::Basic { user, password }) => {
            Ok(app.drive.sign_in(&user, &password, address).await?)
        }
        Err(Unreadable::Missing) => Err(Refused::Missing),
        Err(_) => Err(Refused::Unreadable),
    }
}

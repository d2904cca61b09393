//! Credentials: everything but the public links asks for them, and whoever shows none that are good is told
//! that before anything else.

use super::error::Problem;
use crate::app::App;
use crate::credentials::{self, Refused};
use bindery_core::Caller;
use http::HeaderMap;
use std::net::IpAddr;

const MISSING: &str = "Sign in with a user name and a password, or with a token.";
const UNREADABLE: &str = "The Authorization header cannot be read.";

/// Who asks, by credentials that each operation finds good or not.
pub(super) async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Caller, Problem> {
    credentials::sign_in(app, headers, address).await.map_err(|refused| match refused {
        Refused::Missing => Problem::Unauthenticated(MISSING),
        Refused::Unreadable => Problem::Unauthenticated(UNREADABLE),
        Refused::Domain(error) => Problem::Domain(error),
    })
}

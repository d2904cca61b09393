//! The user who asks, and the users that one may share with.

use super::ask::Ask;
use super::error::Problem;
use super::lists::cut;
use super::place::AtUser;
use super::wire::{List, Me, User};
use crate::http::json::Json;

/// The most users that one keyword finds.
const FOUND_MAX: u64 = 10_000;

pub(super) async fn me(ask: Ask) -> Result<Json<Me>, Problem> {
    Ok(Json(ask.drive().account(&ask.caller).await?.into()))
}

pub(super) async fn show(ask: Ask, AtUser(id): AtUser) -> Result<Json<User>, Problem> {
    Ok(Json(ask.drive().user_by_id(&ask.caller, id).await?.into()))
}

pub(super) async fn list(ask: Ask) -> Result<Json<List<User>>, Problem> {
    let keyword = ask.query.get("keyword").unwrap_or_default();
    let found = ask.drive().principals(&ask.caller, keyword, FOUND_MAX).await?;
    Ok(Json(cut(&ask, found.into_iter().map(User::from).collect())))
}

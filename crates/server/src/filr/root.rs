//! Where a client begins: the links of the root, and what it may want to know of this server.

use super::ask::Ask;
use super::error::Problem;
use super::wire::{Link, Links, List, ReleaseInfo, ZoneConfig};
use crate::http::json::Json;
use bindery_core::{Error, NAME_MAX};

/// What the root leads to; each is a path of its own name.
const ROOTS: [&str; 13] = [
    "self",
    "folders",
    "files",
    "folder_entries",
    "shares",
    "principals",
    "users",
    "groups",
    "net_folders",
    "release_info",
    "zone_config",
    "library_entities",
    "recent_activity",
];
/// The revision of the interface, which clients compare with what they need.
const REVISION: u32 = 20;
/// The longest part of a list.
const LIST_COUNT_MAX: u64 = 10_000;

pub(super) async fn root(ask: Ask) -> Result<Json<Links>, Problem> {
    let link = |rel| Link::new(rel, format!("/{rel}"));
    let mut links: Vec<Link> = ROOTS.map(link).into();
    if ask.signed_in().await?.admin {
        links.push(link("admin"));
    }
    Ok(Json(Links { links }))
}

/// Administration is done at the server's own command line; from here one can look at the users.
pub(super) async fn admin(ask: Ask) -> Result<Json<Links>, Problem> {
    if !ask.signed_in().await?.admin {
        return Err(Error::Forbidden.into());
    }
    Ok(Json(Links { links: vec![Link::new("users", "/users")] }))
}

pub(super) async fn release_info(ask: Ask) -> Result<Json<ReleaseInfo>, Problem> {
    ask.signed_in().await?;
    Ok(Json(ReleaseInfo {
        product_name: "Bindery",
        product_version: env!("CARGO_PKG_VERSION"),
        rest_api_revision: REVISION,
    }))
}

pub(super) async fn zone_config(ask: Ask) -> Result<Json<ZoneConfig>, Problem> {
    ask.signed_in().await?;
    Ok(Json(ZoneConfig { id: 1, name_length_max: NAME_MAX, list_count_max: LIST_COUNT_MAX }))
}

/// There are no groups, and there is no storage mounted beside personal storage.
pub(super) async fn nothing(ask: Ask) -> Result<Json<List<()>>, Problem> {
    ask.signed_in().await?;
    Ok(Json(List::whole(Vec::new())))
}

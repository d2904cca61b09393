//! Shares as this dialect shows them.

use super::super::{dates, href};
use super::{EntityRef, Link, Numbered};
use crate::site::Site;
use bindery_core::{Recipient, Role, Share, SharedNode, Sharing, Time};
use serde::Serialize;

const DAY_MICROSECONDS: i64 = 86_400_000_000;

/// A share.
#[derive(Debug, Serialize)]
pub(in super::super) struct ShareObject {
    id: i64,
    href: String,
    comment: String,
    shared_entity: EntityRef,
    sharer: Numbered,
    recipient: RecipientObject,
    sharing_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_to_expire: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    access: Access,
    #[serde(skip_serializing_if = "Option::is_none")]
    permalinks: Option<[Link; 2]>,
}

#[derive(Debug, Serialize)]
struct RecipientObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

/// What may be done, and with whom it may be shared.
#[derive(Debug, Serialize)]
pub(in super::super) struct Access {
    role: &'static str,
    sharing: SharingObject,
}

#[derive(Debug, Serialize)]
struct SharingObject {
    internal: bool,
    external: bool,
    public: bool,
    public_link: bool,
    grant_reshare: bool,
}

impl Access {
    pub(in super::super) fn new(role: Role, sharing: Sharing) -> Self {
        let Sharing { internal, external, public, public_link, grant_reshare } = sharing;
        let sharing = SharingObject { internal, external, public, public_link, grant_reshare };
        Access { role: role_name(role), sharing }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "VIEWER",
        Role::Editor => "EDITOR",
        Role::Contributor => "CONTRIBUTOR",
    }
}

/// Reads a role, in any case.
pub(in super::super) fn role(text: &str) -> Option<Role> {
    let roles = [Role::Viewer, Role::Editor, Role::Contributor];
    roles.into_iter().find(|role| role_name(*role).eq_ignore_ascii_case(text.trim()))
}

impl ShareObject {
    /// Days are those that are left.
    pub(in super::super) fn new(share: &Share, site: &Site, now: Time) -> Self {
        let days = |expires: Time| {
            let left = expires.0.saturating_sub(now.0).max(0);
            left.saturating_add(DAY_MICROSECONDS - 1).div_euclid(DAY_MICROSECONDS)
        };
        ShareObject {
            id: share.id.0,
            href: href::share(share.id),
            comment: share.comment.clone(),
            shared_entity: entity(share.node),
            sharer: Numbered::user(share.sharer),
            recipient: recipient(&share.recipient),
            sharing_date: dates::text(share.created),
            days_to_expire: share.expires.map(days),
            expiration: share.expires.map(dates::text),
            access: Access::new(share.role, share.sharing),
            permalinks: share.link.as_deref().map(|secret| permalinks(secret, &share.name, site)),
        }
    }
}

fn entity(node: SharedNode) -> EntityRef {
    match node {
        SharedNode::File(id, _) => {
            EntityRef { id: id.0, kind: "folderEntry", href: href::entry(id) }
        }
        SharedNode::Folder(id) => EntityRef { id: id.0, kind: "folder", href: href::folder(id) },
    }
}

fn recipient(recipient: &Recipient) -> RecipientObject {
    let bare = |kind| RecipientObject { id: None, kind, href: None, email: None };
    match recipient {
        Recipient::User { id, email } => RecipientObject {
            id: Some(id.0),
            href: Some(href::user(*id)),
            email: Some(email.to_lowercase()),
            ..bare("user")
        },
        Recipient::External { email, .. } => {
            RecipientObject { email: Some(email.to_lowercase()), ..bare("external_user") }
        }
        Recipient::Everyone => bare("public"),
        Recipient::Link => bare("public_link"),
    }
}

/// Clients download from the first one, and show people the second.
fn permalinks(secret: &str, name: &str, site: &Site) -> [Link; 2] {
    let here = format!("/links/{secret}");
    [
        Link::new("download", href::named(site, &here, name)),
        Link::new("view", href::full(site, &here)),
    ]
}

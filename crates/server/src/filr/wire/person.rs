//! Users as this dialect shows them.

use super::super::href;
use super::{Link, Numbered};
use bindery_core::Account;
use serde::Serialize;

/// A user, as every other one may see it.
#[derive(Debug, Serialize)]
pub(in super::super) struct User {
    id: i64,
    title: String,
    name: String,
    email: String,
    first_name: String,
    last_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<Numbered>,
    href: String,
    links: Vec<Link>,
    doc_type: &'static str,
    entity_type: &'static str,
}

/// The user who asks.
#[derive(Debug, Serialize)]
pub(in super::super) struct Me {
    #[serde(flatten)]
    user: User,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_quota: Option<u64>,
    disk_space_used: u64,
}

impl From<bindery_core::User> for User {
    fn from(user: bindery_core::User) -> Self {
        let words = user.name.trim().rsplit_once(char::is_whitespace);
        let (first, last) = words.unwrap_or(("", user.name.trim()));
        User {
            id: user.id.0,
            first_name: first.trim_end().to_owned(),
            last_name: last.to_owned(),
            title: user.name,
            name: user.login,
            email: user.email,
            workspace: None,
            href: href::user(user.id),
            links: Vec::new(),
            doc_type: "user",
            entity_type: "user",
        }
    }
}

impl From<Account> for Me {
    fn from(account: Account) -> Self {
        let roots =
            ["roots", "my_files", "net_folders", "shared_with_me", "shared_by_me", "public_shares"];
        Me {
            user: User {
                workspace: Some(Numbered::workspace(account.home)),
                links: roots.map(|rel| Link::new(rel, format!("/self/{rel}"))).into(),
                ..account.user.into()
            },
            disk_quota: account.quota,
            disk_space_used: account.bytes,
        }
    }
}

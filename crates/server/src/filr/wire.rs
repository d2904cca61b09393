//! What goes over the wire: objects with the document's fields, in its order. What is not known is left
//! out, and never `null`.

mod binder;
mod file;
mod person;
mod share;

pub(super) use binder::{Binder, LibraryInfo, Tree};
pub(super) use file::{FileProperties, FolderEntry, VersionProperties};
pub(super) use person::{Me, User};
pub(super) use share::{Access, ShareObject, role};

use super::dates;
use super::href;
use super::place::{HOME, View};
use bindery_core::{Above, FolderId, Stamp, UserId};
use serde::Serialize;

/// A relation and where it leads, relative to the base.
#[derive(Debug, Serialize)]
pub(super) struct Link {
    pub(super) rel: &'static str,
    pub(super) href: String,
}

impl Link {
    pub(super) fn new(rel: &'static str, href: impl Into<String>) -> Self {
        Link { rel, href: href.into() }
    }
}

/// Something with a number, and where it is.
#[derive(Debug, Serialize)]
pub(super) struct Numbered {
    id: i64,
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl Numbered {
    pub(super) fn user(id: UserId) -> Self {
        Numbered { id: id.0, href: href::user(id), path: None }
    }

    pub(super) fn workspace(id: FolderId) -> Self {
        Numbered { id: id.0, href: href::workspace(id), path: None }
    }

    /// What something lies in.
    pub(super) fn above(above: Above, path: Option<String>) -> Option<Self> {
        let (id, href) = match above {
            Above::Home => (HOME, href::HOME.to_owned()),
            Above::Folder(id) => (id.0, format!("/binders/{id}")),
            Above::Shared => (View::SharedWithMe.id(), href::view(View::SharedWithMe)),
            Above::Nothing => return None,
        };
        Some(Numbered { id, href, path })
    }
}

/// Something with a number and a kind.
#[derive(Debug, Serialize)]
pub(super) struct EntityRef {
    pub(super) id: i64,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) href: String,
}

/// Who did something, and when.
#[derive(Debug, Serialize)]
pub(super) struct Stamped {
    principal: Numbered,
    date: String,
}

impl From<Stamp> for Stamped {
    fn from(stamp: Stamp) -> Self {
        Stamped { principal: Numbered::user(stamp.by), date: dates::text(stamp.at) }
    }
}

/// A part of a list.
#[derive(Debug, Serialize)]
pub(super) struct List<T> {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    pub(super) items: Vec<T>,
}

impl<T> List<T> {
    /// All that there is.
    pub(super) fn whole(items: Vec<T>) -> Self {
        let count = items.len() as u64;
        List { first: 0, count, total: count, next: None, items }
    }
}

/// A child of a folder, or what a search finds.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Item {
    Binder(Binder),
    File(FileProperties),
}

/// Where to go from here.
#[derive(Debug, Serialize)]
pub(super) struct Links {
    pub(super) links: Vec<Link>,
}

/// What went wrong.
#[derive(Debug, Serialize)]
pub(super) struct ErrorInfo {
    pub(super) code: &'static str,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<ErrorData>,
}

/// What is in the way.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ErrorData {
    Entry(Box<Item>),
    Quota { used: u64, quota: u64 },
}

/// What happened in a folder's tree.
#[derive(Debug, Serialize)]
pub(super) struct ChangeList {
    pub(super) items: Vec<ChangeItem>,
    pub(super) last_change_date: String,
}

/// One thing that happened.
#[derive(Debug, Serialize)]
pub(super) struct ChangeItem {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) action: &'static str,
    pub(super) date: String,
    pub(super) id: ChangedId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<FileProperties>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<Binder>,
}

/// A folder's number, or a file's digits.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ChangedId {
    Folder(i64),
    File(String),
}

/// Which program answers, and which interface it speaks.
#[derive(Debug, Serialize)]
pub(super) struct ReleaseInfo {
    pub(super) product_name: &'static str,
    pub(super) product_version: &'static str,
    pub(super) rest_api_revision: u32,
}

/// What holds for all users.
#[derive(Debug, Serialize)]
pub(super) struct ZoneConfig {
    pub(super) id: i64,
    pub(super) name_length_max: usize,
    pub(super) list_count_max: u64,
}

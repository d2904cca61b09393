//! Where things are, relative to the base; and, where a client follows a link as it stands, in full. What a
//! list says of each of its files is joined and not formatted, which takes several times as long.

use super::BASE;
use super::place::View;
use crate::site::Site;
use bindery_core::{FileHex, FileId, FolderId, ShareId, UserId, VersionId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;

pub(super) const HOME: &str = "/self/my_files";

/// RFC 3986 section 2.3: what stands for itself anywhere.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn file(id: FileHex) -> String {
    ["/files/", &id.to_string()].concat()
}

pub(super) fn entry(id: FileId) -> String {
    format!("/folder_entries/{id}")
}

pub(super) fn version(id: VersionId) -> String {
    format!("/file_versions/{id}")
}

pub(super) fn folder(id: FolderId) -> String {
    format!("/folders/{id}")
}

pub(super) fn workspace(id: FolderId) -> String {
    format!("/workspaces/{id}")
}

pub(super) fn view(view: View) -> String {
    format!("/self/{}", view.word())
}

pub(super) fn user(id: UserId) -> String {
    format!("/users/{id}")
}

pub(super) fn share(id: ShareId) -> String {
    format!("/shares/{id}")
}

/// A resource in full.
pub(super) fn full(site: &Site, href: &str) -> String {
    [&site.0, BASE, href].concat()
}

/// Something that is downloaded: its last segment is what it is called.
pub(super) fn named(site: &Site, href: &str, name: &str) -> String {
    let name = Cow::from(utf8_percent_encode(name, RESERVED));
    [&site.0, BASE, href, "/", &name].concat()
}

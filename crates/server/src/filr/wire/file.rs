//! Files as this dialect shows them: a file, its versions, and the entry that holds it.

use super::super::href;
use super::{EntityRef, Link, Numbered, Stamped};
use crate::http::hex;
use crate::site::Site;
use bindery_core::{File, FileId, Seen, Stamp, Version};
use serde::Serialize;

/// A file.
#[derive(Debug, Serialize)]
pub(in super::super) struct FileProperties {
    id: String,
    creation: Stamped,
    modification: Stamped,
    length: u64,
    md5: String,
    name: String,
    href: String,
    links: Vec<Link>,
    doc_type: &'static str,
    version_number: u64,
    owning_entity: EntityRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_binder: Option<Numbered>,
    permalink: String,
    permalinks: [Link; 1],
}

impl FileProperties {
    /// `path` is that of the folder above, where a client asks for it.
    pub(in super::super) fn new(file: &Seen<File>, site: &Site, path: Option<String>) -> Self {
        let here = href::file(file.hex);
        let entry = href::entry(file.id);
        let content = href::named(site, &below(&here, "content"), &file.label);
        FileProperties {
            id: file.hex.to_string(),
            creation: file.created.into(),
            modification: file.modified.into(),
            length: file.size,
            md5: hex::encode(&file.md5),
            name: file.label.clone(),
            href: below(&here, "metadata"),
            links: links(&here, &entry),
            doc_type: "file",
            version_number: file.version,
            owning_entity: entity(file.id, entry),
            parent_binder: Numbered::above(file.above, path),
            permalink: content.clone(),
            // Clients download from the last one, and take the name from it.
            permalinks: [Link::new("content", content)],
        }
    }
}

fn entity(id: FileId, href: String) -> EntityRef {
    EntityRef { id: id.0, kind: "folderEntry", href }
}

fn below(href: &str, what: &str) -> String {
    [href, "/", what].concat()
}

fn links(here: &str, entry: &str) -> Vec<Link> {
    vec![
        Link::new("content", here),
        Link::new("ancestry", below(here, "ancestry")),
        Link::new("name", below(here, "name")),
        Link::new("parent_folder", below(here, "parent_folder")),
        Link::new("shares", below(entry, "shares")),
        Link::new("access", below(entry, "access")),
        Link::new("versions", below(here, "versions")),
        Link::new("current_version", below(here, "versions/current")),
    ]
}

/// A version of a file.
#[derive(Debug, Serialize)]
pub(in super::super) struct VersionProperties {
    id: String,
    creation: Stamped,
    modification: Stamped,
    length: u64,
    md5: String,
    name: String,
    href: String,
    links: Vec<Link>,
    doc_type: &'static str,
    version_number: u64,
    owning_entity: EntityRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_binder: Option<Numbered>,
}

impl VersionProperties {
    pub(in super::super) fn new(file: &Seen<File>, version: &Version) -> Self {
        let here = href::version(version.id);
        let changed = Stamp { at: version.modified, by: version.created.by };
        VersionProperties {
            id: version.id.to_string(),
            creation: version.created.into(),
            modification: changed.into(),
            length: version.size,
            md5: hex::encode(&version.md5),
            name: file.label.clone(),
            href: format!("{here}/metadata"),
            links: vec![
                Link::new("content", here),
                Link::new("current_version", format!("{}/versions/current", href::file(file.hex))),
            ],
            doc_type: "file",
            version_number: version.id.number,
            owning_entity: entity(file.id, href::entry(file.id)),
            parent_binder: Numbered::above(file.above, None),
        }
    }
}

/// The entry that a file is the only attachment of.
#[derive(Debug, Serialize)]
pub(in super::super) struct FolderEntry {
    id: i64,
    title: String,
    creation: Stamped,
    modification: Stamped,
    href: String,
    links: Vec<Link>,
    doc_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_binder: Option<Numbered>,
    entity_type: &'static str,
    permalink: String,
    attachments: [FileProperties; 1],
    primary_file: FileProperties,
}

impl FolderEntry {
    pub(in super::super) fn new(file: &Seen<File>, site: &Site) -> Self {
        let here = href::entry(file.id);
        let attachment = || FileProperties::new(file, site, None);
        FolderEntry {
            id: file.id.0,
            title: file.label.clone(),
            creation: file.created.into(),
            modification: file.modified.into(),
            permalink: href::full(site, &here),
            links: vec![
                Link::new("ancestry", format!("{here}/ancestry")),
                Link::new("shares", format!("{here}/shares")),
                Link::new("access", format!("{here}/access")),
            ],
            href: here,
            doc_type: "entry",
            parent_binder: Numbered::above(file.above, None),
            entity_type: "folderEntry",
            attachments: [attachment()],
            primary_file: attachment(),
        }
    }
}

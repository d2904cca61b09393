//! Folders as this dialect shows them: briefly, in full, and as a tree.

use super::super::href;
use super::super::place::{HOME, View};
use super::{Link, Numbered, Stamped};
use crate::site::Site;
use bindery_core::{Above, Folder, FolderId, Seen, TreeSums};
use serde::Serialize;

/// A folder, or a view that stands beside My Files.
#[derive(Debug, Serialize)]
pub(in super::super) struct Binder {
    id: i64,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation: Option<Stamped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modification: Option<Stamped>,
    library: bool,
    path: String,
    mirrored: bool,
    href: String,
    links: Vec<Link>,
    doc_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_binder: Option<Numbered>,
    entity_type: &'static str,
    permalink: String,
    home_dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    library_info: Option<LibraryInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachments: Option<[(); 0]>,
}

/// What a folder's tree holds, the folder itself aside.
#[derive(Debug, Serialize)]
pub(in super::super) struct LibraryInfo {
    file_count: u64,
    folder_count: u64,
    disk_space: u64,
}

impl From<TreeSums> for LibraryInfo {
    fn from(sums: TreeSums) -> Self {
        LibraryInfo {
            file_count: sums.files,
            folder_count: sums.folders.saturating_sub(1),
            disk_space: sums.bytes,
        }
    }
}

/// A folder's tree; the topmost folder itself is left out.
#[derive(Debug, Default, Serialize)]
pub(in super::super) struct Tree {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) item: Option<Binder>,
    pub(in super::super) children: Vec<Tree>,
}

/// What can be asked of every folder.
const LISTS: [(&str, &str); 8] = [
    ("child_library_folders", "library_folders"),
    ("child_library_files", "library_files"),
    ("library_children", "library_children"),
    ("child_library_entities", "library_entities"),
    ("child_library_tree", "library_tree"),
    ("library_changes", "library_changes"),
    ("library_info", "library_info"),
    ("recent_activity", "recent_activity"),
];

impl Binder {
    /// A folder. `paths` are that of the folder, and that of the one above where a client asks for it.
    pub(in super::super) fn new(
        folder: &Seen<Folder>,
        site: &Site,
        (path, path_above): (String, Option<String>),
    ) -> Self {
        let home = folder.above == Above::Nothing;
        let here = if home { href::HOME.to_owned() } else { href::folder(folder.id) };
        let mut links = vec![Link::new("ancestry", format!("{here}/ancestry"))];
        links.extend(LISTS.iter().map(|(rel, word)| Link::new(rel, format!("{here}/{word}"))));
        // What a root is called and where it lies is not to be changed.
        let changes = if home { &[][..] } else { &["title", "parent_binder"] };
        let more = changes.iter().chain(&["shares", "access"]);
        links.extend(more.map(|rel| Link::new(rel, format!("{here}/{rel}"))));
        Binder {
            id: if home { HOME } else { folder.id.0 },
            title: folder.title.clone(),
            creation: Some(folder.created.into()),
            modification: Some(folder.modified.into()),
            library: true,
            path,
            mirrored: false,
            links,
            doc_type: "binder",
            parent_binder: Numbered::above(folder.above, path_above),
            entity_type: "folder",
            permalink: href::full(site, &here),
            href: here,
            home_dir: false,
            library_info: None,
            attachments: None,
        }
    }

    /// A view, which can be listed and no more.
    pub(in super::super) fn of_view(view: View, site: &Site) -> Self {
        let here = href::view(view);
        let lists = [LISTS[0], LISTS[1], LISTS[2], LISTS[4]];
        Binder {
            id: view.id(),
            title: view.title().to_owned(),
            creation: None,
            modification: None,
            library: true,
            path: format!("/{}", view.title()),
            mirrored: false,
            links: lists.map(|(rel, word)| Link::new(rel, format!("{here}/{word}"))).into(),
            doc_type: "binder",
            parent_binder: None,
            entity_type: "folder",
            permalink: href::full(site, &here),
            href: here,
            home_dir: false,
            library_info: None,
            attachments: None,
        }
    }

    /// My Files as the workspace of its user, which has a number.
    pub(in super::super) fn into_workspace(self, id: FolderId, site: &Site) -> Self {
        let here = href::workspace(id);
        let moved = |Link { rel, href }| Link { rel, href: href.replacen(href::HOME, &here, 1) };
        Binder {
            id: id.0,
            links: self.links.into_iter().map(moved).collect(),
            permalink: href::full(site, &here),
            href: here,
            ..self
        }
    }

    /// The same in full.
    pub(in super::super) fn in_full(self, info: Option<LibraryInfo>) -> Self {
        Binder { library_info: info, attachments: Some([]), ..self }
    }
}

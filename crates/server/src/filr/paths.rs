//! Folders and files with the paths that clients want to see: the titles from the topmost folder that
//! the caller may see, as `/My Files/A`. Each path is looked up once for an answer.

use super::ask::Ask;
use super::error::Problem;
use super::place::View;
use super::wire::{Binder, FileProperties, Item};
use bindery_core::{Above, Entry, Error, File, Folder, FolderId, FolderRef, NodeRef, Seen};
use std::collections::HashMap;

/// The paths of one answer.
pub(super) struct Paths<'a> {
    ask: &'a Ask,
    known: HashMap<FolderId, String>,
    /// Whether the path of what each thing lies in is wanted too.
    above: bool,
}

impl<'a> Paths<'a> {
    pub(super) fn new(ask: &'a Ask) -> Self {
        Paths { ask, known: HashMap::new(), above: false }
    }

    /// With the paths of the folders above, if the client asks for them.
    pub(super) fn as_asked(ask: &'a Ask) -> Result<Self, Problem> {
        Ok(Paths { above: ask.query.is_set("parent_binder_paths")?, ..Paths::new(ask) })
    }

    pub(super) async fn entry(&mut self, entry: Seen<Entry>) -> Result<Item, Problem> {
        let (above, role) = (entry.above, entry.role);
        Ok(match entry.node {
            Entry::Folder(node) => Item::Binder(self.binder(&Seen { node, above, role }).await?),
            Entry::File(node) => Item::File(self.file(&Seen { node, above, role }).await?),
        })
    }

    pub(super) async fn entries(
        &mut self,
        entries: Vec<Seen<Entry>>,
    ) -> Result<Vec<Item>, Problem> {
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            items.push(self.entry(entry).await?);
        }
        Ok(items)
    }

    pub(super) async fn file(&mut self, file: &Seen<File>) -> Result<FileProperties, Problem> {
        let path = if self.above { self.above(file.above, file.parent).await? } else { None };
        Ok(FileProperties::new(file, &self.ask.site, path))
    }

    pub(super) async fn binder(&mut self, folder: &Seen<Folder>) -> Result<Binder, Problem> {
        let above = match folder.parent {
            Some(parent) => self.above(folder.above, parent).await?,
            None => None,
        };
        let path = join(above.as_deref(), &folder.title);
        self.known.insert(folder.id, path.clone());
        let above = above.filter(|_| self.above);
        Ok(Binder::new(folder, &self.ask.site, (path, above)))
    }

    /// The path of what something lies in.
    async fn above(&mut self, above: Above, parent: FolderId) -> Result<Option<String>, Problem> {
        match above {
            Above::Nothing => Ok(None),
            Above::Shared => Ok(Some(format!("/{}", View::SharedWithMe.title()))),
            Above::Home | Above::Folder(_) => self.path(parent).await.map(Some),
        }
    }

    async fn path(&mut self, folder: FolderId) -> Result<String, Problem> {
        if let Some(path) = self.known.get(&folder) {
            return Ok(path.clone());
        }
        let node = NodeRef::Folder(FolderRef::Id(folder));
        let ancestry = match self.ask.drive().ancestry(&self.ask.caller, node).await {
            // It went away meanwhile.
            Err(Error::NotFound(_)) => Vec::new(),
            found => found?,
        };
        let mut path = None;
        for folder in ancestry {
            let shared = format!("/{}", View::SharedWithMe.title());
            let above = path.or((folder.above == Above::Shared).then_some(shared));
            let here = join(above.as_deref(), &folder.title);
            self.known.insert(folder.id, here.clone());
            path = Some(here);
        }
        Ok(path.unwrap_or_default())
    }
}

fn join(above: Option<&str>, title: &str) -> String {
    format!("{}/{title}", above.unwrap_or_default())
}

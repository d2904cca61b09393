//! A search finds what a comparison of all names finds, however far the index of names is behind.

use crate::backend::Backend;
use crate::pages::first_page;
use crate::rights::terms;
use crate::world::{World, end, person};
use bindery_core::{
    Caller, DeleteFile, DeleteFolder, Entry, Error, FileId, FileRef, FileSet, FolderId, FolderRef,
    Kinds, List, Name, NewRecipient, NodeRef, OnTaken, OrderBy, PageNumber, Role, Search, Sharing,
    SweepSettings, Target, Window,
};
use proptest::prelude::*;

const CASES: u32 = 40;
const STEPS: usize = 40;
/// Of these names and texts are put together; some are equal without regard to case and to how accents are
/// composed, some mean something to a statement, or to a query of an index.
const PIECES: [&str; 16] = [
    "abc",
    "ABC",
    "b",
    "\u{e9}",
    "e\u{301}",
    "\u{65e5}\u{672c}\u{8a9e}",
    "%",
    "_",
    "!",
    "\"",
    "\"AND\"",
    "'",
    "-0",
    "xyz*",
    "\u{1f600}",
    " ",
];

#[derive(Clone, Debug)]
enum Step {
    Upload {
        folder: usize,
        name: String,
    },
    Mkdir {
        folder: usize,
        name: String,
    },
    Rename {
        node: usize,
        name: String,
    },
    Move {
        node: usize,
        to: usize,
    },
    Delete {
        node: usize,
        purge: bool,
    },
    Restore {
        node: usize,
    },
    Purge {
        node: usize,
    },
    Share {
        node: usize,
    },
    Sweep,
    Index,
    Compare {
        folder: usize,
        text: String,
        keyword: String,
        page: u64,
        recursive: bool,
    },
    /// With some characters of a name that something has or had.
    CompareKnown {
        folder: usize,
        name: usize,
        from: usize,
        page: u64,
        recursive: bool,
    },
}

fn text(pieces: std::ops::Range<usize>) -> impl Strategy<Value = String> + Clone {
    proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), pieces)
        .prop_map(|pieces| pieces.concat())
}

fn keyword() -> impl Strategy<Value = String> + Clone {
    let wildcard = proptest::sample::select(vec!["", "", "*", "?"]);
    proptest::collection::vec((text(1..3), wildcard), 1..4)
        .prop_map(|parts| parts.into_iter().map(|(text, wildcard)| text + wildcard).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let (node, name) = (0_usize..1_000, text(1..5));
    prop_oneof![
        10 => (node.clone(), name.clone()).prop_map(|(folder, name)| Step::Upload { folder, name }),
        3 => (node.clone(), name.clone()).prop_map(|(folder, name)| Step::Mkdir { folder, name }),
        6 => (node.clone(), name).prop_map(|(node, name)| Step::Rename { node, name }),
        4 => (node.clone(), node.clone()).prop_map(|(node, to)| Step::Move { node, to }),
        3 => (node.clone(), any::<bool>()).prop_map(|(node, purge)| Step::Delete { node, purge }),
        2 => node.clone().prop_map(|node| Step::Restore { node }),
        1 => node.clone().prop_map(|node| Step::Purge { node }),
        1 => node.clone().prop_map(|node| Step::Share { node }),
        1 => Just(Step::Sweep),
        4 => Just(Step::Index),
        10 => (node.clone(), node.clone(), 0_usize..10, 1_u64..5, any::<bool>()).prop_map(
            |(folder, name, from, page, recursive)|
                Step::CompareKnown { folder, name, from, page, recursive }
        ),
        5 => (node, text(1..4), keyword(), 1_u64..5, any::<bool>()).prop_map(
            |(folder, text, keyword, page, recursive)|
                Step::Compare { folder, text, keyword, page, recursive }
        ),
    ]
}

/// What a search compares.
fn key(name: &str) -> String {
    // What is no name is blank, and blanks are their own keys.
    Name::parse(name).map_or_else(|_| name.to_owned(), |name| name.key())
}

/// Whether a text is what a keyword with wildcards says.
fn fits(keyword: &[char], text: &[char]) -> bool {
    match (keyword, text) {
        (['*', rest @ ..], _) => (0..=text.len()).any(|skipped| fits(rest, &text[skipped..])),
        (['?', rest @ ..], [_, text @ ..]) => fits(rest, text),
        ([a, rest @ ..], [b, text @ ..]) => a == b && fits(rest, text),
        ([], []) => true,
        _ => false,
    }
}

/// A store, and someone with whom some of it is shared.
struct Shelf {
    world: World,
    reader: Caller,
    /// All that anything was called.
    names: Vec<String>,
}

impl Shelf {
    async fn new() -> Self {
        let world = World::new().await;
        let reader = person(&world.drive, "joe").await;
        Shelf { world, reader, names: Vec::new() }
    }

    async fn children(&self, folder: FolderId) -> Vec<Entry> {
        let all = Window { first: 0, behind: None, count: None };
        let (drive, caller) = (&self.world.drive, &self.world.caller);
        let (_, listing) = drive.children(caller, folder.into(), Kinds::Both, all).await.unwrap();
        listing.entries.into_iter().map(|entry| entry.node).collect()
    }

    /// All that lies below a folder.
    async fn below(&self, top: FolderId) -> Vec<Entry> {
        let (mut folders, mut found) = (vec![top], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in self.children(folder).await {
                if let Entry::Folder(folder) = &entry {
                    folders.push(folder.id);
                }
                found.push(entry);
            }
        }
        found
    }

    async fn node(&self, index: usize) -> Option<Entry> {
        let home = self.folder(0).await;
        let mut all = self.below(home).await;
        if all.is_empty() { None } else { Some(all.swap_remove(index % all.len())) }
    }

    async fn folder(&self, index: usize) -> FolderId {
        let tree = self.world.drive.tree(&self.world.caller, FolderRef::Home).await.unwrap();
        tree[index % tree.len()].node.id
    }

    async fn apply(&mut self, step: &Step) {
        if let Step::Upload { name, .. } | Step::Mkdir { name, .. } | Step::Rename { name, .. } =
            step
        {
            self.names.push(name.clone());
        }
        let (drive, caller) = (&self.world.drive, &self.world.caller);
        drive.clock().advance_seconds(1);
        match step {
            Step::Upload { folder, name } => {
                let folder = self.folder(*folder).await.into();
                let Ok(name) = Name::parse(name) else { return };
                let target = Target::Folder { folder, name: None, on_taken: OnTaken::Number };
                let mut upload = drive.upload(caller, target, None).await.unwrap();
                upload.write(vec![b'x'; name.as_str().len() % 3].into()).await.unwrap();
                upload.finish(end(name.as_str())).await.unwrap();
            }
            Step::Mkdir { folder, name } => {
                let folder = self.folder(*folder).await.into();
                let Ok(name) = Name::parse(name) else { return };
                may_be_refused(drive.create_folder(caller, folder, &name).await);
            }
            Step::Rename { node, name } => {
                let Ok(name) = Name::parse(name) else { return };
                match self.node(*node).await {
                    Some(Entry::File(file)) => {
                        may_be_refused(drive.rename_file(caller, file.id.into(), &name).await);
                    }
                    Some(Entry::Folder(folder)) => {
                        may_be_refused(drive.rename_folder(caller, folder.id.into(), &name).await);
                    }
                    None => {}
                }
            }
            Step::Move { node, to } => {
                let to = self.folder(*to).await.into();
                match self.node(*node).await {
                    Some(Entry::File(file)) => {
                        may_be_refused(drive.move_file(caller, file.id.into(), to, None).await);
                    }
                    Some(Entry::Folder(folder)) => {
                        may_be_refused(drive.move_folder(caller, folder.id.into(), to).await);
                    }
                    None => {}
                }
            }
            Step::Delete { node, purge } => match self.node(*node).await {
                Some(Entry::File(file)) => {
                    let how = DeleteFile { purge: *purge, ..DeleteFile::default() };
                    drive.delete_file(caller, FileRef::Id(file.id), how).await.unwrap();
                }
                Some(Entry::Folder(folder)) => {
                    let how = DeleteFolder { purge: *purge, ..DeleteFolder::default() };
                    drive.delete_folder(caller, folder.id.into(), how).await.unwrap();
                }
                None => {}
            },
            Step::Restore { node } => {
                if let Some(id) = self.in_trash(*node).await {
                    drive.restore_node(id).await.unwrap();
                }
            }
            Step::Purge { node } => {
                if let Some(id) = self.in_trash(*node).await {
                    drive.purge_node(id).await.unwrap();
                }
            }
            Step::Share { node } => {
                let node = match self.node(*node).await {
                    Some(Entry::File(file)) => NodeRef::File(file.id.into()),
                    Some(Entry::Folder(folder)) => NodeRef::Folder(folder.id.into()),
                    None => return,
                };
                let to = NewRecipient::User(drive.identify(&self.reader).await.unwrap().id);
                let terms = terms(Role::Viewer, Sharing::default());
                drive.share(caller, node, to, terms).await.unwrap();
            }
            Step::Sweep => drop(drive.sweep(SweepSettings { trash_days: 36_500 }).await.unwrap()),
            Step::Index => drop(drive.index_names().await.unwrap()),
            Step::Compare { folder, text, keyword, page, recursive } => {
                self.compare_lists(text, *page).await;
                let folder = self.folder(*folder).await;
                self.compare_tree(folder, keyword, *recursive).await;
            }
            Step::CompareKnown { folder, name, from, page, recursive } => {
                let Some(name) = self.names.get(name % self.names.len().max(1)) else { return };
                let text: String = name.chars().skip(from % name.chars().count()).take(4).collect();
                self.compare_lists(&text, *page).await;
                let folder = self.folder(*folder % 2).await;
                self.compare_tree(folder, &text, *recursive).await;
            }
        }
    }

    async fn in_trash(&self, index: usize) -> Option<i64> {
        let tops = self.world.drive.trash_list(None).await.unwrap();
        tops.get(index % tops.len().max(1)).map(|top| top.id)
    }

    async fn files(&self, caller: &Caller, list: List) -> Vec<(FileId, String)> {
        let (mut list, mut found) = (list, Vec::new());
        loop {
            let page = self.world.drive.list(caller, list.clone()).await.unwrap();
            found.extend(page.files.into_iter().map(|file| (file.id, file.name)));
            let Some(next) = page.next else {
                assert_eq!(page.count, found.len() as u64, "{list:?}");
                return found;
            };
            (list.page, list.beside) = (PageNumber::Number(next.page), next.key);
        }
    }

    async fn compare_lists(&self, text: &str, page: u64) {
        let wanted = key(text);
        for (caller, set) in [(&self.world.caller, FileSet::Owned), (&self.reader, FileSet::Shared)]
        {
            for (by, descending) in
                [(OrderBy::Uploaded, false), (OrderBy::Name, true), (OrderBy::Size, false)]
            {
                let list = List { set, by, descending, ..first_page(1_000) };
                let mut all = self.files(caller, list.clone()).await;
                all.retain(|(_, name)| key(name).contains(&wanted));
                let search = List { search: Some(text.into()), size: page, ..list };
                assert_eq!(self.files(caller, search).await, all, "{text:?} {set:?} {by:?}");
            }
        }
    }

    async fn compare_tree(&self, folder: FolderId, keyword: &str, recursive: bool) {
        let kinds = [Kinds::Both, Kinds::Files, Kinds::Folders][keyword.len() % 3];
        let search = Search { folder: folder.into(), recursive, keyword: keyword.into(), kinds };
        let (drive, caller) = (&self.world.drive, &self.world.caller);
        let all = Window { first: 0, behind: None, count: None };
        let found = drive.search(caller, search.clone(), all).await;
        if keyword.starts_with(['*', '?']) && keyword != "*" {
            assert!(matches!(found, Err(Error::Invalid { .. })), "{found:?}");
            return;
        }
        let (_, found) = found.unwrap();
        let of = |entry: &Entry| match entry {
            Entry::Folder(folder) => (false, key(&folder.title), folder.id.0),
            Entry::File(file) => (true, key(&file.label), file.id.0),
        };
        let below = if recursive { self.below(folder).await } else { self.children(folder).await };
        let folded = key(keyword);
        let wild: Vec<char> = match folded.contains(['*', '?']) {
            true => folded.chars().collect(),
            false => format!("*{folded}*").chars().collect(),
        };
        let mut expected: Vec<_> = below.iter().map(of).collect();
        expected.retain(|(file, label, _)| {
            let kind = match kinds {
                Kinds::Both => true,
                Kinds::Files => *file,
                Kinds::Folders => !*file,
            };
            kind && fits(&wild, &label.chars().collect::<Vec<_>>())
        });
        expected.sort();
        let shown: Vec<_> = found.entries.iter().map(|entry| of(&entry.node)).collect();
        assert_eq!(shown, expected, "{search:?}");
        assert_eq!(found.total, expected.len() as u64, "{search:?}");
        let part = Window { first: 1, behind: None, count: Some(2) };
        let (_, part) = drive.search(caller, search.clone(), part).await.unwrap();
        let shown: Vec<_> = part.entries.iter().map(|entry| of(&entry.node)).collect();
        assert_eq!(shown, expected.iter().skip(1).take(2).cloned().collect::<Vec<_>>());
        assert_eq!(part.total, expected.len() as u64, "{search:?}");
    }
}

/// A name may be taken, and a folder cannot be moved into itself.
fn may_be_refused<T>(result: bindery_core::Result<T>) {
    let refused = |error: &Error| matches!(error, Error::Exists(_) | Error::Hierarchy);
    assert!(result.as_ref().err().is_none_or(refused), "{:?}", result.err());
}

#[test]
fn a_search_finds_what_a_comparison_of_all_names_finds() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // On a server each step crosses to it and back many times.
    let on_server = Backend::new().location("".into()).database.is_some();
    let config = ProptestConfig {
        cases: if on_server { CASES / 4 } else { CASES },
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in proptest::collection::vec(step(), STEPS))| {
        runtime.block_on(async {
            let mut shelf = Shelf::new().await;
            for step in &steps {
                shelf.apply(step).await;
            }
        });
    });
}

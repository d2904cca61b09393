//! A model of the domain, a few maps in memory, beside the real one: random operations by three users
//! must have the same outcome in both, and leave the same trees, totals and rights.

use crate::backend::Backend;
use crate::pages::first_page;
use bindery_core::{
    Base, Caller, Clock, DeleteFile, DeleteFolder, Drive, Entry, Error, FileId, FileRef, FileSet,
    FolderId, FolderRef, Kinds, Label, List, Name, NewRecipient, NewUser, NodeRef, OnTaken, Role,
    ShareId, SharedNode, Sharing, SweepSettings, Target, Terms, Time, UploadEnd, UserId, VersionId,
    Window,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;

const USERS: usize = 3;
const CASES: u32 = 100;
const OPERATIONS: usize = 1_000;
/// Operations between two comparisons of everything.
const COMPARE_EVERY: usize = 100;
/// In pairs that are equal without regard to case and to how accents are composed.
const NAMES: [&str; 10] =
    ["a", "A", "b.txt", "B.TXT", "\u{e9}", "e\u{301}", "stra\u{df}e", "STRASSE", "c", "d.tar.gz"];

#[derive(Clone, Debug)]
enum Op {
    Create { who: usize, folder: u16, name: usize, on_taken: u8 },
    Replace { who: usize, file: u16, stale: bool },
    Mkdir { who: usize, folder: u16, name: usize },
    Rename { who: usize, node: u16, name: usize },
    Move { who: usize, node: u16, to: u16, name: Option<usize> },
    Copy { who: usize, node: u16, to: u16, name: usize },
    Delete { who: usize, node: u16, purge: bool, only_if_empty: bool },
    Restore { node: u16 },
    Purge { node: u16 },
    Promote { who: usize, file: u16, version: u16 },
    DropVersion { who: usize, file: u16, version: u16 },
    Share { who: usize, node: u16, to: usize, role: u8 },
    Unshare { who: usize, share: u16 },
    Mark,
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    let (who, node, name) = (0..USERS, any::<u16>(), 0..NAMES.len());
    let pair = (who.clone(), node, node, name.clone());
    prop_oneof![
        8 => (who.clone(), node, name.clone(), 0..3_u8)
            .prop_map(|(who, folder, name, on_taken)| Op::Create { who, folder, name, on_taken }),
        3 => (who.clone(), node, any::<bool>())
            .prop_map(|(who, file, stale)| Op::Replace { who, file, stale }),
        5 => (who.clone(), node, name.clone())
            .prop_map(|(who, folder, name)| Op::Mkdir { who, folder, name }),
        3 => (who.clone(), node, name.clone())
            .prop_map(|(who, node, name)| Op::Rename { who, node, name }),
        5 => (who.clone(), node, node, proptest::option::of(name.clone()))
            .prop_map(|(who, node, to, name)| Op::Move { who, node, to, name }),
        3 => pair.prop_map(|(who, node, to, name)| Op::Copy { who, node, to, name }),
        4 => (who.clone(), node, proptest::bool::weighted(0.2), any::<bool>())
            .prop_map(|(who, node, purge, only_if_empty)| {
                Op::Delete { who, node, purge, only_if_empty }
            }),
        3 => node.prop_map(|node| Op::Restore { node }),
        1 => node.prop_map(|node| Op::Purge { node }),
        2 => (who.clone(), node, node)
            .prop_map(|(who, file, version)| Op::Promote { who, file, version }),
        2 => (who.clone(), node, node)
            .prop_map(|(who, file, version)| Op::DropVersion { who, file, version }),
        4 => (who.clone(), node, who.clone(), 0..3_u8)
            .prop_map(|(who, node, to, role)| Op::Share { who, node, to, role }),
        2 => (who, node).prop_map(|(who, share)| Op::Unshare { who, share }),
        1 => Just(Op::Mark),
        1 => Just(Op::Sweep),
    ]
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    NotFound,
    Forbidden,
    Exists,
    Conflict,
    Hierarchy,
    NotEmpty,
    OnlyVersion,
    Invalid,
}

fn outcome<T>(result: &Result<T, Error>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(Error::NotFound(_)) => Outcome::NotFound,
        Err(Error::Forbidden) => Outcome::Forbidden,
        Err(Error::Exists(_)) => Outcome::Exists,
        Err(Error::VersionConflict(_)) => Outcome::Conflict,
        Err(Error::Hierarchy) => Outcome::Hierarchy,
        Err(Error::NotEmpty) => Outcome::NotEmpty,
        Err(Error::OnlyVersion) => Outcome::OnlyVersion,
        Err(Error::Invalid { .. }) => Outcome::Invalid,
        Err(error) => panic!("{error:?}"),
    }
}

type Verdict<T = ()> = Result<T, Outcome>;

#[derive(Clone, Debug)]
struct Node {
    owner: usize,
    /// None for a root.
    parent: Option<i64>,
    name: String,
    label: Label,
    /// Number and content of each version, the current one last; a folder has none.
    versions: Vec<(u64, String)>,
    last_version: u64,
    trashed_with: Option<i64>,
}

impl Node {
    fn is_file(&self) -> bool {
        !self.versions.is_empty()
    }
}

#[derive(Clone, Debug)]
struct Shared {
    node: i64,
    sharer: usize,
    to: usize,
    role: Role,
}

#[derive(Default)]
struct Model {
    nodes: BTreeMap<i64, Node>,
    roots: Vec<i64>,
    shares: BTreeMap<i64, Shared>,
    next_number: BTreeMap<(i64, String), i64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Read,
    Edit,
    Add,
    Arrange,
}

impl Model {
    fn live(&self, id: i64) -> bool {
        let Some(node) = self.nodes.get(&id) else {
            return false;
        };
        node.trashed_with.is_none() && node.parent.is_none_or(|parent| self.live(parent))
    }

    fn role(&self, who: usize, id: i64) -> Option<Role> {
        let here = self.shares.values().filter(|share| share.node == id && share.to == who);
        let here = here.map(|share| share.role).max();
        here.max(self.nodes[&id].parent.and_then(|parent| self.role(who, parent)))
    }

    fn grant(&self, who: usize, id: i64, right: Right) -> Verdict {
        if !self.live(id) {
            return Err(Outcome::NotFound);
        }
        let node = &self.nodes[&id];
        let root = node.parent.is_none() && right == Right::Arrange;
        if node.owner == who {
            return if root { Err(Outcome::Forbidden) } else { Ok(()) };
        }
        let here = self.role(who, id).ok_or(Outcome::NotFound)?;
        let above = node.parent.and_then(|parent| self.role(who, parent));
        let may = match right {
            Right::Read => true,
            Right::Edit => here >= Role::Editor,
            Right::Add => here >= Role::Contributor,
            Right::Arrange => above >= Some(Role::Contributor),
        };
        if may && !root { Ok(()) } else { Err(Outcome::Forbidden) }
    }

    fn taken(&self, folder: i64, label: &Label) -> Option<i64> {
        let key = label.key();
        let mut found = self.nodes.iter().filter(|(_, node)| {
            node.parent == Some(folder) && node.trashed_with.is_none() && node.label.key() == key
        });
        found.next().map(|(id, _)| *id)
    }

    fn refuse_taken(&self, folder: i64, label: &Label, asking: i64) -> Verdict {
        match self.taken(folder, label) {
            Some(id) if id != asking => Err(Outcome::Exists),
            _ => Ok(()),
        }
    }

    fn free_label(&mut self, folder: i64, wanted: &Label) -> Label {
        let mut label = wanted.clone();
        while self.taken(folder, &label).is_some() {
            let next = self.next_number.entry((folder, wanted.key())).or_insert(2);
            label = wanted.numbered(*next);
            *next += 1;
        }
        label
    }

    fn is_in(&self, id: i64, above: i64) -> bool {
        id == above || self.nodes[&id].parent.is_some_and(|parent| self.is_in(parent, above))
    }

    /// A node and all below it, parents first.
    fn below(&self, top: i64) -> Vec<i64> {
        let mut found = vec![top];
        let mut next = 0;
        while next < found.len() {
            let parent = Some(found[next]);
            found.extend(self.nodes.iter().filter(|(_, n)| n.parent == parent).map(|(id, _)| *id));
            next += 1;
        }
        found
    }

    fn live_below(&self, top: i64) -> Vec<i64> {
        self.below(top).into_iter().filter(|id| self.live(*id)).collect()
    }

    fn forget(&mut self, ids: &[i64]) {
        for id in ids {
            self.nodes.remove(id);
            self.shares.retain(|_, share| share.node != *id);
        }
    }

    fn tops_in_trash(&self) -> Vec<i64> {
        let tops = self.nodes.iter().filter(|(id, node)| node.trashed_with == Some(**id));
        tops.map(|(id, _)| *id).collect()
    }

    fn restore(&mut self, id: i64) {
        let node = self.nodes[&id].clone();
        let was = node
            .parent
            .filter(|parent| self.live(*parent) && self.nodes[parent].owner == node.owner);
        let to = was.unwrap_or(self.roots[node.owner]);
        let wanted =
            if node.is_file() { node.name.clone() } else { node.label.as_str().to_owned() };
        let wanted = Name::parse(&wanted).unwrap().label();
        let label = self.free_label(to, &wanted);
        for other in self.nodes.values_mut().filter(|other| other.trashed_with == Some(id)) {
            other.trashed_with = None;
        }
        let node = self.nodes.get_mut(&id).unwrap();
        (node.parent, node.label) = (Some(to), label);
    }

    /// After a move to another owner: all of it belongs to that owner and is shared no more.
    fn give(&mut self, top: i64, owner: usize) {
        if self.nodes[&top].owner == owner {
            return;
        }
        for id in self.below(top) {
            self.nodes.get_mut(&id).unwrap().owner = owner;
            self.shares.retain(|_, share| share.node != id);
        }
    }
}

struct World {
    _directory: TempDir,
    _backend: Backend,
    drive: Drive,
    callers: Vec<Caller>,
    users: Vec<UserId>,
    model: Model,
    contents: u64,
}

impl World {
    async fn new() -> Self {
        // Memory, where there is some to be had as a directory: what a sync costs is not the question.
        let shared_memory = std::path::Path::new("/dev/shm");
        let directory = match shared_memory.is_dir() {
            true => tempfile::tempdir_in(shared_memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let backend = Backend::new();
        let location = backend.location(directory.path().join("data"));
        let clock = Clock::fixed(Time(1_767_323_045_000_000));
        let drive = Drive::open(&location, clock).await.unwrap();
        let mut model = Model::default();
        let (mut callers, mut users) = (Vec::new(), Vec::new());
        for who in 0..USERS {
            let login = format!("user{who}");
            let user = NewUser {
                login: login.clone(),
                email: format!("{login}@example.com"),
                name: String::new(),
                password: "a password".into(),
                admin: false,
            };
            users.push(drive.add_user(user).await.unwrap().id);
            let token = drive.create_token(&login, "", None).await.unwrap().secret;
            callers.push(Caller::with_token(&token));
            let root = drive.folder(&callers[who], FolderRef::Home).await.unwrap().id.0;
            model.roots.push(root);
            let node = Node {
                owner: who,
                parent: None,
                name: "My Files".into(),
                label: Name::parse("My Files").unwrap().label(),
                versions: Vec::new(),
                last_version: 0,
                trashed_with: None,
            };
            model.nodes.insert(root, node);
        }
        World {
            _directory: directory,
            _backend: backend,
            drive,
            callers,
            users,
            model,
            contents: 0,
        }
    }

    fn pick(&self, index: u16, wanted: impl Fn(&Node) -> bool) -> Option<i64> {
        let found: Vec<i64> =
            self.model.nodes.iter().filter(|(_, node)| wanted(node)).map(|(id, _)| *id).collect();
        found.get(usize::from(index) % found.len().max(1)).copied()
    }

    fn folder(&self, index: u16) -> i64 {
        self.pick(index, |node| !node.is_file()).unwrap()
    }

    fn file(&self, index: u16) -> Option<i64> {
        self.pick(index, Node::is_file)
    }

    fn node(&self, index: u16) -> i64 {
        self.pick(index, |_| true).unwrap()
    }

    fn new_content(&mut self) -> String {
        self.contents += 1;
        format!("content {} {}", self.contents, "x".repeat((self.contents % 50) as usize))
    }

    async fn upload(&self, who: usize, target: Target, content: &str) -> Result<FileId, Error> {
        let mut upload = self.drive.upload(&self.callers[who], target).await?;
        upload.write(content.to_owned().into()).await?;
        Ok(upload.finish(UploadEnd::default()).await?.id)
    }

    async fn apply(&mut self, op: &Op) {
        self.drive.clock().advance_seconds(1);
        match *op {
            Op::Create { who, folder, name, on_taken } => {
                self.create(who, self.folder(folder), NAMES[name], on_taken).await;
            }
            Op::Replace { who, file, stale } => {
                if let Some(file) = self.file(file) {
                    self.replace(who, file, stale).await;
                }
            }
            Op::Mkdir { who, folder, name } => {
                self.mkdir(who, self.folder(folder), NAMES[name]).await;
            }
            Op::Rename { who, node, name } => self.rename(who, self.node(node), NAMES[name]).await,
            Op::Move { who, node, to, name } => {
                self.relocate(who, self.node(node), self.folder(to), name.map(|name| NAMES[name]))
                    .await;
            }
            Op::Copy { who, node, to, name } => {
                self.copy(who, self.node(node), self.folder(to), NAMES[name]).await;
            }
            Op::Delete { who, node, purge, only_if_empty } => {
                self.delete(who, self.node(node), purge, only_if_empty).await;
            }
            Op::Restore { node } => self.restore(self.node(node)).await,
            Op::Purge { node } => self.purge(self.node(node)).await,
            Op::Promote { who, file, version } => {
                if let Some(file) = self.file(file) {
                    self.promote(who, file, version).await;
                }
            }
            Op::DropVersion { who, file, version } => {
                if let Some(file) = self.file(file) {
                    self.drop_version(who, file, version).await;
                }
            }
            Op::Share { who, node, to, role } => self.share(who, self.node(node), to, role).await,
            Op::Unshare { who, share } => self.unshare(who, share).await,
            Op::Mark => {
                let keep = SweepSettings { trash_days: 36_500 };
                self.drive.sweep(keep).await.unwrap();
            }
            Op::Sweep => {
                self.drive.sweep(SweepSettings { trash_days: 0 }).await.unwrap();
                for top in self.model.tops_in_trash() {
                    let gone = self.model.below(top);
                    self.model.forget(&gone);
                }
            }
        }
    }

    #[track_caller]
    fn agree<T>(expected: &Verdict<T>, found: Outcome, what: &str) {
        let expected = expected.as_ref().map_or_else(|outcome| *outcome, |_| Outcome::Done);
        assert_eq!(expected, found, "expected and found, of {what}");
    }

    async fn create(&mut self, who: usize, folder: i64, name: &str, on_taken: u8) {
        let name = Name::parse(name).unwrap();
        let on_taken =
            [OnTaken::Number, OnTaken::Refuse, OnTaken::Overwrite][usize::from(on_taken)];
        let content = self.new_content();
        let target = Target::Folder {
            folder: FolderRef::Id(FolderId(folder)),
            name: Some(name.clone()),
            on_taken,
        };
        let made = self.upload(who, target, &content).await;
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, folder, Right::Read)?;
            let taken = model.taken(folder, &name.label()).filter(|_| on_taken != OnTaken::Number);
            if let (Some(id), OnTaken::Overwrite) = (taken, on_taken)
                && model.nodes[&id].is_file()
            {
                model.grant(who, id, Right::Edit)?;
                let node = model.nodes.get_mut(&id).unwrap();
                node.last_version += 1;
                node.versions.push((node.last_version, content.clone()));
                return Ok(());
            }
            model.grant(who, folder, Right::Add)?;
            if taken.is_some() {
                return Err(Outcome::Exists);
            }
            let label = model.free_label(folder, &name.label());
            let node = Node {
                owner: model.nodes[&folder].owner,
                parent: Some(folder),
                name: name.as_str().into(),
                label,
                versions: vec![(1, content.clone())],
                last_version: 1,
                trashed_with: None,
            };
            if let Ok(id) = &made {
                model.nodes.insert(id.0, node);
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&made), "create");
    }

    async fn replace(&mut self, who: usize, file: i64, stale: bool) {
        let content = self.new_content();
        let current = self.model.nodes[&file].versions.last().unwrap().0;
        let base = Base::Version(if stale { current + 1 } else { current });
        let target = Target::File { file: FileRef::Id(FileId(file)), base };
        let made = self.upload(who, target, &content).await;
        let model = &mut self.model;
        let expected = model.grant(who, file, Right::Edit).and_then(|()| {
            if stale {
                return Err(Outcome::Conflict);
            }
            let node = model.nodes.get_mut(&file).unwrap();
            node.last_version += 1;
            node.versions.push((node.last_version, content));
            Ok(())
        });
        Self::agree(&expected, outcome(&made), "replace");
    }

    async fn mkdir(&mut self, who: usize, folder: i64, name: &str) {
        let name = Name::parse(name).unwrap();
        let above = FolderRef::Id(FolderId(folder));
        let made = self.drive.create_folder(&self.callers[who], above, &name).await;
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, folder, Right::Add)?;
            model.refuse_taken(folder, &name.label(), 0)
        })();
        Self::agree(&expected, outcome(&made), "mkdir");
        if let Ok(made) = made {
            let node = Node {
                owner: model.nodes[&folder].owner,
                parent: Some(folder),
                name: name.label().as_str().into(),
                label: name.label(),
                versions: Vec::new(),
                last_version: 0,
                trashed_with: None,
            };
            model.nodes.insert(made.id.0, node);
        }
    }

    async fn rename(&mut self, who: usize, id: i64, name: &str) {
        let name = Name::parse(name).unwrap();
        let caller = &self.callers[who];
        let file = self.model.nodes[&id].is_file();
        let renamed = if file {
            let file = FileRef::Id(FileId(id));
            self.drive.rename_file(caller, file, &name).await.map(drop)
        } else {
            self.drive.rename_folder(caller, FolderRef::Id(FolderId(id)), &name).await.map(drop)
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Arrange)?;
            model.refuse_taken(model.nodes[&id].parent.unwrap(), &name.label(), id)?;
            let node = model.nodes.get_mut(&id).unwrap();
            node.label = name.label();
            node.name = if file { name.as_str() } else { node.label.as_str() }.to_owned();
            Ok(())
        })();
        Self::agree(&expected, outcome(&renamed), "rename");
    }

    async fn relocate(&mut self, who: usize, id: i64, to: i64, name: Option<&str>) {
        let file = self.model.nodes[&id].is_file();
        let name = name.filter(|_| file).map(|name| Name::parse(name).unwrap());
        let (caller, folder) = (&self.callers[who], FolderRef::Id(FolderId(to)));
        let moved = if file {
            let file = FileRef::Id(FileId(id));
            self.drive.move_file(caller, file, folder, name.as_ref()).await.map(drop)
        } else {
            self.drive.move_folder(caller, FolderRef::Id(FolderId(id)), folder).await.map(drop)
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Arrange)?;
            model.grant(who, to, Right::Add)?;
            if !file && model.is_in(to, id) {
                return Err(Outcome::Hierarchy);
            }
            let label = name.as_ref().map_or(model.nodes[&id].label.clone(), Name::label);
            model.refuse_taken(to, &label, id)?;
            model.give(id, model.nodes[&to].owner);
            let node = model.nodes.get_mut(&id).unwrap();
            (node.parent, node.label) = (Some(to), label);
            if let Some(name) = &name {
                node.name = name.as_str().into();
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&moved), "move");
    }

    async fn copy(&mut self, who: usize, id: i64, to: i64, name: &str) {
        let name = Name::parse(name).unwrap();
        let file = self.model.nodes[&id].is_file();
        let (caller, folder) = (&self.callers[who], FolderRef::Id(FolderId(to)));
        let copied = if file {
            let copy = self.drive.copy_file(caller, FileRef::Id(FileId(id)), folder, &name).await;
            copy.map(|copy| copy.id.0)
        } else {
            let source = FolderRef::Id(FolderId(id));
            self.drive.copy_folder(caller, source, folder, &name).await.map(|copy| copy.id.0)
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Read)?;
            model.grant(who, to, Right::Add)?;
            model.refuse_taken(to, &name.label(), 0)?;
            if !file && model.is_in(to, id) {
                return Err(Outcome::Hierarchy);
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&copied), "copy");
        let Ok(copy) = copied else {
            return;
        };
        let owner = self.model.nodes[&to].owner;
        let mut copies = BTreeMap::from([(id, copy)]);
        for source in self.model.live_below(id) {
            let mut node = self.model.nodes[&source].clone();
            node.owner = owner;
            if let Some((_, content)) = node.versions.pop() {
                (node.versions, node.last_version) = (vec![(1, content)], 1);
            }
            let of = if source == id {
                node.parent = Some(to);
                node.label = name.label();
                node.name = if file { name.as_str() } else { node.label.as_str() }.to_owned();
                copy
            } else {
                let parent = copies[&node.parent.unwrap()];
                node.parent = Some(parent);
                self.drive_child(who, parent, &node.label).await
            };
            copies.insert(source, of);
            self.model.nodes.insert(of, node);
        }
    }

    /// The number that a copied child got.
    async fn drive_child(&self, who: usize, folder: i64, label: &Label) -> i64 {
        let folder = FolderRef::Id(FolderId(folder));
        let name = Name::parse(label.as_str()).unwrap();
        let (_, child) = self.drive.child(&self.callers[who], folder, &name).await.unwrap();
        match child.unwrap().node {
            Entry::Folder(folder) => folder.id.0,
            Entry::File(file) => file.id.0,
        }
    }

    async fn delete(&mut self, who: usize, id: i64, purge: bool, only_if_empty: bool) {
        let caller = &self.callers[who];
        let file = self.model.nodes[&id].is_file();
        let deleted = if file {
            let how = DeleteFile { purge, version: None };
            self.drive.delete_file(caller, FileRef::Id(FileId(id)), how).await
        } else {
            let how = DeleteFolder { purge, only_if_empty };
            self.drive.delete_folder(caller, FolderRef::Id(FolderId(id)), how).await
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Arrange)?;
            if !file && only_if_empty && model.live_below(id).len() > 1 {
                return Err(Outcome::NotEmpty);
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&deleted), "delete");
        if deleted.is_err() {
            return;
        }
        if purge {
            let gone = model.below(id);
            model.forget(&gone);
        } else {
            for gone in model.live_below(id) {
                model.nodes.get_mut(&gone).unwrap().trashed_with = Some(id);
            }
        }
    }

    async fn restore(&mut self, id: i64) {
        let restored = self.drive.restore_node(id).await;
        let in_trash = self.model.nodes[&id].trashed_with == Some(id);
        let expected = if in_trash { Ok(()) } else { Err(Outcome::NotFound) };
        Self::agree(&expected, outcome(&restored), "restore");
        if in_trash {
            self.model.restore(id);
        }
    }

    async fn purge(&mut self, id: i64) {
        let purged = self.drive.purge_node(id).await;
        let in_trash = self.model.nodes[&id].trashed_with == Some(id);
        let expected = if in_trash { Ok(()) } else { Err(Outcome::NotFound) };
        Self::agree(&expected, outcome(&purged), "purge");
        if in_trash {
            let gone = self.model.below(id);
            self.model.forget(&gone);
        }
    }

    fn version(&self, file: i64, index: u16) -> VersionId {
        let versions = &self.model.nodes[&file].versions;
        let number = versions[usize::from(index) % versions.len()].0;
        VersionId { file: FileId(file), number }
    }

    async fn promote(&mut self, who: usize, file: i64, version: u16) {
        let id = self.version(file, version);
        let promoted = self.drive.promote(&self.callers[who], id).await;
        let model = &mut self.model;
        let expected = model.grant(who, file, Right::Edit).map(|()| {
            let node = model.nodes.get_mut(&file).unwrap();
            let old = node.versions.iter().find(|(number, _)| *number == id.number);
            let content = old.unwrap().1.clone();
            node.last_version += 1;
            node.versions.push((node.last_version, content));
        });
        Self::agree(&expected, outcome(&promoted), "promote");
    }

    async fn drop_version(&mut self, who: usize, file: i64, version: u16) {
        let id = self.version(file, version);
        let dropped = self.drive.delete_version(&self.callers[who], id).await;
        let model = &mut self.model;
        let expected = model.grant(who, file, Right::Arrange).and_then(|()| {
            let node = model.nodes.get_mut(&file).unwrap();
            if node.versions.len() == 1 {
                return Err(Outcome::OnlyVersion);
            }
            node.versions.retain(|(number, _)| *number != id.number);
            Ok(())
        });
        Self::agree(&expected, outcome(&dropped), "delete version");
    }

    async fn share(&mut self, who: usize, id: i64, to: usize, role: u8) {
        let role = [Role::Viewer, Role::Editor, Role::Contributor][usize::from(role)];
        let file = self.model.nodes[&id].is_file();
        let node = if file {
            NodeRef::File(FileRef::Id(FileId(id)))
        } else {
            NodeRef::Folder(FolderRef::Id(FolderId(id)))
        };
        let terms =
            Terms { role, sharing: Sharing::default(), comment: String::new(), expires: None };
        let recipient = NewRecipient::User(self.users[to]);
        let shared = self.drive.share(&self.callers[who], node, recipient, terms).await;
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Read)?;
            if file && role == Role::Contributor {
                return Err(Outcome::Invalid);
            }
            if model.nodes[&id].parent.is_none() || model.nodes[&id].owner != who {
                return Err(Outcome::Forbidden);
            }
            if to == who { Err(Outcome::Invalid) } else { Ok(()) }
        })();
        Self::agree(&expected, outcome(&shared), "share");
        if let Ok(share) = shared {
            assert_eq!(share.node.number(), id);
            model.shares.insert(share.id.0, Shared { node: id, sharer: who, to, role });
        }
    }

    async fn unshare(&mut self, who: usize, index: u16) {
        let model = &mut self.model;
        let ids: Vec<i64> = model.shares.keys().copied().collect();
        let Some(id) = ids.get(usize::from(index) % ids.len().max(1)).copied() else {
            return;
        };
        let Shared { node, sharer, to, .. } = model.shares[&id];
        let ended = self.drive.unshare(&self.callers[who], ShareId(id)).await;
        let expected = (|| {
            model.grant(who, node, Right::Read)?;
            let mine = [sharer, to, model.nodes[&node].owner].contains(&who);
            if mine { Ok(()) } else { Err(Outcome::NotFound) }
        })();
        Self::agree(&expected, outcome(&ended), "unshare");
        if ended.is_ok() {
            model.shares.remove(&id);
        }
    }

    /// Everything that each user can see, in both.
    async fn compare(&self) {
        for (who, caller) in self.callers.iter().enumerate() {
            let (mut files, mut bytes) = (0, 0);
            for id in self.model.live_below(self.model.roots[who]) {
                if let Some((_, content)) = self.model.nodes[&id].versions.last() {
                    files += 1;
                    bytes += content.len() as u64;
                    self.compare_file(caller, id).await;
                } else {
                    self.compare_folder(caller, id).await;
                }
            }
            let sums = self.drive.tree_sums(caller, FolderRef::Home).await.unwrap();
            assert_eq!((sums.files, sums.bytes), (files, bytes));
            let account = self.drive.account(caller).await.unwrap();
            assert_eq!((account.files, account.bytes), (files, bytes));
            let list = first_page(10_000);
            let mine = self.drive.list(caller, list.clone()).await.unwrap();
            assert_eq!((mine.count, mine.files.len() as u64), (files, files));
            let shared = List { set: FileSet::Shared, ..list };
            let shared = self.drive.list(caller, shared).await.unwrap();
            let expected: BTreeSet<i64> = self.visible(who, Node::is_file);
            let found: BTreeSet<i64> = shared.files.iter().map(|file| file.id.0).collect();
            assert_eq!((shared.count, &found), (expected.len() as u64, &expected));
            let tops = self.drive.shared_with_me(caller, false).await.unwrap();
            let shared = self.model.shares.values().filter(|share| share.to == who);
            let expected: BTreeSet<i64> =
                shared.map(|share| share.node).filter(|id| self.model.live(*id)).collect();
            let found: BTreeSet<i64> = tops.iter().map(|entry| number(&entry.node)).collect();
            assert_eq!(found, expected);
        }
        let in_trash: BTreeSet<i64> = self.model.tops_in_trash().into_iter().collect();
        let listed = self.drive.trash_list(None).await.unwrap();
        assert_eq!(listed.iter().map(|top| top.id).collect::<BTreeSet<_>>(), in_trash);
    }

    /// What others share with a user.
    fn visible(&self, who: usize, wanted: impl Fn(&Node) -> bool) -> BTreeSet<i64> {
        let model = &self.model;
        let nodes = model.nodes.iter().filter(|(_, node)| node.owner != who && wanted(node));
        nodes
            .map(|(id, _)| *id)
            .filter(|id| model.live(*id) && model.role(who, *id).is_some())
            .collect()
    }

    async fn compare_file(&self, caller: &Caller, id: i64) {
        let node = &self.model.nodes[&id];
        let (file, versions) = self.drive.versions(caller, FileRef::Id(FileId(id))).await.unwrap();
        assert_eq!((file.name.as_str(), file.label.as_str()), (&*node.name, node.label.as_str()));
        let numbers: Vec<u64> = versions.iter().rev().map(|version| version.id.number).collect();
        let expected: Vec<u64> = node.versions.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, expected);
        let (current, content) = node.versions.last().unwrap();
        assert_eq!((file.version, file.size), (*current, content.len() as u64));
        for (number, content) in &node.versions {
            let version = VersionId { file: FileId(id), number: *number };
            let download = self.drive.download_version(caller, version).await.unwrap();
            let size = download.file.size;
            let mut body = download.read(0..size).unwrap();
            let mut bytes = Vec::new();
            while let Some(piece) = body.next().await.unwrap() {
                bytes.extend_from_slice(&piece);
            }
            assert_eq!(bytes, content.as_bytes());
        }
    }

    async fn compare_folder(&self, caller: &Caller, id: i64) {
        let window = Window { first: 0, count: None, behind: None };
        let folder = FolderRef::Id(FolderId(id));
        let (seen, listing) =
            self.drive.children(caller, folder, Kinds::Both, window).await.unwrap();
        let model = &self.model;
        let live = |child: &i64| model.live(*child);
        let expected: BTreeSet<i64> = model
            .nodes
            .iter()
            .filter(|(_, node)| node.parent == Some(id))
            .map(|(id, _)| *id)
            .filter(live)
            .collect();
        let found: BTreeSet<i64> =
            listing.entries.iter().map(|entry| number(&entry.node)).collect();
        assert_eq!(found, expected);
        assert_eq!(listing.total, expected.len() as u64);
        assert_eq!(seen.title, model.nodes[&id].label.as_str());
    }
}

fn number(entry: &Entry) -> i64 {
    match entry {
        Entry::Folder(folder) => SharedNode::Folder(folder.id).number(),
        Entry::File(file) => file.id.0,
    }
}

#[test]
fn random_operations_agree_with_the_model() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // On a server each operation crosses to it and back a dozen times.
    let on_server = Backend::new().location("".into()).database.is_some();
    let config = ProptestConfig {
        cases: if on_server { CASES / 20 } else { CASES },
        max_shrink_iters: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(ops in proptest::collection::vec(op(), OPERATIONS))| {
        runtime.block_on(async {
            let mut world = World::new().await;
            for (done, op) in ops.iter().enumerate() {
                world.apply(op).await;
                if done % COMPARE_EVERY == COMPARE_EVERY - 1 {
                    world.compare().await;
                }
            }
            world.compare().await;
        });
    });
}

//! A model of the domain, a few maps in memory, beside the real one: random operations by three users
//! must have the same outcome in both, and leave the same trees, totals and rights.

mod compare;
mod maps;
mod operations;

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
        // Announced or not, it is refused with the same words.
        let announced = self.contents.is_multiple_of(2).then_some(content.len() as u64);
        let mut upload = self.drive.upload(&self.callers[who], target, announced).await?;
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

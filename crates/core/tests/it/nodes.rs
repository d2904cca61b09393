//! Several nodes over one catalog on a server, and that server killed under them.

use crate::postgres::Postgres;
use crate::world::{bytes, end, read};
use bindery_core::{
    Base, Caller, Clock, Database, Drive, Error, FileRef, FolderRef, Kinds, Location, Name,
    NewUser, OnTaken, Result, Seen, SweepSettings, Target, UploadEnd, Window,
};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;

struct Nodes {
    server: Postgres,
    _directory: TempDir,
    nodes: [Drive; 2],
    jane: Caller,
}

impl Nodes {
    async fn new() -> Self {
        let (server, directory) = (Postgres::start(), tempfile::tempdir().unwrap());
        let mut location = Location::directory(directory.path().join("data"));
        location.database = Some(Database::new(format!("{} dbname=postgres", server.url())));
        let first = Drive::open(&location, Clock::System).await.unwrap();
        let second = Drive::open(&location, Clock::System).await.unwrap();
        let user = NewUser {
            login: "jane".into(),
            email: "jane@example.com".into(),
            name: String::new(),
            password: "a password".into(),
            admin: false,
        };
        first.add_user(user).await.unwrap();
        let token = second.create_token("jane", "", None).await.unwrap().secret;
        let jane = Caller::with_token(&token);
        Nodes { server, _directory: directory, nodes: [first, second], jane }
    }

    fn node(&self, number: usize) -> Drive {
        self.nodes[number % 2].clone()
    }
}

async fn upload(
    drive: Drive,
    jane: Caller,
    target: Target,
    content: Vec<u8>,
) -> Result<Seen<bindery_core::File>> {
    let mut upload = drive.upload(&jane, target, None).await?;
    upload.write(content.into()).await?;
    upload.finish(UploadEnd::default()).await
}

fn named(name: &str, on_taken: OnTaken) -> Target {
    let name = Some(Name::parse(name).unwrap());
    Target::Folder { folder: FolderRef::Home, name, on_taken }
}

async fn names(drive: &Drive, jane: &Caller) -> Vec<String> {
    let window = Window { first: 0, count: None, behind: None };
    let (_, listing) = drive.children(jane, FolderRef::Home, Kinds::Files, window).await.unwrap();
    let name = |entry: Seen<bindery_core::Entry>| match entry.node {
        bindery_core::Entry::File(file) => file.label,
        bindery_core::Entry::Folder(folder) => folder.title,
    };
    listing.entries.into_iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_over_two_nodes_has_one_answer() {
    let nodes = Nodes::new().await;
    let made = nodes.node(0).upload(&nodes.jane, Target::home(), None).await.unwrap();
    let file = made.finish(end("raced.txt")).await.unwrap().id;
    for version in 1..=10 {
        let mut racing = JoinSet::new();
        for racer in 0..64 {
            let target = Target::File { file: FileRef::Id(file), base: Base::Version(version) };
            let content = format!("{version} {racer}").into_bytes();
            racing.spawn(upload(nodes.node(racer), nodes.jane.clone(), target, content));
        }
        let done = racing.join_all().await;
        assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);
        let lost = |r: &&Result<_>| matches!(r, Err(Error::VersionConflict(now)) if now.version == version + 1);
        assert_eq!(done.iter().filter(lost).count(), 63);
    }
    let mut racing = JoinSet::new();
    for racer in 0..64 {
        let target = named("One.txt", OnTaken::Refuse);
        racing.spawn(upload(nodes.node(racer), nodes.jane.clone(), target, vec![b'x'; 100]));
    }
    let done = racing.join_all().await;
    assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(done.iter().all(|result| matches!(result, Ok(_) | Err(Error::Exists(_)))));
    for node in &nodes.nodes {
        assert_eq!(names(node, &nodes.jane).await, ["One.txt", "raced.txt"]);
    }
    // What one node ends is over on the other.
    nodes.node(0).set_disabled("jane", true).await.unwrap();
    let refused = nodes.node(1).file(&nodes.jane, file).await;
    assert!(matches!(refused, Err(Error::Unauthenticated)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing_that_was_acknowledged() {
    let nodes = Nodes::new().await;
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    let (stop, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for writer in 0..8_usize {
        let (drive, jane) = (nodes.node(writer), nodes.jane.clone());
        let acknowledged = Arc::clone(&acknowledged);
        let (stop, refused) = (Arc::clone(&stop), Arc::clone(&refused));
        writers.spawn(async move {
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("{writer}-{number}.bin");
                let content = bytes(if number % 4 == 0 { 40_000 } else { 100 + number });
                let target = named(&name, OnTaken::Refuse);
                match upload(drive.clone(), jane.clone(), target, content.clone()).await {
                    Ok(file) => {
                        acknowledged.lock().unwrap().insert(name, (file.id, content));
                    }
                    Err(Error::Unavailable(_)) => refused.store(true, Ordering::Relaxed),
                    Err(error) => panic!("{name}: {error:?}"),
                }
            }
        });
    }
    for round in 0..3 {
        let before = acknowledged.lock().unwrap().len();
        reach(|| acknowledged.lock().unwrap().len() > before + 50, "more is written").await;
        refused.store(false, Ordering::Relaxed);
        kill(&nodes.server);
        reach(|| refused.load(Ordering::Relaxed), "writes are refused").await;
        nodes.server.serve();
        let back = acknowledged.lock().unwrap().len();
        reach(|| acknowledged.lock().unwrap().len() > back + 20, "service is back").await;
        assert!(round < 3);
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());
    for (number, (name, (file, content))) in acknowledged.iter().enumerate() {
        let wanted = Name::parse(name).unwrap();
        let (_, found) =
            nodes.node(number + 1).child(&nodes.jane, FolderRef::Home, &wanted).await.unwrap();
        assert!(found.is_some(), "{name} was acknowledged and is not there");
        let size = content.len() as u64;
        let found = read(&nodes.node(number), &nodes.jane, *file, 0..size).await.unwrap();
        assert!(found == *content, "{name}");
    }
    let found = nodes.node(0).verify(None, |_| ()).await.unwrap();
    assert!(found.damaged.is_empty(), "{:?}", found.damaged);
    // Whoever sweeps first keeps the other from it; to both nothing is due.
    for node in &nodes.nodes {
        node.sweep(SweepSettings::default()).await.unwrap();
    }
}

/// Ends the server without a word; its sessions end when they notice.
fn kill(server: &Postgres) {
    let pid = server.directory.path().join("data/postmaster.pid");
    let pid = std::fs::read_to_string(pid).unwrap();
    let killed = Command::new("kill").args(["-9", pid.lines().next().unwrap()]).status();
    assert!(killed.unwrap().success());
}

/// Waits until something is so.
async fn reach(so: impl Fn() -> bool, what: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < until, "{what}: not within a minute");
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_told_in_its_words() {
    let server = Postgres::start();
    let directory = tempfile::tempdir().unwrap();
    for (more, words) in [
        ("dbname=nowhere", "database \"nowhere\" does not exist"),
        ("dbname=postgres user=nobody", "role \"nobody\" does not exist"),
    ] {
        let mut location = Location::directory(directory.path().join("data"));
        location.database = Some(Database::new(format!("{} {more}", server.url())));
        let refused = Drive::open(&location, Clock::System).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

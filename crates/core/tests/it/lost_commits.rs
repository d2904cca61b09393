//! The answer to a commit is lost: the connection to the server is cut behind the COMMIT, or in front of
//! it. Whoever sends the write again under its key finds one effect, and no conflict with it.

use crate::idempotency::{keyed, name, new, send};
use crate::postgres::Postgres;
use crate::world::{bytes, person};
use bindery_core::{
    Base, Caller, Clock, Database, Drive, Error, FileRef, FolderRef, Location, SweepSettings,
    Target,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const LARGE: usize = 300_000;
const SOCKET: &str = ".s.PGSQL.5432";
/// COMMIT, as a client sends it: a query, its length, its text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Open,
    /// All are cut with a COMMIT behind so many others, once the server has answered it or without it.
    Armed(Cut, u32),
    /// There are none.
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    BehindCommit,
    BeforeCommit,
}

/// Stands between a store and its server.
struct Proxy {
    directory: TempDir,
    line: watch::Sender<Line>,
    refused: watch::Receiver<u64>,
}

impl Proxy {
    fn start(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let line = watch::Sender::new(Line::Open);
        let (count, refused) = watch::channel(0);
        let sender = line.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *sender.borrow() == Line::Down {
                    count.send_modify(|count| *count += 1);
                } else {
                    tokio::spawn(pump(client, server.clone(), sender.clone()));
                }
            }
        });
        Proxy { directory, line, refused }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn arm(&self, cut: Cut) {
        self.arm_behind(cut, 0);
    }

    /// Arms for a COMMIT behind so many others.
    fn arm_behind(&self, cut: Cut, others: u32) {
        self.line.send_replace(Line::Armed(cut, others));
    }

    /// Waits until the store has found the line down.
    async fn is_noticed(&mut self) {
        let before = *self.refused.borrow();
        self.refused.wait_for(|count| *count > before).await.unwrap();
    }

    fn mend(&self) {
        assert_eq!(self.line.send_replace(Line::Open), Line::Down);
    }
}

async fn pump(mut client: UnixStream, server: PathBuf, line: watch::Sender<Line>) {
    let mut server = UnixStream::connect(server.join(SOCKET)).await.unwrap();
    let mut down = line.subscribe();
    let (mut sent, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            Ok(len) = client.read(&mut sent) => {
                let sent = &sent[..len];
                if len == 0 {
                    return;
                }
                if let Some(cut) = cut_at(sent, &line) {
                    if cut == Cut::BehindCommit {
                        server.write_all(sent).await.unwrap();
                        assert_ne!(server.read(&mut answered).await.unwrap(), 0);
                    }
                    line.send_replace(Line::Down);
                    return;
                }
                server.write_all(sent).await.unwrap();
            }
            Ok(len) = server.read(&mut answered) => {
                if len == 0 || client.write_all(&answered[..len]).await.is_err() {
                    return;
                }
            }
            () = is_down(&mut down) => return,
            else => return,
        }
    }
}

/// Whether what a client sends is the COMMIT that was armed for.
fn cut_at(sent: &[u8], line: &watch::Sender<Line>) -> Option<Cut> {
    let armed = *line.borrow();
    let Line::Armed(cut, others) = armed else {
        return None;
    };
    if !sent.windows(COMMIT.len()).any(|at| at == COMMIT) {
        return None;
    }
    if others > 0 {
        line.send_replace(Line::Armed(cut, others - 1));
        return None;
    }
    Some(cut)
}

async fn is_down(line: &mut watch::Receiver<Line>) {
    let _ended = line.wait_for(|line| *line == Line::Down).await;
}

struct Store {
    _server: Postgres,
    proxy: Proxy,
    drive: Drive,
    jane: Caller,
    directory: TempDir,
}

impl Store {
    async fn new() -> Self {
        let (server, directory) = (Postgres::start(), tempfile::tempdir().unwrap());
        let proxy = Proxy::start(server.directory.path().to_owned());
        let mut location = Location::directory(directory.path().join("data"));
        let url = format!("host={} user=postgres dbname=postgres", proxy.path().display());
        location.database = Some(Database { settle_seconds: 2, ..Database::new(url) });
        let drive = Drive::open(&location, Clock::fixed(crate::world::NOW)).await.unwrap();
        let jane = person(&drive, "jane").await;
        Store { _server: server, proxy, drive, jane, directory }
    }

    async fn files(&self) -> u64 {
        self.drive.account(&self.jane).await.unwrap().files
    }

    /// Nothing is left but so many files with one object each.
    async fn holds(&self, files: u64) {
        self.drive.clock().advance_seconds(3601);
        self.drive.sweep(SweepSettings::default()).await.unwrap();
        assert_eq!(self.files().await, files);
        let found = self.drive.verify(None, |_| ()).await.unwrap();
        assert!(found.damaged.is_empty(), "{found:?}");
        let mut objects = 0;
        let mut folders = vec![self.directory.path().join("data/objects")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name() != "catalog-id" {
                    objects += 1;
                }
            }
        }
        assert_eq!(objects, files);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_is_soon_mended_is_settled() {
    let mut store = Store::new().await;
    for (cut, name) in [(Cut::BehindCommit, "behind.bin"), (Cut::BeforeCommit, "before.bin")] {
        let jane = keyed(&store.jane, name);
        let mut upload = store.drive.upload(&jane, new(name), None).await.unwrap();
        upload.write(bytes(LARGE).into()).await.unwrap();
        store.proxy.arm(cut);
        let finish = tokio::spawn(upload.finish(bindery_core::UploadEnd::default()));
        store.proxy.is_noticed().await;
        store.proxy.mend();
        let finished = finish.await.unwrap();
        let again = send(&store.drive, &jane, new(name), bytes(LARGE)).await.unwrap();
        match (cut, finished) {
            (Cut::BehindCommit, Ok(file)) => assert_eq!((file.id, file.version), (again.id, 1)),
            (Cut::BeforeCommit, Err(Error::Unavailable(_))) => {}
            (_, other) => panic!("{cut:?}: {other:?}"),
        }
        assert_eq!(again.version, 1);
    }
    store.holds(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_lasts_is_told_and_the_same_key_finds_the_truth() {
    let store = Store::new().await;
    let mut files = 0;
    for cut in [Cut::BehindCommit, Cut::BeforeCommit] {
        files += 1;
        let file_name = format!("{cut:?}.bin");
        let jane = keyed(&store.jane, &format!("new-{cut:?}"));
        let (again, _) = lost_and_sent_again(&store, cut, &jane, &new(&file_name)).await;
        assert_eq!(again.version, 1);
        assert_eq!(store.files().await, files);

        // A version that must be the latest is not in its own way.
        let target = Target::File { file: FileRef::Id(again.id), base: Base::Version(1) };
        let jane = keyed(&store.jane, &format!("next-{cut:?}"));
        let (next, first) = lost_and_sent_again(&store, cut, &jane, &target).await;
        assert_eq!((next.id, next.version), (again.id, 2));
        assert!(first >= Duration::from_secs(2), "{first:?}");
        let (_, versions) = store.drive.versions(&store.jane, again.id.into()).await.unwrap();
        assert_eq!(versions.len(), 2);
        store.drive.delete_version(&store.jane, versions[1].id).await.unwrap();
    }
    store.holds(files).await;
}

/// An upload whose commit stays unknown, sent again once the line is mended; and how long it took to say.
async fn lost_and_sent_again(
    store: &Store,
    cut: Cut,
    jane: &Caller,
    target: &Target,
) -> (bindery_core::Seen<bindery_core::File>, Duration) {
    let mut upload = store.drive.upload(jane, target.clone(), None).await.unwrap();
    upload.write(bytes(LARGE).into()).await.unwrap();
    store.proxy.arm(cut);
    let began = Instant::now();
    let lost = upload.finish(bindery_core::UploadEnd::default()).await.unwrap_err();
    let took = began.elapsed();
    assert!(matches!(lost, Error::Unavailable(_)), "{lost:?}");
    assert!(lost.to_string().contains("may or may not"), "{lost}");
    store.proxy.mend();
    (send(&store.drive, jane, target.clone(), bytes(LARGE)).await.unwrap(), took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_made_and_copied_once_though_nobody_heard_of_it() {
    let store = Store::new().await;
    let home = FolderRef::Home;
    let jane = keyed(&store.jane, "new");
    store.proxy.arm(Cut::BehindCommit);
    let lost = store.drive.create_folder(&jane, home, &name("folder")).await.unwrap_err();
    assert!(matches!(lost, Error::Unavailable(_)), "{lost:?}");
    store.proxy.mend();
    let made = store.drive.create_folder(&jane, home, &name("folder")).await.unwrap().id;
    // Without a key there is nothing to tell it by.
    let taken = store.drive.create_folder(&store.jane, home, &name("folder")).await.unwrap_err();
    assert!(matches!(taken, Error::Exists(_)), "{taken:?}");
    let (home, _) = store.drive.child(&store.jane, home, &name("folder")).await.unwrap();
    assert_eq!((home.folders, home.files), (1, 0));

    // A copy is begun, filled and attached: the last is lost.
    let copied = keyed(&store.jane, "copy");
    let called = name("copy");
    let copy = || store.drive.copy_folder(&copied, made.into(), FolderRef::Home, &called);
    store.proxy.arm_behind(Cut::BehindCommit, 2);
    assert!(matches!(copy().await, Err(Error::Unavailable(_))));
    store.proxy.mend();
    copy().await.unwrap();
    let home = store.drive.folder(&store.jane, FolderRef::Home).await.unwrap();
    assert_eq!(home.folders, 2);

    let renamed = keyed(&store.jane, "rename");
    store.proxy.arm(Cut::BehindCommit);
    store.drive.rename_folder(&renamed, made.into(), &name("other")).await.unwrap_err();
    store.proxy.mend();
    let other = store.drive.rename_folder(&renamed, made.into(), &name("other")).await.unwrap();
    assert_eq!((other.id, &*other.title), (made, "other"));
}

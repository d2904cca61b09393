//! A real S3 server that is stopped, killed under an upload, or badly reached. Whatever happens, an upload
//! is a file or fails as "not available", a download gives the right bytes or fails, and what is stored
//! in the end is what the catalog names.

use crate::leases::pending_and_doomed;
use crate::pages::first_page;
use crate::proxy::{Ask, Fault, Proxy};
use crate::s3::S3;
use crate::world::{World, bytes, end};
use bindery_core::{Error, File, FileId, Result, SweepSettings};
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::time::Duration;

const MIB: usize = 1 << 20;
/// Two parts and something.
const LARGE: usize = 11 * MIB;
/// A part and something.
const IN_TWO: usize = 6 * MIB;
const LEASE: i64 = 3600;
/// How long anything may take whatever happens to its requests.
const BOUND: Duration = Duration::from_secs(15);

struct Store {
    world: World,
    s3: S3,
    proxy: Proxy,
}

impl Store {
    async fn new() -> Self {
        let s3 = S3::new();
        let proxy = Proxy::start(s3.port).await;
        let world = World::on(s3.backend(proxy.port)).await;
        Store { world, s3, proxy }
    }

    async fn put(&self, name: &str, content: &[u8]) -> Result<File> {
        let put = async {
            let mut upload = self.world.upload().await;
            for piece in content.chunks(MIB) {
                upload.write(piece.to_vec().into()).await?;
            }
            Ok(upload.finish(end(name)).await?.node)
        };
        tokio::time::timeout(BOUND, put).await.expect("an upload ends in time")
    }

    async fn get(&self, file: &File) -> Result<Vec<u8>> {
        let get = self.world.get(file.id, 0..file.size);
        tokio::time::timeout(BOUND, get).await.expect("a download ends in time")
    }

    /// An upload that is in the middle of its parts.
    async fn in_parts(&self) -> bindery_core::Upload {
        let mut upload = self.world.upload().await;
        for piece in bytes(LARGE).chunks(MIB) {
            upload.write(piece.to_vec().into()).await.unwrap();
        }
        until(|| self.s3.parts().len() == 2).await;
        upload
    }

    async fn list(&self) -> Vec<File> {
        let list = first_page(1000);
        self.world.drive.list(&self.world.caller, list).await.unwrap().files
    }

    /// Nothing goes while a lease may be in use; behind it, what is stored is what the catalog names.
    async fn is_swept_clean(&self) {
        let parts = self.s3.parts();
        self.world.drive.clock().advance_seconds(LEASE);
        self.world.sweep().await;
        assert_eq!(self.s3.parts(), parts);
        self.world.drive.clock().advance_seconds(1);
        self.world.sweep().await;
        self.holds_what_it_names().await;
    }

    async fn holds_what_it_names(&self) {
        let mut named = Vec::new();
        for file in self.list().await {
            let objects = self.world.drive.stored_objects(&file).await.unwrap();
            named.extend(objects.into_iter().map(|object| object.name));
        }
        named.retain(|name| name != "inline");
        named.sort();
        let stored: Vec<_> = self.world.objects().iter().map(|path| ending(path)).collect();
        assert_eq!(stored, named);
        assert_eq!(self.s3.parts_known(), [""; 0]);
        assert_eq!(pending_and_doomed(&self.world), (0, 0));
        let found = self.world.drive.verify(None, |_| ()).await.unwrap();
        assert!(found.damaged.is_empty(), "{found:?}");
    }
}

/// An object's own name: its folder and its file.
fn ending(path: &std::path::Path) -> String {
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    names[names.len() - 2..].join("/")
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

#[track_caller]
fn assert_unavailable<T: std::fmt::Debug>(result: &Result<T>) {
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
}

#[tokio::test]
async fn the_parts_of_an_upload_that_was_killed_are_swept() {
    let store = Store::new().await;
    // Nobody cleans up.
    std::mem::forget(store.in_parts().await);
    store.is_swept_clean().await;
    assert_eq!(store.s3.parts(), [""; 0]);
}

#[tokio::test]
async fn the_parts_of_an_upload_that_was_left_within_a_write_are_swept() {
    let store = Store::new().await;
    let mut upload = store.in_parts().await;
    let left = upload.write(bytes(20 * MIB).into()).now_or_never();
    assert!(left.is_none(), "{left:?}");
    drop(upload);
    store.is_swept_clean().await;
    assert_eq!(store.s3.parts(), [""; 0]);
}

#[tokio::test]
async fn parts_that_could_not_be_aborted_are_swept_when_the_server_is_back() {
    let mut store = Store::new().await;
    let (given_up, finished) = (store.in_parts().await, store.world.upload().await);
    drop(finished);
    store.s3.stop();
    given_up.discard().await;
    assert_eq!(store.s3.parts().len(), 2);
    // What cannot be removed stays known.
    store.world.drive.clock().advance_seconds(LEASE + 1);
    assert_unavailable(&store.world.drive.sweep(SweepSettings::default()).await);
    assert_eq!(pending_and_doomed(&store.world), (0, 1));
    store.s3.start();
    store.world.sweep().await;
    store.holds_what_it_names().await;
    assert_eq!(store.s3.parts(), [""; 0]);
}

#[tokio::test]
async fn an_upload_whose_server_stops_is_no_file_and_leaves_nothing_behind_the_sweep() {
    let mut store = Store::new().await;
    let upload = store.in_parts().await;
    store.s3.stop();
    assert_unavailable(&upload.finish(end("half.bin")).await);
    assert_unavailable(&store.put("small.bin", &bytes(100_000)).await);
    assert_unavailable(&store.put("large.bin", &bytes(LARGE)).await);
    assert!(store.list().await.is_empty());
    // What is small needs no service.
    store.put("inline.txt", &bytes(100)).await.unwrap();
    store.s3.start();
    let file = store.put("large.bin", &bytes(LARGE)).await.unwrap();
    assert!(store.get(&file).await.unwrap() == bytes(LARGE));
    assert_eq!(store.list().await.len(), 2);
    store.is_swept_clean().await;
}

#[tokio::test]
async fn a_download_whose_server_stops_ends_and_goes_on_when_it_is_back() {
    let mut store = Store::new().await;
    let (world, len) = (&store.world, LARGE as u64);
    let file = store.put("large.bin", &bytes(LARGE)).await.unwrap();
    let download = world.drive.download(&world.caller, file.id).await.unwrap();
    let mut body = download.read(0..len).unwrap();
    let mut got = body.next().await.unwrap().unwrap().to_vec();
    store.s3.stop();
    let failed = loop {
        match body.next().await {
            Ok(Some(piece)) => got.extend_from_slice(&piece),
            end => break end,
        }
    };
    assert_unavailable(&failed);
    assert!(got.len() < LARGE);
    store.s3.start();
    got.extend(store.world.get(file.id, got.len() as u64..len).await.unwrap());
    assert!(got == bytes(LARGE));
}

#[tokio::test]
async fn an_object_that_is_cut_or_gone_is_damaged() {
    let store = Store::new().await;
    let file = store.put("large.bin", &bytes(LARGE)).await.unwrap();
    let object = store.world.objects().remove(0);
    for len in [LARGE as u64, 9 << 20, 10, 0] {
        std::fs::File::options().write(true).open(&object).unwrap().set_len(len).unwrap();
        let cut = store.world.get(file.id, file.size - 5..file.size).await;
        assert!(matches!(cut, Err(Error::Damaged { .. })), "{len}: {cut:?}");
    }
    std::fs::remove_file(&object).unwrap();
    let gone = store.get(&file).await;
    assert!(matches!(gone, Err(Error::Damaged { .. })), "{gone:?}");
}

/// Every fault of every request of an upload: once, which is made good, and until nobody tries again.
#[tokio::test]
async fn an_upload_under_any_fault_is_a_file_or_is_not_there() {
    let store = Store::new().await;
    let faults = [
        Fault::Delay(Duration::from_millis(50)),
        Fault::CutSent(0),
        Fault::CutSent(70_000),
        Fault::ResetSent(70_000),
        Fault::CutAnswer(0),
        Fault::CutAnswer(20),
        Fault::ResetAnswer(0),
        Fault::Status(500),
        Fault::Status(503),
    ];
    let asks =
        [(Ask::Put, 100_000), (Ask::Create, IN_TWO), (Ask::Part, IN_TWO), (Ask::Complete, IN_TWO)];
    let mut acknowledged = BTreeMap::new();
    for (ask, len) in asks {
        for (fault, requests) in faults.iter().flat_map(|fault| [(fault, 1), (fault, 1000)]) {
            let name = format!("{ask:?} {fault:?} {requests}");
            store.proxy.suffer(ask, *fault, requests);
            let put = store.put(&name, &bytes(len)).await;
            store.proxy.recover();
            match put {
                Ok(file) => drop(acknowledged.insert(name, file)),
                // What was asked for once, and not done, is asked for again. Not so an object of parts,
                // while the server is at it: it does not know the parts any more, nor yet the object.
                failed => {
                    assert!(requests > 1 || ask == Ask::Complete, "{name}");
                    assert_unavailable(&failed);
                }
            }
            let listed: Vec<_> = store.list().await.into_iter().map(|file| file.name).collect();
            assert!(listed.iter().eq(acknowledged.keys()), "{listed:?} and {acknowledged:?}");
        }
    }
    for name in ["Complete CutAnswer(0) 1", "Complete CutAnswer(0) 1000"] {
        let content = store.get(&acknowledged[name]).await.unwrap();
        assert!(content == bytes(IN_TWO), "{name}: the object was there");
    }
    store.is_swept_clean().await;
}

#[tokio::test]
async fn a_removal_under_any_fault_is_done_again() {
    let store = Store::new().await;
    let faults = [Fault::CutSent(0), Fault::CutAnswer(0), Fault::Status(500), Fault::Status(503)];
    for (ask, fault) in
        [Ask::Abort, Ask::Delete].into_iter().flat_map(|ask| faults.map(|f| (ask, f)))
    {
        store.proxy.suffer(ask, fault, 1000);
        store.in_parts().await.discard().await;
        store.world.drive.clock().advance_seconds(LEASE + 1);
        let swept = store.world.drive.sweep(SweepSettings::default()).await;
        // The parts are gone, though the server could not say so: it does not know them any more.
        if !matches!((ask, fault), (Ask::Abort, Fault::CutAnswer(_))) {
            assert_unavailable(&swept);
        }
        store.proxy.recover();
        store.world.sweep().await;
        store.holds_what_it_names().await;
    }
}

#[tokio::test]
async fn a_download_under_any_fault_is_whole_or_fails() {
    let store = Store::new().await;
    let content = bytes(3 * MIB / 2);
    let file = store.put("large.bin", &content).await.unwrap();
    let faults = [
        Fault::Delay(Duration::from_millis(50)),
        Fault::CutSent(0),
        Fault::CutAnswer(0),
        Fault::CutAnswer(100_000),
        Fault::ResetAnswer(100_000),
        Fault::CutAnswer(200_000),
        Fault::Status(500),
        Fault::Status(503),
    ];
    for fault in faults {
        // Cut once, it goes on where it was; cut always, it ends with an error.
        store.proxy.suffer(Ask::Get, fault, 1);
        let whole = store.get(&file).await.unwrap();
        assert!(whole == content, "{fault:?}");
        store.proxy.suffer(Ask::Get, fault, 1000);
        let world = &store.world;
        let download = world.drive.download(&world.caller, file.id).await.unwrap();
        let (mut body, mut got) = (download.read(0..file.size).unwrap(), Vec::new());
        let ended = loop {
            match body.next().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                ended => break ended,
            }
        };
        assert!(content.starts_with(&got), "{fault:?}: not a byte that is wrong");
        match ended {
            Ok(_) => assert_eq!(got.len(), content.len(), "{fault:?}"),
            failed => assert_unavailable(&failed),
        }
        store.proxy.recover();
    }
}

/// A service that takes what it is asked and says nothing.
#[tokio::test]
async fn a_request_that_is_never_answered_ends_in_time() {
    let store = Store::new().await;
    let file = store.put("here.bin", &bytes(100_000)).await.unwrap();
    store.proxy.plan(|_| Some(Fault::Stall));
    assert_unavailable(&store.put("stalled.bin", &bytes(100_000)).await);
    assert_unavailable(&store.get(&file).await);
    store.proxy.recover();
    store.is_swept_clean().await;
}

/// Numbers that look random, the same again from the same seed.
struct Random(u64);

impl Random {
    /// Below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn fault(&mut self) -> Fault {
        let len = self.below(300_000);
        match self.below(8) {
            0 => Fault::Delay(Duration::from_millis(len as u64 / 10_000)),
            1 => Fault::CutSent(len),
            2 => Fault::ResetSent(len),
            3 => Fault::CutAnswer(len),
            4 => Fault::ResetAnswer(len),
            5 => Fault::CutAnswer(0),
            6 => Fault::Status(500),
            _ => Fault::Status(503),
        }
    }
}

/// Mostly single faults, which are made good, and now and then a time in which nothing works.
fn weather(seed: u64) -> impl FnMut(Ask) -> Option<Fault> + Send + 'static {
    let (mut random, mut storm) = (Random(seed), 0);
    move |_| {
        if storm == 0 && random.below(20) == 0 {
            storm = random.below(30);
        }
        if storm > 0 {
            storm -= 1;
            return Some(random.fault());
        }
        (random.below(5) == 0).then(|| random.fault())
    }
}

/// What a random upload holds: as long as the store's branches are far apart.
fn content(random: &mut Random) -> Vec<u8> {
    let len = match random.below(10) {
        0 => random.below(16 << 10),
        1..=6 => (16 << 10) + random.below(400_000),
        7 => 5 * MIB - 50_000 + random.below(400_000),
        _ => 6 * MIB + random.below(5 * MIB),
    };
    let shift = random.below(251);
    bytes(len + shift).split_off(shift)
}

#[tokio::test]
async fn random_operations_under_random_faults_lose_nothing() {
    const OPERATIONS: usize = 200;
    let seed = std::env::var("BINDERY_TEST_SEED")
        .map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().expect("a number"));
    println!("BINDERY_TEST_SEED={seed}");
    let store = Store::new().await;
    let world = &store.world;
    let mut random = Random(seed);
    let mut files: BTreeMap<FileId, (String, Vec<u8>)> = BTreeMap::new();
    let (mut done, mut failed) = (0, 0);
    store.proxy.plan(weather(seed ^ 1));
    for number in 0..OPERATIONS {
        let chosen = random.below(files.len().max(1));
        let known = files.iter().nth(chosen).map(|(id, (_, content))| (*id, content.clone()));
        let (kind, content) = (random.below(20), content(&mut random));
        let outcome = match (kind, known) {
            (0..=8, _) | (_, None) => {
                let name = format!("{number:04}.bin");
                store.put(&name, &content).await.map(|file| {
                    files.insert(file.id, (name, content));
                })
            }
            (9..=15, Some((id, content))) => {
                let start = random.below(content.len() + 1);
                let end = start + random.below(content.len() - start + 1);
                let got = world.get(id, start as u64..end as u64);
                let got = tokio::time::timeout(BOUND, got).await.expect("it ends in time");
                got.map(|got| assert!(got == content[start..end], "{number}: other bytes"))
            }
            (16, Some((id, _))) => {
                files.remove(&id);
                world.drive.trash(&world.caller, id).await.unwrap();
                world.drive.purge_node(id.0).await
            }
            (17, _) => {
                let mut upload = world.upload().await;
                let written = upload.write(content.into()).await;
                upload.discard().await;
                written
            }
            // Left wherever it is.
            (18, _) => {
                let mut upload = world.upload().await;
                let wait = Duration::from_millis(random.below(60) as u64);
                tokio::time::timeout(wait, upload.write(content.into())).await.unwrap_or(Ok(()))
            }
            _ => world.drive.sweep(SweepSettings::default()).await.map(drop),
        };
        match outcome {
            Ok(()) => done += 1,
            error => {
                failed += 1;
                assert_unavailable(&error);
            }
        }
        let listed: Vec<_> = store.list().await.into_iter().map(|f| (f.name, f.size)).collect();
        let known: Vec<_> =
            files.values().map(|(name, content)| (name.clone(), content.len() as u64)).collect();
        assert_eq!(listed, known, "{number}");
    }
    println!("{done} done, {failed} failed");
    assert!(failed > 0 && done > failed);
    store.proxy.recover();
    for (id, (name, content)) in &files {
        let got = world.get(*id, 0..content.len() as u64).await.unwrap();
        assert!(got == *content, "{name}");
    }
    store.is_swept_clean().await;
}

//! Bits flipped in the catalog's own file and in its log. No reader gets a wrong byte of a content. What
//! else a flip does is counted: whether the store does not open, whether `verify` finds it (by the
//! engine's check or by ours), whether it changes nothing, or an answer that nobody notices, and which.
//! `BINDERY_TEST_FLIPS` says how many flips of each file there are; the counts are printed.

use crate::damage::{Numbers, two_users};
use crate::pages::first_page;
use crate::world::{World, open_in, read};
use bindery_core::{Caller, Change, Drive, FileId, FileSet, List};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::Path;

const SEED: u64 = 0x5eed_0005;

fn cases() -> usize {
    std::env::var("BINDERY_TEST_FLIPS").map_or(100, |cases| cases.parse().unwrap())
}

type Kept = Vec<(FileId, String, Caller, Vec<u8>)>;
/// What was asked for, and what the answer was; `None` is a refusal.
type Answers = BTreeMap<(&'static str, String), Option<String>>;

fn shown<T: Debug, E>(answer: Result<T, E>) -> Option<String> {
    answer.ok().map(|answer| format!("{answer:?}"))
}

/// All that is answered, apart from contents, of which no byte may be wrong.
async fn answers(drive: &Drive, kept: &Kept, said: &str) -> Answers {
    let mut answers = Answers::new();
    let callers: BTreeMap<&str, &Caller> =
        kept.iter().map(|(_, name, caller, _)| (&name[..3], caller)).collect();
    for (who, caller) in callers {
        let mut add = |kind, answer| drop(answers.insert((kind, who.into()), answer));
        add("user", shown(drive.identify(caller).await));
        add("totals", shown(drive.account(caller).await.map(|of| (of.files, of.bytes, of.quota))));
        add("shares", shown(drive.all_shares(None).await));
        for (kind, set) in [("list", FileSet::Owned), ("shared list", FileSet::Shared)] {
            let list = drive.list(caller, List { set, ..first_page(100) }).await;
            let ids = |page: bindery_core::ListPage| {
                page.files.iter().map(|file| file.id).collect::<Vec<_>>()
            };
            add(kind, shown(list.map(ids)));
        }
    }
    for (id, name, caller, content) in kept {
        let seen = drive.file(caller, *id).await.map(|seen| seen.node);
        let seen = seen.as_ref();
        let mut add = |kind, answer| drop(answers.insert((kind, name.clone()), answer));
        add("name", shown(seen.map(|file| (&file.name, &file.label, &file.path))));
        add("date", shown(seen.map(|file| (file.uploaded, file.created, file.modified))));
        add("size", shown(seen.map(|file| (file.size, file.md5, file.sha512(), file.plain()))));
        add("place", shown(seen.map(|file| (file.owner, file.parent, file.trashed, file.version))));
        add("kind", shown(seen.map(|file| (file.type_id, file.hex))));
        add("readers", shown(seen.map(|file| &file.shared_with)));
        let found = read(drive, caller, *id, 0..content.len() as u64).await;
        if let Ok(found) = &found {
            assert!(found == content, "{said}: a wrong byte of {name}");
        }
        add("content", shown(found.map(|_| "right")));
    }
    answers
}

#[derive(Debug, Default)]
struct Count {
    nothing: usize,
    does_not_open: usize,
    found_and_harmless: usize,
    found_and_answered_otherwise: usize,
    /// Something is not there any more, and nobody says why.
    gone_unnoticed: usize,
    /// Something is answered otherwise, by what it is.
    otherwise_unnoticed: BTreeMap<&'static str, usize>,
}

fn restore(whole: &Path, data: &Path) {
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _none = fs::remove_file(data.join(name));
        if whole.join(name).exists() {
            fs::copy(whole.join(name), data.join(name)).unwrap();
        }
    }
}

/// How the store is left in which bits are flipped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Closed,
    Killed,
    /// Without the index of the log, which a power cut need not leave.
    KilledWithoutIndex,
}

async fn flip(file: &'static str, left: Left) -> Count {
    let world = World::embedded().await;
    let (_, kept) = two_users(&world).await;
    let reader = Change { shared_with: Some(vec!["bob@example.com".into()]), ..Change::default() };
    world.drive.change(&world.caller, kept[0].0, reader).await.unwrap();
    let whole = world.directory.path().join("whole");
    fs::create_dir(&whole).unwrap();
    let World { drive, directory, backend, .. } = world;
    let data = directory.path().join("data");
    if left == Left::Closed {
        drop(drive);
        restore(&data, &whole);
    } else {
        restore(&data, &whole);
        drop(drive);
    }
    if left == Left::KilledWithoutIndex {
        fs::remove_file(whole.join("catalog.db-shm")).unwrap();
    }
    let numbers = &mut Numbers(SEED);
    let mut count = Count::default();
    restore(&whole, &data);
    let wanted = answers(&open_in(&directory, &backend).await, &kept, "nothing").await;
    assert!(wanted.values().all(Option::is_some), "{wanted:?}");
    for case in 0..cases() {
        restore(&whole, &data);
        let path = data.join(file);
        let mut bytes = fs::read(&path).unwrap();
        let bit = numbers.below(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        let said = format!("bit {bit} of {file}, case {case} of seed {SEED:#x}");
        let location = backend.location(data.clone());
        let clock = bindery_core::Clock::fixed(crate::world::NOW);
        let Ok(drive) = Drive::open(&location, clock).await else {
            count.does_not_open += 1;
            continue;
        };
        let got = answers(&drive, &kept, &said).await;
        let is_found = match drive.verify(None, |_| ()).await {
            Ok(found) => !found.catalog.is_empty() || !found.damaged.is_empty(),
            Err(error) => {
                assert!(!error.to_string().contains("panic"), "{said}: {error}");
                true
            }
        };
        let other: BTreeSet<_> = wanted.iter().filter(|(key, want)| got[key] != **want).collect();
        match (is_found, other.is_empty()) {
            (true, true) => count.found_and_harmless += 1,
            (true, false) => count.found_and_answered_otherwise += 1,
            (false, true) => count.nothing += 1,
            (false, false) => {
                let (gone, changed): (BTreeSet<_>, BTreeSet<_>) =
                    other.into_iter().partition(|(key, _)| got[key].is_none());
                count.gone_unnoticed += usize::from(!gone.is_empty());
                let kinds: BTreeSet<_> = changed.iter().map(|((kind, _), _)| *kind).collect();
                for kind in kinds {
                    *count.otherwise_unnoticed.entry(kind).or_default() += 1;
                }
            }
        }
    }
    println!("{} flips of {file} (seed {SEED:#x}): {count:#?}", cases());
    count
}

#[tokio::test]
async fn a_bit_of_the_catalog_changes_no_content() {
    let count = flip("catalog.db", Left::Closed).await;
    assert!(count.found_and_answered_otherwise + count.found_and_harmless > 0, "{count:?}");
    assert_eq!(count.gone_unnoticed, 0, "{count:?}");
    // What nothing authenticates, and nothing else in the catalog repeats.
    let known = ["date", "kind", "name", "place", "readers", "shares", "totals", "user"];
    for kind in count.otherwise_unnoticed.keys() {
        assert!(known.contains(kind), "{count:?}");
    }
}

/// The log ends for the engine where a checksum in it is wrong. It is not let near one that is damaged.
#[tokio::test]
async fn a_bit_of_the_log_is_found_before_it_is_read() {
    let count = flip("catalog.db-wal", Left::Killed).await;
    assert_eq!(count.does_not_open, cases(), "{count:?}");
}

/// Without the index the last commits cannot be told from what a power cut left of unfinished ones: then all
/// is as it was before them.
#[tokio::test]
async fn a_bit_of_the_log_alone_is_found_or_is_an_earlier_state() {
    let count = flip("catalog.db-wal", Left::KilledWithoutIndex).await;
    assert!(count.does_not_open * 10 > cases() * 9, "{count:?}");
    for kind in ["name", "date", "size", "place", "kind", "content"] {
        assert!(!count.otherwise_unnoticed.contains_key(kind), "{count:?}");
    }
}

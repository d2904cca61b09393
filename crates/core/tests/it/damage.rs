//! A thousand times something that is stored is changed behind the store's back: bits of objects and of
//! inline contents, their ends, their segments, whole objects, and rows of versions, exchanged between
//! files and between users. No reader gets a wrong byte, an inspection names who was harmed and nobody
//! else, and all others are read.

use crate::world::{World, bytes, person, read};
use bindery_core::{Caller, Error, FileId, Name, Target, UploadEnd};
use rusqlite::params;
use rusqlite::types::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

const CASES: usize = 1000;
const SEED: u64 = 0x5eed_0004;
const SEGMENT: usize = 65_536;

/// splitmix64: the same numbers from the same seed, on every machine.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

struct Kept {
    id: FileId,
    name: String,
    owner: Caller,
    content: Vec<u8>,
    /// Where it is, unless it is in the catalog.
    object: Option<PathBuf>,
}

/// Files of two users: in the catalog, and in objects of one, two and three segments.
pub(crate) async fn two_users(world: &World) -> (Caller, Vec<(FileId, String, Caller, Vec<u8>)>) {
    let bob = person(&world.drive, "bob").await;
    let mut made = Vec::new();
    for (at, len) in [0, 100, 100, 5000, 20_000, 20_000, 70_000, 150_000].into_iter().enumerate() {
        for (owner, who) in [(&world.caller, "jane"), (&bob, "bob")] {
            // Of equal lengths, but not equal.
            let shift = (at * 2 + usize::from(who == "bob")) as u8;
            let content: Vec<u8> = bytes(len).iter().map(|b| b.wrapping_add(shift)).collect();
            let name = format!("{who}-{at}.bin");
            let mut upload = world.drive.upload(owner, Target::home(), None).await.unwrap();
            upload.write(content.clone().into()).await.unwrap();
            let end = UploadEnd { name: Some(Name::parse(&name).unwrap()), ..UploadEnd::default() };
            let file = upload.finish(end).await.unwrap().node;
            made.push((file.id, name, owner.clone(), content));
        }
    }
    (bob, made)
}

/// What was done, and what takes it back.
struct Harm {
    what: String,
    harmed: BTreeSet<usize>,
    undo: Undo,
}

enum Undo {
    Objects(Vec<(PathBuf, Vec<u8>)>),
    Rows(Vec<(&'static str, Vec<Value>)>),
}

fn flip(sealed: &mut [u8], numbers: &mut Numbers) {
    let bit = numbers.below(sealed.len() * 8);
    sealed[bit / 8] ^= 1 << (bit % 8);
}

fn to_objects(kept: &[Kept], numbers: &mut Numbers) -> Option<Harm> {
    let objects: Vec<usize> = (0..kept.len()).filter(|at| kept[*at].object.is_some()).collect();
    let (a, b) = (objects[numbers.below(objects.len())], objects[numbers.below(objects.len())]);
    let path = |at: usize| kept[at].object.clone().unwrap();
    let old = [a, b].map(|at| (path(at), fs::read(path(at)).unwrap()));
    let (mut new, other) = (old[0].1.clone(), &old[1].1);
    let mut harmed = BTreeSet::from([a]);
    let kind = ["flip", "cut", "insert", "segment", "swap", "remove", "reorder"][numbers.below(7)];
    match kind {
        "flip" => flip(&mut new, numbers),
        "cut" => new.truncate(numbers.below(new.len())),
        "insert" => new.insert(numbers.below(new.len()), 0),
        // A piece of another object, in the place of the same piece of this one.
        "segment" => {
            let len = new.len().min(other.len());
            let begin = (numbers.below(3) * SEGMENT).min(len - 1);
            let end = (begin + SEGMENT).min(len);
            new[begin..end].copy_from_slice(&other[begin..end]);
        }
        "swap" => {
            fs::write(path(b), &new).unwrap();
            new.clone_from(other);
            harmed.insert(b);
        }
        "reorder" => {
            let half = new.len() / 2;
            new.rotate_left(half);
        }
        _ => {}
    }
    if kind == "remove" {
        fs::remove_file(path(a)).unwrap();
    } else if new == old[0].1 {
        return None;
    } else {
        fs::write(path(a), new).unwrap();
    }
    Some(Harm { what: format!("{kind} {a} {b}"), harmed, undo: Undo::Objects(old.into()) })
}

/// Columns of a version and of a content, which are exchanged with or replaced by those of another.
const COLUMNS: [(&str, &str, &str); 8] = [
    (
        "wrapped_key",
        "select wrapped_key from versions where file = ?1",
        "update versions set wrapped_key = ?2 where file = ?1",
    ),
    (
        "md5",
        "select md5 from versions where file = ?1",
        "update versions set md5 = ?2 where file = ?1",
    ),
    (
        "size",
        "select size from versions where file = ?1",
        "update versions set size = ?2 where file = ?1",
    ),
    (
        "content",
        "select content from versions where file = ?1",
        "update versions set content = ?2 where file = ?1",
    ),
    (
        "number",
        "select number from versions where file = ?1",
        "update versions set number = ?2 where file = ?1",
    ),
    (
        "file",
        "select file from versions where file = ?1",
        "update versions set file = ?2 where file = ?1",
    ),
    (
        "objects",
        "select objects from contents where id = (select content from versions where file = ?1)",
        "update contents set objects = ?2 where id = (select content from versions where file = ?1)",
    ),
    (
        "sealed",
        "select sealed from contents where id = (select content from versions where file = ?1) and sealed is not null",
        "update contents set sealed = ?2 where id = (select content from versions where file = ?1)",
    ),
];

fn to_rows(world: &World, kept: &[Kept], numbers: &mut Numbers) -> Option<Harm> {
    let catalog = world.catalog();
    catalog.pragma_update(None, "foreign_keys", false).unwrap();
    let (a, b) = (numbers.below(kept.len()), numbers.below(kept.len()));
    let (column, get, set) = COLUMNS[numbers.below(COLUMNS.len())];
    let value = |at: usize| catalog.query_row(get, [kept[at].id.0], |row| row.get::<_, Value>(0));
    let (Ok(old), Ok(other)) = (value(a), value(b)) else { return None };
    let mut harmed = BTreeSet::from([a]);
    let mut undo = vec![(set, vec![Value::Integer(kept[a].id.0), old.clone()])];
    let put = |at: usize, value: &Value| catalog.execute(set, params![kept[at].id.0, value]);
    let kind = if column == "file" { 2 } else { numbers.below(3) };
    match (kind, &old) {
        (0, Value::Blob(sealed)) if !sealed.is_empty() => {
            let mut sealed = sealed.clone();
            flip(&mut sealed, numbers);
            put(a, &Value::Blob(sealed)).unwrap();
        }
        (0, Value::Integer(number)) => {
            put(a, &Value::Integer(number + 1 + numbers.below(3) as i64)).unwrap();
        }
        (0, Value::Text(text)) if !text.is_empty() => {
            let mut text = text.clone().into_bytes();
            flip(&mut text, numbers);
            put(a, &Value::Blob(text)).unwrap();
        }
        // One has what the other one has.
        (1, _) if old != other => {
            put(a, &other).unwrap();
        }
        // Each has what the other one had.
        (2, _) if old != other && column != "file" => {
            put(a, &other).unwrap();
            put(b, &old).unwrap();
            harmed.insert(b);
            undo.push((set, vec![Value::Integer(kept[b].id.0), other]));
        }
        (2, _) if old != other => {
            // Whole rows of versions change hands.
            for (file, to) in [(kept[a].id.0, -1), (kept[b].id.0, kept[a].id.0), (-1, kept[b].id.0)]
            {
                catalog.execute(set, params![file, to]).unwrap();
            }
            harmed.insert(b);
            undo = vec![
                (set, vec![Value::Integer(kept[a].id.0), Value::Integer(-1)]),
                (set, vec![Value::Integer(kept[b].id.0), Value::Integer(kept[a].id.0)]),
                (set, vec![Value::Integer(-1), Value::Integer(kept[b].id.0)]),
            ];
        }
        _ => return None,
    }
    Some(Harm { what: format!("{column} {kind} {a} {b}"), harmed, undo: Undo::Rows(undo) })
}

fn take_back(world: &World, undo: Undo) {
    match undo {
        Undo::Objects(objects) => {
            for (path, old) in objects {
                fs::write(path, old).unwrap();
            }
        }
        Undo::Rows(rows) => {
            let catalog = world.catalog();
            catalog.pragma_update(None, "foreign_keys", false).unwrap();
            for (set, values) in rows {
                assert_eq!(catalog.execute(set, rusqlite::params_from_iter(values)).unwrap(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_thousand_changes_are_found_and_no_wrong_byte_is_read() {
    let world = World::embedded().await;
    let known: BTreeSet<PathBuf> = world.objects().into_iter().collect();
    assert!(known.is_empty());
    let (_bob, made) = two_users(&world).await;
    let catalog = world.catalog();
    let kept: Vec<Kept> = made
        .into_iter()
        .map(|(id, name, owner, content)| {
            let list = "select objects from contents where id = \
                (select content from versions where file = ?1)";
            let list: String = catalog.query_row(list, [id.0], |row| row.get(0)).unwrap();
            let blob = list.trim().split_once(' ').map(|(_, blob)| blob.to_owned());
            let object = blob.map(|blob| {
                let found = world.objects().into_iter().find(|path| path.ends_with(&blob));
                found.unwrap()
            });
            Kept { id, name, owner, content, object }
        })
        .collect();
    let numbers = &mut Numbers(SEED);
    let (mut cases, mut refused) = (0, 0);
    while cases < CASES {
        let harm = match numbers.below(2) {
            0 => to_objects(&kept, numbers),
            _ => to_rows(&world, &kept, numbers),
        };
        let Some(Harm { what, harmed, undo }) = harm else { continue };
        cases += 1;
        let said = format!("case {cases} of seed {SEED:#x}: {what}");
        for (at, file) in kept.iter().enumerate() {
            let size = file.content.len() as u64;
            match read(&world.drive, &file.owner, file.id, 0..size).await {
                Ok(content) => assert!(content == file.content, "{said}: a wrong byte of {at}"),
                Err(error) => {
                    assert!(harmed.contains(&at), "{said}: {at} is not read: {error:?}");
                    assert!(!matches!(error, Error::Forbidden), "{said}: {error:?}");
                    refused += 1;
                }
            }
        }
        let found = world.drive.verify(None, |_| ()).await.unwrap();
        let named: BTreeSet<_> = found.damaged.iter().map(|damage| damage.name.clone()).collect();
        let expected: BTreeSet<_> = harmed.iter().map(|at| kept[*at].name.clone()).collect();
        assert_eq!(named, expected, "{said}: {:?}", found.damaged);
        take_back(&world, undo);
    }
    assert!(refused > CASES, "{refused}");
    assert!(world.drive.verify(None, |_| ()).await.unwrap().damaged.is_empty());
}

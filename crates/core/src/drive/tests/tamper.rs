//! A catalog that somebody wrote to who does not hold the master key. Whatever was changed, a reader
//! gets the right bytes or none.

use super::objects::limit_objects;
use super::world::{World, bytes, open_in, read};
use crate::access::Caller;
use crate::drive::Drive;
use crate::error::Error;
use crate::id::FileId;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use std::cell::Cell;
use std::fs;
use std::path::Path;

const CASES: u32 = 300;
/// Every column that says where bytes are and what they are.
const COLUMNS: [(&str, &str); 13] = [
    ("versions", "file"),
    ("versions", "number"),
    ("versions", "content"),
    ("versions", "size"),
    ("versions", "md5"),
    ("versions", "plain"),
    ("versions", "master_key"),
    ("versions", "wrapped_key"),
    ("contents", "id"),
    ("contents", "size"),
    ("contents", "objects"),
    ("contents", "sha512"),
    ("contents", "sealed"),
];

#[derive(Clone, Debug)]
enum Change {
    FlipBit(Index),
    Cut,
    Lengthen,
    Increment(i64),
    /// Exchanged with the same column of another row.
    Swap(Index),
    CopyOf(Index),
    /// Of a list of objects.
    Reverse,
    DropFirst,
    DropLast,
    RepeatLast,
    /// A byte less in the first, one more in the last.
    MoveByte,
}

#[derive(Clone, Debug)]
struct Tampering {
    column: (&'static str, &'static str),
    row: Index,
    change: Change,
}

fn tamperings() -> impl Strategy<Value = Tampering> {
    let any_value = prop_oneof![
        4 => any::<Index>().prop_map(Change::FlipBit),
        1 => Just(Change::Cut),
        1 => Just(Change::Lengthen),
        1 => (-3_i64..4).prop_map(Change::Increment),
        3 => any::<Index>().prop_map(Change::Swap),
        1 => any::<Index>().prop_map(Change::CopyOf),
    ];
    let list = prop::sample::select(vec![
        Change::Reverse,
        Change::DropFirst,
        Change::DropLast,
        Change::RepeatLast,
        Change::MoveByte,
    ]);
    prop_oneof![
        4 => (prop::sample::select(COLUMNS.to_vec()), any::<Index>(), any_value)
            .prop_map(|(column, row, change)| Tampering { column, row, change }),
        1 => (any::<Index>(), list)
            .prop_map(|(row, change)| Tampering { column: ("contents", "objects"), row, change }),
    ]
}

fn on_bytes(value: Value, change: impl FnOnce(&mut Vec<u8>)) -> Value {
    match value {
        Value::Blob(mut bytes) => {
            change(&mut bytes);
            Value::Blob(bytes)
        }
        Value::Text(text) => {
            let mut bytes = text.into_bytes();
            change(&mut bytes);
            String::from_utf8(bytes).map_or_else(|e| Value::Blob(e.into_bytes()), Value::Text)
        }
        Value::Integer(number) => {
            let mut bytes = number.to_be_bytes().to_vec();
            change(&mut bytes);
            bytes.resize(8, 0);
            Value::Integer(i64::from_be_bytes(bytes.try_into().unwrap()))
        }
        value => value,
    }
}

fn on_lines(value: Value, change: impl FnOnce(&mut Vec<(u64, String)>)) -> Value {
    let Value::Text(text) = value else {
        return value;
    };
    let line = |line: &str| {
        let (size, blob) = line.split_once(' ').unwrap();
        (size.parse().unwrap(), blob.to_owned())
    };
    let mut lines: Vec<(u64, String)> = text.lines().map(line).collect();
    change(&mut lines);
    Value::Text(lines.iter().map(|(size, blob)| format!("{size} {blob}\n")).collect())
}

impl Tampering {
    /// False: the engine does not take it, or it changes nothing.
    fn apply(&self, catalog: &Connection) -> bool {
        let (table, column) = self.column;
        let key = if table == "contents" { "id" } else { "rowid" };
        let mut rows = catalog.prepare(&format!("select {key} from {table}")).unwrap();
        let rows: Vec<Value> =
            rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let get = |row: &Value| {
            let get = format!("select {column} from {table} where {key} = ?1");
            catalog.query_row(&get, [row], |row| row.get::<_, Value>(0)).unwrap()
        };
        let set = |row: &mut Value, value: &Value| {
            let set = format!("update {table} set {column} = ?2 where {key} = ?1");
            let is_set = catalog.execute(&set, params![&*row, value]).is_ok();
            if is_set && column == key {
                *row = value.clone();
            }
            is_set
        };
        let mut row = self.row.get(&rows).clone();
        let old = get(&row);
        let new = match &self.change {
            Change::FlipBit(bit) => on_bytes(old.clone(), |bytes| {
                if !bytes.is_empty() {
                    let bit = bit.index(bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }),
            Change::Cut => {
                on_bytes(old.clone(), |bytes| bytes.truncate(bytes.len().saturating_sub(1)))
            }
            Change::Lengthen => on_bytes(old.clone(), |bytes| bytes.push(b'0')),
            Change::Increment(by) => match &old {
                Value::Integer(number) => Value::Integer(number + by),
                old => old.clone(),
            },
            Change::Swap(other) => {
                let mut other = other.get(&rows).clone();
                let new = get(&other);
                let free = set(&mut other, &Value::Integer(-1));
                if !free || !set(&mut row, &new) || !set(&mut other, &old) {
                    return false;
                }
                new
            }
            Change::CopyOf(other) => get(other.get(&rows)),
            Change::Reverse => on_lines(old.clone(), |lines| lines.reverse()),
            Change::DropFirst => {
                on_lines(old.clone(), |lines| drop(lines.drain(..1.min(lines.len()))))
            }
            Change::DropLast => on_lines(old.clone(), |lines| drop(lines.pop())),
            Change::RepeatLast => {
                on_lines(old.clone(), |lines| lines.extend(lines.last().cloned()))
            }
            Change::MoveByte => on_lines(old.clone(), |lines| {
                if lines.len() > 1 {
                    lines[0].0 -= 1;
                    lines.last_mut().unwrap().0 += 1;
                }
            }),
        };
        set(&mut row, &new) && new != old
    }
}

/// What a reader gets of a file: right bytes, or a refusal. True: a refusal.
async fn is_refused(
    drive: &Drive,
    caller: &Caller,
    (file, content): (FileId, &[u8]),
) -> Result<bool, TestCaseError> {
    let mut refused = false;
    let download = drive.download(caller, file).await;
    let size = download.map(|download| download.file.size).unwrap_or(content.len() as u64);
    for range in [0..size, 0..size.min(10), size.saturating_sub(10)..size, size / 2..size] {
        match read(drive, caller, file, range.clone()).await {
            Ok(read) => {
                prop_assert_eq!(size, content.len() as u64);
                let wanted = &content[range.start as usize..range.end as usize];
                prop_assert!(read == wanted, "{:?} of {} bytes", range, content.len());
            }
            Err(error) => {
                let said = error.to_string();
                prop_assert!(!said.contains("panic"), "{}", said);
                refused = true;
            }
        }
    }
    Ok(refused)
}

fn copy_catalog(from: &Path, to: &Path) {
    for log in ["catalog.db-wal", "catalog.db-shm"] {
        let _none = fs::remove_file(to.with_file_name(log));
    }
    fs::copy(from, to).unwrap();
}

#[test]
fn a_reader_gets_the_right_bytes_or_none() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut world = runtime.block_on(World::embedded());
    limit_objects(&mut world.drive, 40_000);
    let mut files = Vec::new();
    for (at, len) in [0, 100, 100, 16_384, 16_385, 16_385, 120_000, 150_000].iter().enumerate() {
        // Of equal lengths, but not equal.
        let content: Vec<u8> = bytes(*len).iter().map(|b| b.wrapping_add(at as u8)).collect();
        let file = runtime.block_on(world.put(&format!("{at}.bin"), &content));
        files.push((file.id, content));
    }
    let World { drive, caller, directory, backend } = world;
    drop(drive);
    let (catalog, whole) =
        (directory.path().join("data/catalog.db"), directory.path().join("whole.db"));
    copy_catalog(&catalog, &whole);

    let (tampered, refused) = (Cell::new(0), Cell::new(0));
    let case = |tampering: Tampering| {
        copy_catalog(&whole, &catalog);
        let connection = Connection::open(&catalog).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        let changed = tampering.apply(&connection);
        connection.close().unwrap();
        let mut refusals = 0;
        runtime.block_on(async {
            let drive = open_in(&directory, &backend).await;
            for (file, content) in &files {
                refusals += u32::from(is_refused(&drive, &caller, (*file, content)).await?);
            }
            // What is refused, an inspection finds, unless it cannot even read the rows.
            match drive.verify(None, |_| ()).await {
                Ok(found) => {
                    let is_short = found.checked.versions < files.len() as u64;
                    prop_assert!(refusals == 0 || is_short || !found.damaged.is_empty());
                }
                Err(error) => prop_assert!(!error.to_string().contains("panic"), "{}", error),
            }
            Ok(())
        })?;
        prop_assert!(changed || refusals == 0);
        tampered.set(tampered.get() + u32::from(changed));
        refused.set(refused.get() + u32::from(refusals > 0));
        Ok(())
    };
    let config =
        ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    // The same cases on each run.
    let numbers = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, numbers).run(&tamperings(), case).unwrap();
    assert!(tampered.get() > CASES / 2, "{tampered:?}");
    assert!(refused.get() > CASES / 3, "{refused:?}");
}

#[tokio::test]
async fn a_wrap_that_another_file_has_is_refused() {
    let world = World::embedded().await;
    let files = [world.put("a.bin", &bytes(100)).await, world.put("b.bin", &bytes(100)).await];
    world
        .catalog()
        .execute_batch(
            "create temporary table wraps as select file, wrapped_key from versions; \
             update versions set wrapped_key = \
             (select w.wrapped_key from wraps w where w.file <> versions.file)",
        )
        .unwrap();
    for file in files {
        let read = world.get(file.id, 0..100).await.unwrap_err();
        assert!(matches!(read, Error::Damaged { .. }), "{read:?}");
    }
}

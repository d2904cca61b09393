use super::*;
use crate::catalog::conn::open_writer;
use crate::catalog::writer::copy_back;
use crate::disk::Disk;
use crate::disk::survivors::Numbers;
use rusqlite::Connection;
use std::fs;
use tempfile::TempDir;

/// What a disk writes whole, or in this model not even that.
const SECTOR: usize = 512;

/// A catalog's three files, as they are at one moment.
#[derive(Clone, Default)]
struct State {
    file: Vec<u8>,
    log: Vec<u8>,
    index: Option<Vec<u8>>,
}

impl State {
    fn of(path: &Path) -> Self {
        let read = |suffix| fs::read(beside(path, suffix));
        State {
            file: read("").unwrap(),
            log: read("-wal").unwrap_or_default(),
            index: read("-shm").ok(),
        }
    }

    fn put(&self, path: &Path) {
        fs::write(path, &self.file).unwrap();
        fs::write(beside(path, "-wal"), &self.log).unwrap();
        let _none = fs::remove_file(beside(path, "-shm"));
        if let Some(index) = &self.index {
            fs::write(beside(path, "-shm"), index).unwrap();
        }
    }
}

fn scratch() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.db");
    (directory, path)
}

fn open(path: &Path) -> Connection {
    let is_torn = check(path).unwrap();
    let conn = open_writer(path).unwrap();
    if is_torn {
        assert!(copy_back(&conn, &Disk::default(), "truncate"));
    }
    conn.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    conn.execute_batch("create table if not exists t (id integer primary key, content blob)")
        .unwrap();
    conn
}

/// Commits a row of so many bytes.
fn commit(conn: &Connection, bytes: usize) {
    conn.execute("insert into t (content) values (randomblob(?1))", [bytes as i64]).unwrap();
}

fn count(path: &Path) -> i64 {
    let conn = Connection::open(path).unwrap();
    conn.query_row("select count(*) from t", [], |row| row.get(0)).unwrap()
}

/// A log of commits of one frame and of several, and where each ends.
fn many(path: &Path) -> (State, Vec<usize>) {
    let conn = open(path);
    let mut ends = Vec::new();
    for number in 0..12 {
        commit(&conn, if number % 3 == 2 { 20_000 } else { 10 });
        ends.push(fs::metadata(beside(path, "-wal")).unwrap().len() as usize);
    }
    (State::of(path), ends)
}

fn flipped(state: &State, bit: usize, index: bool) -> State {
    let mut state = state.clone();
    state.log[bit / 8] ^= 1 << (bit % 8);
    if !index {
        state.index = None;
    }
    state
}

#[test]
fn a_flipped_bit_is_found_in_all_but_the_last_commits() {
    let (_directory, path) = scratch();
    let (state, ends) = many(&path);
    state.put(&path);
    check(&path).unwrap();
    let numbers = &mut Numbers(5);
    let sure = ends[ends.len() - 3];
    for case in 0..1_500 {
        // Every bit of the header, then any.
        let bit = if case < 8 * HEADER_LEN { case } else { numbers.below(state.log.len() * 8) };
        flipped(&state, bit, true).put(&path);
        assert!(check(&path).is_err(), "bit {bit}, with an index");
        flipped(&state, bit, false).put(&path);
        let is_found = check(&path).is_err();
        assert!(is_found || bit / 8 >= sure, "bit {bit} of {sure} bytes");
        // Of the last commit nothing else tells that it was synced.
        assert!(!is_found || bit / 8 < ends[ends.len() - 2], "bit {bit}");
    }
}

/// What the message says leads back to what was committed before the damage.
#[test]
fn what_is_whole_can_be_gone_on_with() {
    let (_directory, path) = scratch();
    let (state, ends) = many(&path);
    for (at, rows) in [(0, 0), (ends[3] + 100, 4), (ends[7] + 5_000, 8), (ends[10] + 100, 11)] {
        flipped(&state, at * 8, true).put(&path);
        let refused = check(&path).unwrap_err().to_string();
        let whole = if rows == 0 { 0 } else { ends[rows - 1] };
        let cut = format!("`truncate -s {whole} {}-wal`", path.display());
        assert!(refused.contains(&cut), "{refused}");
        fs::remove_file(beside(&path, "-shm")).unwrap();
        let log = fs::OpenOptions::new().write(true).open(beside(&path, "-wal")).unwrap();
        log.set_len(whole as u64).unwrap();
        check(&path).unwrap();
        if rows > 0 {
            assert_eq!(count(&path), rows as i64);
        }
    }
}

/// What a power cut leaves of what `after` has and `before` had not, sector by sector in any order: nothing
/// that was synced is different in the two.
fn cut(before: &[u8], after: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut left = before.to_vec();
    left.resize(before.len().max(after.len()), 0);
    for at in (0..after.len()).step_by(SECTOR) {
        let sector = at..after.len().min(at + SECTOR);
        let middle = sector.start + numbers.below(sector.len());
        match numbers.below(4) {
            0 => {}
            1 => left[sector.start..middle].copy_from_slice(&after[sector.start..middle]),
            _ => left[sector.clone()].copy_from_slice(&after[sector]),
        }
    }
    if numbers.below(3) == 0 {
        left.truncate(before.len() + numbers.below(left.len() - before.len() + 1));
    }
    left
}

/// Work that is cut off again and again, each time in a commit that nobody was told of, also where the log has
/// just begun anew, and behind a kill. What earlier cuts left of theirs stays in the log behind its end.
#[test]
fn no_power_cut_looks_like_damage() {
    let mut headers_torn = 0;
    let mut left_behind = 0;
    for seed in 0..40 {
        let numbers = &mut Numbers(seed);
        let (_directory, path) = scratch();
        drop(open(&path));
        let mut told = 0;
        for generation in 0..25 {
            let said = format!("seed {seed}, generation {generation}");
            let conn = open(&path);
            let rows: i64 = conn.query_row("select count(*) from t", [], |row| row.get(0)).unwrap();
            assert!(rows >= told, "{said}: {rows} of {told}");
            let mut indexes = vec![None];
            for _ in 0..numbers.below(4) {
                commit(&conn, numbers.below(30_000));
                indexes.push(State::of(&path).index);
            }
            if numbers.below(3) == 0 {
                conn.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(())).unwrap();
                indexes.push(State::of(&path).index);
            }
            told = conn.query_row("select count(*) from t", [], |row| row.get(0)).unwrap();
            let before = State::of(&path);
            commit(&conn, numbers.below(60_000));
            let after = State::of(&path);
            drop(conn);
            if numbers.below(4) == 0 {
                // A kill: all that was written is there, and the index with it.
                after.put(&path);
                check(&path).unwrap_or_else(|refused| panic!("{said}: {refused}"));
                continue;
            }
            let begins_anew = before.log.len() > HEADER_LEN
                && before.log[..HEADER_LEN] != after.log[..HEADER_LEN];
            let log = if begins_anew && numbers.below(2) == 0 {
                // The header is synced before anything is written behind it.
                headers_torn += 1;
                let mut log = before.log.clone();
                for (left, written) in log.iter_mut().zip(&after.log[..HEADER_LEN]) {
                    if numbers.below(2) == 0 {
                        *left = *written;
                    }
                }
                log
            } else {
                let mut log = cut(&before.log, &after.log, numbers);
                log.resize(log.len().max(HEADER_LEN), 0);
                log[..HEADER_LEN].copy_from_slice(&after.log[..HEADER_LEN]);
                log
            };
            left_behind += usize::from(log.len() > before.log.len());
            let index = indexes.swap_remove(numbers.below(indexes.len()));
            State { file: before.file, log, index }.put(&path);
            check(&path).unwrap_or_else(|refused| panic!("{said}: {refused}"));
        }
    }
    assert!(headers_torn > 50 && left_behind > 50, "{headers_torn} {left_behind}");
}

//! Rows of one table, committed by one thread: all that came while the commit before them ran, at once.

use crate::Outcome;
use bindery_md5::Md5;
use rusqlite::Connection;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError, mpsc};

pub(crate) struct Rows(Mutex<mpsc::Sender<Row>>);

struct Row {
    md5: [u8; 16],
    bytes: Vec<u8>,
    committed: SyncSender<()>,
}

impl Rows {
    pub(crate) fn new(path: &Path) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full;
             create table rows (id integer primary key, md5 blob not null, bytes blob not null)",
        )?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            if let Err(error) = commit_all(&connection, &receiver) {
                eprintln!("{error}");
            }
        });
        Ok(Rows(Mutex::new(sender)))
    }

    /// Returns behind the commit.
    pub(crate) fn insert(&self, bytes: &[u8]) -> Outcome<[u8; 16]> {
        let mut digest = Md5::default();
        digest.update(bytes);
        let md5 = digest.finish();
        let (committed, is_committed) = sync_channel(1);
        let row = Row { md5, bytes: bytes.to_vec(), committed };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).send(row)?;
        is_committed.recv()?;
        Ok(md5)
    }
}

fn commit_all(connection: &Connection, rows: &Receiver<Row>) -> Outcome<()> {
    let mut insert = connection.prepare("insert into rows (md5, bytes) values (?, ?)")?;
    let (mut begin, mut commit) =
        (connection.prepare("begin immediate")?, connection.prepare("commit")?);
    while let Ok(first) = rows.recv() {
        begin.execute([])?;
        let mut waiting = Vec::new();
        for row in std::iter::once(first).chain(rows.try_iter()) {
            insert.execute((&row.md5[..], &row.bytes))?;
            waiting.push(row.committed);
        }
        commit.execute([])?;
        for committed in waiting {
            let _gone = committed.send(());
        }
    }
    Ok(())
}

//! The embedded engine's lock of those who read, held between reads.
//!
//! A read takes a lock that other processes see, and gives it back: two calls of the system under a mutex of the
//! process, where all readers meet. While one connection has that lock on the same state, the engine only
//! counts the others. So one is left standing in a snapshot where there are many reads, and taken forward as they
//! go on. Nobody reads by it: each read still looks for the latest commit.
//!
//! The log cannot begin anew below a snapshot, so whoever copies it back releases the lock first.

use super::conn::open_reader;
use crate::error::Result;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reads from one snapshot of the lock's to the next; a snapshot costs about as much as two of them.
const READS: u32 = 128;

#[derive(Debug)]
pub(super) struct ReadLock {
    path: PathBuf,
    reads: AtomicU32,
    conn: Mutex<Option<Connection>>,
}

/// The lock is not held, and not taken as long as this lives.
pub(super) type Released<'a> = MutexGuard<'a, Option<Connection>>;

impl ReadLock {
    pub(super) fn new(path: &Path) -> Self {
        ReadLock { path: path.to_owned(), reads: AtomicU32::new(0), conn: Mutex::default() }
    }

    /// Called behind each read.
    pub(super) fn count(&self) {
        if self.reads.fetch_add(1, Ordering::Relaxed) % READS != READS - 1 {
            return;
        }
        let Ok(mut conn) = self.conn.try_lock() else { return };
        if let Err(error) = self.hold(&mut conn) {
            tracing::warn!(%error, "the catalog's read lock is not held between reads");
            *conn = None;
        }
    }

    fn hold(&self, conn: &mut Option<Connection>) -> Result<()> {
        let conn = match conn {
            Some(conn) => conn,
            None => conn.insert(open_reader(&self.path)?),
        };
        end(conn)?;
        conn.prepare_cached("begin deferred")?.execute([])?;
        Ok(conn
            .prepare_cached("select count(*) from sqlite_schema where rowid = 1")?
            .query_row([], |_| Ok(()))?)
    }

    pub(super) fn release(&self) -> Released<'_> {
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        if conn.as_ref().is_some_and(|conn| end(conn).is_err()) {
            *conn = None;
        }
        conn
    }
}

#[cfg(test)]
impl ReadLock {
    pub(super) fn is_held(&self) -> bool {
        self.conn.lock().unwrap().as_ref().is_some_and(|conn| !conn.is_autocommit())
    }
}

fn end(conn: &Connection) -> Result<()> {
    if !conn.is_autocommit() {
        conn.prepare_cached("commit")?.execute([])?;
    }
    Ok(())
}

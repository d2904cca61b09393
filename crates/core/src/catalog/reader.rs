//! Reads: at once, on a pooled connection, on the thread that asks. A point query takes a few
//! microseconds; a hop to another thread costs several times that.

use super::conn::{self, Tx, Unit};
use super::read_lock::ReadLock;
use crate::error::{Error, Result};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

const CONNECTIONS: usize = 4;

/// How much a unit does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    /// One statement, which is a snapshot by itself.
    Statement,
    /// A few look-ups.
    Few,
    /// It looks at many rows. The runtime is told, so that it lets others run elsewhere; that costs more
    /// than a look-up.
    Many,
}

#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
    lock: Arc<ReadLock>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        let (path, lock) = (path.to_owned(), Arc::new(ReadLock::new(path)));
        Readers { path, idle: Mutex::default(), places: Semaphore::new(CONNECTIONS), lock }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn lock(&self) -> Arc<ReadLock> {
        Arc::clone(&self.lock)
    }

    /// Runs a unit on this thread.
    pub(super) async fn run<I, T, F>(&self, extent: Extent, input: &I, unit: F) -> Result<T>
    where
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T>,
    {
        let _place = self.places.acquire().await.map_err(Error::internal)?;
        let mut conn = self.idle().pop().map_or_else(|| conn::open_reader(&self.path), Ok)?;
        let result = match extent {
            Extent::Statement => {
                conn::drive(Tx::sqlite(&mut conn).look_up(), |tx| conn::ready(unit(tx, input)))
            }
            Extent::Few => snapshot(&mut conn, |tx| conn::ready(unit(tx, input))),
            Extent::Many => busy(|| snapshot(&mut conn, |tx| conn::ready(unit(tx, input)))),
        };
        if conn.is_autocommit() {
            self.idle().push(conn);
        }
        self.lock.count();
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One read transaction: every statement of the unit sees the same state.
fn snapshot<T>(
    conn: &mut Connection,
    unit: impl FnOnce(&mut Tx<'_>) -> Option<Result<T>>,
) -> Result<T> {
    conn::tell(conn::BEGIN);
    conn.prepare_cached("begin deferred")?.execute([])?;
    let result = conn::drive(Tx::sqlite(conn), unit);
    conn.prepare_cached("commit")?.execute([])?;
    result
}

fn busy<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

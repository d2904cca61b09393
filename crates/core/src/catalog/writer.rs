//! Writes: one thread takes what is queued, runs all of it in one transaction, commits once, and then
//! answers them all. It never waits for company: a lone unit is committed alone, and sixty-four waiting
//! ones share one sync.

use super::conn::{self, Tx, Unit};
use super::postgres::Pool;
use super::read_lock::ReadLock;
use crate::disk::{self, Disk, Step};
use crate::error::{Error, Result};
use futures_util::future::{BoxFuture, FutureExt as _};
use rusqlite::Connection;
use rusqlite::ErrorCode::DiskFull;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

const BATCH_UNITS: usize = 64;
const QUEUED_UNITS: usize = 256;
/// About 16 MiB of log: between batches it is copied into the database file. A batch of uploads fills 1000 pages,
/// most of which the next one changes again.
const CHECKPOINT_PAGES: u32 = 4000;

#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    /// How many units it was given.
    units: AtomicU64,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The units of one commit: those that are waiting behind a first one, up to a limit.
pub(super) fn batch(
    first: Box<dyn Job>,
    jobs: &mut mpsc::Receiver<Box<dyn Job>>,
) -> Vec<Box<dyn Job>> {
    let mut batch = vec![first];
    while batch.len() < BATCH_UNITS {
        match jobs.try_recv() {
            Ok(job) => batch.push(job),
            Err(_) => break,
        }
    }
    batch
}

impl Writer {
    pub(super) fn start(conn: Connection, disk: Disk, lock: Arc<ReadLock>) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUED_UNITS);
        let mut desk = Desk::new(conn, disk, lock)?;
        let serve = move || desk.serve(jobs);
        let thread = std::thread::Builder::new().name("catalog-writer".into()).spawn(serve)?;
        Ok(Writer { queue: Some(queue), units: AtomicU64::new(0), thread: Some(thread) })
    }

    /// A writer whose units are committed on a server, by a task.
    pub(super) fn on_server(pool: Pool) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUED_UNITS);
        tokio::spawn(super::postgres::serve(pool, jobs));
        Writer { queue: Some(queue), units: AtomicU64::new(0), thread: None }
    }

    pub(super) async fn run<I, T, F>(&self, input: I, unit: F) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T> + Send + 'static,
    {
        self.units.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let job = UnitJob { input, unit, result: None, answer };
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Box::new(job)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    pub(super) fn units(&self) -> u64 {
        self.units.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    /// Everything that was queued is committed and answered before the thread ends.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn stopped() -> Error {
    Error::Unavailable("the catalog's writer has stopped".into())
}

/// A unit that waits for its commit.
pub(super) trait Job: Send {
    /// Runs it at once, on the embedded engine; true when its writes should stay.
    fn run(&mut self, conn: &mut Connection) -> bool;
    /// Runs it on a server; true when its writes should stay.
    fn run_on<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, bool>;
    /// Tells the waiting task: its own result when the commit stands, else why it does not.
    fn answer(self: Box<Self>, commit: Result<(), Failure>);
}

struct UnitJob<I, T, F> {
    input: I,
    unit: F,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<I, T, F> Job for UnitJob<I, T, F>
where
    I: Send + Sync,
    T: Send,
    F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T> + Send,
{
    fn run(&mut self, conn: &mut Connection) -> bool {
        let result = conn::drive(Tx::sqlite(conn), |tx| conn::ready((self.unit)(tx, &self.input)));
        self.result.insert(result).is_ok()
    }

    fn run_on<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let unit = AssertUnwindSafe((self.unit)(tx, &self.input)).catch_unwind();
            let panicked = |_| Err(Error::internal("a unit of work panicked"));
            let result = unit.await.unwrap_or_else(panicked);
            self.result.insert(result).is_ok()
        })
    }

    fn answer(self: Box<Self>, commit: Result<(), Failure>) {
        let result = match (commit, self.result) {
            (Ok(()), Some(result)) => result,
            // It changed nothing, so its own answer stands whatever became of the batch.
            (Err(_), Some(Err(own))) => Err(own),
            (Err(failure), _) => Err(failure.into()),
            (Ok(()), None) => Err(Error::internal("a unit was committed that never ran")),
        };
        // The asking task may be gone; what it asked for is done all the same.
        let _gone = self.answer.send(result);
    }
}

/// Why a batch is not committed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// The disk is full; nothing was written.
    Full,
    /// The transaction could not begin; nothing was written.
    Busy,
    /// This process writes no more: a sync failed, now or before.
    Ended,
    /// The server cannot be reached, or went away before the commit; nothing was written.
    Unreachable,
    /// The server went away in the commit, and whether it stands could not be learned.
    Unknown,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => Error::StorageFull,
            Failure::Busy => Error::Unavailable("another process holds the catalog".into()),
            Failure::Ended => disk::ended(),
            Failure::Unreachable => {
                Error::Unavailable("the catalog's server is not available".into())
            }
            Failure::Unknown => Error::Unavailable(
                "the catalog's server went away in a write, which may or may not have taken effect"
                    .into(),
            ),
        }
    }
}

/// The writer's thread.
struct Desk {
    /// Closed before the connection that writes: the last one removes the log, and only such a one can.
    lock: Arc<ReadLock>,
    conn: Connection,
    log_pages: Arc<AtomicU32>,
    disk: Disk,
}

impl Desk {
    fn new(mut conn: Connection, disk: Disk, lock: Arc<ReadLock>) -> Result<Self> {
        let log_pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&log_pages);
        // This replaces the automatic checkpoint, which would make a waiting unit pay for it.
        conn.wal_hook(Some(move |_: &mut _, pages: i32| {
            seen.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Desk { lock, conn, log_pages, disk })
    }

    fn serve(&mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = jobs.blocking_recv() {
            self.commit(batch(first, &mut jobs));
            let _was_made = self.unless_panics(Self::checkpoint);
        }
    }

    /// What is known of the disk behind a panic is as little as behind a sync that failed. Writing ends before
    /// anyone who waits hears of it.
    fn unless_panics<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        done.map_err(|_| self.end("the catalog's writer", &"it panicked")).ok()
    }

    fn end(&mut self, what: &str, error: &dyn Display) {
        let _may_be_gone = self.statement("rollback");
        self.disk.end_writing(what, error);
    }

    /// Savepoints cost more than most units do, and few units fail once they have written. So the first try is
    /// without them, and a batch in which that happens is rolled back and run again.
    fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let outcome = self.unless_panics(|desk| match desk.transact(&mut batch, Self::bare) {
            Outcome::Spoilt => desk.transact(&mut batch, Self::savepoint),
            outcome => outcome,
        });
        match outcome.unwrap_or(Outcome::Failed(Failure::Ended)) {
            Outcome::Committed => answer(batch, Ok(())),
            Outcome::Failed(failure) => answer(batch, Err(failure)),
            // One unit's statement took the whole transaction with it: the others must not suffer.
            Outcome::Lost | Outcome::Spoilt if batch.len() > 1 => {
                for job in batch {
                    self.commit(vec![job]);
                }
            }
            // Alone, and gone: its own error says why.
            Outcome::Lost | Outcome::Spoilt => answer(batch, Err(Failure::Full)),
        }
    }

    fn transact(
        &mut self,
        batch: &mut [Box<dyn Job>],
        run: fn(&mut Self, &mut dyn Job) -> Result<(), Outcome>,
    ) -> Outcome {
        if self.disk.may_write().is_err() {
            return Outcome::Failed(Failure::Ended);
        }
        if let Err(error) = self.statement("begin immediate") {
            tracing::warn!(%error, "the catalog's transaction did not begin");
            return Outcome::Failed(if is_full(&error) { Failure::Full } else { Failure::Busy });
        }
        for job in batch {
            if let Err(outcome) = run(self, job.as_mut()) {
                let _may_be_gone = self.statement("rollback");
                return outcome;
            }
        }
        let committed =
            self.statement("commit").and_then(|()| watched(&self.disk, Step::Committed));
        match committed {
            Ok(()) => Outcome::Committed,
            Err(error) => self.commit_failed(&error),
        }
    }

    fn bare(&mut self, job: &mut dyn Job) -> Result<(), Outcome> {
        let changes = self.conn.total_changes();
        let is_kept = job.run(&mut self.conn);
        if self.conn.is_autocommit() {
            return Err(Outcome::Lost);
        }
        let is_clean = is_kept || self.conn.total_changes() == changes;
        if is_clean { Ok(()) } else { Err(Outcome::Spoilt) }
    }

    fn savepoint(&mut self, job: &mut dyn Job) -> Result<(), Outcome> {
        let lost = |_| Outcome::Lost;
        self.statement("savepoint unit").map_err(lost)?;
        let is_kept = job.run(&mut self.conn);
        if self.conn.is_autocommit() {
            return Err(Outcome::Lost);
        }
        if !is_kept {
            self.statement("rollback to unit").map_err(lost)?;
        }
        self.statement("release unit").map_err(lost)
    }

    /// A full disk is known to have written nothing. After anything else the log may or may not hold
    /// the commit, and a later sync that succeeds would prove nothing: this process stops writing.
    fn commit_failed(&mut self, error: &rusqlite::Error) -> Outcome {
        if is_full(error) {
            let _may_be_gone = self.statement("rollback");
            return Outcome::Failed(Failure::Full);
        }
        self.end("a commit", error);
        Outcome::Failed(Failure::Ended)
    }

    /// Between batches, so that no unit waits for it.
    fn checkpoint(&mut self) {
        let few = self.log_pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES;
        if few || self.disk.may_write().is_err() {
            return;
        }
        let _released = self.lock.release();
        if copy_back(&self.conn, &self.disk, "passive") {
            self.log_pages.store(0, Ordering::Relaxed);
        }
    }

    fn statement(&self, sql: &str) -> rusqlite::Result<()> {
        statement(&self.conn, &self.disk, sql)
    }
}

/// Copies the catalog's log back, in one of the engine's modes; true: it did what it could. The engine syncs
/// in it, so a failure ends all writing, but where there was only no room: then the log is kept, and it is
/// tried again.
pub(super) fn copy_back(conn: &Connection, disk: &Disk, mode: &str) -> bool {
    match statement(conn, disk, &format!("pragma wal_checkpoint({mode})")) {
        Ok(()) => return true,
        Err(error) if is_full(&error) => {
            tracing::warn!(%error, "the catalog's log was not copied back");
        }
        Err(error) => drop(disk.end_writing("a copy of the catalog's log", &error)),
    }
    false
}

fn statement(conn: &Connection, disk: &Disk, sql: &str) -> rusqlite::Result<()> {
    watched(disk, Step::Statement(sql))?;
    conn.prepare_cached(sql)?.query([])?.next().map(drop)
}

#[cfg(not(test))]
fn watched(_: &Disk, _: Step<'_>) -> rusqlite::Result<()> {
    Ok(())
}

/// In a test a statement fails as if the engine had failed.
#[cfg(test)]
fn watched(disk: &Disk, step: Step<'_>) -> rusqlite::Result<()> {
    disk.watched(step).map_err(|error| super::tests::engine_error(&error))
}

enum Outcome {
    Committed,
    Failed(Failure),
    /// A unit failed behind something that it had written, and nothing kept that apart.
    Spoilt,
    /// The engine rolled the whole transaction back under one unit.
    Lost,
}

pub(super) fn answer(batch: Vec<Box<dyn Job>>, commit: Result<(), Failure>) {
    for job in batch {
        job.answer(commit);
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(DiskFull)
}

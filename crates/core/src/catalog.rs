//! The catalog: users, tokens, folders, files, versions, rights, and which stored objects hold what.
//!
//! All SQL is here, written once for two engines: the embedded one, SQLite, and PostgreSQL. Work is
//! done in *units*: a function over one owned connection that is safe to run twice and has no effect
//! outside its transaction. Reads run at once on a pooled connection, writes go to the group-commit
//! writer. What the statements mean is not decided here but in `drive`.

pub(crate) mod answered;
pub(crate) mod asked;
pub(crate) mod audit;
pub(crate) mod backups;
pub(crate) mod conn;
pub(crate) mod contents;
pub(crate) mod copy;
pub(crate) mod entries;
pub(crate) mod files;
pub(crate) mod folders;
pub(crate) mod held;
mod integrity;
pub(crate) mod keys;
mod log;
pub(crate) mod meta;
mod migrate;
pub(crate) mod names;
pub(crate) mod pages;
mod postgres;
mod read_lock;
pub(crate) mod readable;
mod reader;
mod row;
pub(crate) mod shares;
pub(crate) mod snapshot;
mod sql;
pub(crate) mod trash;
pub(crate) mod users;
pub(crate) mod versions;
mod wal;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use conn::{Tx, Unit};
pub use postgres::Database;

use crate::clock::{Clock, Time};
use crate::disk::Disk;
use crate::error::Result;
use postgres::Pool;
use reader::{Extent, Readers};
use std::path::Path;
use writer::Writer;

/// The catalog of one store.
#[derive(Debug)]
pub(crate) struct Catalog {
    readers: Reading,
    writer: Writer,
    disk: Disk,
}

#[derive(Debug)]
enum Reading {
    Embedded(Readers),
    Server(Pool),
}

impl Catalog {
    /// Opens the embedded catalog in `path`, makes or migrates its schema, and starts its writer.
    pub(crate) fn open(path: &Path, clock: &Clock, disk: &Disk) -> Result<Self> {
        let log_is_torn = wal::check(path)?;
        let mut conn = conn::open_writer(path)?;
        if log_is_torn && !writer::copy_back(&conn, disk, "truncate") {
            disk.may_write()?;
        }
        migrate::migrate(&mut conn, clock)?;
        let readers = Readers::new(path);
        let writer = Writer::start(conn, disk.clone(), readers.lock())?;
        let readers = Reading::Embedded(readers);
        Ok(Catalog { readers, writer, disk: disk.clone() })
    }

    /// Comes to a catalog on a server. It has no part in this machine's `disk`, but writes no more either
    /// when that has failed.
    pub(crate) async fn open_server(
        database: &Database,
        clock: &Clock,
        disk: &Disk,
    ) -> Result<Self> {
        let pool = postgres::open(database, clock).await?;
        let (readers, writer) = (Reading::Server(pool.clone()), Writer::on_server(pool));
        Ok(Catalog { readers, writer, disk: disk.clone() })
    }

    /// Runs a unit of one statement that only reads: no transaction is made for it.
    pub(crate) async fn look_up<I, T, F>(&self, input: &I, unit: F) -> Result<T>
    where
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T>,
    {
        self.run(Extent::Statement, input, unit).await
    }

    /// Runs a unit that only reads, on one snapshot; on the embedded engine on this thread.
    pub(crate) async fn read<I, T, F>(&self, input: &I, unit: F) -> Result<T>
    where
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T>,
    {
        self.run(Extent::Few, input, unit).await
    }

    /// As [`Catalog::read`], for a unit that looks at many rows.
    pub(crate) async fn scan<I, T, F>(&self, input: &I, unit: F) -> Result<T>
    where
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T>,
    {
        self.run(Extent::Many, input, unit).await
    }

    async fn run<I, T, F>(&self, extent: Extent, input: &I, unit: F) -> Result<T>
    where
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T>,
    {
        match (&self.readers, extent) {
            (Reading::Embedded(readers), _) => readers.run(extent, input, unit).await,
            (Reading::Server(pool), Extent::Statement) => {
                postgres::look_up(pool, input, unit).await
            }
            (Reading::Server(pool), _) => postgres::read(pool, input, unit).await,
        }
    }

    /// Runs a unit that writes; when this returns `Ok`, it is durable.
    ///
    /// [`Error::Unavailable`](crate::Error::Unavailable) can mean that it is not known whether the
    /// unit took effect. A unit may run more than once, and takes effect at most once.
    pub(crate) async fn write<I, T, F>(&self, input: I, unit: F) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T> + Send + 'static,
    {
        self.disk.may_write()?;
        self.writer.run(input, unit).await
    }

    /// How many units this process has given to the writer.
    pub(crate) fn units(&self) -> u64 {
        self.writer.units()
    }

    /// Whether other processes may be using this catalog as this one does.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.readers, Reading::Server(_))
    }

    /// The time that all who share this catalog agree on: its server's, unless a test holds it still.
    pub(crate) async fn now(&self, clock: &Clock) -> Result<Time> {
        match (&self.readers, clock) {
            (Reading::Server(pool), Clock::System) => postgres::now(pool).await,
            _ => Ok(clock.now()),
        }
    }

    /// Where the catalog does not agree with itself: a line for each fault, none when it is sound.
    pub(crate) async fn faults(&self) -> Result<Vec<String>> {
        self.scan(&(), |tx, ()| Box::pin(integrity::faults(tx))).await
    }
}

//! Connections and transactions: what a unit of work is given.

use super::postgres::Session;
use super::row::{FromRow, Row, Value};
use super::sql::Sql;
use crate::error::{Error, Result};
use futures_util::future::{BoxFuture, FutureExt};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use std::fs::OpenOptions;
use std::io::ErrorKind::AlreadyExists;
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

/// What a unit returns: a future over its transaction.
pub(crate) type Unit<'a, T> = BoxFuture<'a, Result<T>>;

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const STATEMENTS_KEPT: usize = 128;

/// A transaction on one connection. `'tx` is a brand that no value of a unit's result can carry, so
/// a proof made in a transaction (`Granted<'tx, _>`) ends with it.
pub(crate) struct Tx<'tx> {
    engine: Engine<'tx>,
    /// How many statements may still be run.
    left: usize,
    brand: PhantomData<fn(&'tx ()) -> &'tx ()>,
}

enum Engine<'tx> {
    Sqlite(&'tx mut Connection),
    Server(Session<'tx>),
}

impl<'tx> Tx<'tx> {
    pub(crate) fn sqlite(conn: &'tx mut Connection) -> Self {
        Tx { engine: Engine::Sqlite(conn), left: usize::MAX, brand: PhantomData }
    }

    pub(super) fn on_server(session: Session<'tx>) -> Self {
        Tx { engine: Engine::Server(session), left: usize::MAX, brand: PhantomData }
    }

    /// The same for one statement, which needs no transaction.
    pub(super) fn look_up(self) -> Self {
        Tx { left: 1, ..self }
    }

    fn begin(&mut self, sql: &Sql) -> Result<()> {
        tell(sql.text);
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| Error::internal("a look-up is one statement"))?;
        Ok(())
    }

    /// All rows.
    pub(crate) async fn all<T: FromRow>(
        &mut self,
        sql: &Sql,
        params: &[Value<'_>],
    ) -> Result<Vec<T>> {
        self.begin(sql)?;
        match &mut self.engine {
            Engine::Sqlite(conn) => all(conn, sql, params),
            Engine::Server(session) => {
                let rows = session.query(sql, params).await?;
                rows.iter().map(|row| T::from_row(&mut Row::postgres(row))).collect()
            }
        }
    }

    /// The first row, if there is one.
    pub(crate) async fn opt<T: FromRow>(
        &mut self,
        sql: &Sql,
        params: &[Value<'_>],
    ) -> Result<Option<T>> {
        self.begin(sql)?;
        match &mut self.engine {
            Engine::Sqlite(conn) => first(conn, sql, params),
            Engine::Server(session) => {
                let rows = session.query(sql, params).await?;
                rows.first().map(|row| T::from_row(&mut Row::postgres(row))).transpose()
            }
        }
    }

    /// The first row of a statement that always has one.
    pub(crate) async fn one<T: FromRow>(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<T> {
        self.opt(sql, params)
            .await?
            .ok_or_else(|| Error::internal(format!("no row from: {}", sql.text)))
    }

    /// Inserts a row with an id of the engine's, by a statement that ends in `returning id`; that id. SQLite is
    /// not asked for it: it would keep a copy of each page that such a statement changes, to take it back.
    pub(crate) async fn insert(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<i64> {
        let id = self.insert_unless_taken(sql, params).await?;
        id.ok_or_else(|| Error::internal(format!("nothing was inserted by: {}", sql.text)))
    }

    /// The same for a statement that does nothing on a conflict: then `None`.
    pub(crate) async fn insert_unless_taken(
        &mut self,
        sql: &Sql,
        params: &[Value<'_>],
    ) -> Result<Option<i64>> {
        if matches!(self.engine, Engine::Server(_)) {
            return self.opt(sql, params).await;
        }
        let no_id = || Error::internal(format!("no id from: {}", sql.text));
        let insert = sql.sqlite.strip_suffix(" returning id").ok_or_else(no_id)?;
        self.begin(sql)?;
        let conn = self.embedded().ok_or_else(no_id)?;
        let inserted = conn.prepare_cached(insert)?.execute(params_from_iter(params))?;
        Ok((inserted == 1).then(|| conn.last_insert_rowid()))
    }

    /// Runs a statement without a result; how many rows it changed.
    pub(crate) async fn exec(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<usize> {
        self.begin(sql)?;
        match &mut self.engine {
            Engine::Sqlite(conn) => {
                Ok(conn.prepare_cached(sql.sqlite)?.execute(params_from_iter(params))?)
            }
            Engine::Server(session) => session.execute(sql, params).await,
        }
    }

    /// The embedded engine's connection, for its own pragmas.
    pub(super) fn embedded(&self) -> Option<&Connection> {
        match &self.engine {
            Engine::Sqlite(conn) => Some(conn),
            Engine::Server(_) => None,
        }
    }
}

/// For whoever wants to see what a request asks of the catalog; without what it is asked with.
pub(super) fn tell(sql: &str) {
    tracing::trace!(target: "bindery_core::sql", sql);
}

/// What is told of the beginning of a transaction that only reads.
pub(super) const BEGIN: &str = "begin";

fn all<T: FromRow>(conn: &Connection, sql: &Sql, params: &[Value<'_>]) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql.sqlite)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(T::from_row(&mut Row::sqlite(row))?);
    }
    Ok(found)
}

fn first<T: FromRow>(conn: &Connection, sql: &Sql, params: &[Value<'_>]) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(sql.sqlite)?;
    let mut rows = statement.query(params_from_iter(params))?;
    rows.next()?.map(|row| T::from_row(&mut Row::sqlite(row))).transpose()
}

/// Drives a unit to its end. On SQLite nothing ever waits, so a unit that does is a fault of ours;
/// so is one that panics, and neither may take the connection with it.
pub(super) fn drive<T>(
    mut tx: Tx<'_>,
    unit: impl FnOnce(&mut Tx<'_>) -> Option<Result<T>>,
) -> Result<T> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| unit(&mut tx))) {
        Ok(Some(result)) => result,
        Ok(None) => {
            Err(Error::internal("a unit of work waited for something outside its transaction"))
        }
        Err(_) => Err(Error::internal("a unit of work panicked")),
    }
}

/// Polls a unit's future once.
pub(super) fn ready<T>(future: Unit<'_, T>) -> Option<Result<T>> {
    future.now_or_never()
}

/// A connection that writes, with every setting that durability rests on asserted.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    // The engine would let others read a new file; its journals take over the mode of this one. One
    // that is there is not opened: to close it would give up the engine's locks in this process.
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new {
        Err(error) if error.kind() != AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let conn = Connection::open(path)?;
    configure(&conn)?;
    conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // Pages as they were before a unit's savepoint: beyond 64 KiB they would go to a temporary file.
    conn.pragma_update(None, "temp_store", "memory")?;
    // 16 MiB. With the engine's 2, what one batch has changed the next one reads again.
    conn.pragma_update(None, "cache_size", -16_000)?;
    for (name, wanted) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("secure_delete", "1"),
        ("foreign_keys", "1"),
    ] {
        let found: String = conn.pragma_query_value(None, name, |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                value => value.as_str().unwrap_or_default().to_owned(),
            })
        })?;
        if found != wanted {
            return Err(Error::Refused(format!(
                "SQLite runs with {name}={found} and not {wanted} on {}: move the data directory to a local file system",
                path.display()
            )));
        }
    }
    Ok(conn)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn)?;
    // 8 MiB, of which only what was read is taken: the upper pages of a million files' trees, some 2, and those at
    // the bottom that a list of some hundred files scattered among them touches.
    conn.pragma_update(None, "cache_size", -8_000)?;
    Ok(conn)
}

fn configure(conn: &Connection) -> Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // A plan must not depend on what is bound: the engine would parse and plan a kept statement anew with
    // each value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    conn.pragma_update(None, "trusted_schema", false)?;
    // An index made for one statement costs a walk over a whole table, whatever the statement wants.
    conn.pragma_update(None, "automatic_index", false)?;
    Ok(())
}

//! Coming to a database: which one, whether it keeps what it says it has committed, and its schema.

use super::pool::Pool;
use crate::catalog::migrate::{Engine, VERSION, after, newer};
use crate::clock::Clock;
use crate::error::{Error, Result};
use std::fmt;

/// Nodes that start together wait for each other with the schema.
const MIGRATION_LOCK: i64 = 0x42_49_4e_44_4d_49_47;

/// A PostgreSQL database, or what speaks its protocol.
#[derive(Clone)]
pub struct Database {
    /// `postgres://user:password@host:port/name?sslmode=…`, as libpq reads it.
    pub url: String,
    /// Connections that this process opens at most.
    pub connections: usize,
    /// How long a statement may take, in seconds; 0 is without end.
    pub statement_seconds: u64,
    /// For how many seconds the server is asked what became of a commit whose answer was lost.
    pub settle_seconds: u64,
    /// Whether a server is used that answers before a commit is durable.
    pub accept_loss: bool,
}

impl Database {
    /// A database, with the limits that fit a first try.
    pub fn new(url: impl Into<String>) -> Self {
        Database {
            url: url.into(),
            connections: 10,
            statement_seconds: 30,
            settle_seconds: 10,
            accept_loss: false,
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database(redacted)")
    }
}

/// Comes to a database and brings its schema up to this binary's version.
pub(in crate::catalog) async fn open(database: &Database, clock: &Clock) -> Result<Pool> {
    let pool = Pool::new(database)?;
    let mut client = pool.get().await?;
    let durable: String = client.query_one("show synchronous_commit", &[]).await?.get(0);
    if !matches!(durable.as_str(), "on" | "remote_apply") && !database.accept_loss {
        return Err(Error::Refused(format!(
            "the database answers before a commit is durable (synchronous_commit={durable}): set it \
             to on, or say with --database-accept-loss that what was acknowledged may be lost"
        )));
    }
    let transaction = client.transaction().await?;
    // A migration takes as long as there are rows.
    transaction.batch_execute("set local statement_timeout = 0").await?;
    transaction.execute("select pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
    let found = "select to_regclass('meta') is not null";
    let version = if transaction.query_one(found, &[]).await?.get(0) {
        let version = "select value from meta where key = 'schema'";
        let version = transaction.query_opt(version, &[]).await?;
        version.and_then(|row| row.get::<_, String>(0).parse().ok()).unwrap_or(0)
    } else {
        0
    };
    if version > VERSION {
        return Err(newer(version));
    }
    for migration in after(version, Engine::Postgres) {
        transaction.batch_execute(&migration).await.map_err(not_migrated)?;
    }
    let set = "insert into meta (key, value) values ($1, $2) on conflict (key) do update \
        set value = excluded.value";
    transaction.execute(set, &[&"schema", &VERSION.to_string()]).await?;
    if version == 0 {
        transaction.execute(set, &[&"created", &clock.now().0.to_string()]).await?;
    }
    transaction.commit().await?;
    drop(client);
    Ok(pool)
}

/// An extension may have to be made by an administrator, and where the schema's tables find it.
fn not_migrated(error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(told) if told.message().contains("trgm") => Error::Refused(format!(
            "searches need PostgreSQL's extension pg_trgm, which comes with it: have an \
             administrator run `create extension pg_trgm` in this database ({})",
            told.message()
        )),
        _ => error.into(),
    }
}

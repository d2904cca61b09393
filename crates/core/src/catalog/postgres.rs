//! The server-grade engine, PostgreSQL: a pool of connections, reads each on one snapshot, and writes
//! that one task commits in batches, as the embedded engine's writer does.
//!
//! Writes of all nodes wait for each other: a batch begins by taking one lock of the whole catalog and
//! holds it to its commit, so its units see everything that was committed before, and the rules that
//! hold on the embedded engine hold here by the same reasoning.

mod open;
mod pool;
mod write;

pub use open::Database;
pub(super) use open::open;
pub(super) use pool::Pool;
pub(super) use write::serve;

use super::conn::{self, Tx, Unit};
use super::row::Value;
use super::sql::Sql;
use crate::clock::Time;
use crate::error::{Error, Result};
use bytes::BytesMut;
use std::error::Error as StdError;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{IsolationLevel, Row};

use deadpool_postgres::{Client, Transaction};

/// Runs a unit of one statement that only reads.
pub(super) async fn look_up<I, T, F>(pool: &Pool, input: &I, unit: F) -> Result<T>
where
    F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T>,
{
    let client = pool.get().await?;
    unit(&mut Tx::on_server(Session::Connection(&client)).look_up(), input).await
}

/// Runs a unit that only reads, on one snapshot.
pub(super) async fn read<I, T, F>(pool: &Pool, input: &I, unit: F) -> Result<T>
where
    F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, T>,
{
    let mut client = pool.get().await?;
    conn::tell(conn::BEGIN);
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let result = unit(&mut Tx::on_server(Session::Transaction(&transaction)), input).await;
    // Nothing was written: whether this arrives changes nothing.
    let _ended = transaction.rollback().await;
    result
}

/// The server's time.
pub(super) async fn now(pool: &Pool) -> Result<Time> {
    const NOW: &str = "select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)";
    Ok(Time(pool.get().await?.query_one(NOW, &[]).await?.try_get(0)?))
}

/// What statements are run on.
#[derive(Clone, Copy)]
pub(super) enum Session<'a> {
    Transaction(&'a Transaction<'a>),
    /// Each statement is a transaction of its own.
    Connection(&'a Client),
}

impl Session<'_> {
    pub(super) async fn query(self, sql: &Sql, params: &[Value<'_>]) -> Result<Vec<Row>> {
        Ok(match self {
            Session::Transaction(transaction) => {
                let statement = transaction.prepare_cached(sql.text).await?;
                transaction.query(&statement, &parameters(params)).await?
            }
            Session::Connection(client) => {
                let statement = client.prepare_cached(sql.text).await?;
                client.query(&statement, &parameters(params)).await?
            }
        })
    }

    pub(super) async fn execute(self, sql: &Sql, params: &[Value<'_>]) -> Result<usize> {
        let changed = match self {
            Session::Transaction(transaction) => {
                let statement = transaction.prepare_cached(sql.text).await?;
                transaction.execute(&statement, &parameters(params)).await?
            }
            Session::Connection(_) => return Err(Error::internal("a look-up does not write")),
        };
        usize::try_from(changed).map_err(Error::internal)
    }
}

fn parameters<'a>(params: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match *self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) if *ty == Type::INT4 => i32::try_from(value)?.to_sql(ty, out),
            Value::Int(value) if *ty == Type::BOOL => (value != 0).to_sql(ty, out),
            Value::Int(value) => value.to_sql(ty, out),
            Value::Text(value) if *ty == Type::BYTEA => value.as_bytes().to_sql(ty, out),
            Value::Text(value) => value.to_sql(ty, out),
            Value::Bytes(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column of a row; `None` if it is of a type that no statement of ours has.
pub(super) fn value(row: &Row, column: usize) -> Result<Option<Value<'_>>> {
    let ty = row.columns().get(column).map(|column| column.type_().clone());
    let int = |value: Option<i64>| value.map_or(Value::Null, Value::Int);
    Ok(Some(match ty {
        Some(Type::INT8) => int(row.try_get(column)?),
        Some(Type::INT4) => int(row.try_get::<_, Option<i32>>(column)?.map(i64::from)),
        Some(Type::BOOL) => int(row.try_get::<_, Option<bool>>(column)?.map(i64::from)),
        Some(Type::TEXT | Type::VARCHAR) => {
            row.try_get::<_, Option<&str>>(column)?.map_or(Value::Null, Value::Text)
        }
        Some(Type::BYTEA) => {
            row.try_get::<_, Option<&[u8]>>(column)?.map_or(Value::Null, Value::Bytes)
        }
        _ => return Ok(None),
    }))
}

/// Classes of what a server says that does not let this user in, or has no such database.
const REFUSED: [&str; 2] = ["28", "3D"];

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        // Without an answer of the server's, it is the connection that failed.
        let Some(error) = error.as_db_error().cloned() else {
            return Error::Unavailable(error.into());
        };
        let code = error.code();
        let temporary = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::QUERY_CANCELED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ];
        if *code == SqlState::CHARACTER_NOT_IN_REPERTOIRE {
            Error::invalid("text", "A text cannot hold a NUL character.")
        } else if *code == SqlState::DISK_FULL {
            Error::StorageFull
        } else if REFUSED.iter().any(|class| code.code().starts_with(class)) {
            Error::Refused(format!("the database refuses to be used: {error}"))
        } else if temporary.contains(code) || code.code().starts_with("08") {
            Error::Unavailable(error.into())
        } else {
            Error::Internal(error.into())
        }
    }
}

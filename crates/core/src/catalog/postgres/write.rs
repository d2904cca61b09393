//! Writes: one task of each node takes what is queued and commits it at once; of all nodes, one at a
//! time.

use super::Session;
use super::pool::Pool;
use crate::catalog::conn::Tx;
use crate::catalog::writer::{Failure, Job, answer, batch};
use crate::error::Result;
use deadpool_postgres::Transaction;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Whoever holds it is the one who writes.
const WRITE_LOCK: i64 = 0x42_49_4e_44_57_52_49;
/// How long apart the server is asked what became of a commit.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// Commits what is queued until the last sender is gone.
pub(in crate::catalog) async fn serve(pool: Pool, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut before = String::new();
    while let Some(first) = jobs.recv().await {
        let mut units = batch(first, &mut jobs);
        let mark = Uuid::new_v4().to_string();
        let outcome = commit(&pool, &mut units, (&before, &mark)).await;
        before = mark;
        answer(units, outcome);
    }
}

/// Commits a batch under its mark, in place of that of the batch before.
async fn commit(
    pool: &Pool,
    batch: &mut [Box<dyn Job>],
    (before, mark): (&str, &str),
) -> Result<(), Failure> {
    let unreachable = |error: crate::error::Error| {
        tracing::warn!(%error, "a batch of writes was not begun");
        Failure::Unreachable
    };
    let mut client = pool.get().await.map_err(unreachable)?;
    let mut transaction = client.transaction().await.map_err(|error| unreachable(error.into()))?;
    lock(&transaction).await.map_err(unreachable)?;
    leave_mark(&transaction, before, mark).await.map_err(unreachable)?;
    // A lone unit needs no savepoint: if it fails, all of the transaction goes.
    if let [only] = batch {
        if !only.run_on(&mut Tx::on_server(Session::Transaction(&transaction))).await {
            let _ended = transaction.rollback().await;
            return Ok(());
        }
    } else {
        for job in batch {
            let savepoint =
                transaction.savepoint("unit").await.map_err(|error| unreachable(error.into()))?;
            let ended = if job.run_on(&mut Tx::on_server(Session::Transaction(&savepoint))).await {
                savepoint.commit().await
            } else {
                savepoint.rollback().await
            };
            ended.map_err(|error| unreachable(error.into()))?;
        }
    }
    match transaction.commit().await {
        Ok(()) => Ok(()),
        // The server says that it did not.
        Err(error) if error.code().is_some() => Err(unreachable(error.into())),
        Err(error) => {
            tracing::warn!(%error, "the answer to a commit was lost");
            settle(pool, mark).await
        }
    }
}

/// Waits until no other node writes. What is read from then on is all that was committed before.
async fn lock(transaction: &Transaction<'_>) -> Result<()> {
    let lock = transaction.prepare_cached("select 1 from pg_advisory_xact_lock($1)").await?;
    transaction.query_one(&lock, &[&WRITE_LOCK]).await?;
    Ok(())
}

/// Leaves a row by which it can be told that the batch was committed: the number of its transaction
/// cannot, since a server that crashed may give one out again that it had not written down. What processes
/// left that are gone, goes after an hour.
async fn leave_mark(transaction: &Transaction<'_>, before: &str, mark: &str) -> Result<()> {
    let leave = transaction
        .prepare_cached(
            "with now as (select extract(epoch from now())::bigint as at), \
             gone as (delete from batches where mark = $1 or at < (select at from now) - 3600) \
             insert into batches (mark, at) select $2, at from now",
        )
        .await?;
    transaction.execute(&leave, &[&before, &mark]).await?;
    Ok(())
}

/// What became of a commit whose answer was lost.
async fn settle(pool: &Pool, mark: &str) -> Result<(), Failure> {
    let settled = async {
        loop {
            match is_committed(pool, mark).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Failure::Unreachable),
                // The server is still away.
                Err(_) => tokio::time::sleep(SETTLE_PAUSE).await,
            }
        }
    };
    tokio::time::timeout(pool.settle, settled).await.unwrap_or(Err(Failure::Unknown))
}

/// The lock is had when the session that the batch was in has ended, however it did.
async fn is_committed(pool: &Pool, mark: &str) -> Result<bool> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    lock(&transaction).await?;
    let find = "select 1 from batches where mark = $1";
    Ok(transaction.query_opt(find, &[&mark]).await?.is_some())
}

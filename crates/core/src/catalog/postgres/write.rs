//! Writes: one task of each node takes what is queued and commits it at once; of all nodes, one at a
//! time.

use super::pool::Pool;
use crate::catalog::conn::Tx;
use crate::catalog::writer::{Failure, Job, answer, batch};
use crate::error::Result;
use deadpool_postgres::Transaction;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Whoever holds it is the one who writes.
const WRITE_LOCK: i64 = 0x42_49_4e_44_57_52_49;
/// How long apart the server is asked what became of a commit.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// Commits what is queued until the last sender is gone.
pub(in crate::catalog) async fn serve(pool: Pool, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = jobs.recv().await {
        let mut units = batch(first, &mut jobs);
        let outcome = commit(&pool, &mut units).await;
        answer(units, outcome);
    }
}

async fn commit(pool: &Pool, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
    let unreachable = |error: crate::error::Error| {
        tracing::warn!(%error, "a batch of writes was not begun");
        Failure::Unreachable
    };
    let mut client = pool.get().await.map_err(unreachable)?;
    let mut transaction = client.transaction().await.map_err(|error| unreachable(error.into()))?;
    let id = begin(&transaction).await.map_err(unreachable)?;
    // A lone unit needs no savepoint: if it fails, all of the transaction goes.
    if let [only] = batch {
        if !only.run_on(&mut Tx::postgres(&transaction)).await {
            let _ended = transaction.rollback().await;
            return Ok(());
        }
    } else {
        for job in batch {
            let savepoint =
                transaction.savepoint("unit").await.map_err(|error| unreachable(error.into()))?;
            let ended = if job.run_on(&mut Tx::postgres(&savepoint)).await {
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
            settle(pool, &id).await
        }
    }
}

/// Waits until no other node writes. What is read from then on is all that was committed before.
async fn begin(transaction: &Transaction<'_>) -> Result<String> {
    let lock = transaction
        .prepare_cached("select pg_current_xact_id()::text from pg_advisory_xact_lock($1)")
        .await?;
    Ok(transaction.query_one(&lock, &[&WRITE_LOCK]).await?.get(0))
}

/// What became of a commit whose answer was lost.
async fn settle(pool: &Pool, id: &str) -> Result<(), Failure> {
    let until = Instant::now() + pool.settle;
    while Instant::now() < until {
        match status(pool, id).await {
            Ok(Some(status)) if status == "committed" => return Ok(()),
            Ok(Some(status)) if status == "aborted" => return Err(Failure::Unreachable),
            Ok(None) => return Err(Failure::Unknown),
            // Its session has not ended yet, or the server is still away.
            Ok(Some(_)) | Err(_) => tokio::time::sleep(SETTLE_PAUSE).await,
        }
    }
    Err(Failure::Unknown)
}

async fn status(pool: &Pool, id: &str) -> Result<Option<String>> {
    let client = pool.get().await?;
    Ok(client.query_one("select pg_xact_status($1::text::xid8)", &[&id]).await?.get(0))
}

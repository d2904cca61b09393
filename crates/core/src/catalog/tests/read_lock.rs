//! The lock that is held between reads is seen by nobody.

use super::catalog;
use crate::catalog::row::params;
use crate::catalog::sql::sql;
use crate::catalog::{Catalog, Reading};
use std::path::Path;

async fn write(catalog: &Catalog, len: i64) {
    let written = catalog.write(len, |tx, len| {
        let put =
            sql!("insert into meta (key, value) select hex(randomblob(8)), hex(zeroblob($1))");
        Box::pin(async move { tx.exec(&put, params![*len]).await })
    });
    written.await.unwrap();
}

/// So many reads that the lock is held behind them, unless the log is just copied back; how many rows the last saw.
async fn reads(catalog: &Catalog) -> i64 {
    let count = sql!("select count(*) from meta where key <> 'created'");
    let mut seen = 0;
    for _ in 0..300 {
        let read =
            catalog.look_up(&count, |tx, count| Box::pin(async { tx.one(count, params![]).await }));
        seen = read.await.unwrap();
    }
    seen
}

fn is_held(catalog: &Catalog) -> bool {
    matches!(&catalog.readers, Reading::Embedded(readers) if readers.lock().is_held())
}

fn log(directory: &Path) -> u64 {
    std::fs::metadata(directory.join("catalog.db-wal")).map_or(0, |log| log.len())
}

#[tokio::test]
async fn a_commit_is_seen_at_once_and_the_log_is_emptied() {
    let (directory, catalog) = catalog();
    for written in 0..3 {
        assert_eq!(reads(&catalog).await, written);
        write(&catalog, 10).await;
        assert_eq!(reads(&catalog).await, written + 1);
        assert!(is_held(&catalog));
        catalog.empty_log().await.unwrap();
        assert_eq!(log(directory.path()), 0);
    }
}

#[tokio::test]
async fn the_log_begins_anew() {
    let (directory, catalog) = catalog();
    for _ in 0..40 {
        // 2 MiB of log.
        write(&catalog, 1 << 20).await;
        reads(&catalog).await;
    }
    assert!(log(directory.path()) < 24 << 20, "{}", log(directory.path()));
}

#[tokio::test]
async fn a_catalog_that_is_closed_leaves_no_log() {
    let (directory, catalog) = catalog();
    write(&catalog, 10).await;
    reads(&catalog).await;
    assert!(is_held(&catalog));
    drop(catalog);
    assert!(!directory.path().join("catalog.db-wal").exists());
}

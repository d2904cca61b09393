//! Many units, one commit; and one bad unit harms no other.

use super::{catalog, catalog_on};
use crate::catalog::row::params;
use crate::catalog::sql::sql;
use crate::catalog::{Catalog, Tx};
use crate::disk::{Disk, Step};
use crate::error::{Error, Result};
use std::io;

async fn put(tx: &mut Tx<'_>, key: i64) -> Result<()> {
    let insert = sql!("insert into meta (key, value) values ($1, $1)");
    tx.exec(&insert, params![&key.to_string()]).await.map(drop)
}

async fn keys(catalog: &Catalog) -> i64 {
    let count = sql!("select count(*) from meta where key <> 'created'");
    catalog
        .read(&count, |tx, count| Box::pin(async move { tx.one(count, params![]).await }))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_units_leave_nothing_and_harm_no_other() {
    let (_directory, catalog) = catalog();
    let catalog = std::sync::Arc::new(catalog);
    let units = (0..400).map(|key| {
        let catalog = std::sync::Arc::clone(&catalog);
        tokio::spawn(async move {
            catalog
                .write(key, |tx, key| {
                    Box::pin(async move {
                        put(tx, *key).await?;
                        match key % 8 {
                            0 => Err(Error::Forbidden),
                            1 => panic!("a unit panics on purpose"),
                            2 => std::future::pending().await,
                            _ => Ok(*key),
                        }
                    })
                })
                .await
        })
    });
    let outcomes = futures_util::future::join_all(units).await;
    for (key, outcome) in (0_i64..).zip(outcomes) {
        match (key % 8, outcome.unwrap()) {
            (0, Err(Error::Forbidden)) | (1 | 2, Err(Error::Internal(_))) => {}
            (3.., Ok(done)) => assert_eq!(done, key),
            (_, other) => panic!("{key}: {other:?}"),
        }
    }
    assert_eq!(keys(&catalog).await, 250);
}

#[tokio::test]
async fn a_unit_that_fails_on_a_constraint_is_rolled_back_alone() {
    let (_directory, catalog) = catalog();
    let twice = catalog
        .write((), |tx, ()| {
            Box::pin(async move {
                put(tx, 1).await?;
                put(tx, 1).await
            })
        })
        .await;
    assert!(matches!(twice, Err(Error::Internal(_))), "{twice:?}");
    assert_eq!(keys(&catalog).await, 0);
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_writer_lives() {
    let (_directory, catalog) = catalog();
    let full = catalog
        .write((), |tx, ()| {
            Box::pin(async move {
                let pages: i64 =
                    tx.embedded().unwrap().pragma_query_value(None, "page_count", |r| r.get(0))?;
                tx.embedded().unwrap().pragma_update(None, "max_page_count", pages)?;
                for key in 0..100_000 {
                    put(tx, key).await?;
                }
                Ok(())
            })
        })
        .await;
    assert!(matches!(full, Err(Error::StorageFull)), "{full:?}");
    assert_eq!(keys(&catalog).await, 0);
    let more = catalog
        .write((), |tx, ()| {
            Box::pin(async move {
                tx.embedded().unwrap().pragma_update(None, "max_page_count", 1 << 30)?;
                put(tx, 1).await
            })
        })
        .await;
    assert!(more.is_ok(), "{more:?}");
    assert_eq!(keys(&catalog).await, 1);
}

/// Copying the log back syncs, too; where it only finds no room, the log is kept, and it is tried again.
#[tokio::test]
async fn a_log_that_cannot_be_copied_back_ends_writing() {
    for (kind, ends) in [(io::ErrorKind::StorageFull, false), (io::ErrorKind::Other, true)] {
        let (_directory, catalog) = catalog_on(&Disk::watched_by(move |step| match step {
            Step::Statement(sql) if sql.contains("checkpoint") => Err(kind.into()),
            _ => Ok(()),
        }));
        let many = |tx: &mut Tx<'_>| {
            let fill = "insert into meta (key, value) values (hex(randomblob(8)), hex(randomblob(10000000)))";
            tx.embedded().unwrap().execute(fill, []).map(drop)
        };
        let filled = catalog.write((), move |tx, ()| {
            let filled = many(tx);
            Box::pin(async move { Ok(filled?) })
        });
        filled.await.unwrap();
        // The log is copied back behind the answer, and before the next write.
        let next = catalog.write((), |tx, ()| Box::pin(put(tx, 1))).await;
        assert_eq!(matches!(next, Err(Error::Unavailable(_))), ends, "{kind}: {next:?}");
        assert_eq!(keys(&catalog).await, if ends { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_emptied_ends_writing() {
    for fails in ["passive", "truncate"] {
        let (_directory, catalog) = catalog_on(&Disk::watched_by(move |step| match step {
            Step::Statement(sql) if sql.contains(fails) => Err(io::ErrorKind::Other.into()),
            _ => Ok(()),
        }));
        catalog.write((), |tx, ()| Box::pin(put(tx, 1))).await.unwrap();
        let emptied = catalog.empty_log().await;
        assert!(matches!(emptied, Err(Error::Unavailable(_))), "{fails}: {emptied:?}");
        let next = catalog.write((), |tx, ()| Box::pin(put(tx, 2))).await;
        assert!(matches!(next, Err(Error::Unavailable(_))), "{fails}: {next:?}");
        assert_eq!(keys(&catalog).await, 1);
    }
}

//! Many units, one commit; and one bad unit harms no other.

use super::catalog;
use crate::catalog::row::params;
use crate::catalog::sql::sql;
use crate::catalog::{Catalog, Tx};
use crate::error::{Error, Result};

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

//! The index of names: what it holds, filled, filled in part and not filled.

use super::{Catalog, catalog};
use crate::catalog::Tx;
use crate::catalog::names::{Compared, candidates, changed, forget, index, is_behind};
use crate::catalog::row::params;
use crate::catalog::sql::sql;
use crate::error::{Error, Result};

/// Nodes from 1 on, of these names.
async fn add(catalog: &Catalog, names: &[&str]) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let added = catalog.write(names, |tx, names| {
        Box::pin(async move {
            let insert = sql!(
                "insert into nodes (owner, kind, name, name_key, label, label_key, created, modified) \
                 values (1, 0, $1, $1, $2, $2, 0, 0)"
            );
            for name in names {
                tx.exec(&insert, params![name, &format!("{name} (2)")]).await?;
            }
            Ok(())
        })
    });
    added.await.unwrap();
}

async fn rename(tx: &mut Tx<'_>, node: i64, name: &str) -> Result<()> {
    let update = sql!("update nodes set name_key = $2, label_key = $2 where id = $1");
    tx.exec(&update, params![node, name]).await?;
    changed(tx, node).await
}

async fn delete(tx: &mut Tx<'_>, node: i64) -> Result<()> {
    tx.exec(&sql!("delete from nodes where id = $1"), params![node]).await?;
    forget(tx, node).await
}

async fn fill(catalog: &Catalog, limit: i64) {
    catalog.write(limit, |tx, limit| Box::pin(index(tx, *limit))).await.unwrap();
}

/// What is not indexed yet as it is, and what the index finds.
async fn found(catalog: &Catalog, pattern: &str) -> Option<String> {
    let found = catalog
        .read(&pattern, |tx, pattern| Box::pin(candidates(tx, pattern, Compared::Names)))
        .await
        .unwrap();
    let labelled = catalog
        .read(&pattern, |tx, pattern| Box::pin(candidates(tx, pattern, Compared::Labels)))
        .await
        .unwrap();
    assert_eq!(found, labelled);
    found
}

async fn behind(catalog: &Catalog) -> bool {
    catalog.look_up(&(), |tx, ()| Box::pin(is_behind(tx))).await.unwrap()
}

#[tokio::test]
async fn the_index_follows_what_is_made_renamed_and_deleted() {
    let (_directory, catalog) = catalog();
    assert!(!behind(&catalog).await);
    assert_eq!(found(&catalog, "%abc%").await.as_deref(), Some(""));
    add(&catalog, &["abcd", "xyz", "ABC", "\"abc\"", "xabcdx"]).await;
    assert!(behind(&catalog).await);
    assert_eq!(found(&catalog, "%xyz%").await.as_deref(), Some("1,2,3,4,5"));
    fill(&catalog, 2).await;
    assert_eq!(found(&catalog, "%xyz%").await.as_deref(), Some("2,3,4,5"));
    assert!(behind(&catalog).await);
    fill(&catalog, 100).await;
    assert!(!behind(&catalog).await);
    for (pattern, expected) in [
        ("%abc%", "1,4,5"),
        ("%abcd%", "1,5"),
        ("%\"abc%", "4"),
        ("%d (2)", "1"),
        // A name's end and its label's beginning are not one text.
        ("%yzx%", ""),
    ] {
        assert_eq!(found(&catalog, pattern).await.as_deref(), Some(expected), "{pattern}");
    }
    assert_eq!(found(&catalog, "%cd%x").await, None);
    catalog.write((), |tx, ()| Box::pin(rename(tx, 1, "new name"))).await.unwrap();
    assert!(behind(&catalog).await);
    // What was renamed is looked at, whatever it is called.
    assert_eq!(found(&catalog, "%xyz%").await.as_deref(), Some("1,2"));
    fill(&catalog, 100).await;
    assert_eq!(found(&catalog, "%abcd%").await.as_deref(), Some("5"));
    assert_eq!(found(&catalog, "%new name%").await.as_deref(), Some("1"));
    catalog.write((), |tx, ()| Box::pin(delete(tx, 5))).await.unwrap();
    assert!(!behind(&catalog).await);
    assert_eq!(found(&catalog, "%abcd%").await.as_deref(), Some(""));
    // What is renamed before it is indexed needs nothing else, nor what is deleted behind its renaming.
    add(&catalog, &["first"]).await;
    catalog.write((), |tx, ()| Box::pin(rename(tx, 6, "second"))).await.unwrap();
    catalog.write((), |tx, ()| Box::pin(rename(tx, 2, "third"))).await.unwrap();
    catalog.write((), |tx, ()| Box::pin(delete(tx, 2))).await.unwrap();
    while behind(&catalog).await {
        fill(&catalog, 100).await;
    }
    assert_eq!(found(&catalog, "%second%").await.as_deref(), Some("6"));
    assert_eq!(found(&catalog, "%third%").await.as_deref(), Some(""));
    assert_eq!(found(&catalog, "%first%").await.as_deref(), Some(""));
    assert_eq!(catalog.faults().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_unit_that_fails_leaves_the_index_as_it_was() {
    let (_directory, catalog) = catalog();
    add(&catalog, &["abcd", "bcde"]).await;
    fill(&catalog, 1).await;
    let failed = catalog.write((), |tx, ()| {
        Box::pin(async move {
            index(tx, 100).await?;
            delete(tx, 1).await?;
            Err::<(), _>(Error::Forbidden)
        })
    });
    assert!(matches!(failed.await, Err(Error::Forbidden)));
    assert!(behind(&catalog).await);
    assert_eq!(found(&catalog, "%abcd%").await.as_deref(), Some("1,2"));
    fill(&catalog, 100).await;
    assert_eq!(found(&catalog, "%bcde%").await.as_deref(), Some("2"));
    assert_eq!(found(&catalog, "%abcd%").await.as_deref(), Some("1"));
    assert_eq!(catalog.faults().await.unwrap(), [""; 0]);
}

/// More than these would take longer to look up one by one than all take in a row.
#[tokio::test]
async fn many_candidates_are_none() {
    let (_directory, catalog) = catalog();
    let names = vec!["abcd"; 4_000];
    add(&catalog, &names).await;
    assert!(found(&catalog, "%xyz%").await.is_some());
    fill(&catalog, 3_000).await;
    assert!(found(&catalog, "%abc%").await.is_some_and(|found| found.ends_with(",4000")));
    add(&catalog, &["abcd"]).await;
    assert_eq!(found(&catalog, "%abc%").await, None);
    assert!(found(&catalog, "%xyz%").await.is_some());
}

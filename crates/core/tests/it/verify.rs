//! An inspection with a budget goes on where the last one stopped, and comes around to every file.

use crate::pages::first_page;
use crate::world::{World, bytes, open_in};
use bindery_core::{Drive, Error, Inspection};
use std::time::Duration;

/// Verifies until so many versions are checked and the time is up: who was found damaged.
async fn verify(drive: &Drive, versions: u64) -> (Inspection, Vec<String>) {
    let clock = drive.clock().clone();
    let up = |found: &Inspection| {
        if found.checked.versions == versions {
            clock.advance_seconds(60);
        }
    };
    let found = drive.verify(Some(Duration::from_secs(60)), up).await.unwrap();
    let damaged = found.damaged.iter().map(|damage| damage.name.clone()).collect();
    (found, damaged)
}

/// A store whose files are all damaged, so that an inspection names those that it looks at.
async fn damaged(names: &[&str]) -> World {
    let world = World::embedded().await;
    for name in names {
        world.put(name, &bytes(100)).await;
    }
    world.catalog().execute("update contents set sealed = x'00'", []).unwrap();
    world
}

#[tokio::test]
async fn a_budget_goes_on_where_the_last_one_ended() {
    let world = damaged(&["a", "b", "c", "d", "e"]).await;
    for (versions, looked_at, unfinished) in [
        (2, "ab", true),
        (2, "cd", true),
        // Around the end.
        (2, "ea", true),
        (9, "bcdea", false),
        (5, "bcdea", false),
        (1, "b", true),
        (5, "cdeab", false),
    ] {
        let (found, names) = verify(&world.drive, versions).await;
        assert_eq!(names.concat(), looked_at);
        assert_eq!(found.unfinished, unfinished, "{looked_at}");
        assert_eq!(found.checked.versions, looked_at.len() as u64);
        assert_eq!(found.of.versions, 5);
    }
}

#[tokio::test]
async fn without_a_budget_every_file_is_looked_at_in_order() {
    let world = damaged(&["a", "b", "c"]).await;
    verify(&world.drive, 2).await;
    let found = world.drive.verify(None, |_| ()).await.unwrap();
    let names: Vec<_> = found.damaged.iter().map(|damage| damage.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    // Nor does it change where the next budget goes on.
    assert_eq!(verify(&world.drive, 1).await.1, ["c"]);
}

#[tokio::test]
async fn a_budget_goes_on_in_another_process_and_behind_a_file_that_is_gone() {
    let world = damaged(&["a", "b", "c"]).await;
    assert_eq!(verify(&world.drive, 2).await.1, ["a", "b"]);
    let World { drive, caller, directory, backend } = world;
    drop(drive);
    let drive = open_in(&directory, &backend).await;
    let world = World { drive, caller, directory, backend };
    let catalog = world.catalog();
    catalog
        .execute_batch("delete from versions where file = (select id from nodes where name = 'b')")
        .unwrap();
    assert_eq!(verify(&world.drive, 9).await.1, ["c", "a"]);
}

#[tokio::test]
async fn a_mark_that_cannot_be_read_is_no_mark() {
    let world = damaged(&["a", "b"]).await;
    verify(&world.drive, 1).await;
    for mark in ["", "x", "1", "1 x", " ", "1 1 1", "-1 -1"] {
        let changed = world
            .catalog()
            .execute("update meta set value = ?1 where key = 'inspected'", [mark])
            .unwrap();
        assert_eq!(changed, 1);
        assert_eq!(verify(&world.drive, 9).await.1, ["a", "b"], "{mark}");
    }
}

#[tokio::test]
async fn no_time_checks_nothing_and_moves_nothing() {
    let world = damaged(&["a", "b", "c"]).await;
    verify(&world.drive, 1).await;
    let found = world.drive.verify(Some(Duration::ZERO), |_| ()).await.unwrap();
    assert!(found.unfinished);
    assert_eq!(found.checked.versions, 0);
    assert_eq!(verify(&world.drive, 1).await.1, ["b"]);
}

#[tokio::test]
async fn the_age_of_the_oldest_unverified_byte_is_known() {
    let world = damaged(&["a", "b", "c"]).await;
    let since = async || world.drive.verified_since().await.unwrap();
    let start = world.drive.clock().now();
    assert_eq!(since().await, None);
    // Each of these runs takes a minute, and ends where its time is up.
    assert_eq!(verify(&world.drive, 2).await.0.whole, None);
    assert_eq!(since().await, None);
    // Around the end: the pass that began at the start is whole.
    assert_eq!(verify(&world.drive, 2).await.0.whole, Some(start));
    assert_eq!(since().await, Some(start));
    // The next one began where that one ended.
    assert_eq!(verify(&world.drive, 3).await.0.whole, Some(start.plus_seconds(60)));
    world.drive.clock().advance_seconds(1000);
    let now = world.drive.clock().now();
    assert_eq!(world.drive.verify(None, |_| ()).await.unwrap().whole, Some(now));
    // One that ends later and began before changes nothing.
    assert_eq!(verify(&world.drive, 3).await.0.whole, Some(now));
    assert_eq!(since().await, Some(now));
}

/// What cannot be read of a version's rows is damage of that one version.
#[tokio::test]
async fn rows_that_cannot_be_read_are_named_and_harm_no_other_file() {
    let world = World::embedded().await;
    let mut files = Vec::new();
    for name in ["a", "b", "c"] {
        files.push(world.put(name, &bytes(20_000)).await);
    }
    let b = files[1].id.0;
    let content = format!("(select content from versions where file = {b})");
    for (change, back, is_listed) in [
        (
            "contents set objects = 'nonsense' where id = ",
            "contents set objects = ?1 where id = ",
            true,
        ),
        (
            "contents set objects = x'ff00' where id = ",
            "contents set objects = ?1 where id = ",
            true,
        ),
        (
            "versions set md5 = x'00' where content = ",
            "versions set md5 = ?1 where content = ",
            false,
        ),
    ] {
        let catalog = world.catalog();
        let (table, rest) = change.split_once(' ').unwrap();
        let column = rest.split(' ').nth(1).unwrap();
        let key = change.rsplit(' ').nth(2).unwrap();
        let get = format!("select {column} from {table} where {key} = {content}");
        let old: rusqlite::types::Value = catalog.query_row(&get, [], |row| row.get(0)).unwrap();
        assert_eq!(catalog.execute(&format!("update {change}{content}"), []).unwrap(), 1);
        let found = world.drive.verify(None, |_| ()).await.unwrap();
        let named: Vec<_> = found.damaged.iter().map(|damage| &*damage.name).collect();
        assert_eq!((found.checked.versions, named), (3, vec!["b"]), "{change}");
        for (at, file) in files.iter().enumerate() {
            let read = world.get(file.id, 0..20_000).await;
            assert_eq!(read.is_ok(), at != 1, "{change}");
        }
        if is_listed {
            assert!(matches!(world.get(files[1].id, 0..1).await, Err(Error::Damaged { .. })));
            let list = world.drive.list(&world.caller, first_page(100)).await.unwrap();
            assert_eq!(list.files.len(), 3, "{change}");
        }
        assert_eq!(catalog.execute(&format!("update {back}{content}"), [old]).unwrap(), 1);
    }
    // A file whose rows are gone is not passed over.
    let catalog = world.catalog();
    catalog.execute_batch("pragma foreign_keys = off").unwrap();
    catalog.execute(&format!("delete from contents where id = {content}"), []).unwrap();
    let found = world.drive.verify(None, |_| ()).await.unwrap();
    let named: Vec<_> = found.damaged.iter().map(|damage| &*damage.name).collect();
    assert_eq!((found.checked.versions, named), (3, vec!["b"]));
    assert!(!found.catalog.is_empty(), "the engine's check of its foreign keys says so too");
}

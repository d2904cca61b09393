//! An inspection with a budget goes on where the last one stopped, and comes around to every file.

use crate::world::{World, bytes, open_in};
use bindery_core::{Drive, Inspection};
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
    world.catalog().execute("update inline_contents set sealed = x'00'", []).unwrap();
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

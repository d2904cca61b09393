//! The master key changes beside everything else; the old one goes when nothing needs it, and with it what was purged.

use crate::migrate::{fill, is_the_same};
use crate::rights::terms;
use crate::world::{World, bytes, open_in};
use bindery_core::{DeleteFile, Drive, Location, NewRecipient, NodeRef, Role, Sharing};
use std::fs;
use std::path::Path;

const PURGE: DeleteFile = DeleteFile { purge: true, version: None };

fn keys_in(file: &Path) -> usize {
    fs::read_to_string(file).unwrap().lines().count() - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_rotates_all_go_on_with() {
    let world = World::new().await;
    let (known, reader) = fill(&world).await;
    let link = terms(Role::Viewer, Sharing::default());
    let file = NodeRef::File(known[0].0.into());
    let secret =
        world.drive.share(&world.caller, file, NewRecipient::Link, link).await.unwrap().link;
    assert!(secret.is_some());
    let key_file = world.data().join("master.key");
    // As a command beside a server.
    let beside = open_in(&world.directory, &world.backend).await;
    let old = beside.old_keys().await.unwrap();
    assert!(old.is_empty());
    let prepared = beside.prepare_key().await.unwrap();
    assert_eq!(beside.prepare_key().await.unwrap(), prepared);
    assert_eq!(keys_in(&key_file), 2);
    let writer = open_in(&world.directory, &world.backend).await;
    let caller = world.caller.clone();
    let put = tokio::spawn(async move {
        for number in 0..20 {
            let upload = writer.upload(&caller, bindery_core::Target::home(), None).await;
            let mut upload = upload.unwrap();
            upload.write(bytes(number * 1000).into()).await.unwrap();
            let end = crate::world::end(&format!("during {number}"));
            let id = upload.finish(end).await.unwrap().node.id;
            writer.delete_file(&caller, id.into(), PURGE).await.unwrap();
        }
    });
    let rotated = beside.rotate_key(|_| {}).await.unwrap();
    put.await.unwrap();
    assert_eq!(rotated.active, prepared);
    assert!(rotated.rewrapped as usize > known.len() && rotated.damaged.is_empty());
    let old = beside.old_keys().await.unwrap();
    assert_eq!((old.len(), old[0].in_use, old[0].backups.len()), (1, false, 0));
    // A server that has heard of nothing wraps under no key that was replaced.
    let idle = world.put("after", b"after").await;
    assert!(!beside.old_keys().await.unwrap()[0].in_use);
    world.drive.delete_file(&world.caller, idle.id.into(), PURGE).await.unwrap();
    is_the_same(&world.drive, &world, &known, &reader).await;
    let shares = world.drive.shares(&world.caller, file).await.unwrap();
    assert_eq!(shares[0].link, secret);
    assert!(!beside.old_keys().await.unwrap()[0].in_use);

    let refused = beside.retire_key(&prepared).await.unwrap_err().to_string();
    assert!(refused.contains("the one that wraps"), "{refused}");
    beside.retire_key(&old[0].id).await.unwrap();
    assert_eq!(keys_in(&key_file), 1);
    let again = open_in(&world.directory, &world.backend).await;
    is_the_same(&again, &world, &known, &reader).await;
    let refused = beside.retire_key(&old[0].id).await.unwrap_err().to_string();
    assert!(refused.contains("no old master key"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_was_interrupted_goes_on_with_the_same_key() {
    let world = World::embedded().await;
    for number in 0..450 {
        world.put(&format!("{number}"), b"small").await;
    }
    let drive = world.drive.clone();
    let interrupted = tokio::spawn(async move {
        let seen = |seen| assert!(seen < 400, "far enough");
        drive.rotate_key(seen).await
    });
    assert!(interrupted.await.is_err());
    let old = world.drive.old_keys().await.unwrap();
    assert!(old[0].in_use);
    let refused = world.drive.retire_key(&old[0].id).await.unwrap_err().to_string();
    assert!(refused.contains("still wrapped"), "{refused}");
    let rotated = world.drive.rotate_key(|_| {}).await.unwrap();
    assert_eq!(rotated.rewrapped, 50);
    assert_eq!(keys_in(&world.data().join("master.key")), 2);
    assert!(!world.drive.old_keys().await.unwrap()[0].in_use);
    let again = world.drive.rotate_key(|_| {}).await.unwrap();
    assert_eq!((again.rewrapped, world.drive.old_keys().await.unwrap().len()), (450, 2));
    let inspection = world.drive.verify(None, |_| {}).await.unwrap();
    assert!(inspection.damaged.is_empty(), "{:?}", inspection.damaged);
}

#[tokio::test]
async fn nodes_are_given_the_key_before_it_wraps() {
    let world = World::new().await;
    let rotated = world.drive.rotate_key(|_| {}).await;
    let shared = std::env::var_os("BINDERY_TEST_DATABASE").is_some();
    assert_eq!(rotated.is_err(), shared, "{rotated:?}");
    if let Err(refused) = rotated {
        assert!(refused.to_string().contains("--prepare"), "{refused}");
        world.drive.prepare_key().await.unwrap();
        world.drive.rotate_key(|_| {}).await.unwrap();
    }
}

/// The wrapped keys of all versions that there are.
fn wrapped(world: &World) -> Vec<Vec<u8>> {
    let catalog = world.catalog();
    let mut found = catalog.prepare("select wrapped_key from versions order by file").unwrap();
    found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Which of these stand anywhere in the catalog's files.
fn left_of(data: &Path, wrapped: &[Vec<u8>]) -> Vec<usize> {
    let mut all = Vec::new();
    for file in ["catalog.db", "catalog.db-wal"] {
        all.extend(fs::read(data.join(file)).unwrap_or_default());
    }
    let windows: std::collections::HashSet<&[u8]> = all.windows(60).collect();
    (0..wrapped.len()).filter(|at| windows.contains(&*wrapped[*at])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_purged_version_is_gone_from_the_disk() {
    let world = World::embedded().await;
    let mut files = Vec::new();
    for number in 0..600 {
        files.push(world.put(&format!("{number}"), b"small").await.id);
    }
    let before = wrapped(&world);
    assert_eq!(left_of(&world.data(), &before).len(), files.len());
    // Nearly all of one part, every third of the others: pages are joined, and shared out anew.
    let purged: Vec<usize> =
        (0..files.len()).filter(|at| at % 3 == 0 || (200..260).contains(at)).collect();
    for at in &purged {
        world.drive.delete_file(&world.caller, files[*at].into(), PURGE).await.unwrap();
    }
    world.sweep().await;
    let left = left_of(&world.data(), &before);
    let kept: Vec<usize> = (0..files.len()).filter(|at| !purged.contains(at)).collect();
    assert_eq!(left, kept);

    let medium = tempfile::tempdir().unwrap();
    let (target, data) = (medium.path().join("target"), medium.path().join("restored"));
    world.drive.backup(&target, |_, _| {}).await.unwrap();
    let key_file = Some(world.data().join("master.key"));
    let location = Location { key_file, ..Location::directory(&data) };
    let clock = world.drive.clock().clone();
    Drive::restore_backup(&target, None, &location, clock, false, |_, _| {}).await.unwrap();
    assert_eq!(left_of(&data, &before), kept);

    let rotated = world.drive.rotate_key(|_| {}).await.unwrap();
    assert_eq!(rotated.rewrapped as usize, kept.len());
    assert_eq!(left_of(&world.data(), &before), [0; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_that_need_the_old_key_are_named_until_they_are_gone() {
    let world = World::new().await;
    let file = world.put("file", &bytes(50_000)).await;
    let target = tempfile::tempdir().unwrap();
    let target = target.path().join("target");
    let first = world.drive.backup(&target, |_, _| {}).await.unwrap();
    world.drive.prepare_key().await.unwrap();
    world.drive.rotate_key(|_| {}).await.unwrap();
    let old = world.drive.old_keys().await.unwrap().pop().unwrap();
    assert_eq!(first.master_keys, std::slice::from_ref(&old.id));
    let named: Vec<_> = old.backups.iter().map(|backup| &backup.id).collect();
    assert_eq!(named, [&first.id]);
    world.drive.delete_file(&world.caller, file.id.into(), PURGE).await.unwrap();
    world.drive.clock().advance_seconds(1);
    let second = world.drive.backup(&target, |_, _| {}).await.unwrap();
    assert!(!second.master_keys.contains(&old.id));
    assert_eq!(world.drive.old_keys().await.unwrap()[0].backups.len(), 1);
    let refused = world.drive.retire_key(&old.id).await.unwrap_err().to_string();
    assert!(refused.contains(&first.id), "{refused}");
    world.drive.forget_backup(&first.id, false).await.unwrap();
    world.drive.retire_key(&old.id).await.unwrap();
    assert!(world.drive.old_keys().await.unwrap().is_empty());
}

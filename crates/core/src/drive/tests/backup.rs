use super::world::{NOW, World};
use crate::catalog::backups;
use crate::{Clock, Drive, Location};

/// What a kill leaves between the last file of a backup and the catalog's word of it.
#[tokio::test]
async fn a_backup_whose_last_file_was_written_is_one() {
    let world = World::new().await;
    world.put("kept", b"content").await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    let made = world.drive.backup(&target, |_, _| {}).await.unwrap();
    let no_keys = |id: String| {
        world.drive.catalog().write(id, |tx, id| Box::pin(backups::complete(tx, id, &[])))
    };
    no_keys(made.id.clone()).await.unwrap();
    world.drive.hold(&made.id, NOW.plus_seconds(900)).await.unwrap();
    assert!(!world.drive.backups().await.unwrap()[0].is_complete());
    world.drive.clock().advance_seconds(1);
    let next = world.drive.backup(&target, |_, _| {}).await.unwrap();
    let known = world.drive.backups().await.unwrap();
    assert_eq!(known.iter().map(|backup| &backup.id).collect::<Vec<_>>(), [&made.id, &next.id]);
    assert!(known.iter().all(crate::Backup::is_complete));
    assert_eq!(known[0].master_keys, made.master_keys);
    let location = Location {
        key_file: Some(world.data().join("master.key")),
        ..Location::directory(directory.path().join("restored"))
    };
    let restoring = Drive::restore_backup(
        &target,
        Some(&made.id),
        &location,
        Clock::fixed(NOW),
        false,
        |_, _| {},
    );
    assert_eq!(restoring.await.unwrap().id, made.id);
}

/// A kill behind that file would leave nobody who knows them.
#[tokio::test]
async fn the_keys_of_a_backup_are_known_before_its_last_file_is_there() {
    let world = World::embedded().await;
    world.put("kept", b"content").await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    // The last file cannot be made where there is a folder of its name.
    let in_the_way = |_, _| {
        for backup in std::fs::read_dir(target.join("backups")).unwrap() {
            let _again = std::fs::create_dir(backup.unwrap().path().join("manifest.part"));
        }
    };
    world.drive.backup(&target, in_the_way).await.unwrap_err();
    let known = world.drive.backups().await.unwrap();
    assert!(!known[0].is_complete());
    assert_eq!(known[0].master_keys, [world.drive.vault().keys.active()]);
}

#[tokio::test]
async fn a_backup_without_its_row_or_its_key_is_refused() {
    let world = World::embedded().await;
    let active = world.drive.vault().keys.active();
    for (key, why) in [(active, "was forgotten"), ("0badcafe".to_owned(), "was retired")] {
        let noted = world.drive.catalog().write(key, |tx, key| {
            Box::pin(backups::note_keys(tx, "none", std::slice::from_ref(key)))
        });
        let refused = noted.await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

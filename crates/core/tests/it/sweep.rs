//! What a crash leaves, at whichever step of an upload or of a removal, the sweep takes away; and
//! nothing else.

use crate::world::{World, bytes, end};
use bindery_core::{DeleteFolder, FileId, FolderRef, Name};
use std::fs;
use std::path::PathBuf;

const LEASE: i64 = 3600;
const LARGE: usize = 300_000;

/// A store with two files, and what is stored then.
struct Crashed {
    world: World,
    kept: [(FileId, Vec<u8>); 2],
    before: Vec<String>,
}

impl Crashed {
    async fn new() -> Self {
        let world = World::embedded().await;
        let (small, large) = (bytes(100), bytes(LARGE));
        let kept = [
            (world.put("small.bin", &small).await.id, small),
            (world.put("large.bin", &large).await.id, large),
        ];
        let before = world.stored();
        Crashed { world, kept, before }
    }

    /// Interrupts an upload, as a crash does: nobody cleans up. Its temporary file.
    async fn in_an_upload(&self) -> PathBuf {
        let others = self.world.objects();
        let mut upload = self.world.upload().await;
        upload.write(bytes(LARGE).into()).await.unwrap();
        std::mem::forget(upload);
        let mut new = self.world.objects();
        new.retain(|file| !others.contains(file));
        assert_eq!(new.len(), 1, "{new:?}");
        assert!(new[0].display().to_string().ends_with("#1"), "{new:?}");
        new.remove(0)
    }

    /// Nothing goes while the lease may be in use, everything does behind it, and the files stay.
    async fn is_swept(&self) {
        let during = self.world.stored();
        self.world.drive.clock().advance_seconds(LEASE);
        assert_eq!(self.world.sweep().await.leases, 0);
        assert_eq!(self.world.stored(), during);

        self.world.drive.clock().advance_seconds(1);
        let swept = self.world.sweep().await;
        assert_eq!((swept.leases, swept.objects), (1, 1));
        self.is_whole().await;
    }

    async fn is_whole(&self) {
        assert_eq!(self.world.stored(), self.before);
        for (file, content) in &self.kept {
            assert_eq!(self.world.get(*file, 0..content.len() as u64).await.unwrap(), *content);
        }
        let found = self.world.drive.verify(None, |_| ()).await.unwrap();
        assert!(found.damaged.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn an_object_that_is_being_written_is_swept() {
    let crashed = Crashed::new().await;
    crashed.in_an_upload().await;
    crashed.is_swept().await;
}

#[tokio::test]
async fn an_object_that_is_complete_and_has_no_file_is_swept() {
    let crashed = Crashed::new().await;
    let temporary = crashed.in_an_upload().await;
    let object = temporary.display().to_string();
    fs::rename(&temporary, object.strip_suffix("#1").unwrap()).unwrap();
    crashed.is_swept().await;
}

#[tokio::test]
async fn a_lease_whose_object_was_never_begun_is_swept() {
    let crashed = Crashed::new().await;
    fs::remove_file(crashed.in_an_upload().await).unwrap();
    crashed.is_swept().await;
}

/// In whose folder nothing is left, which a copy of the store may lack.
#[tokio::test]
async fn an_object_that_is_gone_with_its_folder_is_swept() {
    let crashed = Crashed::new().await;
    let temporary = loop {
        let temporary = crashed.in_an_upload().await;
        fs::remove_file(&temporary).unwrap();
        let folder = temporary.parent().unwrap();
        if fs::read_dir(folder).unwrap().next().is_none() {
            break temporary;
        }
    };
    fs::remove_dir(temporary.parent().unwrap()).unwrap();
    crashed.world.drive.clock().advance_seconds(LEASE + 1);
    crashed.world.sweep().await;
    crashed.is_whole().await;
}

/// A crash between the object's removal and the row's, and one before both.
#[tokio::test]
async fn a_doomed_object_is_swept_whether_it_is_there_or_not() {
    for is_there in [true, false] {
        let crashed = Crashed::new().await;
        let others = crashed.world.objects();
        crashed.world.put("purged.bin", &bytes(LARGE)).await;
        let mut new = crashed.world.objects();
        new.retain(|file| !others.contains(file));
        // As a purge commits it.
        let catalog = crashed.world.catalog();
        catalog
            .execute_batch(
                "insert into doomed (blob, since) \
                 select substr(objects, instr(objects, ' ') + 1, 33), 0 from contents \
                 where id = (select content from versions order by file desc limit 1); \
                 create temporary table gone as select content as id from versions \
                 where file = (select max(file) from versions); \
                 delete from versions where content in (select id from gone); \
                 delete from contents where id in (select id from gone); \
                 delete from nodes where id = (select max(id) from nodes);",
            )
            .unwrap();
        if !is_there {
            fs::remove_file(&new[0]).unwrap();
        }
        assert_eq!(crashed.world.sweep().await.objects, 1);
        crashed.is_whole().await;
    }
}

#[tokio::test]
async fn a_file_is_purged_with_its_object_when_it_is_due() {
    let crashed = Crashed::new().await;
    let world = &crashed.world;
    let day = 86_400;
    let file = world.put("unwanted.bin", &bytes(LARGE)).await.id;
    let with_it = world.stored();
    world.drive.trash(&world.caller, file).await.unwrap();
    world.drive.clock().advance_seconds(30 * day);
    assert_eq!(world.sweep().await.purged, 0);
    assert_eq!(world.stored(), with_it);
    world.drive.clock().advance_seconds(1);
    let swept = world.sweep().await;
    assert_eq!((swept.purged, swept.objects), (1, 1));
    crashed.is_whole().await;
}

/// Its files go behind the answer, but nobody sees them any more.
#[tokio::test]
async fn what_lay_in_the_trash_is_gone_with_a_folder_that_is_purged() {
    let world = World::new().await;
    let name = Name::parse("folder").unwrap();
    let outer = world.drive.create_folder(&world.caller, FolderRef::Home, &name).await.unwrap().id;
    let inner = world.drive.create_folder(&world.caller, outer.into(), &name).await.unwrap().id;
    let [kept, gone] = [world.put("kept", b"1").await.id, world.put("gone", b"2").await.id];
    world.drive.move_file(&world.caller, gone.into(), inner.into(), None).await.unwrap();
    for file in [kept, gone] {
        world.drive.trash(&world.caller, file).await.unwrap();
    }
    let purge = DeleteFolder { purge: true, only_if_empty: false };
    world.drive.delete_folder(&world.caller, outer.into(), purge).await.unwrap();
    let listed = world.drive.trash_list(None).await.unwrap();
    assert_eq!(listed.iter().map(|top| top.id).collect::<Vec<_>>(), [kept.0]);
}

#[tokio::test]
async fn many_crashes_are_swept_at_once() {
    let crashed = Crashed::new().await;
    let catalog = crashed.world.catalog();
    for number in 0..450 {
        let blob = format!("{:02x}/{number:030x}", number % 256);
        catalog
            .execute("insert into pending (blob, owner, lease) values (?1, 1, 0)", [blob])
            .unwrap();
    }
    let swept = crashed.world.sweep().await;
    assert_eq!((swept.leases, swept.objects), (450, 450));
    crashed.is_whole().await;
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let crashed = Crashed::new().await;
    for len in [0, 100, LARGE] {
        let mut upload = crashed.world.upload().await;
        upload.write(bytes(len).into()).await.unwrap();
        upload.discard().await;
        crashed.is_whole().await;

        let mut upload = crashed.world.upload().await;
        upload.write(bytes(len).into()).await.unwrap();
        drop(upload);
        crashed.world.settles_at(&crashed.before).await;

        let mut upload = crashed.world.upload().await;
        upload.write(bytes(len).into()).await.unwrap();
        let mut end = end("refused.bin");
        end.type_id = Some(99);
        upload.finish(end).await.unwrap_err();
        crashed.is_whole().await;
    }
}

//! A backup has all that was acknowledged before it began, whatever goes on meanwhile, and gives it back whole; or it
//! is refused, by the name of what is damaged.

use crate::migrate::{fill, is_the_same};
use crate::world::{NOW, World, bytes, end, read};
use bindery_core::{
    BackedUp, Clock, DeleteFile, Drive, FileId, Location, Restored, Result, SweepSettings, Target,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const PURGE: DeleteFile = DeleteFile { purge: true, version: None };
/// More than the catalog keeps.
const LARGE: usize = 100_000;

/// A directory for backups, and one to restore them into.
struct Medium {
    directory: TempDir,
    key: PathBuf,
}

impl Medium {
    fn new(world: &World) -> Self {
        Medium { directory: tempfile::tempdir().unwrap(), key: world.data().join("master.key") }
    }

    fn target(&self) -> PathBuf {
        self.directory.path().join("target")
    }

    fn location(&self) -> Location {
        let data = self.directory.path().join("restored");
        Location { key_file: Some(self.key.clone()), ..Location::directory(data) }
    }

    async fn back_up(&self, drive: &Drive) -> Result<BackedUp> {
        drive.backup(&self.target(), |_, _| {}).await
    }

    async fn restore(&self, id: Option<&str>, accept: bool) -> Result<Restored> {
        let (target, location) = (self.target(), self.location());
        let clock = Clock::fixed(NOW);
        Drive::restore_backup(&target, id, &location, clock, accept, |_, _| {}).await
    }

    async fn open(&self) -> Result<Drive> {
        Drive::open(&self.location(), Clock::fixed(NOW)).await
    }

    /// Makes room for another restore.
    fn clear(&self) {
        let _gone = fs::remove_dir_all(self.location().data);
    }

    /// All files of the backups.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.target()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_back_from_any_backend() {
    let world = World::new().await;
    let (known, reader) = fill(&world).await;
    let medium = Medium::new(&world);
    let made = medium.back_up(&world.drive).await.unwrap();
    assert_eq!(made.holds.versions as usize, known.len() + 1);
    // `parts`, both contents of `large`, and what lies in the trash.
    assert_eq!(made.copied, 4);
    let backups = world.drive.backups().await.unwrap();
    assert_eq!((backups.len(), backups[0].is_complete()), (1, true));
    assert_eq!(backups[0].master_keys, made.master_keys);
    let restored = medium.restore(None, false).await.unwrap();
    assert_eq!((restored.id, restored.at, restored.damaged.len()), (made.id, NOW, 0));
    let drive = medium.open().await.unwrap();
    is_the_same(&drive, &world, &known, &reader).await;
    assert_eq!(drive.backups().await.unwrap(), backups);
    assert!(
        world
            .data()
            .read_dir()
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with("backup-") })
    );
}

/// Uploads, purges and sweeps until it is told to stop.
async fn disturb(drive: Drive, caller: bindery_core::Caller, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut upload = drive.upload(&caller, Target::home(), None).await.unwrap();
        upload.write(bytes(if number % 2 == 0 { LARGE } else { 100 }).into()).await.unwrap();
        let file = upload.finish(end(&format!("noise {number}"))).await.unwrap().node;
        if number % 3 != 0 {
            drive.delete_file(&caller, file.id.into(), PURGE).await.unwrap();
        }
        drive.sweep(SweepSettings::default()).await.unwrap();
        number += 1;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_is_in_a_backup_under_load() {
    let world = World::new().await;
    let medium = Medium::new(&world);
    let stop = Arc::new(AtomicBool::new(false));
    let noise = tokio::spawn(disturb(world.drive.clone(), world.caller.clone(), Arc::clone(&stop)));
    let mut known: Vec<(FileId, Vec<u8>)> = Vec::new();
    let mut ids = Vec::new();
    for round in 0..4 {
        for (name, len) in [("small", 200), ("large", LARGE + round)] {
            let content = bytes(len);
            known.push((world.put(&format!("{name} {round}"), &content).await.id, content));
        }
        world.drive.clock().advance_seconds(1);
        ids.push((medium.back_up(&world.drive).await.unwrap().id, known.len()));
        // What the store loses after a backup, that keeps.
        let (gone, _) = known[round * 2 + 1];
        world.drive.delete_file(&world.caller, gone.into(), PURGE).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    noise.await.unwrap();
    for (round, (id, count)) in ids.iter().enumerate() {
        medium.clear();
        medium.restore(Some(id), false).await.unwrap();
        let drive = medium.open().await.unwrap();
        for (number, (file, content)) in known[..*count].iter().enumerate() {
            let found = read(&drive, &world.caller, *file, 0..content.len() as u64).await;
            // The large one of each round before was purged.
            let purged = number % 2 == 1 && number / 2 < round;
            assert_eq!(found.is_err(), purged, "{id} {number}");
            assert!(purged || found.unwrap() == *content, "{id} {number}");
        }
        let inspection = drive.verify(None, |_| {}).await.unwrap();
        assert!(inspection.damaged.is_empty(), "{:?}", inspection.damaged);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_backup_copies_what_is_new_and_needs_no_earlier_one() {
    let world = World::new().await;
    let medium = Medium::new(&world);
    let first = world.put("first", &bytes(LARGE)).await;
    let one = medium.back_up(&world.drive).await.unwrap();
    world.drive.clock().advance_seconds(60);
    let second = world.put("second", &bytes(LARGE + 1)).await;
    world.drive.delete_file(&world.caller, first.id.into(), PURGE).await.unwrap();
    let two = medium.back_up(&world.drive).await.unwrap();
    assert_eq!((one.copied, two.copied), (1, 1));
    assert_eq!(medium.files().len(), 1 + 2 * 3 + 2);
    world.drive.forget_backup(&one.id, false).await.unwrap();
    assert_eq!(medium.files().len(), 1 + 3 + 1);
    let known = world.drive.backups().await.unwrap();
    assert_eq!(known.iter().map(|backup| &backup.id).collect::<Vec<_>>(), [&two.id]);
    let unknown = world.drive.forget_backup(&one.id, false).await.unwrap_err();
    assert!(unknown.to_string().contains("no backup"), "{unknown}");
    let refused = medium.restore(Some(&one.id), false).await.unwrap_err();
    assert!(refused.to_string().contains("no such backup"), "{refused}");
    medium.restore(None, false).await.unwrap();
    let drive = medium.open().await.unwrap();
    let found = read(&drive, &world.caller, second.id, 0..LARGE as u64 + 1).await.unwrap();
    assert!(found == bytes(LARGE + 1));
}

#[tokio::test]
async fn nothing_doomed_is_removed_while_a_backup_holds_it() {
    let world = World::embedded().await;
    let file = world.put("file", &bytes(LARGE)).await;
    let hold =
        format!("insert into backups values ('b', 0, 'nowhere', '', {})", NOW.plus_seconds(20).0);
    world.catalog().execute_batch(&hold).unwrap();
    world.drive.delete_file(&world.caller, file.id.into(), PURGE).await.unwrap();
    let scratch = world.data().join("backup-b.part");
    fs::create_dir(&scratch).unwrap();
    world.drive.clock().advance_seconds(19);
    assert_eq!(world.sweep().await.objects, 0);
    assert_eq!((world.objects().len(), scratch.exists()), (1, true));
    world.drive.clock().advance_seconds(1);
    assert_eq!(world.sweep().await.objects, 1);
    assert_eq!((world.objects().len(), scratch.exists()), (0, false));
}

/// Changes a file in one way.
type Hurt = fn(&Path);

fn flip_first(path: &Path) {
    flip(path, 0);
}

fn flip_middle(path: &Path) {
    flip(path, fs::read(path).unwrap().len() / 2);
}

fn flip_last(path: &Path) {
    flip(path, fs::read(path).unwrap().len() - 1);
}

fn flip(path: &Path, at: usize) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 1;
    fs::write(path, content).unwrap();
}

fn cut(path: &Path) {
    let content = fs::read(path).unwrap();
    fs::write(path, &content[..content.len() - 1]).unwrap();
}

fn lengthen(path: &Path) {
    let content = fs::read(path).unwrap();
    fs::write(path, [&*content, b"\n"].concat()).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_is_refused_by_name() {
    let world = World::new().await;
    world.put("small", b"small").await;
    world.put("large", &bytes(LARGE)).await;
    let medium = Medium::new(&world);
    medium.back_up(&world.drive).await.unwrap();
    let files = medium.files();
    assert_eq!(files.len(), 5);
    let hurts: [(&str, Hurt); 6] = [
        ("first", flip_first),
        ("middle", flip_middle),
        ("last", flip_last),
        ("cut", cut),
        ("longer", lengthen),
        ("removed", remove),
    ];
    for path in &files {
        let name = path.strip_prefix(medium.target()).unwrap().display().to_string();
        let whole = fs::read(path).unwrap();
        for (how, hurt) in hurts {
            hurt(path);
            let told = match medium.restore(None, false).await {
                Err(refused) => refused.to_string(),
                Ok(restored) => restored.damaged.join("\n"),
            };
            assert!(told.contains(&name), "{name} {how}: {told:?}");
            assert!(
                medium.location().data.join("catalog.db").exists() == name.starts_with("objects")
            );
            if name.starts_with("objects") {
                let refused = medium.open().await.unwrap_err().to_string();
                assert!(refused.contains("not complete"), "{refused}");
            }
            medium.clear();
            fs::write(path, &whole).unwrap();
        }
    }
    assert!(medium.restore(None, false).await.unwrap().damaged.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_can_be_left_behind_and_what_was_interrupted_goes_on() {
    let world = World::new().await;
    let lost = world.put("lost", &bytes(LARGE)).await;
    let kept = world.put("kept", &bytes(LARGE + 1)).await;
    let medium = Medium::new(&world);
    medium.back_up(&world.drive).await.unwrap();
    let object = medium.files().into_iter().find(|path| {
        path.starts_with(medium.target().join("objects"))
            && fs::metadata(path).unwrap().len() == LARGE as u64 + 40 + 2 * 16
    });
    let object = object.unwrap();
    fs::rename(&object, object.with_extension("aside")).unwrap();
    assert_eq!(medium.restore(None, false).await.unwrap().damaged.len(), 1);
    assert!(medium.open().await.is_err());
    assert_eq!(medium.restore(None, true).await.unwrap().damaged.len(), 1);
    let drive = medium.open().await.unwrap();
    let found = read(&drive, &world.caller, kept.id, 0..LARGE as u64 + 1).await.unwrap();
    assert!(found == bytes(LARGE + 1));
    assert!(read(&drive, &world.caller, lost.id, 0..1).await.is_err());
    let refused = medium.restore(None, true).await.unwrap_err().to_string();
    assert!(refused.contains("a store in"), "{refused}");

    medium.clear();
    assert_eq!(medium.restore(None, false).await.unwrap().damaged.len(), 1);
    fs::rename(object.with_extension("aside"), &object).unwrap();
    assert!(medium.restore(None, false).await.unwrap().damaged.is_empty());
    let drive = medium.open().await.unwrap();
    assert!(read(&drive, &world.caller, lost.id, 0..LARGE as u64).await.unwrap() == bytes(LARGE));
}

#[tokio::test]
async fn a_damaged_store_is_not_backed_up_as_if_it_were_good() {
    let world = World::embedded().await;
    let file = world.put("broken", &bytes(LARGE)).await;
    let object = world.objects().pop().unwrap();
    flip_middle(&object);
    let medium = Medium::new(&world);
    let refused = medium.back_up(&world.drive).await.unwrap_err().to_string();
    assert!(refused.contains(&file.id.letters()) && refused.contains("broken"), "{refused}");
    let refused = medium.restore(None, false).await.unwrap_err().to_string();
    assert!(refused.contains("not completed"), "{refused}");
    assert!(!world.drive.backups().await.unwrap()[0].is_complete());
    flip_middle(&object);
    world.drive.clock().advance_seconds(1);
    let made = medium.back_up(&world.drive).await.unwrap();
    assert_eq!(made.copied, 1);
    // What the first left is gone, there and here.
    assert_eq!(world.drive.backups().await.unwrap().len(), 1);
    assert_eq!(medium.files().len(), 1 + 3 + 1);
}

#[tokio::test]
async fn only_the_store_and_the_key_that_a_backup_is_of_will_do() {
    let world = World::embedded().await;
    let medium = Medium::new(&world);
    medium.back_up(&world.drive).await.unwrap();
    let other = World::embedded().await;
    let refused = medium.back_up(&other.drive).await.unwrap_err().to_string();
    assert!(refused.contains("of another store"), "{refused}");
    let key = other.data().join("master.key");
    let stranger = Medium { directory: tempfile::tempdir().unwrap(), key };
    let refused = stranger.restore(None, false).await.unwrap_err().to_string();
    assert!(refused.contains("no directory of backups"), "{refused}");
    let location = Location { key_file: Some(stranger.key.clone()), ..medium.location() };
    let clock = Clock::fixed(NOW);
    let target = medium.target();
    let wrong = Drive::restore_backup(&target, None, &location, clock, false, |_, _| {});
    let refused = wrong.await.unwrap_err().to_string();
    assert!(refused.contains("names master key"), "{refused}");
    fs::write(stranger.directory.path().join("a file"), "").unwrap();
    let refused = other.drive.backup(stranger.directory.path(), |_, _| {}).await.unwrap_err();
    assert!(refused.to_string().contains("neither empty"), "{refused}");
    fs::create_dir_all(medium.location().data.join("something")).unwrap();
    let refused = medium.restore(None, false).await.unwrap_err().to_string();
    assert!(refused.contains("is not empty"), "{refused}");
}

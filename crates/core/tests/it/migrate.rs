//! A store that is copied to another place is the same store there, whatever interrupts the copy.

use crate::backend::Backend;
use crate::pages::first_page;
use crate::rights::terms;
use crate::world::{NOW, World, bytes, end, person, read};
use bindery_core::{
    Base, Caller, Clock, DeleteFile, Drive, FileId, FileRef, FolderId, FolderRef, List, ListPage,
    Location, Migration, Name, NewRecipient, NodeRef, OnTaken, Result, Role, Sharing,
    SweepSettings, Target, UploadEnd,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PURGE: DeleteFile = DeleteFile { purge: true, version: None };

/// A place for a store, with the key of another one.
struct Place {
    backend: Backend,
    directory: TempDir,
    key: PathBuf,
}

impl Place {
    fn new(backend: Backend, key: PathBuf) -> Self {
        Place { backend, directory: tempfile::tempdir().unwrap(), key }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn location(&self) -> Location {
        Location { key_file: Some(self.key.clone()), ..self.backend.location(self.data()) }
    }

    async fn open(&self) -> Result<Drive> {
        Drive::open(&self.location(), Clock::fixed(NOW)).await
    }
}

async fn migrate(from: &Drive, to: &Place) -> Result<Migration> {
    let mut seen = 0;
    let location = to.location();
    let migration = from.migrate(&location, |now, of| {
        assert!(now.versions > seen && now.versions <= of.versions);
        seen = now.versions;
    });
    migration.await
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) async fn put_in(
    drive: &Drive,
    caller: &Caller,
    folder: FolderId,
    file: &str,
    content: &[u8],
) -> FileId {
    let target = Target::Folder {
        folder: folder.into(),
        name: Some(name(file)),
        on_taken: OnTaken::Overwrite,
    };
    let mut upload = drive.upload(caller, target, None).await.unwrap();
    upload.write(content.to_vec().into()).await.unwrap();
    upload.finish(UploadEnd::default()).await.unwrap().node.id
}

/// What a store has: files of each kind, and what each of them holds.
pub(crate) async fn fill(world: &World) -> (Vec<(FileId, Vec<u8>)>, Caller) {
    let (drive, caller) = (&world.drive, &world.caller);
    let mut known = Vec::new();
    for (name, len) in [("empty", 0), ("small", 100), ("large", 300_000), ("parts", 6 << 20)] {
        let content = bytes(len);
        known.push((world.put(name, &content).await.id, content));
    }
    let target = Target::File { file: known[2].0.into(), base: Base::Any };
    let mut next = drive.upload(caller, target, None).await.unwrap();
    known[2].1 = bytes(40_000);
    next.write(known[2].1.clone().into()).await.unwrap();
    next.finish(UploadEnd::default()).await.unwrap();
    // A folder that lies in a younger one refers to a row behind its own.
    let older = drive.create_folder(caller, FolderRef::Home, &name("older")).await.unwrap().node.id;
    let younger = drive.create_folder(caller, FolderRef::Home, &name("younger")).await.unwrap();
    drive.move_folder(caller, older.into(), younger.node.id.into()).await.unwrap();
    for count in 0..120 {
        let content = format!("case {count}").into_bytes();
        let id = put_in(drive, caller, older, &format!("{count}.txt"), &content).await;
        known.push((id, content));
    }
    let copy =
        drive.copy_file(caller, known[3].0.into(), FolderRef::Home, &name("copy")).await.unwrap();
    known.push((copy.node.id, known[3].1.clone()));
    let reader = person(drive, "reader").await;
    let to = NewRecipient::User(drive.identify(&reader).await.unwrap().id);
    let terms = terms(Role::Viewer, Sharing::default());
    drive.share(caller, NodeRef::File(known[2].0.into()), to, terms).await.unwrap();
    // The index of names is in part filled, and in part behind.
    while drive.index_names().await.unwrap() {}
    let trashed = world.put("trashed", &bytes(20_000)).await;
    drive.trash(caller, trashed.id).await.unwrap();
    // The youngest id of all is given to nothing any more, and must not be given again.
    let gone = world.put("gone", b"gone").await;
    drive.delete_file(caller, FileRef::from(gone.id), PURGE).await.unwrap();
    known.push((gone.id, Vec::new()));
    (known, reader)
}

pub(crate) async fn is_the_same(
    drive: &Drive,
    world: &World,
    known: &[(FileId, Vec<u8>)],
    reader: &Caller,
) {
    let caller = &world.caller;
    let (gone, known) = known.split_last().unwrap();
    for (file, content) in known {
        let found = read(drive, caller, *file, 0..content.len() as u64).await.unwrap();
        assert!(found == *content, "{file}");
    }
    let (shared, content) = &known[2];
    assert_eq!(read(drive, reader, *shared, 0..40_000).await.unwrap(), *content);
    assert!(read(drive, reader, known[0].0, 0..0).await.is_err());
    let inspection = drive.verify(None, |_| {}).await.unwrap();
    assert!(inspection.damaged.is_empty(), "{:?}", inspection.damaged);
    assert_eq!(inspection.checked.versions as usize, known.len() + 2);
    let trash = drive.trash_list(None).await.unwrap();
    assert_eq!(trash.len(), 1);
    for text in ["copy", "trashed", "TXT"] {
        let search = List { search: Some(text.into()), ..first_page(100) };
        let before = world.drive.list(caller, search.clone()).await.unwrap();
        assert_eq!(before.count == 0, text == "trashed");
        let ids = |page: ListPage| page.files.iter().map(|file| file.id).collect::<Vec<_>>();
        let found = drive.list(caller, search.clone()).await.unwrap();
        assert_eq!(ids(found), ids(before.clone()), "{text}");
        while drive.index_names().await.unwrap() {}
        let found = drive.list(caller, search).await.unwrap();
        assert_eq!(ids(found), ids(before), "{text}");
    }
    // Nothing is swept, and new ids go on behind the old ones.
    let swept = drive.sweep(SweepSettings::default()).await.unwrap();
    assert_eq!((swept.purged, swept.objects), (0, 0));
    let mut upload = drive.upload(caller, Target::home(), None).await.unwrap();
    upload.write(bytes(20_000).into()).await.unwrap();
    let new = upload.finish(end("new")).await.unwrap().node;
    assert!(new.id > gone.0, "{} {}", new.id, gone.0);
    drive.delete_file(caller, new.id.into(), PURGE).await.unwrap();
    drive.sweep(SweepSettings::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_and_back() {
    let world = World::embedded().await;
    let (known, reader) = fill(&world).await;
    let key = world.data().join("master.key");
    world.sweep().await;
    let there = Place::new(Backend::new(), key.clone());
    let migration = migrate(&world.drive, &there).await.unwrap();
    for copied in &migration.counts {
        assert_eq!(copied.from, copied.to, "{copied:?}");
    }
    let drive = there.open().await.unwrap();
    is_the_same(&drive, &world, &known, &reader).await;
    let back = Place::new(Backend::default(), key);
    let returned = migrate(&drive, &back).await.unwrap();
    assert_eq!(returned.contents, migration.contents);
    let files = |found: Vec<PathBuf>| -> Vec<_> {
        found.iter().map(|path| path.file_name().unwrap().to_owned()).collect()
    };
    assert_eq!(files(back.backend.objects(&back.data())), files(world.objects()));
    is_the_same(&back.open().await.unwrap(), &world, &known, &reader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_interrupted_goes_on_and_is_no_store_until_it_is_through() {
    let world = World::embedded().await;
    let (known, reader) = fill(&world).await;
    let there = Place::new(Backend::new(), world.data().join("master.key"));
    // The last object of the store is away for a while.
    let hidden = world.objects().pop().unwrap();
    let aside = hidden.with_extension("aside");
    std::fs::rename(&hidden, &aside).unwrap();
    let refused = migrate(&world.drive, &there).await.unwrap_err().to_string();
    assert!(refused.contains("is damaged") && refused.contains("version"), "{refused}");
    let refused = there.open().await.unwrap_err().to_string();
    assert!(refused.contains("not complete"), "{refused}");
    std::fs::rename(&aside, &hidden).unwrap();
    // One file that was copied is removed meanwhile, and its content with it.
    let (removed, known) = known.split_first().unwrap();
    world.drive.delete_file(&world.caller, removed.0.into(), PURGE).await.unwrap();
    let again = migrate(&world.drive, &there).await.unwrap();
    let contents = again.counts.iter().find(|copied| copied.what == "contents").unwrap();
    assert_eq!(contents.from, contents.to);
    assert!(again.contents < contents.from, "{} of {}", again.contents, contents.from);
    let drive = there.open().await.unwrap();
    for (file, content) in known.iter().take(5) {
        let found = read(&drive, &world.caller, *file, 0..content.len() as u64).await.unwrap();
        assert!(found == *content, "{file}");
    }
    assert!(read(&drive, &reader, known[1].0, 0..1).await.is_ok());
    assert_eq!(there.backend.objects(&there.data()).len(), world.objects().len());
}

#[tokio::test]
async fn no_store_is_overwritten() {
    let world = World::embedded().await;
    world.put("file", &bytes(20_000)).await;
    let other = World::new().await;
    let stored = other.stored();
    let key = world.data().join("master.key");
    let location = Location { key_file: Some(key), ..other.backend.location(other.data()) };
    let refused = world.drive.migrate(&location, |_, _| {}).await.unwrap_err().to_string();
    assert!(refused.contains("there is a store already"), "{refused}");
    assert_eq!(other.stored(), stored);
    let own = Location::directory(world.data());
    let refused = world.drive.migrate(&own, |_, _| {}).await.unwrap_err().to_string();
    assert!(refused.contains("same directory"), "{refused}");
    assert!(Path::new(&world.data()).join("catalog.db").exists());
}

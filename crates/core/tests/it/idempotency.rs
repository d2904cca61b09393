//! A write that is sent again under its key has one effect and one outcome, whatever it is.

use crate::leases::pending_and_doomed;
use crate::world::{World, bytes, end, person};
use bindery_core::{
    Base, Caller, Change, DeleteFile, DeleteFolder, Drive, Error, File, FileRef, FolderRef,
    IdempotencyKey, Name, NewRecipient, NodeRef, OnTaken, Result, Role, Seen, Sharing, Target,
    Terms, Time, UploadEnd, VersionId,
};
use tokio::task::JoinSet;

/// More than the catalog keeps.
const LARGE: usize = 300_000;
const HOME: FolderRef = FolderRef::Home;

pub(crate) fn keyed(caller: &Caller, key: &str) -> Caller {
    caller.clone().with_key(IdempotencyKey::parse(key).unwrap())
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn new(name: &str) -> Target {
    let name = Some(self::name(name));
    Target::Folder { folder: HOME, name, on_taken: OnTaken::Refuse }
}

pub(crate) async fn send(
    drive: &Drive,
    caller: &Caller,
    target: Target,
    content: Vec<u8>,
) -> Result<Seen<File>> {
    let mut upload = drive.upload(caller, target, None).await?;
    if let Err(error) = upload.write(content.into()).await {
        upload.discard().await;
        return Err(error);
    }
    upload.finish(UploadEnd::default()).await
}

fn terms() -> Terms {
    Terms { role: Role::Viewer, sharing: Sharing::default(), comment: String::new(), expires: None }
}

/// What is stored, and what a user sees to have changed.
async fn state(world: &World) -> (Vec<String>, u64, u64, i64) {
    let account = world.drive.account(&world.caller).await.unwrap();
    let changes = world.backend.count(&world.data(), "changes");
    (world.stored(), account.files, account.bytes, changes)
}

/// Does something twice under one key; what it came to, and that the second time changed nothing.
macro_rules! twice {
    ($world:expr, $key:expr, |$caller:ident| $act:expr) => {{
        let $caller = &keyed(&$world.caller, $key);
        let first = $act.await.unwrap_or_else(|error| panic!("{}: {error:?}", $key));
        let after = state(&$world).await;
        let second = $act.await.unwrap_or_else(|error| panic!("{} again: {error:?}", $key));
        $world.settles_at(&after.0).await;
        assert_eq!(state(&$world).await, after, "{}", $key);
        (first, second)
    }};
}

#[tokio::test]
async fn uploads_that_are_sent_again_make_one_version() {
    let world = World::new().await;
    let drive = &world.drive;
    for (round, size) in [100, LARGE].into_iter().enumerate() {
        let key = |what: &str| format!("{what} {round}").replace(' ', "-");
        let content = || bytes(size);
        let target = || new(&key("file"));
        let (first, again) =
            twice!(world, &key("new"), |jane| send(drive, jane, target(), content()));
        assert_eq!((first.id, first.version), (again.id, again.version));
        assert_eq!((again.version, &again.md5, &again.label), (1, &first.md5, &first.label));

        // An overwrite, and a version that must have been the latest, which it no longer is.
        let over = || Target::Folder {
            folder: HOME,
            name: Some(name(&key("file"))),
            on_taken: OnTaken::Overwrite,
        };
        let (_, again) =
            twice!(world, &key("over"), |jane| send(drive, jane, over(), vec![1; size]));
        assert_eq!((again.id, again.version), (first.id, 2));
        let next = || Target::File { file: FileRef::Id(first.id), base: Base::Version(2) };
        let (_, again) =
            twice!(world, &key("next"), |jane| send(drive, jane, next(), vec![2; size]));
        assert_eq!((again.id, again.version, again.size), (first.id, 3, size as u64));

        // The outcome of the first is still the first version, and its content.
        let early = send(drive, &keyed(&world.caller, &key("new")), target(), content()).await;
        let early = early.unwrap();
        assert_eq!((early.id, early.version, early.md5), (first.id, 1, first.md5));

        // As Rescale sends it: the name comes with the content, and may be taken.
        let home = |jane: Caller| async move {
            let mut upload = drive.upload(&jane, Target::home(), None).await?;
            upload.write(bytes(size).into()).await?;
            upload.finish(end("same.dat")).await
        };
        let (made, again) = twice!(world, &key("home"), |jane| home(jane.clone()));
        assert_eq!((made.id, &made.label), (again.id, &again.label));
    }
    world.sweep().await;
    assert_eq!(pending_and_doomed(&world), (0, 0));
    assert!(drive.verify(None, |_| ()).await.unwrap().damaged.is_empty());
}

#[tokio::test]
async fn what_arranges_files_takes_effect_once() {
    let world = World::new().await;
    let drive = &world.drive;
    let file = world.put("a.txt", b"content").await;
    let id = FileRef::Id(file.id);
    let folder = drive.create_folder(&world.caller, HOME, &name("folder")).await.unwrap().id;

    let b = name("b.txt");
    let (_, again) = twice!(world, "rename", |jane| drive.rename_file(jane, id, &b));
    assert_eq!((again.id, &*again.label), (file.id, "b.txt"));
    let (_, again) = twice!(world, "move", |jane| drive.move_file(jane, id, folder.into(), None));
    assert_eq!((again.id, again.parent), (file.id, folder));
    let (copy, again) = twice!(world, "copy", |jane| drive.copy_file(jane, id, HOME, &b));
    assert_eq!(copy.id, again.id);
    assert_ne!(copy.id, file.id);
    let change = || Change { type_id: Some(4), name: Some(name("c.txt")), ..Change::default() };
    let (_, again) = twice!(world, "change", |jane| drive.change(jane, file.id, change()));
    assert_eq!((again.type_id, &*again.name), (4, "c.txt"));

    let one = VersionId { file: file.id, number: 1 };
    let (made, again) = twice!(world, "promote", |jane| drive.promote(jane, one));
    assert_eq!((made.version, again.version), (2, 2));
    twice!(world, "delete-version", |jane| drive.delete_version(jane, one));

    // Each of these is seen as it was answered, though what it names is in the trash then.
    let trash = || Change { trash: true, ..Change::default() };
    let (_, again) = twice!(world, "change-trash", |jane| drive.change(jane, file.id, trash()));
    assert!(again.trashed.is_some());
    let (_, again) = twice!(world, "restore", |jane| drive.restore(jane, file.id));
    assert!(again.trashed.is_none());
    twice!(world, "trash", |jane| drive.trash(jane, file.id));
    let how = DeleteFile { purge: true, version: Some(1) };
    twice!(world, "purge", |jane| drive.delete_file(jane, copy.id.into(), how));
}

#[tokio::test]
async fn what_is_done_to_folders_takes_effect_once() {
    let world = World::new().await;
    let drive = &world.drive;
    let title = name("folder");
    let (made, again) = twice!(world, "new", |jane| drive.create_folder(jane, HOME, &title));
    assert_eq!((made.id, &made.title), (again.id, &again.title));
    let id = FolderRef::Id(made.id);
    let inside =
        Target::Folder { folder: id, name: Some(name("inside.txt")), on_taken: OnTaken::Refuse };
    send(drive, &world.caller, inside, bytes(10)).await.unwrap();

    let renamed = name("renamed");
    let (_, again) = twice!(world, "rename", |jane| drive.rename_folder(jane, id, &renamed));
    assert_eq!((again.id, &*again.title), (made.id, "renamed"));
    let to = drive.create_folder(&world.caller, HOME, &name("to")).await.unwrap().id;
    let (_, again) = twice!(world, "move", |jane| drive.move_folder(jane, id, to.into()));
    assert_eq!((again.id, again.parent), (made.id, Some(to)));
    let (copy, again) = twice!(world, "copy", |jane| drive.copy_folder(jane, id, HOME, &title));
    assert_eq!((copy.id, copy.files, again.id, again.files), (again.id, 1, copy.id, 1));
    for (key, id, purge) in [("delete", made.id, false), ("purge", copy.id, true)] {
        let how = DeleteFolder { purge, only_if_empty: false };
        let jane = keyed(&world.caller, key);
        for _ in 0..2 {
            drive.delete_folder(&jane, id.into(), how).await.unwrap();
        }
        let other = keyed(&world.caller, &format!("{key}-other"));
        let gone = drive.delete_folder(&other, id.into(), how).await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
    }
    assert_eq!(drive.account(&world.caller).await.unwrap().files, 0);
}

#[tokio::test]
async fn shares_are_made_changed_and_ended_once() {
    let world = World::new().await;
    let drive = &world.drive;
    let node = NodeRef::File(world.put("a.txt", b"content").await.id.into());
    let link = || NewRecipient::Link;
    let (made, again) = twice!(world, "link", |jane| drive.share(jane, node, link(), terms()));
    assert_eq!((made.id, &made.link), (again.id, &again.link));
    assert!(made.link.is_some());
    let editor = || Terms { comment: "changed".into(), ..terms() };
    let (_, again) = twice!(world, "change", |jane| drive.change_share(jane, made.id, editor()));
    assert_eq!((again.id, &*again.comment), (made.id, "changed"));

    // "In two days" is the same a moment later.
    let told = |jane: &Caller, now| {
        let terms = Terms { expires: Some(Time(now)), ..terms() };
        let jane = jane.clone().telling(&"in two days");
        async move { drive.share(&jane, node, NewRecipient::Everyone, terms).await }
    };
    let jane = keyed(&world.caller, "told");
    let far = i64::MAX / 2;
    let first = told(&jane, far).await.unwrap();
    let again = told(&jane, far + 1).await.unwrap();
    assert_eq!((first.id, first.expires), (again.id, again.expires));

    twice!(world, "end", |jane| drive.unshare(jane, made.id));
    let gone = drive.share(&keyed(&world.caller, "link"), node, link(), terms()).await;
    assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_under_one_key_make_one_file() {
    let world = World::new().await;
    for size in [100, LARGE] {
        let before = (world.objects().len(), world.backend.count(&world.data(), "versions"));
        let mut racing = JoinSet::new();
        for _ in 0..16 {
            let (drive, jane) =
                (world.drive.clone(), keyed(&world.caller, &format!("race-{size}")));
            let target = new(&format!("{size}.bin"));
            racing.spawn(async move { send(&drive, &jane, target, bytes(size)).await });
        }
        let made: Vec<_> = racing.join_all().await.into_iter().map(Result::unwrap).collect();
        assert!(made.iter().all(|file| (file.id, file.version) == (made[0].id, 1)));
        world.sweep().await;
        let objects = usize::from(size == LARGE);
        assert_eq!(world.objects().len(), before.0 + objects);
        assert_eq!(world.backend.count(&world.data(), "versions"), before.1 + 1);
        assert_eq!(pending_and_doomed(&world), (0, 0));
    }
    let mut racing = JoinSet::new();
    let source = world.drive.create_folder(&world.caller, HOME, &name("source")).await.unwrap().id;
    for _ in 0..16 {
        let (drive, jane) = (world.drive.clone(), keyed(&world.caller, "race-copy"));
        racing.spawn(async move {
            drive.copy_folder(&jane, source.into(), HOME, &name("copy")).await.unwrap().id
        });
    }
    let copies = racing.join_all().await;
    assert!(copies.iter().all(|copy| copy == &copies[0]));
    // The root, two files, a folder and its copy.
    assert_eq!(world.backend.count(&world.data(), "nodes"), 5);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let world = World::new().await;
    let drive = &world.drive;
    let jane = keyed(&world.caller, "key");
    send(drive, &jane, new("a.bin"), bytes(LARGE)).await.unwrap();
    let before = state(&world).await;
    let refused = |result: Result<()>, what: &str| {
        assert!(matches!(result, Err(Error::KeyReused)), "{what}: {result:?}");
    };
    let other = bytes(LARGE + 1);
    refused(send(drive, &jane, new("a.bin"), other).await.map(drop), "another content");
    refused(send(drive, &jane, new("b.bin"), bytes(LARGE)).await.map(drop), "another name");
    let over =
        Target::Folder { folder: HOME, name: Some(name("a.bin")), on_taken: OnTaken::Overwrite };
    refused(send(drive, &jane, over, bytes(LARGE)).await.map(drop), "another way");
    refused(drive.create_folder(&jane, HOME, &name("a.bin")).await.map(drop), "another operation");
    let copied = drive.copy_folder(&jane, HOME, HOME, &name("x")).await;
    refused(copied.map(drop), "another operation of several units");
    world.settles_at(&before.0).await;
    assert_eq!(state(&world).await, before);

    // The key is jane's, and so is what it stands for.
    let joe = person(drive, "joe").await;
    let his = send(drive, &keyed(&joe, "key"), new("a.bin"), bytes(10)).await.unwrap();
    assert_eq!(his.version, 1);
    // What failed took no key with it.
    let again = keyed(&world.caller, "other");
    let taken = send(drive, &again, new("a.bin"), bytes(10)).await;
    assert!(matches!(taken, Err(Error::Exists(_))), "{taken:?}");
    send(drive, &again, new("c.bin"), bytes(10)).await.unwrap();
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let jane = keyed(&world.caller, "key");
    let made = send(&world.drive, &jane, new("a.bin"), bytes(10)).await.unwrap();
    world.drive.clock().advance_seconds(86_400);
    world.sweep().await;
    let again = send(&world.drive, &jane, new("a.bin"), bytes(10)).await.unwrap();
    assert_eq!(again.id, made.id);
    world.drive.clock().advance_seconds(1);
    world.sweep().await;
    assert_eq!(world.backend.count(&world.data(), "answered"), 0);
    let taken = send(&world.drive, &jane, new("a.bin"), bytes(10)).await;
    assert!(matches!(taken, Err(Error::Exists(_))), "{taken:?}");
}

#[tokio::test]
async fn what_may_no_longer_be_seen_is_not_told() {
    let world = World::new().await;
    let drive = &world.drive;
    let joe = person(drive, "joe").await;
    let folder = drive.create_folder(&world.caller, HOME, &name("shared")).await.unwrap().id;
    let with = NewRecipient::User(drive.identify(&joe).await.unwrap().id);
    let terms = Terms { role: Role::Contributor, ..terms() };
    let node = NodeRef::Folder(folder.into());
    let share = drive.share(&world.caller, node, with, terms).await.unwrap();
    let joe = keyed(&joe, "key");
    let target = || Target::Folder {
        folder: folder.into(),
        name: Some(name("his.bin")),
        on_taken: OnTaken::Refuse,
    };
    let made = send(drive, &joe, target(), bytes(LARGE)).await.unwrap();
    assert_eq!(send(drive, &joe, target(), bytes(LARGE)).await.unwrap().id, made.id);
    let before = world.stored();

    drive.unshare(&world.caller, share.id).await.unwrap();
    let gone = send(drive, &joe, target(), bytes(LARGE)).await;
    assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
    assert_eq!(world.objects().len(), 1);
    drive.set_disabled("joe", true).await.unwrap();
    let gone = send(drive, &joe, target(), bytes(LARGE)).await;
    assert!(matches!(gone, Err(Error::Unauthenticated)), "{gone:?}");
    assert_eq!(world.stored()[4..], before[4..]);
}

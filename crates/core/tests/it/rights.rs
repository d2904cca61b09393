//! Rights that must end, totals that must stay true, and operations that cross each other.

use crate::pages::first_page;
use crate::world::{World, end, person};
use bindery_core::{
    Base, Caller, Change, DeleteFile, DeleteFolder, Error, File, FileId, Folder, FolderRef, Kinds,
    Name, NewRecipient, NodeRef, OnTaken, Recipient, Role, Search, Share, Sharing, SweepSettings,
    Target, Terms, UserId, Window,
};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn terms(role: Role, sharing: Sharing) -> Terms {
    Terms { role, sharing, comment: String::new(), expires: None }
}

fn here(folder: &Folder) -> NodeRef {
    NodeRef::Folder(folder.id.into())
}

fn this(file: &File) -> NodeRef {
    NodeRef::File(file.id.into())
}

impl World {
    async fn mkdir(&self, caller: &Caller, folder: impl Into<FolderRef>, title: &str) -> Folder {
        self.drive.create_folder(caller, folder.into(), &name(title)).await.unwrap().node
    }

    async fn put_in(&self, caller: &Caller, folder: &Folder, title: &str) -> File {
        let target = Target::Folder {
            folder: folder.id.into(),
            name: Some(name(title)),
            on_taken: OnTaken::Refuse,
        };
        let mut upload = self.drive.upload(caller, target, None).await.unwrap();
        upload.write(title.as_bytes().to_vec().into()).await.unwrap();
        upload.finish(end(title)).await.unwrap().node
    }

    async fn id(&self, caller: &Caller) -> UserId {
        self.drive.identify(caller).await.unwrap().id
    }

    async fn give(&self, by: &Caller, node: NodeRef, to: &Caller, terms: Terms) -> Share {
        let to = NewRecipient::User(self.id(to).await);
        self.drive.share(by, node, to, terms).await.unwrap()
    }

    /// Files and bytes of a user, as kept and as counted.
    async fn totals_are(&self, caller: &Caller, files: u64, bytes: u64) {
        let account = self.drive.account(caller).await.unwrap();
        assert_eq!((account.files, account.bytes), (files, bytes));
        let sums = self.drive.tree_sums(caller, FolderRef::Home).await.unwrap();
        assert_eq!((sums.files, sums.bytes), (files, bytes));
        let mut found = 0;
        for folder in self.drive.tree(caller, FolderRef::Home).await.unwrap() {
            let window = Window { first: 0, count: None, behind: None };
            let list = self.drive.children(caller, folder.id.into(), Kinds::Files, window).await;
            let list = list.unwrap().1;
            assert_eq!(list.total, list.entries.len() as u64);
            found += list.total;
        }
        assert_eq!(found, files);
    }

    async fn sees(&self, caller: &Caller, node: NodeRef) -> bool {
        match self.drive.rights(caller, node).await {
            Ok(_) => true,
            Err(Error::NotFound(_)) => false,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Begins something, so that its first unit is queued; units that are asked for next come behind it.
async fn begin<T>(future: &mut Pin<Box<impl Future<Output = T>>>) {
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Pending => Poll::Ready(()),
        Poll::Ready(_) => panic!("it was done at once"),
    })
    .await;
}

const TRASH: DeleteFolder = DeleteFolder { purge: false, only_if_empty: false };

#[tokio::test]
async fn a_file_that_comes_back_without_its_folder_is_counted_once() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let folder = world.mkdir(ann, FolderRef::Home, "folder").await;
    let file = world.put_in(ann, &folder, "one").await;
    world.put_in(ann, &folder, "two").await;
    drive.delete_folder(ann, folder.id.into(), TRASH).await.unwrap();
    drive.restore(ann, file.id).await.unwrap();
    world.totals_are(ann, 1, 3).await;
    drive.restore_node(folder.id.0).await.unwrap();
    world.totals_are(ann, 2, 6).await;
}

#[tokio::test]
async fn a_link_shares_nothing_on_and_tells_nothing_else() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let bob = person(drive, "bob").await;
    let folder = world.mkdir(ann, FolderRef::Home, "folder").await;
    let file = world.put_in(ann, &folder, "file").await;
    let plain = terms(Role::Viewer, Sharing::default());
    let link = drive.share(ann, this(&file), NewRecipient::Link, plain.clone()).await.unwrap();
    let guest = Caller::with_link(&link.link.unwrap());
    assert_eq!(drive.linked(&guest).await.unwrap().id, file.id);
    let to = NewRecipient::User(world.id(&bob).await);
    let shared = drive.share(&guest, this(&file), to, terms(Role::Editor, Sharing::all())).await;
    assert!(matches!(shared, Err(Error::Unauthenticated)), "{shared:?}");
    let listed = drive.shares(&guest, this(&file)).await;
    assert!(matches!(listed, Err(Error::Unauthenticated)), "{listed:?}");
    let above = drive.ancestry(&guest, this(&file)).await;
    assert!(matches!(above, Err(Error::Unauthenticated)), "{above:?}");
}

#[tokio::test]
async fn what_is_shared_on_again_hangs_on_the_share_that_permits_it_now() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let (bob, carol) = (person(drive, "bob").await, person(drive, "carol").await);
    let folder = world.mkdir(ann, FolderRef::Home, "folder").await;
    let file = world.put_in(ann, &folder, "file").await;
    world.give(ann, here(&folder), &bob, terms(Role::Viewer, Sharing::all())).await;
    world.give(&bob, this(&file), &carol, terms(Role::Viewer, Sharing::all())).await;
    let stronger = world.give(ann, this(&file), &bob, terms(Role::Editor, Sharing::all())).await;
    world.give(&bob, this(&file), &carol, terms(Role::Editor, Sharing::all())).await;
    // What Carol gives back to Bob is no reason for what she has.
    world.give(&carol, this(&file), &bob, terms(Role::Editor, Sharing::all())).await;
    world.give(&bob, this(&file), &carol, terms(Role::Editor, Sharing::all())).await;
    drive.unshare(ann, stronger.id).await.unwrap();
    let rights = drive.rights(&carol, this(&file)).await.map(|(role, _)| role);
    assert!(!matches!(rights, Ok(Role::Editor)), "{rights:?}");
}

#[tokio::test]
async fn a_kind_of_sharing_on_that_is_taken_back_ends_what_was_shared_so() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let (bob, carol) = (person(drive, "bob").await, person(drive, "carol").await);
    let file = world.put("file", b"content").await;
    let given = world.give(ann, this(&file), &bob, terms(Role::Viewer, Sharing::all())).await;
    let plain = terms(Role::Viewer, Sharing::default());
    let link = drive.share(&bob, this(&file), NewRecipient::Link, plain.clone()).await.unwrap();
    let external = NewRecipient::External("dan@example.com".into());
    drive.share(&bob, this(&file), external, plain.clone()).await.unwrap();
    drive.share(&bob, this(&file), NewRecipient::Everyone, plain.clone()).await.unwrap();
    world.give(&bob, this(&file), &carol, plain).await;
    let sharing = Sharing { grant_reshare: true, ..Sharing::default() };
    drive.change_share(ann, given.id, terms(Role::Viewer, sharing)).await.unwrap();
    let guest = Caller::with_link(&link.link.unwrap());
    assert!(matches!(drive.linked(&guest).await, Err(Error::NotFound(_))));
    let left = drive.shares(ann, this(&file)).await.unwrap();
    let users = |share: &Share| matches!(share.recipient, Recipient::User { .. });
    assert!(left.len() == 2 && left.iter().all(users), "{left:?}");
    assert!(world.sees(&carol, this(&file)).await);
}

#[tokio::test]
async fn whom_two_share_a_file_with_is_told_once() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let (bob, carol) = (person(drive, "bob").await, person(drive, "carol").await);
    let file = world.put("file", b"content").await;
    world.give(ann, this(&file), &bob, terms(Role::Viewer, Sharing::all())).await;
    world.give(ann, this(&file), &carol, terms(Role::Viewer, Sharing::default())).await;
    world.give(&bob, this(&file), &carol, terms(Role::Viewer, Sharing::default())).await;
    let told = ["bob@example.com", "carol@example.com"];
    assert_eq!(drive.file(ann, file.id).await.unwrap().shared_with, told);
    let page = drive.list(ann, first_page(10)).await.unwrap();
    assert_eq!(page.files.len(), 1);
    assert_eq!(page.files[0].shared_with, told);
    let target = Target::File { file: file.id.into(), base: Base::Any };
    let mut upload = drive.upload(ann, target, None).await.unwrap();
    upload.write(b"another".to_vec().into()).await.unwrap();
    assert_eq!(upload.finish(end("file")).await.unwrap().shared_with, told);
}

#[tokio::test]
async fn a_restore_to_elsewhere_ends_what_was_shared_on() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let (bob, carol) = (person(drive, "bob").await, person(drive, "carol").await);
    let folder = world.mkdir(ann, FolderRef::Home, "folder").await;
    let inner = world.mkdir(ann, folder.id, "inner").await;
    let file = world.put_in(ann, &folder, "file").await;
    world.give(ann, here(&folder), &bob, terms(Role::Viewer, Sharing::all())).await;
    for node in [here(&inner), this(&file)] {
        world.give(&bob, node, &carol, terms(Role::Viewer, Sharing::all())).await;
    }
    drive.delete_folder(ann, inner.id.into(), TRASH).await.unwrap();
    drive.delete_file(ann, file.id.into(), DeleteFile::default()).await.unwrap();
    drive.delete_folder(ann, folder.id.into(), TRASH).await.unwrap();
    drive.restore_node(inner.id.0).await.unwrap();
    drive.restore(ann, file.id).await.unwrap();
    for node in [here(&inner), this(&file)] {
        assert!(!world.sees(&bob, node).await);
        assert!(!world.sees(&carol, node).await);
    }
}

#[tokio::test]
async fn what_changes_hands_in_the_trash_is_shared_no_more() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let (bob, carol) = (person(drive, "bob").await, person(drive, "carol").await);
    let folder = world.mkdir(ann, FolderRef::Home, "folder").await;
    let inner = world.mkdir(ann, folder.id, "inner").await;
    let file = world.put_in(ann, &inner, "file").await;
    world.give(ann, this(&file), &carol, terms(Role::Viewer, Sharing::all())).await;
    let target = world.mkdir(&bob, FolderRef::Home, "target").await;
    world.give(&bob, here(&target), ann, terms(Role::Contributor, Sharing::default())).await;
    drive.delete_folder(ann, inner.id.into(), TRASH).await.unwrap();
    drive.move_folder(ann, folder.id.into(), target.id.into()).await.unwrap();
    drive.restore_node(inner.id.0).await.unwrap();
    assert!(world.sees(&bob, this(&file)).await);
    assert!(!world.sees(&carol, this(&file)).await);
}

/// A folder "source" with a folder "sub" and a file in it.
async fn source(world: &World) -> (Folder, Folder) {
    let source = world.mkdir(&world.caller, FolderRef::Home, "source").await;
    let sub = world.mkdir(&world.caller, source.id, "sub").await;
    world.put_in(&world.caller, &sub, "file").await;
    (source, sub)
}

#[tokio::test]
async fn a_copy_does_not_land_in_a_tree_that_changed_hands() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let bob = person(drive, "bob").await;
    let (source, _) = source(&world).await;
    let target = world.mkdir(ann, FolderRef::Home, "target").await;
    let theirs = world.mkdir(&bob, FolderRef::Home, "theirs").await;
    world.give(&bob, here(&theirs), ann, terms(Role::Contributor, Sharing::default())).await;
    let wanted = name("copy");
    let mut copy = Box::pin(drive.copy_folder(ann, source.id.into(), target.id.into(), &wanted));
    begin(&mut copy).await;
    drive.move_folder(ann, target.id.into(), theirs.id.into()).await.unwrap();
    let copied = copy.await;
    assert!(matches!(copied, Err(Error::Unavailable(_))), "{copied:?}");
    world.totals_are(&bob, 0, 0).await;
    world.totals_are(ann, 1, 4).await;
}

#[tokio::test]
async fn a_copy_does_not_land_too_deep() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let mut tops = Vec::new();
    for title in ["source", "deep"] {
        let top = world.mkdir(ann, FolderRef::Home, title).await;
        let mut last = top.clone();
        for _ in 0..300 {
            last = world.mkdir(ann, last.id, "x").await;
        }
        tops.push((top, last));
    }
    let target = world.mkdir(ann, FolderRef::Home, "target").await;
    let wanted = name("copy");
    let mut copy = Box::pin(drive.copy_folder(ann, tops[0].0.id.into(), target.id.into(), &wanted));
    begin(&mut copy).await;
    drive.move_folder(ann, target.id.into(), tops[1].1.id.into()).await.unwrap();
    let copied = copy.await;
    assert!(matches!(copied, Err(Error::Hierarchy)), "{copied:?}");
}

#[tokio::test]
async fn a_copy_that_is_being_made_is_nothing_in_the_trash() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let (source, _) = source(&world).await;
    let wanted = name("copy");
    let mut copy = Box::pin(drive.copy_folder(ann, source.id.into(), FolderRef::Home, &wanted));
    begin(&mut copy).await;
    drive.clock().advance_seconds(60);
    drive.sweep(SweepSettings { trash_days: 0 }).await.unwrap();
    let copied = copy.await.unwrap();
    assert_eq!(copied.folders, 1);
    world.totals_are(ann, 2, 8).await;
    // One that was given up goes in the end.
    let wanted = name("other");
    let mut copy = Box::pin(drive.copy_folder(ann, source.id.into(), FolderRef::Home, &wanted));
    begin(&mut copy).await;
    drop(copy);
    drive.clock().advance_seconds(60);
    let empty = SweepSettings { trash_days: 0 };
    assert_eq!(drive.sweep(empty).await.unwrap().purged, 0);
    drive.clock().advance_seconds(86_400);
    assert_eq!(drive.sweep(empty).await.unwrap().purged, 1);
}

#[tokio::test]
async fn a_copy_goes_on_while_the_original_changes() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let (source, sub) = source(&world).await;
    let gone = world.mkdir(ann, source.id, "gone").await;
    let wanted = name("copy");
    let mut copy = Box::pin(drive.copy_folder(ann, source.id.into(), FolderRef::Home, &wanted));
    begin(&mut copy).await;
    drive.rename_folder(ann, sub.id.into(), &name("other")).await.unwrap();
    world.put_in(ann, &source, "sub").await;
    drive.delete_folder(ann, gone.id.into(), TRASH).await.unwrap();
    let copied = copy.await.unwrap();
    assert_eq!((copied.files, copied.folders), (1, 2));
}

#[tokio::test]
async fn a_file_of_a_copy_that_is_being_made_cannot_be_restored() {
    let world = World::embedded().await;
    let World { drive, caller: ann, .. } = &world;
    let (source, _) = source(&world).await;
    let wanted = name("copy");
    let mut copy = Box::pin(drive.copy_folder(ann, source.id.into(), FolderRef::Home, &wanted));
    let made = loop {
        begin(&mut copy).await;
        // Comes behind the unit that was begun.
        drive.sweep(SweepSettings::default()).await.unwrap();
        let last = "select id, kind from nodes order by id desc limit 1";
        let last = world.catalog().query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?)));
        if let (id, 1) = last.unwrap()
            && id > source.id.0 + 2
        {
            break FileId(id);
        }
    };
    let restored = drive.restore(ann, made).await;
    assert!(matches!(restored, Err(Error::NotFound(_))), "{restored:?}");
    copy.await.unwrap();
    world.totals_are(ann, 2, 8).await;
}

#[tokio::test]
async fn what_was_deleted_for_good_does_not_come_back() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let folder = world.mkdir(ann, FolderRef::Home, "folder").await;
    let inner = world.mkdir(ann, folder.id, "inner").await;
    let file = world.put_in(ann, &folder, "file").await;
    drive.delete_folder(ann, inner.id.into(), TRASH).await.unwrap();
    let purge = DeleteFolder { purge: true, only_if_empty: false };
    drive.delete_folder(ann, folder.id.into(), purge).await.unwrap();
    let restored = drive.restore_node(inner.id.0).await;
    assert!(matches!(restored, Err(Error::NotFound(_))), "{restored:?}");
    let restored = drive.restore(ann, file.id).await;
    assert!(matches!(restored, Err(Error::NotFound(_))), "{restored:?}");
}

#[tokio::test]
async fn whose_share_is_over_may_be_made_a_reader_again() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let bob = person(drive, "bob").await;
    let file = world.put("file", b"content").await;
    let plain = terms(Role::Viewer, Sharing::default());
    let short = Terms { expires: Some(drive.clock().now().plus_seconds(60)), ..plain };
    world.give(ann, this(&file), &bob, short).await;
    drive.clock().advance_seconds(61);
    assert!(!world.sees(&bob, this(&file)).await);
    let shared_with = Some(vec!["bob@example.com".to_owned()]);
    let change = Change { shared_with, ..Change::default() };
    drive.change(ann, file.id, change).await.unwrap();
    assert!(world.sees(&bob, this(&file)).await);
}

#[tokio::test]
async fn a_share_by_e_mail_with_its_owner_is_refused_as_one_by_name_is() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let file = world.put("file", b"content").await;
    let me = NewRecipient::External("Jane@Example.com".into());
    let shared = drive.share(ann, this(&file), me, terms(Role::Viewer, Sharing::all())).await;
    assert!(matches!(shared, Err(Error::Invalid { .. })), "{shared:?}");
}

#[tokio::test]
async fn each_kind_of_sharing_on_may_come_from_another_share() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let bob = person(drive, "bob").await;
    let folder = world.mkdir(ann, FolderRef::Home, "folder").await;
    let file = world.put_in(ann, &folder, "file").await;
    let internal = Sharing { grant_reshare: true, ..Sharing::default() };
    world.give(ann, here(&folder), &bob, terms(Role::Viewer, internal)).await;
    world.give(ann, this(&file), &bob, terms(Role::Viewer, Sharing::all())).await;
    assert!(drive.rights(&bob, this(&file)).await.unwrap().1.public_link);
    let plain = terms(Role::Viewer, Sharing::default());
    drive.share(&bob, this(&file), NewRecipient::Link, plain).await.unwrap();
}

#[tokio::test]
async fn an_endless_keyword_finds_nothing() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    world.put(&"f".repeat(255), b"content").await;
    for keyword in ["f".repeat(100_000), "f*".repeat(50_000), format!("{}!", "f*".repeat(499))] {
        let search =
            Search { folder: FolderRef::Home, recursive: true, keyword, kinds: Kinds::Both };
        let window = Window { first: 0, count: None, behind: None };
        let found = drive.search(ann, search, window).await;
        assert!(
            matches!(&found, Ok((_, list)) if list.total == 0)
                || matches!(&found, Err(Error::Invalid { .. })),
            "{found:?}"
        );
    }
}

//! A small content is taken in before it is asked whether it may be. It is refused as any other, and leaves nothing.

use crate::world::{World, bytes, end, person};
use bindery_core::{
    Base, Caller, Error, FolderId, FolderRef, Name, NewRecipient, NodeRef, OnTaken, Role, Sharing,
    SweepSettings, Target, Terms, UploadEnd,
};
use std::fmt::Debug;

const SMALL: &[u8] = b"content";
const ANNOUNCED: Option<u64> = Some(SMALL.len() as u64);

fn into(folder: FolderRef, name: &str) -> Target {
    Target::Folder { folder, name: Some(Name::parse(name).unwrap()), on_taken: OnTaken::Refuse }
}

impl World {
    /// What a sender is told whose content is announced and small, however far it gets.
    async fn refuses_unasked(&self, caller: &Caller, target: &Target, why: &Error) {
        let stored = self.stored();
        let begin = || self.drive.upload(caller, target.clone(), ANNOUNCED);
        let is_told = |what: &str, told: &dyn Debug| {
            assert_eq!(format!("{told:?}"), format!("{why:?}"), "{what}");
        };

        let mut whole = begin().await.unwrap();
        whole.write(SMALL.into()).await.unwrap();
        is_told("whole", &whole.finish(UploadEnd::default()).await.unwrap_err());

        let mut damaged = begin().await.unwrap();
        damaged.write(SMALL.into()).await.unwrap();
        let end = UploadEnd { md5: Some([0; 16]), ..UploadEnd::default() };
        is_told("damaged", &damaged.finish(end).await.unwrap_err());

        let untyped = UploadEnd { type_id: Some(-1), ..UploadEnd::default() };
        is_told("untyped", &begin().await.unwrap().finish(untyped).await.unwrap_err());

        let unread = begin().await.unwrap();
        is_told("unread", &unread.refuse(Error::ChecksumFailed).await);

        let mut longer = begin().await.unwrap();
        is_told("longer", &longer.write(bytes(300_000).into()).await.unwrap_err());
        longer.discard().await;

        assert_eq!(self.stored(), stored);
    }
}

#[tokio::test]
async fn what_may_not_be_is_refused_as_if_it_had_been_asked_before() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    let bob = person(drive, "bob").await;
    let folder = Name::parse("folder").unwrap();
    let folder = drive.create_folder(ann, FolderRef::Home, &folder).await.unwrap().node;
    let to = NewRecipient::User(drive.identify(&bob).await.unwrap().id);
    let terms = Terms {
        role: Role::Viewer,
        sharing: Sharing::default(),
        comment: String::new(),
        expires: None,
    };
    drive.share(ann, NodeRef::Folder(folder.id.into()), to, terms).await.unwrap();
    let file = world.put("file", SMALL).await;

    for (caller, target) in [
        (ann, into(FolderId(999).into(), "name")),
        (&bob, into(folder.id.into(), "name")),
        (ann, into(FolderRef::Home, "file")),
        (ann, Target::File { file: file.id.into(), base: Base::Version(7) }),
        (&bob, Target::File { file: file.id.into(), base: Base::Any }),
    ] {
        drive.identify(caller).await.unwrap();
        let why = drive.upload(caller, target.clone(), None).await.err().unwrap();
        world.refuses_unasked(caller, &target, &why).await;
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_is_good_for_no_small_content() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    drive.identify(ann).await.unwrap();
    let token = drive.tokens("jane").await.unwrap()[0].id;
    drive.revoke_token(token).await.unwrap();
    world.refuses_unasked(ann, &Target::home(), &Error::Unauthenticated).await;
    drive.clock().advance_seconds(59);
    assert!(drive.upload(ann, Target::home(), ANNOUNCED).await.is_ok());
    drive.clock().advance_seconds(1);
    let asked = drive.upload(ann, Target::home(), ANNOUNCED).await.err();
    assert!(matches!(asked, Some(Error::Unauthenticated)), "{asked:?}");
}

#[tokio::test]
async fn an_upload_that_was_not_asked_for_is_a_use_of_its_token() {
    let world = World::new().await;
    let World { drive, caller: ann, .. } = &world;
    drive.identify(ann).await.unwrap();
    drive.clock().advance_seconds(50);
    let mut upload = drive.upload(ann, Target::home(), ANNOUNCED).await.unwrap();
    upload.write(SMALL.into()).await.unwrap();
    upload.finish(end("file")).await.unwrap();
    drive.sweep(SweepSettings::default()).await.unwrap();
    assert_eq!(drive.tokens("jane").await.unwrap()[0].last_used, Some(drive.clock().now()));
}

#[tokio::test]
async fn who_was_not_known_is_asked_first() {
    let world = World::new().await;
    for stranger in [Caller::with_token("a"), Caller::with_link("a")] {
        let asked = world.drive.upload(&stranger, Target::home(), ANNOUNCED).await.err();
        assert!(matches!(asked, Some(Error::Unauthenticated)), "{asked:?}");
    }
}

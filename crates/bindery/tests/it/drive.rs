//! The store of a test's directory, opened beside the binary: to fill it, and to see what a command did.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::world::World;
use bindery_core::{
    Caller, Clock, Drive, File, Folder, FolderRef, Location, Name, NewUser, OnTaken, Target,
    UploadEnd,
};

pub(crate) async fn open(world: &World) -> Drive {
    let location = Location::directory(world.data());
    Drive::open(&location, Clock::System).await.unwrap()
}

/// A new user, with the e-mail LOGIN@example.org and the password "secret".
pub(crate) async fn user(drive: &Drive, login: &str) -> Caller {
    let user = NewUser {
        login: login.into(),
        email: format!("{login}@example.org"),
        name: String::new(),
        password: "secret".into(),
        admin: false,
    };
    drive.add_user(user).await.unwrap();
    let token = drive.create_token(login, "", None).await.unwrap();
    Caller::with_token(&token.secret)
}

pub(crate) async fn file(
    drive: &Drive,
    caller: &Caller,
    folder: FolderRef,
    name: &str,
    content: &[u8],
) -> File {
    let name = Some(Name::parse(name).unwrap());
    let target = Target::Folder { folder, name, on_taken: OnTaken::Number };
    let mut upload = drive.upload(caller, target, None).await.unwrap();
    upload.write(content.to_vec().into()).await.unwrap();
    upload.finish(UploadEnd::default()).await.unwrap().node
}

/// A folder in My Files.
pub(crate) async fn folder(drive: &Drive, caller: &Caller, name: &str) -> Folder {
    let name = Name::parse(name).unwrap();
    drive.create_folder(caller, FolderRef::Home, &name).await.unwrap().node
}

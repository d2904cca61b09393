//! Accounts as their users see them, and quotas.

use super::*;
use crate::clock::Clock;
use crate::drive::{DeleteFile, Location, OnTaken, Target, UploadEnd};
use crate::id::FileId;
use crate::name::Name;
use crate::node::FolderRef;
use bytes::Bytes;
use tempfile::TempDir;

async fn store() -> (TempDir, Drive) {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::directory(directory.path().join("data"));
    let clock = Clock::fixed(Time(1_750_000_000_000_000));
    let drive = Drive::open(&location, clock).await.unwrap();
    (directory, drive)
}

async fn user(drive: &Drive, login: &str, name: &str) -> Caller {
    let user = NewUser {
        login: login.into(),
        email: format!("{login}@example.org"),
        name: name.into(),
        password: "secret".into(),
        admin: false,
    };
    drive.add_user(user).await.unwrap();
    Caller::with_token(&drive.create_token(login, "", None).await.unwrap().secret)
}

async fn put(drive: &Drive, caller: &Caller, name: &str, bytes: usize) -> Result<FileId> {
    let target = Target::Folder {
        folder: FolderRef::Home,
        name: Some(Name::parse(name).unwrap()),
        on_taken: OnTaken::Overwrite,
    };
    let mut upload = drive.upload(caller, target, None).await?;
    upload.write(Bytes::from(vec![1; bytes])).await?;
    Ok(upload.finish(UploadEnd::default()).await?.id)
}

async fn bytes(drive: &Drive, caller: &Caller) -> u64 {
    drive.account(caller).await.unwrap().bytes
}

#[track_caller]
fn assert_over<T: std::fmt::Debug>(result: Result<T>, wanted: (u64, u64)) {
    match result {
        Err(Error::QuotaExceeded { used, quota }) => assert_eq!((used, quota), wanted),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_account_tells_what_its_user_has() {
    let (_directory, drive) = store().await;
    let jane = user(&drive, "jane", "Jane Roe").await;
    put(&drive, &jane, "a.txt", 100).await.unwrap();
    put(&drive, &jane, "b.txt", 20).await.unwrap();
    let account = drive.account(&jane).await.unwrap();
    assert_eq!((account.user.login.as_str(), account.quota), ("jane", None));
    assert_eq!((account.files, account.bytes), (2, 120));
    assert_eq!(account.home, drive.folder(&jane, FolderRef::Home).await.unwrap().id);
    drive.set_quota("JANE", Some(5000)).await.unwrap();
    assert_eq!(drive.account_of("Jane").await.unwrap().quota, Some(5000));
    let unknown = drive.account(&Caller::with_token("none")).await.unwrap_err();
    assert!(matches!(unknown, Error::Unauthenticated), "{unknown}");
}

#[tokio::test]
async fn users_are_found_by_login_email_and_name() {
    let (_directory, drive) = store().await;
    let jane = user(&drive, "jane", "Jane Roe").await;
    user(&drive, "ann", "Ann_Percent 100%").await;
    user(&drive, "max", "M\u{fc}ller").await;
    drive.set_disabled("max", true).await.unwrap();
    let found = async |keyword: &str, limit| {
        let found = drive.principals(&jane, keyword, limit).await.unwrap();
        found.into_iter().map(|user| user.login).collect::<Vec<_>>().join(" ")
    };
    for (keyword, logins) in [
        ("", "ann jane"),
        ("ROE", "jane"),
        ("Jane@", "jane"),
        ("example", "ann jane"),
        ("100%", "ann"),
        ("n_p", "ann"),
        ("a_e", ""),
        ("%", "ann"),
        ("max", ""),
    ] {
        assert_eq!(found(keyword, 10).await, logins, "{keyword}");
    }
    assert_eq!(found("", 1).await, "ann");

    let max = drive.user("max").await.unwrap().id;
    assert_eq!(drive.user_by_id(&jane, max).await.unwrap().login, "max");
    let unknown = drive.user_by_id(&jane, UserId(99)).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound(Thing::User)), "{unknown}");
    let nobody = Caller::with_token("none");
    for refused in [
        drive.user_by_id(&nobody, max).await.unwrap_err(),
        drive.principals(&nobody, "", 10).await.unwrap_err(),
    ] {
        assert!(matches!(refused, Error::Unauthenticated), "{refused}");
    }
}

#[tokio::test]
async fn a_quota_is_kept_to_the_byte() {
    let (_directory, drive) = store().await;
    let jane = user(&drive, "jane", "").await;
    let ann = user(&drive, "ann", "").await;
    drive.set_quota("jane", Some(100)).await.unwrap();
    let first = put(&drive, &jane, "a.txt", 60).await.unwrap();
    assert_over(put(&drive, &jane, "b.txt", 41).await, (60, 100));
    assert_eq!(bytes(&drive, &jane).await, 60);
    put(&drive, &jane, "b.txt", 40).await.unwrap();
    put(&drive, &jane, "empty.txt", 0).await.unwrap();
    assert_over(put(&drive, &jane, "c.txt", 1).await, (100, 100));
    // Another version counts for what it adds.
    assert_over(put(&drive, &jane, "b.txt", 41).await, (100, 100));
    put(&drive, &jane, "b.txt", 30).await.unwrap();
    put(&drive, &jane, "c.txt", 10).await.unwrap();
    put(&drive, &ann, "a.txt", 1000).await.unwrap();

    // What was deleted makes room, and comes back only if there is room.
    drive.delete_file(&jane, first.into(), DeleteFile::default()).await.unwrap();
    let second = put(&drive, &jane, "d.txt", 50).await.unwrap();
    assert_over(drive.restore(&jane, first).await, (90, 100));
    drive.delete_file(&jane, second.into(), DeleteFile::default()).await.unwrap();
    drive.restore(&jane, first).await.unwrap();
    assert_eq!(bytes(&drive, &jane).await, 100);
}

#[tokio::test]
async fn a_quota_below_what_is_there_only_lets_nothing_in() {
    let (_directory, drive) = store().await;
    let jane = user(&drive, "jane", "").await;
    let first = put(&drive, &jane, "a.txt", 60).await.unwrap();
    put(&drive, &jane, "b.txt", 60).await.unwrap();
    drive.set_quota("jane", Some(0)).await.unwrap();
    assert_over(put(&drive, &jane, "c.txt", 1).await, (120, 0));
    put(&drive, &jane, "b.txt", 50).await.unwrap();
    put(&drive, &jane, "empty.txt", 0).await.unwrap();
    drive.delete_file(&jane, first.into(), DeleteFile::default()).await.unwrap();
    assert_eq!(bytes(&drive, &jane).await, 50);
    drive.set_quota("jane", None).await.unwrap();
    put(&drive, &jane, "c.txt", 1000).await.unwrap();
    let too_many = drive.set_quota("jane", Some(u64::MAX)).await.unwrap_err();
    assert!(matches!(too_many, Error::Invalid { field: "quota", .. }), "{too_many}");
    let unknown = drive.set_quota("nobody", None).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound(Thing::User)), "{unknown}");
}

#[tokio::test]
async fn a_quota_of_files_counts_files_and_not_versions() {
    let (_directory, drive) = store().await;
    let jane = user(&drive, "jane", "").await;
    drive.set_file_quota("jane", Some(2)).await.unwrap();
    let first = put(&drive, &jane, "a.txt", 1).await.unwrap();
    put(&drive, &jane, "b.txt", 1).await.unwrap();
    let full = |made: Result<FileId>| match made {
        Err(Error::TooManyFiles { quota }) => assert_eq!(quota, 2),
        other => panic!("{other:?}"),
    };
    full(put(&drive, &jane, "c.txt", 0).await);
    put(&drive, &jane, "b.txt", 5).await.unwrap();
    drive.delete_file(&jane, first.into(), DeleteFile::default()).await.unwrap();
    put(&drive, &jane, "c.txt", 0).await.unwrap();
    let back = drive.restore(&jane, first).await.unwrap_err();
    assert!(matches!(back, Error::TooManyFiles { quota: 2 }), "{back}");
    assert_eq!(drive.account_of("jane").await.unwrap().files, 2);
    drive.set_file_quota("jane", None).await.unwrap();
    drive.restore(&jane, first).await.unwrap();
}

//! A store in a temporary directory with a clock that stands still, and a user. Shared by the tests
//! outside the crate and those inside, which see more of it.

use super::backend::{Backend, embedded};
use bindery_core::{
    Caller, Clock, Drive, File, FileId, Name, NewUser, Result, SweepSettings, Swept, Target, Time,
    Upload, UploadEnd,
};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// 2026-01-02T03:04:05.678901Z.
pub(crate) const NOW: Time = Time(1_767_323_045_678_901);

pub(crate) struct World {
    pub(crate) drive: Drive,
    pub(crate) caller: Caller,
    pub(crate) directory: TempDir,
    pub(crate) backend: Backend,
}

impl World {
    pub(crate) async fn new() -> Self {
        World::on(Backend::new()).await
    }

    /// A store whose catalog is embedded, for a test that changes it behind the store's back.
    pub(crate) async fn embedded() -> Self {
        World::on(Backend::default()).await
    }

    pub(crate) async fn on(backend: Backend) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let drive = open_in(&directory, &backend).await;
        let caller = person(&drive, "jane").await;
        World { drive, caller, directory, backend }
    }

    pub(crate) async fn upload(&self) -> Upload {
        self.drive.upload(&self.caller, Target::home(), None).await.unwrap()
    }

    pub(crate) async fn put(&self, name: &str, content: &[u8]) -> File {
        let mut upload = self.upload().await;
        upload.write(content.to_vec().into()).await.unwrap();
        upload.finish(end(name)).await.unwrap().node
    }

    pub(crate) async fn get(&self, file: FileId, range: Range<u64>) -> Result<Vec<u8>> {
        read(&self.drive, &self.caller, file, range).await
    }

    /// Sweeps until nothing is left to be done.
    pub(crate) async fn sweep(&self) -> Swept {
        let swept = self.drive.sweep(SweepSettings::default()).await.unwrap();
        let again = self.drive.sweep(SweepSettings::default()).await.unwrap();
        assert_eq!(again, Swept::default());
        swept
    }

    pub(crate) fn catalog(&self) -> rusqlite::Connection {
        embedded(&self.data())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What is stored: rows of every table that grows with uploads, and files of the store.
    pub(crate) fn stored(&self) -> Vec<String> {
        let tables = ["nodes", "versions", "contents", "shares", "pending", "doomed"];
        let count = |table| self.backend.count(&self.data(), table);
        let rows = tables.map(|table| format!("{table} {}", count(table)));
        let files = self.objects().into_iter().map(|file| file.display().to_string());
        rows.into_iter().chain(files).collect()
    }

    /// Every object and temporary file in the store.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        self.backend.objects(&self.data())
    }

    /// Waits until what is stored is this.
    pub(crate) async fn settles_at(&self, stored: &[String]) {
        let settled = async {
            while self.stored() != stored {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), settled).await;
        assert!(in_time.is_ok(), "{:#?} instead of {stored:#?}", self.stored());
    }
}

pub(crate) async fn read(
    drive: &Drive,
    caller: &Caller,
    file: FileId,
    range: Range<u64>,
) -> Result<Vec<u8>> {
    let mut body = drive.download(caller, file).await?.read(range)?;
    let mut content = Vec::new();
    while let Some(piece) = body.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

pub(crate) async fn open_in(directory: &TempDir, backend: &Backend) -> Drive {
    let location = backend.location(directory.path().join("data"));
    Drive::open(&location, Clock::fixed(NOW)).await.unwrap()
}

/// A user with this login and a token of theirs.
pub(crate) async fn person(drive: &Drive, login: &str) -> Caller {
    let user = NewUser {
        login: login.into(),
        email: format!("{login}@example.com"),
        name: String::new(),
        password: "a password".into(),
        admin: false,
    };
    drive.add_user(user).await.unwrap();
    let token = drive.create_token(login, "test", None).await.unwrap();
    Caller::with_token(&token.secret)
}

pub(crate) fn end(name: &str) -> UploadEnd {
    UploadEnd { name: Some(Name::parse(name).unwrap()), ..UploadEnd::default() }
}

/// Bytes that do not repeat within a segment.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 31 + i / 251) % 251) as u8).collect()
}

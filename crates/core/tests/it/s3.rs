//! A real S3 server of a test's own: s3s-fs, whose buckets are directories that the test looks into.

use crate::backend::{Backend, Bucket};
use bindery_core::Service;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const BUCKET: &str = "tests";
const KEY: &str = "AKTEST";
/// What the names of the objects begin with.
const PREFIX: &str = "a/prefix";

/// Ended, by its id, when it is dropped.
#[derive(Debug)]
pub(crate) struct S3 {
    server: Child,
    pub(crate) port: u16,
    directory: TempDir,
}

impl S3 {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        loop {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            // Another process may have been faster.
            if let Some(server) = serve(directory.path(), port) {
                return S3 { server, port, directory };
            }
        }
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn stop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Starts it again, where it was.
    pub(crate) fn start(&mut self) {
        self.server = serve(self.directory.path(), self.port).unwrap();
    }

    /// A store whose objects are here, behind this port or that of something in between, and which is not
    /// patient: what is away here stays away until a test says otherwise.
    pub(crate) fn backend(&self, port: u16) -> Backend {
        let endpoint = format!("http://127.0.0.1:{port}");
        let settings = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", KEY),
            ("AWS_REGION", "us-east-1"),
            ("AWS_TIMEOUT", "3 seconds"),
        ];
        let mut backend = Backend::new();
        backend.bucket = Some(Bucket {
            url: format!("s3://{BUCKET}"),
            prefix: PREFIX.to_owned(),
            directory: Some(self.directory.path().to_owned()),
        });
        backend.service = Service {
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            patience: Duration::from_secs(1),
        };
        backend
    }

    /// The parts of uploads that were neither completed nor aborted.
    pub(crate) fn parts(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(".upload_id-"))
            .collect();
        names.sort();
        names
    }

    /// Those of them that can still be aborted. This server forgets an upload before it makes the object,
    /// and leaves the parts if the connection ends in between.
    pub(crate) fn parts_known(&self) -> Vec<String> {
        let mut parts = self.parts();
        parts.retain(|part| {
            let id = part.trim_start_matches(".upload_id-").split('.').next().unwrap();
            self.directory.path().join(format!(".upload-{id}.json")).exists()
        });
        parts
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _reaped = self.server.wait();
    }
}

/// Starts the server and waits until it answers. `None`: the port is taken.
fn serve(directory: &Path, port: u16) -> Option<Child> {
    let mut server = Command::new(binary())
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--access-key", KEY, "--secret-key", KEY])
        .arg(directory)
        .env("RUST_LOG", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        if server.try_wait().unwrap().is_some() {
            return None;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(server);
        }
        std::thread::yield_now();
    }
}

fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cached = cache.or(home).map(|cache| cache.join("bindery/tools/bin"));
    let found = std::env::split_paths(&path)
        .chain(cached)
        .map(|folder| folder.join("s3s-fs"))
        .find(|file| file.is_file());
    found.expect("scripts/test installs s3s-fs, which is missing")
}

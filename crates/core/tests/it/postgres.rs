//! A private PostgreSQL server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A cluster in a temporary directory, reached by a socket there; stopped when it is dropped.
pub(crate) struct Postgres {
    pub(crate) directory: TempDir,
    programs: PathBuf,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The server refuses to run as root, so its own user must be able to come here.
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(directory.path(), open).unwrap();
        let server = Postgres { directory, programs: programs() };
        let data = server.data();
        let no_sync = ["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale"];
        assert!(server.run("initdb", &[&["-D", &data][..], &no_sync].concat()));
        server.serve();
        server
    }

    /// Starts the server, again if it has ended: as soon as all that was left of it has.
    pub(crate) fn serve(&self) {
        let (data, socket) = (self.data(), self.directory.path().display());
        let options = format!("-c listen_addresses='' -k {socket} -c fsync=off");
        let log = format!("{socket}/log");
        let start = ["-D", &data, "-w", "-s", "-l", &log, "-o", &options, "start"];
        let until = Instant::now() + Duration::from_secs(60);
        while !self.run("pg_ctl", &start) {
            assert!(Instant::now() < until, "the server does not start: see {log}");
        }
    }

    /// How it is reached, but for the database's name.
    pub(crate) fn url(&self) -> String {
        format!("host={} user=postgres", self.directory.path().display())
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let program = self.programs.join(program);
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // Its output goes nowhere: a server that outlives the command would hold a pipe open.
        let status = command
            .args(arguments)
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status();
        status.unwrap().success()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ended_already =
            self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-s", "stop"]);
    }
}

/// Debian keeps the server's programs in a folder of their version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    found.retain(|programs| programs.join("initdb").exists());
    found.pop().unwrap_or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
        on_path.unwrap_or_else(|| Path::new("install PostgreSQL: scripts/test does").into())
    })
}

//! A private PostgreSQL: every statement is prepared on it, so that none is written for one engine
//! alone.

use super::statements;
use crate::catalog::migrate::{Engine, after};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

#[tokio::test]
async fn postgres_prepares_every_statement() {
    let server = Postgres::start();
    let config =
        format!("host={} user=postgres dbname=postgres", server.directory.path().display());
    let (client, connection) =
        tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    for migration in after(0, Engine::Postgres) {
        client.batch_execute(&migration).await.unwrap();
    }
    for (name, sql) in statements() {
        let prepared = client.prepare(sql.text).await;
        assert!(prepared.is_ok(), "{name}: {:?}\n{}", prepared.err(), sql.text);
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

/// A cluster in a temporary directory, reached by a socket there; stopped when it is dropped.
struct Postgres {
    directory: TempDir,
    programs: PathBuf,
}

impl Postgres {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The server refuses to run as root, so its own user must be able to come here.
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(directory.path(), open).unwrap();
        let server = Postgres { directory, programs: programs() };
        let data = server.data();
        let no_sync = ["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale"];
        server.run("initdb", &[&["-D", &data][..], &no_sync].concat());
        let socket = server.directory.path().display();
        let options = format!("-c listen_addresses='' -k {socket} -c fsync=off");
        let log = format!("{}/log", server.directory.path().display());
        server.run("pg_ctl", &["-D", &data, "-w", "-s", "-l", &log, "-o", &options, "start"]);
        server
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
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
            .status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
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

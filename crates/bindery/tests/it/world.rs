//! A directory for one test, and the binary run in it. A server is waited for by its first line and
//! ended with its test.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use tempfile::TempDir;

pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        World { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("bindery-data")
    }

    /// The binary with arguments, without any setting of whoever runs the tests.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bindery"));
        command.args(args).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BINDERY_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command whose arguments hold no spaces.
    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line.split_whitespace()).output().unwrap())
    }

    /// Runs a `serve` that is to be refused. Its port is taken: were it not refused, it would end too,
    /// with another sentence.
    pub(crate) fn run_serve(&self, more: &str) -> Ran {
        let (_taken, address) = taken();
        self.run(&format!("serve --listen {address} {more}"))
    }

    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Ran {
        let mut command = self.command(line.split_whitespace());
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }

    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, args: &[&str]) -> Server {
        let always = ["serve", "--listen", "127.0.0.1:0"];
        Server::start(self.command(always.iter().chain(args)), self.path("log"))
    }

    /// A store that was served, and is not any more.
    pub(crate) fn served() -> Self {
        let world = World::new();
        world.serve().stop();
        world
    }

    /// What lies in a directory, sorted.
    pub(crate) fn names(&self, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A port that no one else can listen on, as long as the listener lives.
pub(crate) fn taken() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It was done without complaint; what it printed.
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        self.out
    }

    /// It failed with this code and one sentence, and printed nothing else.
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        let sentence = self.err.strip_prefix("bindery: ").unwrap();
        assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
        sentence.trim_end().to_owned()
    }
}

pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    log: PathBuf,
    /// What it printed before it listened.
    pub(crate) before: String,
    /// The URL of its one line on listening.
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        command.stdout(Stdio::piped());
        command.stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server { child, out, log, before: String::new(), url: String::new() };
        loop {
            let mut line = String::new();
            let read = server.out.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "it ended before it listened: {}", server.log());
            if let Some(url) = line.strip_prefix("Listening on ") {
                server.url = url.trim_end().to_owned();
                return server;
            }
            server.before.push_str(&line);
        }
    }

    /// The rest of the first line that begins with `name`, of what it printed at first.
    pub(crate) fn first_run(&self, name: &str) -> String {
        let mut lines = self.before.lines();
        let value = lines.find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().to_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let (_, address) = self.url.split_once("://").unwrap();
        TcpStream::connect(address).unwrap()
    }

    /// One request, as HTTP/1.0; the whole answer.
    pub(crate) fn get(&self, path: &str) -> String {
        self.ask(path, "")
    }

    /// Whether a token is good now.
    pub(crate) fn knows(&self, token: &str) -> bool {
        let answer = self.ask("/api/v2/files/", &format!("Authorization: Token {token}\r\n"));
        answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200")
    }

    fn ask(&self, path: &str, headers: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\n{headers}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for its end; how it ended, and what it printed after its line on listening.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }

    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let (status, _) = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a command's output ends.
pub(crate) fn last_line(out: &str) -> &str {
    out.lines().next_back().unwrap_or_default()
}

//! Starting, trying and stopping.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::world::{World, last_line};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_first_run_makes_a_store_and_shows_its_secrets_once() {
    let world = World::new();
    let server = world.serve();
    assert!(server.first_run("Password:").len() >= 20);
    let token = server.first_run("Token:");
    assert!(token.starts_with("bindery_"), "{token}");
    assert_eq!(server.first_run("User:"), "admin");
    let curl = format!("curl -H 'Authorization: Token {token}'");
    let (upload, list) = (
        format!("{curl} -F 'file=@-;filename=hello.txt' {}/api/v2/files/contents/", server.url),
        format!("{curl} {}/api/v2/files/", server.url),
    );
    assert!(server.before.contains(&upload), "{}", server.before);
    assert!(server.before.contains(&list), "{}", server.before);
    assert!(!server.url.ends_with(":0"), "{}", server.url);
    assert!(server.get("/").starts_with("HTTP/1."));

    let users = world.run("user list").done();
    let columns: Vec<_> = users.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(columns, ["admin", "admin@localhost", "Administrator", "yes"]);
    server.stop();

    let second = world.serve();
    assert_eq!(second.before, "");
    assert_eq!(world.run("user list").done(), users);
}

#[test]
fn the_lines_to_try_work_as_they_are_pasted() {
    let world = World::new();
    let server = world.serve();
    let lines = server.before.lines().filter(|line| line.contains("curl "));
    let lines: Vec<_> = lines.map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let pasted = Command::new("sh").args(["-c", &line]).output().unwrap();
        let answer = String::from_utf8(pasted.stdout).unwrap();
        assert!(answer.contains("\"name\":\"hello.txt\""), "{line}: {answer}");
    }
    assert_eq!(last_line(&world.run("verify").done()), "1 checked, 0 damaged");
}

#[test]
fn others_can_read_nothing() {
    let world = World::new();
    let _server = world.serve();
    let data = world.data();
    assert_eq!(mode(&data), 0o700);
    for name in ["master.key", "serve.lock", "catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&data.join("objects")), 0o700);
}

#[test]
fn a_directory_with_other_things_is_taken_and_they_are_left() {
    let world = World::new();
    fs::create_dir(world.data()).unwrap();
    fs::write(world.data().join("notes.txt"), "mine").unwrap();
    let server = world.serve();
    assert!(server.before.contains("Password:"));
    server.stop();
    let notes = fs::read_to_string(world.data().join("notes.txt")).unwrap();
    assert_eq!(notes, "mine");
}

#[test]
fn directories_above_the_data_are_made() {
    let world = World::new();
    let data = world.path("a/b/c");
    world.serve_with(&["--data", data.to_str().unwrap()]).stop();
    assert!(data.join("catalog.db").exists());
}

#[test]
fn a_store_with_users_gets_no_admin() {
    let world = World::new();
    let add = "user add jane --email jane@example.org --password-stdin";
    world.run_with_input(add, "secret\n").done();
    let server = world.serve();
    assert_eq!(server.before, "");
    assert!(!world.run("user list").done().contains("admin@localhost"));
}

#[test]
fn another_serve_is_refused_while_one_runs() {
    let world = World::new();
    let server = world.serve();
    let why = world.run_serve("").refused(1);
    assert_eq!(why, "another `bindery serve` uses ./bindery-data: stop it first");
    server.stop();
    world.serve().stop();
}

#[test]
fn a_signal_ends_it_well_and_at_once_when_idle() {
    for signal in ["TERM", "INT"] {
        let world = World::new();
        let mut server = world.serve();
        // An idle connection holds nothing up.
        let mut idle = server.connect();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        assert_ne!(idle.read(&mut [0; 4096]).unwrap(), 0);
        server.signal(signal);
        let (status, rest) = server.wait();
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{signal}");
        assert!(server.log().contains("stopped"), "{}", server.log());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let world = World::new();
    let mut server = world.serve();
    // A head that never ends keeps a connection busy for longer than this test waits.
    let mut busy = server.connect();
    busy.write_all(b"GET / HT").unwrap();
    server.get("/");
    server.signal("TERM");
    while !server.log().contains("a second signal") {
        std::thread::yield_now();
    }
    server.signal("TERM");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn it_outlives_whoever_read_its_first_lines() {
    let world = World::served();
    let mut command = world.command(["serve", "--listen", "127.0.0.1:0"]);
    let log = world.path("log");
    command.stderr(fs::File::create(&log).unwrap());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command.stdout(writer).spawn().unwrap();
    let address = loop {
        let log = fs::read_to_string(&log).unwrap();
        let line = log.lines().find(|line| line.contains("listening on http://"));
        if let Some(line) = line {
            let (_, rest) = line.split_once("http://").unwrap();
            break rest.split_whitespace().next().unwrap().to_owned();
        }
        assert!(child.try_wait().unwrap().is_none(), "{log}");
        std::thread::yield_now();
    };
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1."), "{answer}");
}

#[test]
fn a_self_signed_certificate_is_good_for_a_first_try() {
    let world = World::new();
    let server = world.serve_with(&["--tls-self-signed"]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    assert!(server.before.contains("curl -k -H"), "{}", server.before);
    let tried = Command::new("curl")
        .args(["--silent", "--insecure", "--output", "/dev/null"])
        .args(["--write-out", "%{http_version} %{http_code}", &server.url])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(tried.stdout).unwrap();
    assert!(said.starts_with("1.1 ") && said != "1.1 000", "{said}");
}

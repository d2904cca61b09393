//! What does not start, and the sentence that says why.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::world::{World, taken};
use bindery_core::FileId;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn set_schema_version(world: &World, version: u32) {
    let catalog = rusqlite::Connection::open(world.data().join("catalog.db")).unwrap();
    catalog.pragma_update(None, "user_version", version).unwrap();
}

#[test]
fn another_stores_key_is_refused() {
    let (world, other) = (World::served(), World::served());
    let key = world.data().join("master.key");
    let ours = fs::read(&key).unwrap();
    fs::copy(other.data().join("master.key"), &key).unwrap();
    for ran in [world.run_serve(""), world.run("user list"), world.run("verify")] {
        let why = ran.refused(1);
        assert!(why.contains("put back the key file"), "{why}");
    }
    fs::write(&key, ours).unwrap();
    world.run("user list").done();
}

#[test]
fn a_missing_key_is_refused_and_not_made_anew() {
    let world = World::served();
    let key = world.data().join("master.key");
    fs::remove_file(&key).unwrap();
    for ran in [world.run_serve(""), world.run("user list")] {
        let why = ran.refused(1);
        assert!(why.contains("master.key") && why.contains("put it back"), "{why}");
        assert!(!key.exists());
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let world = World::served();
    let key = world.data().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let why = world.run_serve("").refused(1);
    assert!(why.contains("chmod 600"), "{why}");
}

#[test]
fn a_newer_schema_is_refused() {
    let world = World::served();
    set_schema_version(&world, 999);
    for ran in [world.run_serve(""), world.run("user list")] {
        let why = ran.refused(1);
        assert!(why.contains("schema version 999") && why.contains("newer binary"), "{why}");
    }
}

#[test]
fn a_directory_without_a_store_is_refused_and_stays_empty() {
    let world = World::new();
    for command in [
        "user list",
        "user passwd jane --password-stdin",
        "user disable jane",
        "token create jane",
        "token list jane",
        "token revoke 1",
        "user quota jane none",
        "share list",
        "share revoke 1",
        "trash list",
        "trash restore 1",
        "trash purge 1",
        "trash purge --all",
        "verify",
        "sweep",
        &format!("objects {}", FileId(1).letters()),
    ] {
        let why = world.run(command).refused(1);
        assert!(why.contains("there is no store in ./bindery-data"), "{why}");
        assert!(!world.data().exists(), "{command}");
    }
}

#[test]
fn a_taken_port_is_refused_and_the_first_run_is_still_to_come() {
    let world = World::new();
    let (_taken, address) = taken();
    let why = world.run(&format!("serve --listen {address}")).refused(1);
    assert!(why.starts_with(&format!("cannot listen on {address}")), "{why}");
    assert!(world.serve().before.contains("Password:"));
}

#[test]
fn tls_files_that_cannot_be_used_are_refused() {
    let world = World::new();
    fs::write(world.path("empty.pem"), "").unwrap();
    let why = world.run_serve("--tls-cert empty.pem --tls-key empty.pem");
    let why = why.refused(1);
    assert!(why.contains("certificate file empty.pem"), "{why}");
    assert!(!world.data().exists());
}

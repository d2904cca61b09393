//! Users, tokens, and looking after the store, beside a running server.

use crate::world::{World, last_line};
use bindery_core::FileId;
use std::process::Stdio;

const ADD: &str = "user add jane --email jane@example.org --password-stdin";

#[test]
fn users_are_made_listed_and_disabled_beside_a_server() {
    let world = World::new();
    let _server = world.serve();
    assert_eq!(world.run_with_input(ADD, "secret\r\n").done(), "Added user jane.\n");
    let row = || {
        let list = world.run("user list").done();
        let row = list.lines().find(|line| line.starts_with("jane")).unwrap().to_owned();
        let columns = row.split_whitespace().map(str::to_owned);
        columns.collect::<Vec<_>>()
    };
    assert_eq!(row(), ["jane", "jane@example.org", "jane"]);
    world.run("user disable JANE").done();
    assert_eq!(row(), ["jane", "jane@example.org", "jane", "yes"]);
    world.run("user enable jane").done();
    assert_eq!(row(), ["jane", "jane@example.org", "jane"]);
    world.run_with_input("user passwd jane --password-stdin", "other\n").done();

    let admin = "user add root --email root@example.org --admin --name R --password-stdin";
    world.run_with_input(admin, "secret").done();
    let list = world.run("user list").done();
    let row = list.lines().find(|line| line.starts_with("root")).unwrap();
    let columns: Vec<_> = row.split_whitespace().collect();
    assert_eq!(columns, ["root", "root@example.org", "R", "yes"]);
}

#[test]
fn a_quota_is_set_shown_and_ended() {
    let world = World::new();
    let _server = world.serve();
    let quota = |more: &str| world.run(&format!("user quota {more}")).done();
    let no_files = "admin has 0 files, without a quota.\n";
    let without = format!("admin uses 0 bytes, without a quota.\n{no_files}");
    let of_20_gib = format!("admin uses 0 bytes of 20GiB.\n{no_files}");
    assert_eq!(quota("admin"), without);
    assert_eq!(quota("ADMIN 20GiB"), of_20_gib);
    assert_eq!(quota("admin"), of_20_gib);
    let both = "admin uses 0 bytes of 1000 bytes.\nadmin has 0 files of 7.\n";
    assert_eq!(quota("admin 1000 --files 7"), both);
    assert_eq!(quota("admin"), both);
    assert_eq!(quota("admin none --files none"), without);
}

#[test]
fn what_cannot_be_a_user_is_refused() {
    let world = World::new();
    world.run_with_input(ADD, "secret\n").done();
    let refused = |line: &str, input: &str, why: &str| {
        let sentence = world.run_with_input(line, input).refused(1);
        assert!(sentence.contains(why), "{sentence}");
    };
    refused(ADD, "secret\n", "a user with the login jane exists already");
    refused(&ADD.replace("add jane", "add ann"), "secret\n", "jane@example.org exists already");
    refused(&ADD.replace("jane@example.org", "jane"), "secret\n", "email");
    refused(ADD, "\n", "the password is empty");
    refused(ADD, "", "the password is empty");
    for command in
        ["passwd nobody --password-stdin", "disable nobody", "enable nobody", "quota nobody 1"]
    {
        refused(&format!("user {command}"), "secret\n", "there is no user nobody");
    }
}

#[test]
fn without_a_terminal_the_password_comes_from_standard_input() {
    let world = World::new();
    for line in [ADD, "user add jane --email jane@example.org"] {
        let mut command = world.command(line.split(' '));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let asked = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{asked}");
        assert_eq!(asked.contains("--password-stdin"), line != ADD, "{asked}");
    }
    assert!(!world.data().exists());
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let world = World::new();
    let server = world.serve();
    let made = world.run("token create admin --label laptop --expires 90").done();
    let token = made.strip_suffix('\n').unwrap();
    assert!(token.starts_with("bindery_") && !token.contains(char::is_whitespace), "{token}");

    assert!(server.knows(token) && !server.knows("bindery_none"));

    let list = world.run("token list admin").done();
    assert!(!list.contains(token), "{list}");
    let row = |label: &str| {
        let row = list.lines().find(|line| line.contains(label)).unwrap();
        row.split("  ").map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect()
    };
    let (first, laptop): (Vec<String>, Vec<String>) = (row("first run"), row("laptop"));
    assert_eq!(first[3..], ["never", "never"]);
    assert_ne!(laptop[3], "never");

    let id = &laptop[0];
    world.run("user disable admin").done();
    assert!(!server.knows(token));
    world.run("user enable admin").done();
    assert!(server.knows(token));
    world.run(&format!("token revoke {id}")).done();
    assert!(!server.knows(token) && server.knows(&server.first_run("Token:")));
    assert!(!world.run("token list admin").done().contains("laptop"));
    let why = world.run(&format!("token revoke {id}")).refused(1);
    assert_eq!(why, format!("there is no token {id}"));
    assert_eq!(world.run("token create nobody").refused(1), "there is no user nobody");
    assert_eq!(world.run("token list nobody").refused(1), "there is no user nobody");
}

#[test]
fn an_empty_store_is_sound() {
    let world = World::new();
    let _server = world.serve();
    assert_eq!(last_line(&world.run("verify").done()), "0 checked, 0 damaged");
    assert_eq!(last_line(&world.run("verify --budget 10m").done()), "0 checked, 0 damaged");
    assert!(world.run("sweep --trash-days 0").done().contains("0 files removed"));
    let id = FileId(1).letters();
    let why = world.run(&format!("objects {id}")).refused(1);
    assert_eq!(why, format!("there is no file {id}"));
}

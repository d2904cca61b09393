//! Help, completions, and what is no command.

use crate::world::World;

const COMMANDS: [&str; 28] = [
    "serve",
    "user",
    "user add",
    "user passwd",
    "user quota",
    "user list",
    "user disable",
    "user enable",
    "token",
    "token create",
    "token list",
    "token revoke",
    "share",
    "share list",
    "share revoke",
    "trash",
    "trash list",
    "trash restore",
    "trash purge",
    "verify",
    "sweep",
    "migrate",
    "backup",
    "restore",
    "rotate-key",
    "objects",
    "decrypt",
    "completions",
];

#[test]
fn every_command_explains_itself() {
    let world = World::new();
    let groups = ["user", "token", "share", "trash"];
    for command in COMMANDS {
        let help = world.run(&format!("{command} --help")).done();
        assert!(help.contains(&format!("Usage: bindery {command}")), "{help}");
        let example = help.split_once("Example").map(|(_, example)| example);
        let shown = example.is_some_and(|e| e.contains(&format!("bindery {command}")));
        assert!(shown || groups.contains(&command), "{help}");
    }
    for (command, taught) in [
        ("decrypt", "whole objects at its end"),
        ("serve", "BINDERY_TRUSTED_PROXIES"),
        ("verify", "N checked, M damaged"),
        ("user quota", "KiB, MiB or GiB"),
        ("share list", "without its secret"),
        ("trash restore", "My Files"),
        ("trash purge", "cannot be undone"),
        ("migrate", "goes on where it was interrupted"),
        ("backup", "The master key is not in it"),
        ("restore", "goes on where it was interrupted"),
        ("rotate-key", "run again goes on"),
    ] {
        let help = world.run(&format!("{command} --help")).done();
        let help: Vec<_> = help.split_whitespace().collect();
        assert!(help.join(" ").contains(taught), "{help:?}");
    }
}

#[test]
fn wrong_usage_is_code_2() {
    let world = World::new();
    for line in [
        "",
        "nothing",
        "serve --nothing",
        "serve --listen nowhere",
        "serve --public-url files.example.org",
        "serve --trusted-proxies proxy",
        "serve --trash-days -1",
        "user",
        "user add jane",
        "user add --email jane@example.org",
        "token create",
        "token create jane --expires 0",
        "token create jane --expires soon",
        "token revoke first",
        "user quota",
        "user quota jane much",
        "user quota jane -1",
        "user quota jane 1GB",
        "share",
        "share revoke",
        "share revoke first",
        "trash",
        "trash restore",
        "trash restore a.txt",
        "trash purge",
        "trash purge 1 --all",
        "verify --budget 10",
        "objects",
        "objects ../../etc",
        "backup",
        "backup target --list",
        "backup --destroyed",
        "backup target --forget id",
        "restore",
        "rotate-key --prepare --status",
        "rotate-key --retire",
        "decrypt --key x --out y",
        "decrypt --key x --out y z",
        "completions csh",
    ] {
        let ran = world.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {ran:?}");
        assert_ne!(ran.err, "", "{line}");
    }
    let names = world.names(&world.path("."));
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_log_filter_that_is_none_is_wrong_usage() {
    let world = World::new();
    let mut command = world.command(["user", "list"]);
    let output = command.env("BINDERY_LOG", "=,=").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn completions_name_the_commands() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.run(&format!("completions {shell}")).done();
        assert!(
            script.contains("decrypt")
                && script.contains("purge")
                && script.contains("tls-self-signed"),
            "{shell}"
        );
    }
}

//! Where settings come from, and which wins.

use crate::world::{Server, World, taken};
use std::fs;

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let world = World::new();
    let text = "data = \"from-file\"\nlisten = \"127.0.0.1:0\"\ntrusted_proxies = [\"::1\"]\n";
    fs::write(world.path("settings.toml"), text).unwrap();
    for (env, flag, expected) in [
        (None, None, "from-file"),
        (Some("from-env"), None, "from-env"),
        (Some("not-used"), Some("from-flag"), "from-flag"),
    ] {
        let mut command = world.command(["serve", "--config", "settings.toml"]);
        command.envs(env.map(|dir| ("BINDERY_DATA", dir)));
        command.args(flag.map(|dir| format!("--data={dir}")));
        Server::start(command, world.path("log")).stop();
        assert!(world.path(expected).join("catalog.db").exists(), "{expected}");
    }
    assert!(!world.data().exists() && !world.path("not-used").exists());
}

#[test]
fn a_global_flag_stands_before_or_behind_the_command() {
    let world = World::served();
    let here = world.run("--data bindery-data user list").done();
    assert_eq!(world.run("user list --data bindery-data").done(), here);
}

#[test]
fn the_key_file_can_be_elsewhere() {
    let world = World::new();
    world.serve_with(&["--master-key-file", "elsewhere.key"]).stop();
    assert!(world.path("elsewhere.key").exists());
    assert!(!world.data().join("master.key").exists());
    world.run("user list").refused(1);
    world.run("user list --master-key-file elsewhere.key").done();
}

#[test]
fn the_public_url_stands_in_the_lines_to_try() {
    let world = World::new();
    let server = world.serve_with(&["--public-url", "https://files.example.org/"]);
    let tried = "https://files.example.org/api/v2/files/";
    assert!(server.before.contains(tried), "{}", server.before);
}

#[test]
fn a_file_with_anything_unknown_is_wrong_usage() {
    let world = World::new();
    for (text, blamed) in [
        ("dta = \"x\"", "dta"),
        ("listen = 5", "listen"),
        ("listen = \"nowhere\"", "nowhere"),
        ("public_url = \"example.org\"", "example.org"),
        ("trusted_proxies = [\"proxy\"]", "trusted_proxies"),
        ("[", "settings.toml"),
    ] {
        // Were it taken as it is, the port would end it.
        let (_taken, address) = taken();
        let listen = match blamed {
            "listen" | "nowhere" => String::new(),
            _ => format!("listen = \"{address}\"\n"),
        };
        fs::write(world.path("settings.toml"), listen + text).unwrap();
        let ran = world.run("serve --config settings.toml");
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.starts_with("bindery: ") && ran.err.contains(blamed), "{ran:?}");
    }
    world.run("serve --config missing.toml").refused(2);
    assert!(!world.data().exists());
}

#[test]
fn half_of_tls_is_wrong_usage() {
    let world = World::new();
    for args in [
        "--tls-cert a.pem",
        "--tls-key a.pem",
        "--tls-self-signed --tls-cert a.pem --tls-key a.pem",
        "--tls-self-signed --tls-cert a.pem",
    ] {
        let why = world.run_serve(args).refused(2);
        assert!(why.contains("--tls-cert"), "{why}");
    }
}

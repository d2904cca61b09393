//! The rules of `docs/architecture.md` that no compiler keeps.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let hidden =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_dir() && !hidden && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

/// Lines of code, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

#[track_caller]
fn only_in(word: &str, folder: &str, allowed: &[&str]) {
    for (name, text) in files(folder, "rs") {
        if allowed.iter().any(|allowed| name.starts_with(allowed)) || name.contains("/tests") {
            continue;
        }
        let line = code(&text).find(|line| line.contains(word));
        assert_eq!(line, None, "{name} may not use {word}");
    }
}

#[test]
fn the_domain_knows_no_http_and_the_front_ends_no_storage() {
    let manifest = fs::read_to_string(root().join("crates/core/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
    for outside in ["axum", "hyper", "http", "tower", "clap", "serde"] {
        assert!(
            !dependencies.lines().any(|line| line.starts_with(outside)),
            "core depends on {outside}"
        );
    }
    only_in("StatusCode", "crates/core/src", &[]);
    only_in("unsafe {", "crates", &["crates/md5/src/with_sha512/avx512.rs"]);
    // What a row costs without all that is ours is measured beside it.
    let catalog = ["crates/core/src/catalog", "crates/core/src/error.rs"];
    only_in("rusqlite", "crates", &[&catalog[..], &["crates/core/examples/bare"]].concat());
    // Nothing that a power cut can undo goes past what the tests see.
    only_in("std::fs", "crates/core/src/vault/blobs", &[]);
    only_in("object_store", "crates", &["crates/core/src/vault/blobs", "crates/core/src/error.rs"]);
    only_in(
        "serde::",
        "crates",
        &[
            "crates/server/src/http/json.rs",
            "crates/server/src/rescale/wire.rs",
            "crates/server/src/filr/wire",
            "crates/bindery/src/config.rs",
            "crates/bindery/src/audit/line.rs",
        ],
    );
}

#[test]
fn the_sealed_format_is_pure() {
    for (name, text) in files("crates/core/src/vault/seal", "rs") {
        if name.contains("/tests") {
            continue;
        }
        for word in ["tokio", "std::fs", "std::net", "async "] {
            assert_eq!(code(&text).find(|line| line.contains(word)), None, "{name} uses {word}");
        }
    }
}

/// What is written without `once` or `administer`, which record what was done: preparations that nobody sees,
/// what the program keeps for itself, and pieces of work that was told with its first or its last unit.
const UNTOLD_WRITES: [(&str, usize); 15] = [
    ("crates/core/src/drive.rs", 2),
    ("crates/core/src/drive/account.rs", 1),
    ("crates/core/src/drive/audit.rs", 2),
    ("crates/core/src/drive/audit/pending.rs", 2),
    ("crates/core/src/drive/backup.rs", 4),
    ("crates/core/src/drive/folders.rs", 4),
    ("crates/core/src/drive/inspect.rs", 1),
    ("crates/core/src/drive/migrate.rs", 6),
    ("crates/core/src/drive/names.rs", 1),
    ("crates/core/src/drive/once.rs", 1),
    ("crates/core/src/drive/restore.rs", 1),
    ("crates/core/src/drive/rotate.rs", 1),
    ("crates/core/src/drive/trash.rs", 2),
    ("crates/core/src/drive/upload.rs", 5),
    // One of them removes what was long in the trash, and tells of it.
    ("crates/core/src/sweep.rs", 7),
];

#[test]
fn whatever_is_written_is_told_in_the_audit_log() {
    let mut found = Vec::new();
    for (name, text) in files("crates/core/src", "rs") {
        let text: String = code(&text).flat_map(|line| line.split_whitespace()).collect();
        let writes = ["catalog().write(", "catalog.write("].map(|call| text.matches(call).count());
        let writes = writes.iter().sum();
        if writes > 0 && !name.contains("/tests") && !name.starts_with("crates/core/src/catalog") {
            found.push((name, writes));
        }
    }
    found.sort();
    let known: Vec<_> =
        UNTOLD_WRITES.iter().map(|(name, writes)| ((*name).to_owned(), *writes)).collect();
    assert_eq!(found, known, "write by `once` or `administer`, or say here why not");
}

#[test]
fn a_front_end_never_imports_another() {
    only_in("rescale", "crates/server/src/filr", &[]);
    only_in("filr", "crates/server/src/rescale", &[]);
}

#[test]
fn every_meaning_of_the_domain_is_answered_by_name() {
    for dialect in ["rescale", "filr"] {
        let file = root().join(format!("crates/server/src/{dialect}/error.rs"));
        let errors = fs::read_to_string(file).unwrap();
        let domain = errors.split("fn domain(").nth(1).unwrap().split("\n}\n").next().unwrap();
        assert!(!code(domain).any(|line| line.starts_with("_ =>")), "{dialect}");
    }
}

/// What stands in backticks in a dialect's rows: handlers, `files::show`, and modules of tests, `files`.
fn named(dialect: &str) -> Vec<String> {
    let page = root().join(format!("docs/protocols/{dialect}.md"));
    let page = fs::read_to_string(page).unwrap();
    let begin = format!("{dialect}::");
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let names = rows.flat_map(|row| row.split('`')).filter_map(|cell| cell.strip_prefix(&*begin));
    names.map(str::to_owned).collect()
}

#[test]
fn what_the_protocol_pages_name_exists() {
    for dialect in ["rescale", "filr"] {
        for name in named(dialect) {
            let (folder, module, item) = match name.split_once("::") {
                None => ("crates/server/tests/it", &*name, "#[tokio::test".into()),
                Some((module, item)) => ("crates/server/src", module, format!("async fn {item}(")),
            };
            let file = root().join(folder).join(format!("{dialect}/{module}.rs"));
            let text = fs::read_to_string(&file).unwrap_or_default();
            assert!(text.contains(&item), "{name}: no `{item}` in {}", file.display());
        }
    }
}

#[test]
fn every_handler_stands_in_its_protocol_page() {
    for (dialect, fewest) in [("rescale", 9), ("filr", 50)] {
        let named = named(dialect);
        let routes = root().join(format!("crates/server/src/{dialect}.rs"));
        let routes = fs::read_to_string(routes).unwrap();
        let handlers: Vec<&str> = code(&routes)
            .flat_map(|line| line.split(['(', ')']))
            .filter(|word| {
                let parts: Vec<&str> = word.split("::").collect();
                parts.len() == 2 && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_' | b':'))
            })
            .collect();
        assert!(handlers.len() >= fewest, "{handlers:?}");
        for handler in handlers {
            assert!(named.iter().any(|name| name == handler), "no row names {dialect}::{handler}");
        }
    }
}

#[test]
fn what_the_pages_link_to_exists() {
    for (page, text) in files(".", "md") {
        for link in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            if link.is_empty() || link.contains("://") || link.contains('(') {
                continue;
            }
            let target = root().join(&page).parent().unwrap().join(link);
            assert!(target.exists(), "{page} links to {link}");
        }
    }
    let map = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for path in map.split('`').filter(|word| word.ends_with(".rs") || word.ends_with('/')) {
        let bases = ["", "crates", "crates/core/src", "crates/server/src", "crates/server"];
        let exists = bases.iter().any(|base| root().join(base).join(path).exists());
        assert!(exists || path.starts_with("/api"), "docs/architecture.md names {path}");
    }
}

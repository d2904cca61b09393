//! All routes, read from the tables in the source, so that none can be left out.

use http::Method;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// What a route's path is called in a row: `{folder}/title` for every way to name a folder by its id,
/// `{root}/title` for those under `/self`, `/api` for all three prefixes.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) row: String,
    pub(super) path: String,
    pub(super) methods: Vec<Method>,
}

const MODULES: [&str; 3] = ["rescale", "filr", "health"];

fn source(module: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/{module}.rs"));
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The texts of an array: `const FOLDERS: [&str; 3] = ["…", "…", "…"];`.
fn texts(source: &str, array: &str) -> Vec<String> {
    let array = source.split(&format!("const {array}:")).nth(1).unwrap();
    let list = array.split_once('=').unwrap().1.split(';').next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The methods of `get(…).post(…)`, in order.
fn methods(chain: &str) -> Vec<Method> {
    let word = |before: &str| {
        let at = before.rfind(|c: char| !c.is_ascii_lowercase() && c != '_').map_or(0, |at| at + 1);
        before[at..].to_owned()
    };
    let words = chain.match_indices('(').map(|(at, _)| word(&chain[..at]));
    let method = |word: String| match &*word {
        "get" | "post" | "put" | "patch" | "delete" => Some(word.to_uppercase().parse().unwrap()),
        _ => None,
    };
    words.filter_map(method).collect()
}

/// Each `add("…", …)` or `route("…", …)`: whether of a folder, the path, the methods.
fn table(source: &str) -> Vec<(bool, String, Vec<Method>)> {
    let mut named: HashMap<&str, Vec<Method>> = HashMap::new();
    let mut found = Vec::new();
    for statement in source.split(';') {
        if let Some((name, chain)) = statement.trim().strip_prefix("let ").and_then(|rest| {
            rest.split_once(" = ").filter(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase()))
        }) {
            named.insert(name, methods(chain));
        }
        for call in ["add(\"", "route(\""] {
            let mut rest = statement;
            while let Some((before, behind)) = rest.split_once(call) {
                let (path, chain) = behind.split_once("\",").unwrap();
                let chain = chain.split("route(\"").next().unwrap();
                let by_name = named.get(chain.trim().trim_end_matches(')'));
                let methods = by_name.cloned().unwrap_or_else(|| methods(chain));
                found.push((call == "add(\"" && !before.ends_with('.'), path.into(), methods));
                rest = behind;
            }
        }
    }
    found
}

pub(super) fn all() -> Vec<Route> {
    let mut routes = Vec::new();
    for module in MODULES {
        let source = source(module);
        let table = table(&source);
        // Whatever is written in another way is not overlooked: this fails until it is understood.
        let listed: usize = table.iter().map(|(_, _, methods)| methods.len()).sum();
        assert_eq!(listed, methods(&source).len(), "not every route of {module}.rs is read");
        assert!(table.iter().all(|(_, _, methods)| !methods.is_empty()), "{table:?}");
        for (of_folder, path, methods) in table {
            let mut add = |row: String, path: String| {
                routes.push(Route { row, path, methods: methods.clone() });
            };
            match module {
                "rescale" => {
                    for prefix in texts(&source, "PREFIXES") {
                        add(format!("/api{path}"), format!("{prefix}{path}"));
                    }
                }
                "filr" if of_folder => {
                    for folder in texts(&source, "FOLDERS") {
                        add(format!("{{folder}}{path}"), format!("/rest{folder}{path}"));
                    }
                    for root in texts(&source, "ROOTS") {
                        let row = if root == "my_files" { "{home}" } else { "{view}" };
                        add(format!("{row}{path}"), format!("/rest/self/{root}{path}"));
                    }
                }
                "filr" => add(format!("/rest{path}"), format!("/rest{path}")),
                _ => add(path.clone(), path),
            }
        }
    }
    routes
}

/// No other file of the server makes routes.
#[test]
fn routes_are_made_in_three_files() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if code.contains(".route(") && !path.ends_with("listener/tests.rs") {
                found.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
            }
            for other in [".nest(", ".nest_service(", ".route_service(", ".fallback_service("] {
                assert!(!code.contains(other), "{} uses {other}", path.display());
            }
        }
    }
    found.sort();
    let mut modules = MODULES.map(str::to_owned);
    modules.sort();
    assert_eq!(found, modules);
}

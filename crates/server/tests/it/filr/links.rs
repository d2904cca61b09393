//! Every link that any answer shows leads somewhere, and every item says what a client needs.

use super::{Filr, MY_FILES, entry, names, text};
use crate::world::bytes;
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Links that take a POST and show nothing.
const POSTED: [&str; 5] = ["name", "parent_folder", "title", "parent_binder", "password"];

/// Follows every link from the top; where each led from, and by which relation.
async fn walk(me: &Filr) -> BTreeMap<String, BTreeSet<String>> {
    let mut todo = vec![("start".to_owned(), "/".to_owned(), "nowhere".to_owned())];
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some((rel, href, from)) = todo.pop() {
        let known = seen.contains_key(&href);
        seen.entry(href.clone()).or_default().insert(rel.clone());
        if known {
            continue;
        }
        let mut path = match href.strip_prefix("http://files.example/") {
            Some(path) => format!("/{path}"),
            None if href.starts_with('/') => format!("/rest{href}"),
            None => panic!("{from} shows {rel}: {href}"),
        };
        let what = format!("{from} shows {rel}: {href}");
        if POSTED.contains(&rel.as_str()) {
            let empty = me.person.request(Method::POST, &path);
            let answer = me.send(empty.body("application/x-www-form-urlencoded", "")).await;
            assert_eq!(answer.status, 400, "{what}: {:?}", answer.body);
            continue;
        }
        if rel == "library_changes" {
            path += "?since=2026-01-02T03:04:05Z";
        }
        let answer = me.send(me.person.get(&path)).await;
        assert_eq!(answer.status, 200, "{what}: {:?}", answer.body);
        if answer.header("content-type") != "application/json" {
            continue;
        }
        let (bare, query) = path.split_once('?').unwrap_or((path.as_str(), ""));
        let slashed = me.send(me.person.get(&format!("{}/?{query}", bare.trim_end_matches('/'))));
        assert_eq!(slashed.await.status, 200, "{what}, with a slash behind");
        let body = answer.json();
        check(&body, &what);
        links(&body, &mut |rel, to| todo.push((rel.to_owned(), to.to_owned(), href.clone())));
        for item in body["items"].as_array().into_iter().flatten() {
            check_item(item, &what);
        }
    }
    seen
}

fn links<'a>(value: &'a Value, follow: &mut impl FnMut(&'a str, &'a str)) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| links(value, follow)),
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("href", Value::String(href)) => {
                        follow(members.get("rel").and_then(Value::as_str).unwrap_or(key), href);
                    }
                    ("permalink" | "next", Value::String(href)) => follow(key, href),
                    _ => links(value, follow),
                }
            }
        }
        _ => {}
    }
}

/// Nothing is null; ids are numbers, or 32 hex digits; dates have whole seconds.
fn check(value: &Value, what: &str) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| check(value, what)),
        Value::Object(members) => {
            for (key, value) in members {
                assert!(!value.is_null(), "{what}: {key} is null");
                let ok = match key.as_str() {
                    "id" => is_id(value),
                    "date" | "sharing_date" | "expiration" | "last_change_date" => is_date(value),
                    "links" | "items" => value.is_array(),
                    _ => true,
                };
                assert!(ok, "{what}: {key} is {value}");
                check(value, what);
            }
        }
        _ => {}
    }
}

fn is_id(value: &Value) -> bool {
    match value {
        Value::String(hex) => {
            hex.len() == 32 && hex.bytes().all(|b| b"0123456789abcdef".contains(&b))
        }
        number => number.as_i64().is_some_and(|id| id != 0 && id < 1 << 53),
    }
}

fn is_date(value: &Value) -> bool {
    let form = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    let text = value.as_str().unwrap_or_default();
    text.bytes().map(form).eq("0000-00-00T00:00:00Z".bytes())
}

fn check_item(item: &Value, what: &str) {
    let fields = match item["doc_type"].as_str() {
        Some("binder") => {
            "id title library path mirrored href links entity_type permalink home_dir"
        }
        Some("file") if item["href"].as_str().is_some_and(|href| href.starts_with("/files/")) => {
            "id creation modification length md5 name href links version_number owning_entity \
             parent_binder permalink permalinks"
        }
        _ => "",
    };
    for field in fields.split_whitespace() {
        assert!(!item[field].is_null(), "{what}: an item without {field}: {item}");
    }
}

/// Ann has a tree with files, old versions and every kind of share; Bob has what she shares.
async fn full() -> (Filr, Filr, String, Value) {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let folder = format!("/folders/{}", ann.folder(MY_FILES, "A \u{e9} #1 50%").await);
    let sub = format!("/folders/{}", ann.folder(&folder, "sub").await);
    ann.folder(&sub, "deeper").await;
    let file = ann.file(&folder, "r\u{e9}sum\u{e9} #1 50%+.txt", b"one").await;
    let path = format!("/files/{}", text(&file["id"]));
    ann.bytes(&format!("{path}?last_version=1"), b"two").await.expect(200);
    ann.file(&sub, "large.dat", &bytes(100_000)).await;
    ann.file(MY_FILES, "image.png", b"\x89PNG\r\n\x1a\n").await;
    for n in 0..3 {
        ann.folder(&sub, &format!("more {n}")).await;
    }
    ann.share(&folder, &bob, "CONTRIBUTOR").await;
    for recipient in [
        json!({"type": "external_user", "email": "someone@example.org"}),
        json!({"type": "public"}),
        json!({"type": "public_link"}),
    ] {
        let body = json!({"recipient": recipient, "access": {"role": "VIEWER"}});
        ann.json(&format!("{}/shares", entry(&file)), body).await.expect(200);
    }
    let own = format!("/folders/{}", bob.folder(MY_FILES, "of bob").await);
    bob.share(&own, &ann, "VIEWER").await;
    (ann, bob, folder, file)
}

#[tokio::test]
async fn every_link_that_is_shown_works() {
    let (ann, bob, folder, file) = full().await;
    let root = ann.with_admin("root").await;
    for me in [&ann, &bob, &root] {
        let seen = walk(me).await;
        for path in ["/self", "/self/my_files", "/self/my_files/library_children", "/folders"] {
            assert!(seen.contains_key(path), "{path} is not linked");
        }
        if me.person.login == "root" {
            continue;
        }
        let rels: BTreeSet<&str> = seen.values().flatten().map(String::as_str).collect();
        for rel in "content ancestry name parent_folder shares access versions \
            current_version child_library_folders child_library_files \
            library_children child_library_entities child_library_tree \
            library_changes library_info title parent_binder recent_activity roots \
            my_files net_folders shared_with_me shared_by_me public_shares \
            permalink"
            .split_whitespace()
        {
            assert!(rels.contains(rel), "{} sees no {rel}", me.person.login);
        }
        let versions = format!("/files/{}/versions", text(&file["id"]));
        assert!(seen.contains_key(&folder) && seen.contains_key(&versions));
        assert!(seen.keys().any(|href| href.starts_with("/shares/")));
    }
}

#[tokio::test]
async fn the_top_shows_the_way_and_administration_to_administrators_alone() {
    let ann = Filr::new().await;
    let root = ann.with_admin("root").await;
    let rels = |top: Value| -> BTreeSet<String> {
        top["links"].as_array().unwrap().iter().map(|link| text(&link["rel"])).collect()
    };
    let mine = rels(ann.get("/").await.expect(200));
    for rel in "self folders files folder_entries shares principals users groups \
            net_folders release_info zone_config"
        .split_whitespace()
    {
        assert!(mine.contains(rel), "no {rel}");
    }
    let more = rels(root.get("/").await.expect(200));
    assert_eq!(more.difference(&mine).collect::<Vec<_>>(), ["admin"]);
}

#[tokio::test]
async fn a_file_and_a_folder_link_to_what_belongs_to_them() {
    let (ann, _, folder, file) = full().await;
    let links = |value: &Value| -> BTreeMap<String, String> {
        let links = value["links"].as_array().unwrap();
        links.iter().map(|link| (text(&link["rel"]), text(&link["href"]))).collect()
    };
    let of_file = links(&file);
    let (id, entry) = (format!("/files/{}", text(&file["id"])), entry(&file));
    for (rel, href) in [
        ("content", id.clone()),
        ("name", format!("{id}/name")),
        ("parent_folder", format!("{id}/parent_folder")),
        ("versions", format!("{id}/versions")),
        ("current_version", format!("{id}/versions/current")),
        ("shares", format!("{entry}/shares")),
        ("access", format!("{entry}/access")),
    ] {
        assert_eq!(of_file[rel], href);
    }
    for path in [folder.as_str(), MY_FILES] {
        let of_folder = links(&ann.get(path).await.expect(200));
        for (rel, tail) in [
            ("child_library_folders", "library_folders"),
            ("child_library_files", "library_files"),
            ("library_children", "library_children"),
            ("child_library_entities", "library_entities"),
            ("child_library_tree", "library_tree"),
            ("library_changes", "library_changes"),
            ("library_info", "library_info"),
            ("recent_activity", "recent_activity"),
        ] {
            assert_eq!(of_folder[rel], format!("{path}/{tail}"));
        }
        assert_eq!(of_folder.contains_key("title"), path != MY_FILES);
        assert_eq!(of_folder.contains_key("parent_binder"), path != MY_FILES);
    }
}

#[tokio::test]
async fn a_client_downloads_from_the_last_permalink() {
    let (ann, ..) = full().await;
    for file in ann.items("/self/my_files/library_files?recursive=true").await {
        let last = file["permalinks"].as_array().unwrap().last().unwrap();
        let url = last["href"].as_str().unwrap();
        let path = url.strip_prefix("http://files.example").unwrap();
        let name = path.rsplit('/').next().unwrap();
        assert_eq!(percent_decode_str(name).decode_utf8().unwrap(), text(&file["name"]));
        let answer = ann.send(ann.person.get(path)).await;
        assert_eq!(answer.status, 200, "{url}");
        assert_eq!(answer.body, ann.content(&file).await);
    }
}

#[tokio::test]
async fn lists_show_who_there_is_and_what_this_is() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let me = ann.get("/self").await.expect(200);
    assert_eq!((&me["id"], &me["name"]), (&json!(ann.person.id), &json!("ann")));
    assert_eq!((&me["entity_type"], &me["disk_space_used"]), (&json!("user"), &json!(0)));
    assert_eq!(me["email"], "ann@example.com");
    assert!(me["disk_quota"].is_null());
    let roots = names(&ann.items("/self/roots").await);
    assert!(roots.len() >= 3 && !roots.contains(&"null".to_owned()), "{roots:?}");
    let ids: BTreeSet<i64> =
        ann.items("/self/roots").await.iter().map(|root| root["id"].as_i64().unwrap()).collect();
    assert!(ids.is_superset(&BTreeSet::from([-100, -101, -102])), "{ids:?}");
    for (path, id) in [
        (MY_FILES, -100),
        ("/self/shared_with_me", -101),
        ("/self/shared_by_me", -102),
        ("/self/net_folders", -103),
        ("/self/public_shares", -104),
        ("/self/public", -104),
    ] {
        assert_eq!(ann.get(path).await.expect(200)["id"], id, "{path}");
    }
    for (keyword, count) in [("bo", 1), ("BOB", 1), ("bob%40example", 1), ("zzz", 0)] {
        let found = ann.items(&format!("/principals?keyword={keyword}")).await;
        assert_eq!(found.len(), count, "{keyword}");
        assert!(found.iter().all(|user| user["id"] == bob.person.id));
    }
    let user = ann.get(&format!("/users/{}", bob.person.id)).await.expect(200);
    assert_eq!((&user["name"], &user["entity_type"]), (&json!("bob"), &json!("user")));
    assert!(ann.items("/groups").await.is_empty());
    assert!(ann.items("/net_folders").await.is_empty());
    let release = ann.get("/release_info").await.expect(200);
    assert!(release["rest_api_revision"].is_number(), "{release}");
    assert!(ann.get("/zone_config").await.expect(200).is_object());
}

#[tokio::test]
async fn binders_and_workspaces_are_folders() {
    let (ann, _, folder, file) = full().await;
    let id = folder.rsplit('/').next().unwrap();
    let want = ann.get(&folder).await.expect(200);
    for kind in ["binders", "workspaces"] {
        assert_eq!(ann.get(&format!("/{kind}/{id}")).await.expect(200), want);
        for list in ["library_children", "library_files", "library_folders"] {
            let here = ann.items(&format!("/{kind}/{id}/{list}")).await;
            assert!(!here.is_empty());
            assert_eq!(here, ann.items(&format!("{folder}/{list}")).await);
        }
    }
    let me = ann.get("/self").await.expect(200);
    let workspace = ann.get(me["workspace"]["href"].as_str().unwrap()).await.expect(200);
    assert_eq!(workspace["id"], me["workspace"]["id"]);
    let by_id = ann.get(&format!("/files?id={}", text(&file["id"]))).await.expect(200);
    let file = ann.get(&format!("/files/{}/metadata", text(&file["id"]))).await.expect(200);
    assert_eq!(by_id["items"], json!([file]));
    let folders = ann.items("/folders").await;
    assert_eq!(folders.iter().filter(|folder| folder["id"] == want["id"]).count(), 1);
    let these = ann.items(&format!("/folders?id={id}")).await;
    assert_eq!(these.iter().map(|folder| &folder["id"]).collect::<Vec<_>>(), [&want["id"]]);
    let entry = ann.get(&super::entry(&file)).await.expect(200);
    assert_eq!(entry["id"], file["owning_entity"]["id"]);
    assert_eq!(entry["attachments"][0]["id"], file["id"]);
    assert_eq!(entry["primary_file"]["id"], file["id"]);
}

//! Folders: made, renamed, moved, copied, deleted, and what changed in them.

mod lists;

use super::{Filr, MY_FILES, entry, in_order, names, text};
use crate::world::bytes;
use bindery_core::{FolderRef, Kinds, Window};
use http::Method;
use serde_json::{Value, json};

fn id(folder: &str) -> i64 {
    folder.rsplit('/').next().unwrap().parse().unwrap()
}

async fn made(ann: &Filr, parent: &str, title: &str) -> String {
    format!("/folders/{}", ann.folder(parent, title).await)
}

/// What the catalog keeps about an account must be what its tree holds.
async fn check_sums(ann: &Filr) {
    let caller = ann.caller();
    let account = ann.world.drive.account(&caller).await.unwrap();
    let all = ann.items("/self/my_files/library_files?recursive=true").await;
    let bytes: u64 = all.iter().map(|file| file["length"].as_u64().unwrap()).sum();
    assert_eq!((account.files, account.bytes), (all.len() as u64, bytes));
    for folder in ann.world.drive.tree(&caller, FolderRef::Home).await.unwrap() {
        let window = Window { first: 0, count: None, behind: None };
        let at = if folder.parent.is_some() { folder.id.into() } else { FolderRef::Home };
        let listed = ann.world.drive.children(&caller, at, Kinds::Both, window).await.unwrap().1;
        assert_eq!(listed.entries.len() as u64, folder.files + folder.folders, "{}", folder.title);
        assert_eq!(listed.total, folder.files + folder.folders, "{}", folder.title);
    }
}

#[tokio::test]
async fn a_folder_from_its_making_to_its_end() {
    let ann = Filr::new().await;
    let answer = ann.json("/self/my_files/library_folders", json!({"title": "A"})).await;
    let folder = answer.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let path = format!("/folders/{}", folder["id"]);
    // One that is not nested can be found by the place of its first mention alone.
    let order = "id title creation modification library path mirrored links entity_type home_dir";
    let shown = ann.get(&path).await;
    for answer in [&answer, &shown] {
        in_order(answer, order);
        let folder = answer.expect(200);
        assert_eq!((&folder["title"], &folder["href"]), (&json!("A"), &json!(path)));
        assert_eq!(
            (&folder["doc_type"], &folder["entity_type"]),
            (&json!("binder"), &json!("folder"))
        );
        assert_eq!((&folder["library"], &folder["mirrored"]), (&json!(true), &json!(false)));
        assert_eq!(folder["parent_binder"], json!({"id": -100, "href": MY_FILES}));
        let stamp =
            json!({"principal": {"id": 1, "href": "/users/1"}, "date": "2026-01-02T03:04:05Z"});
        assert_eq!((&folder["creation"], &folder["modification"]), (&stamp, &stamp));
    }
    assert_eq!(shown.json()["attachments"], json!([]));
    let sub = made(&ann, &path, "sub").await;
    let inner = ann.get(&sub).await.expect(200);
    assert_eq!(
        inner["parent_binder"],
        json!({"id": id(&path), "href": format!("/binders/{}", id(&path))})
    );

    let renamed =
        ann.form(&format!("{sub}/title"), &[("title", "renamed \u{e9}")]).await.expect(200);
    assert_eq!((&renamed["id"], &renamed["title"]), (&json!(id(&sub)), &json!("renamed \u{e9}")));
    assert!(renamed["path"].as_str().unwrap().ends_with("/A/renamed \u{e9}"), "{renamed}");

    let moved =
        ann.form(&format!("{sub}/parent_binder"), &[("binder_id", "-100")]).await.expect(200);
    assert_eq!((&moved["id"], &moved["parent_binder"]["id"]), (&json!(id(&sub)), &json!(-100)));
    assert_eq!(ann.names("/self/my_files/library_folders").await, ["A", "renamed \u{e9}"]);
    assert!(ann.names(&format!("{path}/library_folders")).await.is_empty());

    assert_eq!(ann.delete(&format!("{sub}?only_if_empty=true")).await.status, 204);
    ann.get(&sub).await.refused(404, "FOLDER_NOT_FOUND");
    ann.delete(&sub).await.refused(404, "FOLDER_NOT_FOUND");
    assert_eq!(ann.names("/self/my_files/library_folders").await, ["A"]);
    made(&ann, MY_FILES, "renamed \u{e9}").await;
    check_sums(&ann).await;
}

/// `A` with `one.txt`, `large.dat`, and `sub/two.txt`.
async fn tree(ann: &Filr) -> (String, String, [Value; 3]) {
    let a = made(ann, MY_FILES, "A").await;
    let sub = made(ann, &a, "sub").await;
    let files = [
        ann.file(&a, "one.txt", b"one").await,
        ann.file(&a, "large.dat", &bytes(100_000)).await,
        ann.file(&sub, "two.txt", b"two").await,
    ];
    (a, sub, files)
}

#[tokio::test]
async fn a_copy_is_a_tree_of_its_own() {
    let ann = Filr::new().await;
    let (a, sub, files) = tree(&ann).await;
    let objects = ann.world.objects();
    let fields = [("title", "copy"), ("source_id", &*id(&a).to_string())];
    let copy = ann.form("/self/my_files/library_folders", &fields).await.expect(200);
    assert_eq!(ann.world.objects(), objects, "no bytes are moved");
    let copy = format!("/folders/{}", copy["id"]);
    assert_eq!(
        ann.names(&format!("{copy}/library_children")).await,
        ["sub", "large.dat", "one.txt"]
    );
    let copied = ann.items(&format!("{copy}/library_files?recursive=true")).await;
    assert_eq!(copied.len(), 3);
    for file in &copied {
        assert!(files.iter().all(|source| source["id"] != file["id"]));
        let source = files.iter().find(|source| source["name"] == file["name"]).unwrap();
        assert_eq!((&file["md5"], &file["version_number"]), (&source["md5"], &json!(1)));
        assert_eq!(ann.content(file).await, ann.content(source).await);
    }
    check_sums(&ann).await;
    // Into itself it is copied once, or not at all.
    let into = ann.form(&format!("{sub}/library_folders"), &fields).await;
    if into.status == 200 {
        let nested = format!("/folders/{}/library_files?recursive=true", into.json()["id"]);
        assert_eq!(ann.items(&nested).await.len(), 3);
    } else {
        into.refused(400, "INVALID_FOLDER_HIERARCHY");
    }
    assert_eq!(ann.delete(&format!("{a}?purge=true")).await.status, 204);
    for file in &copied {
        ann.content(file).await;
    }
    check_sums(&ann).await;
}

#[tokio::test]
async fn a_tree_goes_to_the_trash_and_comes_back_as_one() {
    let ann = Filr::new().await;
    let (a, sub, files) = tree(&ann).await;
    let before = ann.items("/self/my_files/library_files?recursive=true").await;
    let lone = ann.file(&sub, "gone before.txt", b"gone before").await;
    assert_eq!(ann.delete(&format!("/files/{}", text(&lone["id"]))).await.status, 204);
    ann.delete(&format!("{a}?only_if_empty=true")).await.refused(409, "BINDER_NOT_EMPTY");
    assert_eq!(ann.delete(&a).await.status, 204);
    for (path, code) in [
        (a.clone(), "FOLDER_NOT_FOUND"),
        (sub.clone(), "FOLDER_NOT_FOUND"),
        (format!("{sub}/library_children"), "FOLDER_NOT_FOUND"),
        (format!("/binders/{}", id(&sub)), "BINDER_NOT_FOUND"),
        (format!("/files/{}", text(&files[2]["id"])), "FILE_NOT_FOUND"),
        (entry(&files[2]), "ENTRY_NOT_FOUND"),
    ] {
        ann.get(&path).await.refused(404, code);
    }
    assert!(ann.names("/self/my_files/library_files?recursive=true").await.is_empty());
    assert_eq!(ann.get("/self").await.expect(200)["disk_space_used"], 0);
    check_sums(&ann).await;
    // What took its name meanwhile keeps it.
    let taken = made(&ann, MY_FILES, "a").await;
    ann.world.drive.restore_node(id(&a)).await.unwrap();
    assert_eq!(ann.names("/self/my_files/library_folders").await, ["a", "A (2)"]);
    assert_eq!(ann.delete(&taken).await.status, 204);
    let back = ann.form(&format!("{a}/title"), &[("title", "A")]).await.expect(200);
    assert_eq!((&back["id"], &back["title"]), (&json!(id(&a)), &json!("A")));
    let after = ann.items("/self/my_files/library_files?recursive=true").await;
    let shown = |files: &[Value]| -> Vec<(String, String)> {
        files.iter().map(|file| (text(&file["id"]), text(&file["name"]))).collect()
    };
    assert_eq!(shown(&after), shown(&before), "and what was in the trash before stays there");
    for file in &files {
        ann.content(file).await;
    }
    check_sums(&ann).await;
    ann.world.drive.restore_node(lone["owning_entity"]["id"].as_i64().unwrap()).await.unwrap();
    assert_eq!(ann.content(&lone).await, b"gone before");
    check_sums(&ann).await;
}

#[tokio::test]
async fn what_is_purged_does_not_come_back() {
    let ann = Filr::new().await;
    let (a, _, files) = tree(&ann).await;
    let file = ann.file(MY_FILES, "b.txt", b"b").await;
    let by_entry = ann.file(MY_FILES, "c.txt", b"c").await;
    let paths = [
        format!("/files/{}?purge=true&version=1", text(&file["id"])),
        format!("{}?purge=true&version=1", entry(&by_entry)),
        format!("{a}?purge=true"),
    ];
    for path in &paths {
        assert_eq!(ann.delete(path).await.status, 204, "{path}");
    }
    assert!(ann.names("/self/my_files/library_children").await.is_empty());
    check_sums(&ann).await;
    for id in [id(&a), file["owning_entity"]["id"].as_i64().unwrap()] {
        ann.world.drive.restore_node(id).await.unwrap_err();
    }
    ann.get(&format!("/files/{}", text(&files[1]["id"]))).await.refused(404, "FILE_NOT_FOUND");
    // To the trash by default, and by its entry too.
    let file = ann.file(MY_FILES, "d.txt", b"d").await;
    assert_eq!(ann.delete(&entry(&file)).await.status, 204);
    ann.get(&entry(&file)).await.refused(404, "ENTRY_NOT_FOUND");
    ann.world.drive.restore_node(file["owning_entity"]["id"].as_i64().unwrap()).await.unwrap();
    assert_eq!(ann.content(&file).await, b"d");
}

#[tokio::test]
async fn two_hundred_folders_deep() {
    let ann = Filr::new().await;
    let mut path = MY_FILES.to_owned();
    let mut folders = Vec::new();
    for n in 0..200 {
        path = made(&ann, &path, &format!("{n}")).await;
        folders.push(path.clone());
    }
    let file = ann.file(&path, "deep.txt", b"deep").await;
    let tree = ann.get("/self/my_files/library_tree").await;
    assert_eq!(tree.status, 200);
    let text = std::str::from_utf8(&tree.body).unwrap();
    for folder in &folders {
        assert_eq!(text.matches(&format!("\"id\":{},\"title\"", id(folder))).count(), 1);
    }
    let above = ann.get(&format!("{path}/ancestry")).await.expect(200);
    let above: Vec<i64> =
        above.as_array().unwrap().iter().map(|folder| folder["id"].as_i64().unwrap()).collect();
    let ids: Vec<i64> = folders.iter().map(|folder| id(folder)).collect();
    assert!(above.ends_with(&ids) || above.ends_with(&ids[..199]), "{above:?}");
    let found = ann.items("/self/my_files/library_files?recursive=true").await;
    assert_eq!(names(&found), ["deep.txt"]);
    let found = ann.items("/self/my_files/library_entities?keyword=deep&recursive=true").await;
    assert_eq!(names(&found), ["deep.txt"]);
    // What lies so deep cannot hold what would make it deeper than can be walked.
    assert_eq!(ann.delete(&folders[0]).await.status, 204);
    ann.get(&path).await.refused(404, "FOLDER_NOT_FOUND");
    ann.get(&format!("/files/{}", super::text(&file["id"]))).await.refused(404, "FILE_NOT_FOUND");
    ann.world.drive.restore_node(ids[0]).await.unwrap();
    assert_eq!(ann.content(&file).await, b"deep");
    check_sums(&ann).await;
}

#[tokio::test]
async fn depth_has_an_end() {
    let ann = Filr::new().await;
    let mut path = MY_FILES.to_owned();
    for _ in 0..2000 {
        let answer = ann.json(&format!("{path}/library_folders"), json!({"title": "d"})).await;
        if answer.status != 200 {
            answer.refused(400, "INVALID_FOLDER_HIERARCHY");
            ann.get("/self/my_files/library_tree").await;
            return;
        }
        path = format!("/folders/{}", answer.json()["id"]);
    }
    panic!("2,000 folders deep, and no end");
}

#[tokio::test]
async fn changes_tell_what_happened_in_a_tree() {
    let ann = Filr::new().await;
    let (a, sub, files) = tree(&ann).await;
    let told = async |since: &str| -> Vec<(String, String, String)> {
        let path = format!("/self/my_files/library_changes?since={since}");
        let changes = ann.get(&path).await.expect(200);
        assert!(changes["last_change_date"].is_string(), "{changes}");
        let told = |item: &Value| (text(&item["type"]), text(&item["action"]), text(&item["id"]));
        changes["items"].as_array().unwrap().iter().map(told).collect()
    };
    ann.world.drive.clock().advance_seconds(60);
    let since = "2026-01-02T03:05:05Z";
    assert!(told(since).await.is_empty());
    let file = |n: usize| format!("/files/{}", text(&files[n]["id"]));
    ann.file(&sub, "new.txt", b"new").await;
    ann.bytes(&format!("{}?last_version=1", file(2)), b"2").await.expect(200);
    assert_eq!(ann.delete(&file(0)).await.status, 204);
    made(&ann, &a, "new folder").await;
    let all = told(since).await;
    let kinds = |all: &[(String, String, String)]| -> Vec<String> {
        all.iter().map(|(_, action, _)| action.clone()).collect()
    };
    assert_eq!(kinds(&all), ["add", "modify", "delete", "add"], "{all:?}");
    let removed = all.iter().find(|change| change.1 == "delete").unwrap();
    let ids = [text(&files[0]["id"]), text(&files[0]["owning_entity"]["id"])];
    assert!(ids.contains(&removed.2), "{removed:?}");
    assert!(all[0].0 != all[3].0, "a file and a folder: {all:?}");
    ann.world.drive.clock().advance_seconds(60);
    assert!(told("2026-01-02T03:06:05Z").await.is_empty());
    // What someone else's folder does is not told.
    let bob = ann.with("bob").await;
    made(&bob, MY_FILES, "of bob").await;
    assert!(told("2026-01-02T03:06:05Z").await.is_empty());
}

#[tokio::test]
async fn who_asks_again_and_again_misses_no_change() {
    let ann = Filr::new().await;
    let (a, sub, files) = tree(&ann).await;
    let file = format!("/files/{}", text(&files[0]["id"]));
    let other = made(&ann, MY_FILES, "other").await;
    let to = id(&other).to_string();
    let rename = format!("{file}/name");
    let changes = [
        ann.bytes_request(&format!("{sub}/library_files?file_name=new"), b"x"),
        ann.bytes_request(&format!("{file}?force_overwrite=true"), b"x"),
        ann.form_request(&rename, &[("name", "one more.txt")]),
        ann.form_request(&format!("{sub}/title"), &[("title", "renamed")]),
        ann.form_request(&format!("{file}/parent_folder"), &[("folder_id", &to)]),
        ann.form_request(&format!("{file}/parent_folder"), &[("folder_id", &id(&a).to_string())]),
        ann.request(Method::DELETE, &file).empty(),
        ann.request(Method::DELETE, &sub).empty(),
    ];
    let told = async |since: &str| -> (Vec<String>, String) {
        let path = format!("{a}/library_changes?since={since}");
        let changes = ann.get(&path).await.expect(200);
        let told = |item: &Value| format!("{} {} {}", item["type"], item["action"], item["id"]);
        let items = changes["items"].as_array().unwrap().iter().map(told).collect();
        (items, text(&changes["last_change_date"]))
    };
    let (_, mut since) = told("2026-01-02T03:04:05Z").await;
    // All of it happens within one second, which no date tells apart.
    for change in changes {
        let what = format!("{} {}", change.method(), change.uri());
        let (known, _) = told(&since).await;
        let done = ann.send(change).await;
        assert!(done.status.is_success(), "{what}: {:?}", done.body);
        let (now, last) = told(&since).await;
        let new = now.last().unwrap();
        let count = |items: &[String]| items.iter().filter(|item| *item == new).count();
        assert!(count(&now) > count(&known), "{what}: {now:?}");
        since = last;
    }
}

//! Folders: made, renamed, moved, copied, deleted, listed and searched.

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
async fn children_come_in_pages_folders_first() {
    let ann = Filr::new().await;
    let a = made(&ann, MY_FILES, "A").await;
    let mut want = Vec::new();
    for n in 0..50 {
        let title = if n % 2 == 0 { format!("F{n:03}") } else { format!("f{n:03}") };
        ann.folder(&a, &title).await;
        want.push(title);
    }
    for n in 0..200 {
        let name = if n % 3 == 0 { format!("B{n:03}.txt") } else { format!("b{n:03}.txt") };
        ann.file(&a, &name, b"x").await;
        want.push(name);
    }
    for (list, range) in
        [("library_children", 0..250), ("library_folders", 0..50), ("library_files", 50..250)]
    {
        let want = &want[range];
        for count in [1, 7, 49, 50, 51, 100, 249, 250, 500] {
            if count == 1 && list != "library_folders" {
                continue;
            }
            let mut found = Vec::new();
            let mut path = format!("{a}/{list}?count={count}&unknown=kept");
            loop {
                let page = ann.get(&path).await;
                let text = std::str::from_utf8(&page.body).unwrap();
                assert!(
                    text.starts_with(&format!("{{\"first\":{},\"count\":", found.len())),
                    "{text}"
                );
                let page = page.expect(200);
                let items = page["items"].as_array().unwrap();
                let shown = count.min(want.len() - found.len());
                assert_eq!((items.len(), &page["count"]), (shown, &json!(shown)), "{path}");
                assert_eq!(page["total"], want.len());
                found.extend(names(items));
                let Some(next) = page["next"].as_str() else { break };
                assert!(next.starts_with(&format!("{a}/{list}?")), "{next}");
                assert!(next.contains("unknown=kept") && next.contains(&format!("count={count}")));
                next.clone_into(&mut path);
            }
            assert_eq!(found, want, "{list} by {count}");
        }
        // Counted from either end: what is shown, and that it goes on from there.
        for first in [1, 24, 25, 26, 45, 49, 50, 51, 99, 124, 125, 126, 150, 199, 200, 243, 249] {
            for count in [0, 1, 7, 50, 100] {
                let path = format!("{a}/{list}?first={first}&count={count}");
                let jump = ann.get(&path).await.expect(200);
                assert_eq!((&jump["first"], &jump["total"]), (&json!(first), &json!(want.len())));
                let (begin, end) = (first.min(want.len()), (first + count).min(want.len()));
                assert_eq!(names(jump["items"].as_array().unwrap()), want[begin..end], "{path}");
                let next = jump["next"].as_str();
                assert_eq!(next.is_some(), count > 0 && end < want.len(), "{path}");
                if let Some(next) = next {
                    let page = ann.get(next).await.expect(200);
                    let shown = &want[end..(end + count).min(want.len())];
                    assert_eq!(names(page["items"].as_array().unwrap()), shown, "{next}");
                }
            }
        }
        let behind = ann.get(&format!("{a}/{list}?first=1000")).await.expect(200);
        assert_eq!((&behind["items"], &behind["total"]), (&json!([]), &json!(want.len())));
        assert!(behind["next"].is_null());
        let default = ann.get(&format!("{a}/{list}")).await.expect(200);
        assert_eq!(names(default["items"].as_array().unwrap()), want[..want.len().min(100)]);
        let all = ann.get(&format!("{a}/{list}?count=-1")).await.expect(200);
        assert_eq!((&all["count"], &all["next"]), (&json!(want.len()), &Value::Null));
        assert_eq!(names(all["items"].as_array().unwrap()), want);
    }
    let empty = made(&ann, MY_FILES, "empty").await;
    let list = ann.get(&format!("{empty}/library_children")).await;
    assert_eq!(&list.body[..], br#"{"first":0,"count":0,"total":0,"items":[]}"#);
    check_sums(&ann).await;
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended() {
    let ann = Filr::new().await;
    let mut files = Vec::new();
    for name in ["b", "d", "f", "h", "j"] {
        files.push(ann.file(MY_FILES, name, b"x").await);
    }
    let first = ann.get("/self/my_files/library_files?count=2").await.expect(200);
    assert_eq!(names(first["items"].as_array().unwrap()), ["b", "d"]);
    // Whatever comes and goes before it, nothing is shown twice and nothing is left out.
    assert_eq!(ann.delete(&format!("/files/{}", text(&files[0]["id"]))).await.status, 204);
    assert_eq!(ann.delete(&format!("/files/{}", text(&files[1]["id"]))).await.status, 204);
    let second = ann.get(first["next"].as_str().unwrap()).await.expect(200);
    assert_eq!(names(second["items"].as_array().unwrap()), ["f", "h"]);
    for name in ["a", "c", "e"] {
        ann.file(MY_FILES, name, b"x").await;
    }
    let third = ann.get(second["next"].as_str().unwrap()).await.expect(200);
    assert_eq!(names(third["items"].as_array().unwrap()), ["j"]);
    assert!(third["next"].is_null());
}

#[tokio::test]
async fn odd_pages_are_pages_all_the_same() {
    let ann = Filr::new().await;
    for n in 0..5 {
        ann.file(MY_FILES, &format!("{n}.txt"), b"x").await;
    }
    let list = |query: &str| {
        let path = format!("{MY_FILES}/library_children?{query}");
        let ann = ann.clone();
        async move { ann.get(&path).await.expect(200) }
    };
    let most = i64::MAX.to_string();
    for (first, count) in [
        ("-1", "2"),
        ("x", "2"),
        ("0", "x"),
        ("0", "-5"),
        (&most, "2"),
        (&most, &most),
        ("0", &most),
        ("0", "99999999999999999999"),
        ("99999999999999999999", "1"),
        ("1.5", "1.5"),
        ("", ""),
    ] {
        let page = list(&format!("first={first}&count={count}")).await;
        assert_eq!(page["total"], 5, "first={first}&count={count}");
        assert_eq!(page["count"], page["items"].as_array().unwrap().len());
    }
    // Who follows what is shown comes to an end.
    let nothing = list("count=0").await;
    assert_eq!((&nothing["items"], &nothing["next"]), (&json!([]), &Value::Null));
    let foreign = list("count=2&after=nonsense&first=2").await;
    assert_eq!(foreign["total"], 5);
}

#[tokio::test]
async fn a_file_tells_where_its_folder_lies_if_it_is_asked() {
    let ann = Filr::new().await;
    let (a, sub, _) = tree(&ann).await;
    let paths = ann.items(&format!("{sub}/library_files?parent_binder_paths=true")).await;
    let path = text(&paths[0]["parent_binder"]["path"]);
    assert_eq!(ann.get(&sub).await.expect(200)["path"], path);
    assert!(path.ends_with("/A/sub"), "{path}");
    let without = ann.items(&format!("{sub}/library_files")).await;
    assert!(without[0]["parent_binder"]["path"].is_null());
    let above = ann.get(&a).await.expect(200);
    assert_eq!(path, format!("{}/sub", text(&above["path"])));
}

#[tokio::test]
async fn a_list_that_did_not_change_is_not_sent_again() {
    let ann = Filr::new().await;
    let (a, sub, files) = tree(&ann).await;
    let list = format!("{a}/library_children");
    let since =
        |date: &str| ann.request(Method::GET, &list).header("if-modified-since", date).empty();
    let file = format!("/files/{}", text(&files[0]["id"]));
    let other = made(&ann, MY_FILES, "other").await;
    let into = |to: &str| ann.form_request(&format!("{file}/parent_folder"), &[("folder_id", to)]);
    let changes = [
        ann.bytes_request(&format!("{a}/library_files?file_name=new"), b"x"),
        ann.bytes_request(&format!("{file}?force_overwrite=true"), b"x"),
        ann.form_request(&format!("{file}/name"), &[("name", "other.txt")]),
        ann.request(Method::POST, &format!("{a}/library_folders"))
            .json(&json!({"title": "new one"})),
        ann.form_request(&format!("{sub}/title"), &[("title", "other")]),
        into(&id(&other).to_string()),
        into(&id(&a).to_string()),
        ann.request(Method::DELETE, &file).empty(),
        ann.request(Method::DELETE, &sub).empty(),
    ];
    // The clock stands still: what happens within one second is told apart all the same.
    for change in changes {
        let what = format!("{} {}", change.method(), change.uri());
        let before = ann.get(&list).await;
        let date = before.header("last-modified");
        let unchanged = ann.send(since(date)).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0), "{what}");
        let done = ann.send(change).await;
        assert!(done.status.is_success(), "{what}: {:?}", done.body);
        let after = ann.send(since(date)).await;
        assert_eq!(after.status, 200, "{what}");
        let (old, new) = (date, after.header("last-modified"));
        assert!(http_date(new) > http_date(old), "{what}: {old} and {new}");
    }
    for list in ["library_files", "library_folders"] {
        let path = format!("{a}/{list}");
        let date = ann.get(&path).await.header("last-modified").to_owned();
        let again = ann.request(Method::GET, &path).header("if-modified-since", &date).empty();
        assert_eq!(ann.send(again).await.status, 304, "{list}");
    }
    let old = ann.send(since("Thu, 01 Jan 1970 00:00:00 GMT")).await;
    assert_eq!(old.status, 200);
    for odd in ["", "yesterday"] {
        assert_eq!(ann.send(since(odd)).await.status, 200);
    }
}

fn http_date(date: &str) -> std::time::SystemTime {
    httpdate::parse_http_date(date).unwrap_or_else(|_| panic!("{date}"))
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
async fn a_tree_shows_its_folders_and_searches_find_names() {
    let ann = Filr::new().await;
    let (a, sub, files) = tree(&ann).await;
    made(&ann, MY_FILES, "B").await;
    let shape = |tree: &Value| -> Vec<(String, Vec<String>)> {
        let item = |node: &Value| text(&node["item"]["title"]);
        let children = tree["children"].as_array().unwrap();
        children
            .iter()
            .map(|node| {
                (item(node), node["children"].as_array().unwrap().iter().map(item).collect())
            })
            .collect()
    };
    let whole = ann.get("/self/my_files/library_tree").await.expect(200);
    assert_eq!(shape(&whole), [("A".into(), vec!["sub".into()]), ("B".into(), vec![])]);
    let part = ann.get(&format!("{a}/library_tree")).await.expect(200);
    assert_eq!(shape(&part), [("sub".into(), vec![])]);

    for (query, want) in [
        ("keyword=o&recursive=true", vec!["one.txt", "two.txt"]),
        ("keyword=TWO&recursive=true", vec!["two.txt"]),
        ("keyword=*&recursive=true", vec!["A", "B", "sub", "large.dat", "one.txt", "two.txt"]),
        ("keyword=o*.txt&recursive=true", vec!["one.txt"]),
        ("keyword=tw?.txt&recursive=true", vec!["two.txt"]),
        ("keyword=%25&recursive=true", vec![]),
        ("keyword=two&recursive=false", vec![]),
        ("keyword=a&recursive=false", vec!["A"]),
    ] {
        let mut found = ann.names(&format!("/self/my_files/library_entities?{query}")).await;
        found.sort();
        let mut want: Vec<String> = want.into_iter().map(str::to_owned).collect();
        want.sort();
        assert_eq!(found, want, "{query}");
    }
    let list = ann.get(&format!("{a}/library_entities?keyword=o&recursive=true&count=1")).await;
    let list = list.expect(200);
    assert_eq!((&list["count"], &list["total"]), (&json!(1), &json!(2)));
    let next = ann.get(list["next"].as_str().unwrap()).await.expect(200);
    assert!(next["items"][0] != list["items"][0] && next["next"].is_null());

    ann.world.drive.clock().advance_seconds(60);
    ann.bytes(&format!("/files/{}?last_version=1", text(&files[2]["id"])), b"2").await.expect(200);
    let recent = ann.items("/self/my_files/recent_activity").await;
    assert_eq!((recent.len(), recent[0]["name"].as_str()), (3, Some("two.txt")));
    let ancestry = ann.get(&format!("{sub}/ancestry")).await.expect(200);
    let titles = names(ancestry.as_array().unwrap());
    assert!(titles.contains(&"A".into()), "{titles:?}");
    for path in [&a, &sub, &MY_FILES.to_owned()] {
        for more in ["library_info", "access"] {
            assert!(ann.get(&format!("{path}/{more}")).await.expect(200).is_object());
        }
    }
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

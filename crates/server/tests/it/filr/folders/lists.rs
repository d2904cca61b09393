//! Lists of a folder in parts, and what is found below it.

use super::{check_sums, id, made, tree};
use crate::filr::{Filr, MY_FILES, names, text};
use http::Method;
use serde_json::{Value, json};

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

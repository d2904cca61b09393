//! The history of a file: read, made current again, and deleted.

use super::{Filr, MY_FILES, text};
use serde_json::{Value, json};

/// A file of four versions, and its path.
async fn four() -> (Filr, Value, String) {
    let ann = Filr::new().await;
    let file = ann.file(MY_FILES, "a.txt", b"version 1").await;
    let path = format!("/files/{}", text(&file["id"]));
    for n in 1..4 {
        ann.world.drive.clock().advance_seconds(60);
        let content = format!("version {}", n + 1);
        ann.bytes(&format!("{path}?last_version={n}"), content.as_bytes()).await.expect(200);
    }
    (ann, file, path)
}

/// The versions that are listed: number and id.
async fn listed(ann: &Filr, path: &str) -> Vec<(u64, String)> {
    let items = ann.items(&format!("{path}/versions")).await;
    items.iter().map(|item| (item["version_number"].as_u64().unwrap(), text(&item["id"]))).collect()
}

fn numbers(listed: &[(u64, String)]) -> Vec<u64> {
    listed.iter().map(|(number, _)| *number).collect()
}

#[tokio::test]
async fn every_version_is_listed_and_read() {
    let (ann, file, path) = four().await;
    let versions = listed(&ann, &path).await;
    assert_eq!(numbers(&versions), [4, 3, 2, 1]);
    let mut ids: Vec<&String> = versions.iter().map(|(_, id)| id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let now = ann.get(&format!("{path}/metadata")).await.expect(200);
    for (number, id) in &versions {
        assert!(id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        let version = format!("/file_versions/{id}");
        let content = ann.get(&version).await;
        assert_eq!(content.status, 200);
        assert_eq!(content.body, format!("version {number}"));
        assert!(content.header("content-type").starts_with("text/plain"));
        let metadata = ann.get(&format!("{version}/metadata")).await.expect(200);
        assert_eq!((&metadata["id"], &metadata["version_number"]), (&json!(id), &json!(number)));
        assert_eq!(metadata["length"], 9);
        assert_eq!(metadata["md5"] == now["md5"], *number == 4);
        let minutes = number + 3;
        assert_eq!(metadata["modification"]["date"], format!("2026-01-02T03:0{minutes}:05Z"));
    }
    let current = ann.get(&format!("{path}/versions/current")).await.expect(200);
    assert_eq!((&current["version_number"], &current["md5"]), (&json!(4), &now["md5"]));
    let range = ann.request(http::Method::GET, &format!("/file_versions/{}", versions[3].1));
    let range = ann.send(range.header("range", "bytes=8-").empty()).await;
    assert_eq!((range.status.as_u16(), &range.body[..]), (206, &b"1"[..]));
    assert_eq!(file["version_number"], 1);
}

#[tokio::test]
async fn an_old_version_becomes_a_new_one() {
    let (ann, _, path) = four().await;
    let versions = listed(&ann, &path).await;
    let first = &versions[3].1;
    ann.world.drive.clock().advance_seconds(60);
    ann.json(&format!("{path}/versions/current"), json!({ "id": first })).await.expect(200);
    let now = ann.get(&format!("{path}/metadata")).await.expect(200);
    assert_eq!((&now["version_number"], &now["length"]), (&json!(5), &json!(9)));
    assert_eq!(ann.get(&path).await.body, "version 1");
    let after = listed(&ann, &path).await;
    assert_eq!(numbers(&after), [5, 4, 3, 2, 1]);
    assert_eq!(after[1..], versions);
    let old = ann.get(&format!("/file_versions/{first}/metadata")).await.expect(200);
    assert_eq!(old["md5"], now["md5"]);
    // The two share a content, and neither needs the other.
    assert_eq!(ann.delete(&format!("/file_versions/{first}")).await.status, 204);
    assert_eq!(ann.get(&path).await.body, "version 1");
    ann.bytes(&format!("{path}?last_version=5"), b"version 6").await.expect(200);
    assert_eq!(ann.get(&format!("/file_versions/{}", after[0].1)).await.body, "version 1");
}

#[tokio::test]
async fn a_version_is_deleted_and_its_number_is_gone() {
    let (ann, _, path) = four().await;
    let versions = listed(&ann, &path).await;
    let second = format!("/file_versions/{}", versions[2].1);
    let gone = ann.delete(&second).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    for answer in [
        ann.get(&second).await,
        ann.get(&format!("{second}/metadata")).await,
        ann.delete(&second).await,
        ann.json(&format!("{path}/versions/current"), json!({"id": versions[2].1})).await,
    ] {
        answer.refused(404, "FILE_VERSION_NOT_FOUND");
    }
    assert_eq!(numbers(&listed(&ann, &path).await), [4, 3, 1]);
    // The current one: the file shows the one before it, and its number is not given again.
    assert_eq!(ann.delete(&format!("/file_versions/{}", versions[0].1)).await.status, 204);
    let now = ann.get(&format!("{path}/metadata")).await.expect(200);
    assert_eq!(ann.get(&path).await.body, "version 3");
    assert_eq!(now["version_number"], 3);
    assert_eq!(numbers(&listed(&ann, &path).await), [3, 1]);
    let next = ann.bytes(&format!("{path}?last_version=3"), b"version 5").await.expect(200);
    assert_eq!(next["version_number"], 5);
    assert_eq!(ann.get(&format!("/file_versions/{}", versions[3].1)).await.body, "version 1");
    for number in [1, 3] {
        let all = listed(&ann, &path).await;
        let (_, id) = all.iter().find(|(found, _)| *found == number).unwrap();
        assert_eq!(ann.delete(&format!("/file_versions/{id}")).await.status, 204);
    }
    let only = listed(&ann, &path).await;
    assert_eq!(numbers(&only), [5]);
    ann.delete(&format!("/file_versions/{}", only[0].1)).await.refused(403, "FILE_ONLY_VERSION");
    assert_eq!(ann.get(&path).await.body, "version 5");
    let checked = ann.world.drive.verify(None, |_| ()).await.unwrap();
    assert!(checked.damaged.is_empty());
}

#[tokio::test]
async fn versions_are_as_visible_as_their_file() {
    let (ann, file, path) = four().await;
    let bob = ann.with("bob").await;
    let versions = listed(&ann, &path).await;
    let first = format!("/file_versions/{}", versions[3].1);
    let promote = format!("{path}/versions/current");
    bob.get(&first).await.refused(404, "FILE_VERSION_NOT_FOUND");
    bob.get(&format!("{path}/versions")).await.refused(404, "FILE_NOT_FOUND");
    bob.delete(&first).await.refused(404, "FILE_VERSION_NOT_FOUND");
    let share = ann.share(&super::entry(&file), &bob, "VIEWER").await;
    assert_eq!(bob.get(&first).await.body, "version 1");
    assert_eq!(listed(&bob, &path).await, versions);
    bob.delete(&first).await.refused(403, "ACCESS_DENIED");
    bob.json(&promote, json!({"id": versions[3].1})).await.refused(403, "ACCESS_DENIED");
    assert_eq!(ann.delete(&format!("/shares/{}", share["id"])).await.status, 204);
    bob.get(&first).await.refused(404, "FILE_VERSION_NOT_FOUND");
    // A version of another file is none of this one.
    let other = ann.file(MY_FILES, "b.txt", b"other").await;
    let foreign = listed(&ann, &format!("/files/{}", text(&other["id"]))).await;
    let answer = ann.json(&promote, json!({"id": foreign[0].1})).await;
    assert!(matches!(answer.status.as_u16(), 400 | 404), "{:?}", answer.body);
    assert_eq!(ann.get(&path).await.body, "version 4");
    assert_eq!(numbers(&listed(&ann, &path).await), [4, 3, 2, 1]);
}

#[tokio::test]
async fn versions_go_with_their_file_and_not_into_its_copy() {
    let (ann, file, path) = four().await;
    let versions = listed(&ann, &path).await;
    let folder = ann.folder(MY_FILES, "A").await.to_string();
    let to = [("folder_id", &*folder), ("name", "b.txt")];
    let moved = ann.form(&format!("{path}/parent_folder"), &to).await.expect(200);
    assert_eq!(listed(&ann, &format!("/files/{}", text(&moved["id"]))).await, versions);
    let fields = [("source_id", &*text(&file["id"])), ("file_name", "copy.txt")];
    let copy = ann.form("/self/my_files/library_files", &fields).await.expect(200);
    let of_copy = listed(&ann, &format!("/files/{}", text(&copy["id"]))).await;
    assert_eq!(numbers(&of_copy), [1]);
    assert_eq!(ann.get(&format!("/file_versions/{}", of_copy[0].1)).await.body, "version 4");
    assert_eq!(ann.delete(&format!("{path}?purge=true")).await.status, 204);
    ann.get(&format!("/file_versions/{}", versions[2].1))
        .await
        .refused(404, "FILE_VERSION_NOT_FOUND");
    assert_eq!(ann.content(&copy).await, b"version 4");
}

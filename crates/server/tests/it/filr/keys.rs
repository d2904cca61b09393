//! `Idempotency-Key`: what is sent again under its key gets the same answer, and changes nothing.

use super::{Filr, MY_FILES, entry, text};
use crate::world::{Answer, RequestBuilder, bytes};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";
const REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
/// More than the catalog keeps.
const LARGE: usize = 100_000;

fn request(ann: &Filr, method: Method, path: &str, key: &str) -> RequestBuilder {
    ann.request(method, path).header("Idempotency-Key", key)
}

async fn send(ann: &Filr, path: &str, key: &str, content: &[u8]) -> Answer {
    let request = request(ann, Method::POST, path, key);
    ann.send(request.body("application/octet-stream", content.to_vec())).await
}

async fn form(ann: &Filr, path: &str, key: &str, fields: &str) -> Answer {
    ann.send(request(ann, Method::POST, path, key).body(FORM, fields.to_owned())).await
}

async fn json(ann: &Filr, path: &str, key: &str, body: &Value) -> Answer {
    ann.send(request(ann, Method::POST, path, key).json(body)).await
}

async fn delete(ann: &Filr, path: &str, key: &str) -> StatusCode {
    ann.send(request(ann, Method::DELETE, path, key).empty()).await.status
}

async fn swept(ann: &Filr) -> Vec<String> {
    ann.world.drive.sweep(bindery_core::SweepSettings::default()).await.unwrap();
    ann.world.stored()
}

#[tokio::test]
async fn contents_that_are_sent_again_conflict_with_nothing() {
    let ann = Filr::new().await;
    for (size, name) in [(10, "small"), (LARGE, "large")] {
        let create = format!("{MY_FILES}/library_files?file_name={name}");
        let made = send(&ann, &create, name, &bytes(size)).await.expect(200);
        let after = swept(&ann).await;
        assert_eq!(send(&ann, &create, name, &bytes(size)).await.expect(200), made);
        assert_eq!(swept(&ann).await, after);
        let file = format!("/files/{}", text(&made["id"]));
        let (replace, key) = (format!("{file}?last_version=1"), format!("{name}-2"));
        let next = send(&ann, &replace, &key, &bytes(size + 1)).await.expect(200);
        let after = swept(&ann).await;
        assert_eq!(send(&ann, &replace, &key, &bytes(size + 1)).await.expect(200), next);
        assert_eq!(next["version_number"], 2);
        // The first answer is still that of the first version.
        let first = send(&ann, &create, name, &bytes(size)).await.expect(200);
        assert_eq!((&first["version_number"], &first["md5"]), (&json!(1), &made["md5"]));

        send(&ann, &create, name, &bytes(size + 1)).await.refused(422, REUSED);
        send(&ann, &replace, name, &bytes(size)).await.refused(422, REUSED);
        send(&ann, &create, &format!("{name}-3"), &bytes(size)).await.refused(409, "FILE_EXISTS");
        let late = send(&ann, &replace, &format!("{name}-3"), &bytes(size)).await;
        late.refused(409, "FILE_VERSION_CONFLICT");
        assert_eq!(swept(&ann).await, after);
    }
}

#[tokio::test]
async fn files_and_folders_are_arranged_once() {
    let ann = Filr::new().await;
    let folders = format!("{MY_FILES}/library_folders");
    let folder = json(&ann, &folders, "folder", &json!({"title": "folder"})).await.expect(200);
    let again = json(&ann, &folders, "folder", &json!({"title": "folder"})).await.expect(200);
    assert_eq!((&again["id"], &again["title"]), (&folder["id"], &folder["title"]));
    json(&ann, &folders, "folder", &json!({"title": "other"})).await.refused(422, REUSED);
    let folder = folder["id"].as_i64().unwrap();

    let file = ann.file(MY_FILES, "a.txt", b"content").await;
    let path = format!("/files/{}", text(&file["id"]));
    let calls = [
        (format!("{path}/name"), "name=b.txt".to_owned()),
        (format!("{path}/parent_folder"), format!("folder_id={folder}")),
        (
            format!("{MY_FILES}/library_files"),
            format!("source_id={}&file_name=copy", text(&file["id"])),
        ),
        (format!("/folders/{folder}/title"), "title=renamed".to_owned()),
    ];
    for (number, (path, fields)) in calls.iter().enumerate() {
        let key = format!("call-{number}");
        let first = form(&ann, path, &key, fields).await.expect(200);
        let after = ann.world.stored();
        let again = form(&ann, path, &key, fields).await.expect(200);
        assert_eq!(again["id"], first["id"], "{path}");
        assert_eq!(ann.world.stored(), after, "{path}");
        form(&ann, path, &key, &format!("{fields}x")).await;
        assert_eq!(ann.world.stored(), after, "{path}");
    }
    form(&ann, &calls[0].0, "call-0", "name=c.txt").await.refused(422, REUSED);

    assert_eq!(delete(&ann, &path, "delete").await, 204);
    assert_eq!(delete(&ann, &path, "delete").await, 204);
    assert_eq!(delete(&ann, &path, "delete-2").await, 404);
    assert_eq!(delete(&ann, &format!("{path}?purge=true"), "delete").await, 422);
    form(&ann, &calls[0].0, "call-0", "name=b.txt").await.refused(404, "FILE_NOT_FOUND");
    let folder = format!("/folders/{folder}");
    assert_eq!(delete(&ann, &folder, "delete-folder").await, 204);
    assert_eq!(delete(&ann, &folder, "delete-folder").await, 204);
    assert_eq!(delete(&ann, &folder, "delete-folder-2").await, 404);
}

#[tokio::test]
async fn shares_are_made_once_also_when_they_end_in_days() {
    let ann = Filr::new().await;
    let file = ann.file(MY_FILES, "a.txt", b"content").await;
    let shares = format!("{}/shares", entry(&file));
    let link = json!({"recipient": {"type": "public_link"}, "days_to_expire": 2});
    let made = json(&ann, &shares, "link", &link).await.expect(200);
    ann.world.drive.clock().advance_seconds(60);
    let again = json(&ann, &shares, "link", &link).await.expect(200);
    assert_eq!((&again["id"], &again["permalinks"]), (&made["id"], &made["permalinks"]));
    assert_eq!(again["expiration"], made["expiration"]);
    let longer = json!({"recipient": {"type": "public_link"}, "days_to_expire": 3});
    json(&ann, &shares, "link", &longer).await.refused(422, REUSED);

    let share = format!("/shares/{}", made["id"]);
    let change = json!({"days_to_expire": 9});
    let changed = json(&ann, &share, "change", &change).await.expect(200);
    ann.world.drive.clock().advance_seconds(60);
    let again = json(&ann, &share, "change", &change).await.expect(200);
    assert_eq!(again["expiration"], changed["expiration"]);
    assert_eq!(delete(&ann, &share, "end").await, 204);
    assert_eq!(delete(&ann, &share, "end").await, 204);
    json(&ann, &shares, "link", &link).await.refused(404, "SHAREITEM_NOT_FOUND");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let ann = Filr::new().await;
    let create = format!("{MY_FILES}/library_files?file_name=a.txt");
    for bad in ["", "\"\"", "\"open", "two words", &"k".repeat(256)] {
        send(&ann, &create, bad, b"content").await.refused(400, "BAD_INPUT");
    }
    assert!(ann.items(&format!("{MY_FILES}/library_files")).await.is_empty());
    let read = request(&ann, Method::GET, MY_FILES, "").empty();
    assert_eq!(ann.send(read).await.status, 200);
}

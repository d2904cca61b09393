//! Changing a file: three forms of a body, and what none of them can change.

use crate::world::{Part, Person, World};
use http::Method;
use serde_json::{Value, json};

async fn one_file() -> (World, Person, Value, String) {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let file = world.send(ann.upload("old.txt", b"content")).await.expect(201);
    let path = format!("/api/v3/files/{}/", file["id"].as_str().unwrap());
    (world, ann, file, path)
}

#[tokio::test]
async fn the_whole_object_goes_back_in_every_form() {
    let (world, ann, file, path) = one_file().await;
    let form = "typeId=5&name=form.txt&isUploaded=True&isDeleted=False&md5=x&sharedWith=";
    let requests = [
        ann.request(Method::PATCH, &path)
            .body("application/x-www-form-urlencoded", form.trim_end_matches("&sharedWith=")),
        ann.request(Method::PATCH, &path)
            .form(&[Part::field("typeId", "5"), Part::field("name", "form.txt")]),
    ];
    for request in requests {
        let changed = world.send(request).await.expect(200);
        assert_eq!(
            (&changed["name"], &changed["relativePath"]),
            (&json!("form.txt"), &json!("form.txt"))
        );
        assert_eq!((&changed["path"], &changed["typeId"]), (&file["path"], &json!(5)));
    }
    let mut whole = file.clone();
    (whole["name"], whole["typeId"], whole["decryptedSize"]) =
        (json!("dir/json.txt"), json!(4), json!(1));
    let changed = world.send(ann.request(Method::PATCH, &path).json(&whole)).await.expect(200);
    assert_eq!((&changed["name"], &changed["typeId"]), (&json!("json.txt"), &json!(4)));
    for same in ["decryptedSize", "md5", "path", "id", "dateUploaded", "encodedEncryptionKey"] {
        assert_eq!(changed[same], world.send(ann.get(&path)).await.expect(200)[same]);
    }
    assert_eq!(changed["decryptedSize"], 7);
}

#[tokio::test]
async fn what_cannot_be_accepted_is_named_and_changes_nothing() {
    let (world, ann, _, path) = one_file().await;
    let before = world.send(ann.get(&path)).await.expect(200);
    for (body, field) in [
        (json!({"name": "new", "typeId": "x"}), "typeId"),
        (json!({"name": "new", "typeId": 13}), "typeId"),
        (json!({"name": "new", "typeId": true}), "typeId"),
        (json!({"typeId": 2, "name": ""}), "name"),
        (json!({"typeId": 2, "name": null}), "name"),
        (json!({"typeId": 2, "name": "n".repeat(300)}), "name"),
        (json!({"typeId": 2, "name": "a\u{0}b"}), "name"),
        (json!({"typeId": 2, "name": "dir/.."}), "name"),
        (json!({"typeId": 2, "name": "a\\"}), "name"),
        (json!({"typeId": 2, "sharedWith": ["nobody@example.com"]}), "sharedWith"),
        (json!({"typeId": 2, "sharedWith": "ann@example.com"}), "sharedWith"),
        (json!({"typeId": 2, "isDeleted": "perhaps"}), "isDeleted"),
        (json!([1]), "non_field_errors"),
    ] {
        let answer = world.send(ann.request(Method::PATCH, &path).json(&body)).await.expect(400);
        assert!(answer[field][0].is_string(), "{body}: {answer}");
    }
    let deep = format!(r#"{{"name": "new", "x": {}{}}}"#, "[".repeat(1000), "]".repeat(1000));
    let long = format!(r#"{{"name": "new", "x": "{}"}}"#, "x".repeat(2 << 20));
    for (content_type, body, status) in [
        ("application/json", deep.as_str(), 400),
        ("application/json", "", 400),
        ("application/json", long.as_str(), 413),
        ("application/x-www-form-urlencoded", long.as_str(), 413),
        ("text/plain", "name=x", 415),
    ] {
        let answer =
            world.send(ann.request(Method::PATCH, &path).body(content_type, body.to_owned())).await;
        assert!(answer.expect(status)["detail"].is_string());
    }
    assert_eq!(world.send(ann.get(&path)).await.expect(200), before);
}

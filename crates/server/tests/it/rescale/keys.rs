//! `Idempotency-Key`: what is sent again under its key gets the same answer, and changes nothing.

use crate::world::{Answer, Part, Person, RequestBuilder, World, bytes};
use http::Method;
use serde_json::json;

const KEY: &str = "Idempotency-Key";
const CONTENTS: &str = "/api/v2/files/contents/";
/// More than the catalog keeps.
const LARGE: usize = 100_000;

fn request(person: &Person, method: Method, path: &str, key: &str) -> RequestBuilder {
    person.request(method, path).header(KEY, key)
}

async fn upload(world: &World, person: &Person, key: &str, content: &[u8]) -> Answer {
    let parts = [Part::file("run.dat", content)];
    world.send(request(person, Method::POST, CONTENTS, key).form(&parts)).await
}

/// What is stored once nothing is left that waits to be removed.
async fn swept(world: &World) -> Vec<String> {
    world.drive.sweep(bindery_core::SweepSettings::default()).await.unwrap();
    world.stored()
}

#[tokio::test]
async fn an_upload_that_is_sent_again_makes_no_second_file() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    for (size, key) in [(10, "small"), (LARGE, "large")] {
        let made = upload(&world, &ann, key, &bytes(size)).await.expect(201);
        let after = swept(&world).await;
        assert_eq!(upload(&world, &ann, key, &bytes(size)).await.expect(201), made);
        // The draft's own form of the same key.
        let quoted = format!("\"{key}\"");
        assert_eq!(upload(&world, &ann, &quoted, &bytes(size)).await.expect(201), made);
        assert_eq!(swept(&world).await, after);

        let refused = upload(&world, &ann, key, &bytes(size + 1)).await.expect(422);
        assert!(refused["detail"].as_str().unwrap().contains("key"), "{refused}");
        assert_eq!(swept(&world).await, after);
        // Another key, and another user's same key, are other requests.
        let other = upload(&world, &ann, &format!("{key}-2"), &bytes(size)).await.expect(201);
        assert_ne!(other["id"], made["id"]);
        let joe = world.person(&format!("joe-{key}")).await;
        assert_ne!(upload(&world, &joe, key, &bytes(size)).await.expect(201)["id"], made["id"]);
    }
}

#[tokio::test]
async fn changes_and_deletions_are_answered_again() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let file = world.send(ann.upload("a.txt", b"content")).await.expect(201);
    let path = format!("/api/v3/files/{}/", file["id"].as_str().unwrap());
    let patch = |key, body| {
        let request = request(&ann, Method::PATCH, &path, key).json(&body);
        world.send(request)
    };
    let renamed = patch("rename", json!({"name": "b.txt"})).await.expect(200);
    let after = world.stored();
    assert_eq!(patch("rename", json!({"name": "b.txt"})).await.expect(200), renamed);
    assert_eq!(world.stored(), after);
    patch("rename", json!({"name": "c.txt"})).await.expect(422);
    patch("rename", json!({"isDeleted": false})).await.expect(422);
    assert_eq!(world.stored(), after);

    let delete = |key| world.send(request(&ann, Method::DELETE, &path, key).empty());
    assert_eq!(delete("delete").await.status, 204);
    assert_eq!(delete("delete").await.status, 204);
    assert_eq!(delete("delete-2").await.status, 404);
    delete("rename").await.expect(422);
    // The change is not told of a file that is gone; to restore it is another change.
    let restored = patch("restore", json!({"isDeleted": false})).await.expect(200);
    assert_eq!(patch("restore", json!({"isDeleted": false})).await.expect(200), restored);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let before = world.stored();
    for bad in ["", "\"\"", "\"open", "two words", &"k".repeat(256)] {
        upload(&world, &ann, bad, b"content").await.expect(400);
    }
    let twice = ann.request(Method::POST, CONTENTS).header(KEY, "a").header(KEY, "b");
    world.send(twice.form(&[Part::file("a", b"content")])).await.expect(400);
    assert_eq!(world.stored(), before);
    // Credentials come first, and to what only reads a key means nothing.
    let nobody = Person { token: "none".into(), ..ann.clone() };
    upload(&world, &nobody, "", b"content").await.expect(401);
    world.send(request(&ann, Method::GET, "/api/v2/files/", "").empty()).await.expect(200);
}

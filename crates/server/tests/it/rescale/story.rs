//! What a script does with a file, from its upload to its deletion.

use crate::world::{World, bytes};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn a_file_goes_in_and_comes_out_the_same() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    for len in [0, 1, 16 << 10, (16 << 10) + 1, 65_536, 3 << 20] {
        let content = bytes(len);
        let file = world.send(ann.upload("in put.dat", &content)).await.expect(201);
        assert_eq!(file["decryptedSize"], len);
        assert_eq!(file["name"], "in put.dat");
        let path = format!("/api/v2/files/{}/contents/", file["id"].as_str().unwrap());
        let answer = world.send(ann.get(&path)).await;
        assert_eq!(answer.status, 200, "{len}: {:?}", answer.body);
        assert_eq!(answer.header("content-length"), len.to_string());
        assert!(answer.body == content, "{len}");
    }
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_only_its_owner_brings_it_back() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let file = world.send(ann.upload("a.txt", b"1\n2")).await.expect(201);
    let path = format!("/api/files/{}/", file["id"].as_str().unwrap());
    let gone = world.send(ann.request(Method::DELETE, &path).empty()).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    world.send(ann.get(&path)).await.expect(404);
    let whole = world.send(ann.request(Method::PATCH, &path).json(&file)).await;
    assert_eq!(whole.expect(404), json!({"detail": "Not found."}));
    let alone = ann.request(Method::PATCH, &path).json(&json!({"isDeleted": false}));
    assert_eq!(world.send(alone).await.expect(200)["isDeleted"], false);
    assert_eq!(world.send(ann.get(&path)).await.expect(200)["name"], "a.txt");
}

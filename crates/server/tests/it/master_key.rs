//! The master key was rotated elsewhere, and this node was not given the new one: that is no damage, and ends
//! when the key file arrives.

use crate::world::{World, bytes};
use bindery_core::{Clock, Drive, Location, NewRecipient, NodeRef, Role, Sharing, Terms};
use http::Method;
use std::fs;

#[tokio::test]
async fn a_node_without_the_rotated_key_is_unavailable_until_it_has_it() {
    let world = World::embedded().await;
    let ann = world.person("ann").await;
    let small = world.send(ann.upload("small", b"small")).await.expect(201);
    let large = world.send(ann.upload("large", &bytes(100_000))).await.expect(201);
    let data = world.directory.path().join("data");
    let (here, there) = (data.join("master.key"), world.directory.path().join("there.key"));
    let caller = bindery_core::Caller::with_token(&ann.token);
    let id = bindery_core::FileId::from_letters(small["id"].as_str().unwrap()).unwrap();
    let terms = Terms {
        role: Role::Viewer,
        sharing: Sharing::default(),
        comment: String::new(),
        expires: None,
    };
    let link = NewRecipient::Link;
    world.drive.share(&caller, NodeRef::File(id.into()), link, terms).await.unwrap();

    fs::copy(&here, &there).unwrap();
    let location = Location { key_file: Some(there.clone()), ..Location::directory(data) };
    let other = Drive::open(&location, Clock::fixed(crate::world::NOW)).await.unwrap();
    other.rotate_key(|_| {}).await.unwrap();

    let rescale = |file: &serde_json::Value| {
        format!("/api/v2/files/{}/contents/", file["id"].as_str().unwrap())
    };
    let filr = format!("/rest/files/{}", world.drive.file(&caller, id).await.unwrap().node.hex);
    let reads = [
        rescale(&small),
        rescale(&large),
        format!("/api/v2/files/{}/lines/", small["id"].as_str().unwrap()),
        format!("{filr}/content/small"),
        format!("/rest/folder_entries/{}/shares", id.0),
    ];
    for path in &reads {
        let refused = world.send(ann.get(path)).await;
        assert_eq!(refused.status, 503, "{path}: {:?}", refused.body);
        assert!(!refused.header("retry-after").is_empty(), "{path}");
        let told = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(!told.contains("key"), "what is for the log: {told}");
    }
    world.send(ann.upload("another", b"another")).await.expect(503);
    let hex = filr.rsplit('/').next().unwrap();
    let copy = || {
        let body = format!("file_name=copy&source_id={hex}");
        let request = ann.request(Method::POST, "/rest/self/my_files/library_files");
        request.body("application/x-www-form-urlencoded", body)
    };
    world.send(copy()).await.expect(503);
    // What needs no key is told as ever, and nothing is called damaged.
    world.send(ann.get("/api/v2/files/")).await.expect(200);
    world.send(ann.get("/rest/self")).await.expect(200);
    let unfinished = world.drive.verify(None, |_| ()).await.unwrap_err().to_string();
    assert!(unfinished.contains("does not hold master key"), "{unfinished}");

    fs::copy(&there, &here).unwrap();
    for path in &reads {
        assert_eq!(world.send(ann.get(path)).await.status, 200, "{path}");
    }
    world.send(ann.upload("another", b"another")).await.expect(201);
    world.send(copy()).await.expect(200);
}

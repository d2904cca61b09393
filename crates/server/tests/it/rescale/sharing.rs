//! A reader reads, changes nothing, and ends at once.

use crate::world::{World, bytes};
use axum::body::Body;
use bindery_server::app::{FrontEnds, Settings};
use bindery_server::listener::Handler as _;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::json;

#[tokio::test]
async fn a_reader_reads_and_changes_nothing_until_the_share_ends() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let file = world.send(ann.upload("a.txt", b"one\ntwo")).await.expect(201);
    let path = format!("/api/v2/files/{}/", file["id"].as_str().unwrap());
    let reads = ["", "contents/", "lines/"].map(|more| format!("{path}{more}"));
    for read in &reads {
        world.send(bob.get(read)).await.expect(404);
    }
    let share = |with: serde_json::Value| {
        ann.request(Method::PATCH, &path).json(&json!({"sharedWith": with}))
    };
    let shared = world.send(share(json!([bob.email.to_uppercase()]))).await.expect(200);
    assert_eq!(shared["sharedWith"], json!([bob.email]));
    for read in &reads {
        assert_eq!(world.send(bob.get(read)).await.status, 200);
    }
    assert_eq!(
        world.send(bob.get(&path)).await.expect(200),
        world.send(ann.get(&path)).await.expect(200)
    );
    assert_eq!(world.send(bob.get("/api/files/")).await.expect(200)["count"], 0);
    assert_eq!(world.send(bob.get("/api/files/?shared=1")).await.expect(200)["count"], 1);
    for change in [
        json!({"name": "b"}),
        json!({"isDeleted": true}),
        json!({"isDeleted": false}),
        json!({"sharedWith": []}),
    ] {
        world.send(bob.request(Method::PATCH, &path).json(&change)).await.expect(403);
    }
    world.send(bob.request(Method::DELETE, &path).empty()).await.expect(403);
    world.send(share(json!([]))).await.expect(200);
    for read in &reads {
        world.send(bob.get(read)).await.expect(404);
    }
    world.send(bob.request(Method::DELETE, &path).empty()).await.expect(404);
}

#[tokio::test]
async fn a_download_ends_with_the_right_to_it() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let file = world.send(ann.upload("a.dat", &bytes(4 << 20))).await.expect(201);
    let path = format!("/api/files/{}/", file["id"].as_str().unwrap());
    let share =
        |with: &[&str]| ann.request(Method::PATCH, &path).json(&json!({"sharedWith": with}));
    world.send(share(&[&bob.email])).await.expect(200);
    let front_ends = FrontEnds::new(world.drive.clone(), Settings::default());
    let response = front_ends.handle(bob.get(&format!("{path}contents/"))).await;
    let mut body: Body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    world.send(share(&[])).await.expect(200);
    world.drive.clock().advance_seconds(2);
    let mut received = 0;
    let ended = loop {
        match body.frame().await {
            Some(Ok(frame)) => received += frame.into_data().map_or(0, |data| data.len()),
            end => break end,
        }
    };
    assert!(matches!(ended, Some(Err(_))), "{received} bytes and no error");
}

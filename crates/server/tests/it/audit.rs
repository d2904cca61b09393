//! What the front-ends have the audit log tell: keys that were shown, and sign-ins that failed.

use crate::world::{Answer, PASSWORD, World};
use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::{AuditRecord, FileId};
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request};
use serde_json::json;
use std::ops::ControlFlow;

/// What the log tells of an act, as far as it is written.
async fn told(world: &World, act: &str) -> Vec<String> {
    world.drive.keep_audit_log().await.unwrap();
    let mut told = Vec::new();
    let each = |record: AuditRecord<'_>| {
        if let AuditRecord::Line(_, event, _) = record
            && event.act == act
        {
            let user = event.user.map(|user| user.to_string());
            told.push(format!("{} {}", user.unwrap_or_default(), event.details));
        }
        ControlFlow::Continue(())
    };
    world.drive.export_audit(None, each).await.unwrap();
    told
}

async fn disclosed(world: &World) -> Vec<String> {
    told(world, "key-disclosed").await
}

#[tokio::test]
async fn every_answer_with_a_key_is_told_once_a_day() {
    let world = World::new().await;
    let (ann, joe) = (world.person("ann").await, world.person("joe").await);
    let mut files = Vec::new();
    let mut ids = Vec::new();
    for name in ["a.txt", "b.txt"] {
        let file = world.send(ann.upload(name, b"content")).await.expect(201);
        let letters = file["id"].as_str().unwrap().to_owned();
        files.push(format!("{} file={}", ann.id, FileId::from_letters(&letters).unwrap()));
        ids.push(letters);
    }
    let created = told(&world, "file-created").await;
    for (file, line) in files.iter().zip(&created) {
        assert!(line.starts_with(file) && line.ends_with(" key=shown"), "{line}");
    }
    assert_eq!(created.len(), 2);
    let mut lines = Vec::new();
    assert_eq!(disclosed(&world).await, lines);
    // Whoever is refused is shown nothing.
    let path = |id: &str| format!("/api/v2/files/{id}/");
    world.send(joe.get(&path(&ids[0]))).await.expect(404);
    world.send(joe.get("/api/v2/files/")).await.expect(200);
    assert_eq!(disclosed(&world).await, lines);

    world.drive.clock().advance_seconds(86_400);
    let patch = ann.request(Method::PATCH, &path(&ids[0]));
    let share = json!({"sharedWith": [joe.email]});
    assert!(world.send(patch.json(&share)).await.expect(200)["encodedEncryptionKey"].is_string());
    lines.push(files[0].clone());
    assert_eq!(disclosed(&world).await, lines);
    for _ in 0..3 {
        world.send(joe.get("/api/v3/files/")).await.expect(200);
        world.send(joe.get(&path(&ids[0]))).await.expect(200);
    }
    lines.push(files[0].replacen(&ann.id.to_string(), &joe.id.to_string(), 1));
    assert_eq!(disclosed(&world).await, lines);
    // A list shows all that it holds.
    world.send(ann.get("/api/v2/files/")).await.expect(200);
    lines.push(files[1].clone());
    assert_eq!(disclosed(&world).await, lines);
    // What shows no key discloses none.
    world.drive.clock().advance_seconds(86_400);
    world.send(ann.get(&format!("{}contents/", path(&ids[0])))).await;
    world.send(ann.get("/rest/self/my_files/library_files")).await.expect(200);
    assert_eq!(disclosed(&world).await, lines);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_holds_up_no_read() {
    let world = World::embedded().await;
    let ann = world.person("ann").await;
    world.send(ann.upload("a.txt", b"content")).await.expect(201);
    disclosed(&world).await;
    world.drive.clock().advance_seconds(86_400);
    let catalog = world.directory.path().join("data/catalog.db");
    let catalog = rusqlite::Connection::open(catalog).unwrap();
    // Another writer stands in the way of all that write.
    catalog.execute_batch("begin immediate").unwrap();
    let page = world.send(ann.get("/api/v2/files/")).await.expect(200);
    assert!(page["results"][0]["encodedEncryptionKey"].is_string());
    catalog.execute_batch("rollback").unwrap();
    assert_eq!(disclosed(&world).await.len(), 1);
}

async fn get(world: &World, path: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::builder().method(Method::GET).uri(path).header(HOST, "h");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_sign_in_that_fails_is_counted_once() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let basic = |user: &str, password: &str| {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
    };
    let (files, me) = ("/api/v2/files/", "/rest/self");
    let mut failures = 0;
    for (path, authorization, counted) in [
        (files, "Token none".to_owned(), true),
        (files, "Bearer none".to_owned(), true),
        (me, "Bearer none".to_owned(), true),
        (me, basic("ann", "bindery_none"), true),
        ("/rest/no/such/path", "Token none".to_owned(), true),
        (me, basic("ann", "wrong"), false),
        (me, basic("ann", "wrong too"), false),
        // Nobody tries to sign in.
        (files, basic("ann", PASSWORD), false),
        (files, "Token".to_owned(), false),
        (me, "Digest x".to_owned(), false),
    ] {
        assert_eq!(get(&world, path, Some(&authorization)).await.status, 401, "{authorization}");
        failures += i32::from(counted);
    }
    for path in [files, me] {
        assert_eq!(get(&world, path, None).await.status, 401);
        let good = format!("Token {}", ann.token);
        assert_eq!(get(&world, path, Some(&good)).await.status, 200);
    }
    world.drive.keep_audit_log().await.unwrap();
    world.drive.clock().advance_seconds(120);
    let (passwords, tokens) = (
        format!(" account={} address=0.0.0.0 count=2", ann.id),
        format!(" address=0.0.0.0 count={failures}"),
    );
    assert_eq!(told(&world, "sign-in-failed").await, [tokens, passwords]);
}

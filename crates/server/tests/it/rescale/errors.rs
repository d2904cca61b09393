//! What an answer looks like, and a refusal.

use crate::world::World;
use http::{Method, Request};
use serde_json::json;

#[tokio::test]
async fn a_file_has_the_documents_fields_in_its_order_and_no_null() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let answer = world.send(ann.upload("a.txt", b"content")).await;
    let file = answer.expect(201);
    let text = std::str::from_utf8(&answer.body).unwrap();
    let fields = [
        "typeId",
        "name",
        "dateUploaded",
        "relativePath",
        "encodedEncryptionKey",
        "downloadUrl",
        "sharedWith",
        "decryptedSize",
        "owner",
        "path",
        "isUploaded",
        "viewInBrowser",
        "id",
        "isDeleted",
        "md5",
        "fileChecksums",
    ];
    let places: Vec<_> =
        fields.iter().map(|field| text.find(&format!("\"{field}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(!text.contains("null"));
    assert_eq!(file["dateUploaded"], "2026-01-02T03:04:05.678902Z");
    assert_eq!(file["fileChecksums"][0]["hashFunction"], "sha512");
    let id = file["id"].as_str().unwrap();
    assert!(id.len() >= 6 && id.bytes().all(|byte| byte.is_ascii_alphabetic()));
    assert_eq!(file["downloadUrl"], format!("http://files.example/api/v2/files/{id}/contents/"));
}

#[tokio::test]
async fn refusals_are_json_objects() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    for prefix in ["/api", "/api/v2", "/api/v3"] {
        for slash in ["", "/"] {
            let path = |path: &str| format!("{prefix}{path}{slash}");
            for found in ["", "/users/me", "/files"] {
                world.send(ann.get(&path(found))).await.expect(200);
            }
            for missing in
                ["/files/%7Bfile_id%7D", "/files/%FF", "/files/zzzzzzzz/lines", "/nothing"]
            {
                let answer = world.send(ann.get(&path(missing))).await;
                assert_eq!(answer.expect(404), json!({"detail": "Not found."}), "{missing}");
            }
            let answer = world.send(ann.request(Method::PUT, &path("/files")).empty()).await;
            assert_eq!(answer.expect(405), json!({"detail": "Method \"PUT\" not allowed."}));
            assert!(answer.header("allow").contains("GET"));
        }
    }
}

#[tokio::test]
async fn credentials_come_first() {
    let world = World::new().await;
    for (header, why) in [
        (None, "Authentication credentials were not provided."),
        (Some("Token"), "Invalid token header. No credentials provided."),
        (Some("Token a b"), "Invalid token header. Token string should not contain spaces."),
        (Some(r"Token \<token\>"), "Invalid token."),
    ] {
        for (method, path) in [
            (Method::GET, "/api/"),
            (Method::GET, "/api/files/%7Bid%7D/"),
            (Method::PUT, "/api/files/"),
            (Method::PATCH, "/api/files/abcdef/"),
            (Method::POST, "/api/v2/files/contents/"),
        ] {
            let mut request = Request::builder().method(&method).uri(path);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = world.send(request.body("x".into()).unwrap()).await;
            assert_eq!(answer.expect(401), json!({ "detail": why }), "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), "Token");
        }
    }
    let ann = world.person("ann").await;
    world.drive.set_disabled("ann", true).await.unwrap();
    world.send(ann.get("/api/")).await.expect(401);
    world.drive.set_disabled("ann", false).await.unwrap();
    world.send(ann.get("/api/")).await.expect(200);
}

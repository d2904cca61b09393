//! Contents that are not taken: cut, stalled, not as announced, too much for a file or a user; and one that is damaged.

use super::Place;
use crate::filr::{Filr, MY_FILES, text};
use crate::world::{Part, World, bytes, form};
use axum::body::{Body, Bytes};
use bindery_core::Limits;
use bindery_server::app::Settings;
use futures_util::stream;
use http::Method;
use serde_json::{Value, json};
use std::convert::Infallible;

#[tokio::test]
async fn a_content_that_is_not_what_was_announced_is_not_kept() {
    let place = Place::new().await;
    let Place { ann, folder, .. } = &place;
    let wrong = "d41d8cd98f00b204e9800998ecf8427e";
    let mut requests = Vec::new();
    for content in [b"content".to_vec(), bytes(300_000), bytes(3 << 20)] {
        for path in [
            format!("{folder}/library_files?file_name=new&md5={wrong}"),
            format!("{folder}/library_files?file_name=a.txt&overwrite_existing=true&md5={wrong}"),
            place.file(&format!("?last_version=1&md5={wrong}")),
            place.file(&format!("?force_overwrite=true&md5={wrong}")),
        ] {
            requests.push(ann.bytes_request(&path, &content));
            requests.push(ann.request(Method::POST, &path).form(&[Part::file("x", &content)]));
        }
    }
    place.refuse(400, "FILE_CHECKSUM_FAILED", requests).await;
    let right = "9a0364b9e99bb480dd25e1f0284c8555";
    let path = format!("{folder}/library_files?file_name=new&md5={right}");
    assert_eq!(ann.bytes(&path, b"content").await.expect(200)["md5"], right);
    assert_eq!(ann.content(&place.a).await, b"content");
}

#[tokio::test]
async fn a_form_without_a_part_and_one_that_breaks() {
    let place = Place::new().await;
    let Place { ann, folder, .. } = &place;
    let paths =
        [format!("{folder}/library_files?file_name=x"), place.file("?force_overwrite=true")];
    let mut missing = Vec::new();
    let mut bad = Vec::new();
    for path in &paths {
        missing.push(ann.request(Method::POST, path).form(&[]));
        let whole = form(&[Part::file("x", &bytes(100_000))]);
        for end in [100, 50_000, whole.len() - 10, whole.len() - 3] {
            let cut = ann.request(Method::POST, path);
            bad.push(cut.body("multipart/form-data; boundary=XX", whole[..end].to_vec()));
        }
        for content_type in ["multipart/form-data", "multipart/form-data; boundary="] {
            bad.push(ann.request(Method::POST, path).body(content_type, whole.clone()));
        }
    }
    place.refuse(400, "MISSING_MULTIPART_FORM_DATA", missing).await;
    place.refuse(400, "BAD_MULTIPART_FORM_DATA", bad).await;
}

#[tokio::test]
async fn a_connection_that_breaks_stores_nothing() {
    let place = Place::new().await;
    let before = place.ann.world.stored();
    let content = bytes(3 << 20);
    for path in
        ["/self/my_files/library_files?file_name=x".to_owned(), place.file("?force_overwrite=true")]
    {
        for end in [0, 100, 20_000, 300_000, content.len()] {
            let pieces: Vec<_> = content[..end]
                .chunks(10_000)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            let broken = [Err(std::io::Error::other("the connection broke"))];
            let body = Body::from_stream(stream::iter(pieces.into_iter().chain(broken)));
            let request = place.ann.request(Method::POST, &path);
            let answer = place.ann.send(request.body("application/octet-stream", body)).await;
            answer.refused(400, "BAD_INPUT");
            assert_eq!(place.ann.world.stored(), before, "{path} broken at {end}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let place = Place::of(Filr::in_world(World::embedded().await).await).await;
    let before = place.ann.world.stored();
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from(bytes(600_000)))]);
    let body = Body::from_stream(stream::StreamExt::chain(begun, stream::pending()));
    let path = place.file("?force_overwrite=true");
    let request = place.ann.request(Method::POST, &path).body("application/octet-stream", body);
    let answer = place.ann.send(request).await;
    assert!(answer.expect(408)["message"].is_string());
    assert_eq!(place.ann.world.stored(), before);
    assert_eq!(place.ann.content(&place.a).await, b"content");
}

#[tokio::test]
async fn a_form_is_no_content() {
    let place = Place::new().await;
    let request = |query: &str| {
        let request = place.ann.request(Method::POST, &place.file(query));
        request.body("application/x-www-form-urlencoded", "name=x")
    };
    let requests = vec![request("?force_overwrite=true"), request("?last_version=1")];
    place.refuse(415, "UNSUPPORTED_MEDIA_TYPE", requests).await;
}

#[tokio::test]
async fn a_quota_is_kept_and_told() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let file = ann.file(MY_FILES, "a.dat", &bytes(600)).await;
    let folder = format!("/folders/{}", ann.folder(MY_FILES, "shared").await);
    ann.share(&folder, &bob, "CONTRIBUTOR").await;
    ann.world.drive.set_quota("ann", Some(1000)).await.unwrap();
    let before = ann.world.stored();
    let copy = [("source_id", &*text(&file["id"])), ("file_name", "b.dat")];
    for answer in [
        ann.bytes("/self/my_files/library_files?file_name=b.dat", &bytes(401)).await,
        ann.bytes("/self/my_files/library_files?file_name=b.dat", &bytes(2 << 20)).await,
        ann.bytes(&format!("/files/{}?force_overwrite=true", text(&file["id"])), &bytes(1001))
            .await,
        ann.form("/self/my_files/library_files", &copy).await,
        // What someone else puts there counts for the owner.
        bob.bytes(&format!("{folder}/library_files?file_name=b.dat"), &bytes(401)).await,
    ] {
        let body = answer.refused(403, "USER_QUOTA_EXCEEDED");
        let told: Vec<&Value> = body["data"].as_object().unwrap().values().collect();
        assert!(told.contains(&&json!(600)) && told.contains(&&json!(1000)), "{body}");
        assert_eq!(ann.world.stored(), before);
    }
    let me = ann.get("/self").await.expect(200);
    assert_eq!((&me["disk_quota"], &me["disk_space_used"]), (&json!(1000), &json!(600)));
    ann.file(MY_FILES, "b.dat", &bytes(400)).await;
    let empty = ann.file(MY_FILES, "empty", b"").await;
    let replace = format!("/files/{}?force_overwrite=true", text(&empty["id"]));
    ann.bytes(&replace, b"1").await.refused(403, "USER_QUOTA_EXCEEDED");
    ann.world.drive.set_quota("ann", None).await.unwrap();
    ann.bytes(&replace, b"1").await.expect(200);
}

#[tokio::test]
async fn a_file_is_no_larger_than_the_operator_permits() {
    for limit in [1000, 300_000] {
        let limits = Limits { file_size: Some(limit as u64), ..Limits::default() };
        let ann = Filr::in_world(World::limited(Settings::default(), limits).await).await;
        let file = ann.file(MY_FILES, "a.dat", &bytes(limit)).await;
        let before = ann.world.stored();
        for content in [bytes(limit + 1), bytes(3 << 20)] {
            for path in [
                "/self/my_files/library_files?file_name=b.dat".to_owned(),
                "/self/my_files/library_files?file_name=a.dat&overwrite_existing=true".to_owned(),
                format!("/files/{}?last_version=1", text(&file["id"])),
            ] {
                // Announced, and in chunks of which no one knows how many come.
                let pieces: Vec<_> = content.chunks(700).map(Bytes::copy_from_slice).collect();
                let pieces =
                    Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
                for request in [
                    ann.bytes_request(&path, &content),
                    ann.request(Method::POST, &path).form(&[Part::file("x", &content)]),
                    ann.request(Method::POST, &path).body("application/octet-stream", pieces),
                ] {
                    ann.send(request).await.refused(403, "FILE_SIZE_LIMIT_EXCEEDED");
                    assert_eq!(ann.world.stored(), before, "{limit}: {path}");
                }
            }
            let other_dialect = ann.send(ann.person.upload("b.dat", &content)).await;
            assert!(other_dialect.expect(413)["detail"].is_string());
            assert_eq!(ann.world.stored(), before);
        }
        assert!(ann.content(&file).await == bytes(limit));
        ann.send(ann.person.upload("c.dat", &bytes(limit))).await.expect(201);
    }
}

#[tokio::test]
async fn damage_is_a_fault_of_the_server() {
    let ann = Filr::new().await;
    let file = ann.file(MY_FILES, "a.dat", &bytes(100_000)).await;
    let [object] = &ann.world.objects()[..] else { panic!("one object") };
    let mut sealed = std::fs::read(object).unwrap();
    sealed[70_000] ^= 1;
    std::fs::write(object, sealed).unwrap();
    ann.get(&format!("/files/{}", text(&file["id"]))).await.refused(500, "SERVER_ERROR");
}

//! Every body in which clients send a file, and bodies that are refused without a trace.

use crate::world::{Part, Person, World, bytes, form};
use axum::body::{Body, Bytes};
use futures_util::stream;
use http::{Method, Request};
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/api/v2/files/contents/";

fn send_parts(person: &Person, parts: &[Part]) -> Request<Body> {
    person.request(Method::POST, PATH).form(parts)
}

fn file_with_head(head: &str) -> Part {
    Part(format!("Content-Disposition: form-data; name=\"file\"; {head}"), b"content".to_vec())
}

#[tokio::test]
async fn every_form_that_clients_send_is_read() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let cases: [(&str, Vec<Part>, &str, i64); 12] = [
        ("requests", vec![Part::file("a.txt", b"content")], "a.txt", 1),
        (
            "the document's second example",
            vec![file_with_head("filename=\"new.txt\"\r\nContent-Type: {'type_id': 4}")],
            "new.txt",
            4,
        ),
        (
            "typeId as a file, behind the data",
            vec![
                Part::file("a.txt", b"content"),
                Part(
                    "Content-Disposition: form-data; name=\"typeId\"; filename=\"typeId\"".into(),
                    b"2".into(),
                ),
            ],
            "a.txt",
            2,
        ),
        (
            "typeId as a field, before the data",
            vec![Part::field("typeId", "5"), Part::file("a.txt", b"content")],
            "a.txt",
            5,
        ),
        (
            "a field wins over the part's type",
            vec![
                file_with_head("filename=\"a\"\r\nContent-Type: {\"type_id\": 3}"),
                Part::field("type_id", "12"),
            ],
            "a",
            12,
        ),
        (
            "an ordinary part type",
            vec![file_with_head("filename=a.gz\r\nContent-Type: application/gzip")],
            "a.gz",
            1,
        ),
        ("a local path", vec![Part::file("/home/ann/run/in.dat", b"content")], "in.dat", 1),
        ("a Windows path", vec![Part::file(r"C:\run\in.dat", b"content")], "in.dat", 1),
        (
            "only filename*",
            vec![file_with_head("filename*=utf-8''r%C3%A9sultat%20%28x%29.dat")],
            "r\u{e9}sultat (x).dat",
            1,
        ),
        ("raw UTF-8", vec![Part::file("r\u{e9}sultat.dat", b"content")], "r\u{e9}sultat.dat", 1),
        ("a quote as %22", vec![Part::file("a%22b", b"content")], "a\"b", 1),
        ("255 bytes", vec![Part::file(&"n".repeat(255), b"content")], &"n".repeat(255), 1),
    ];
    for (case, parts, name, type_id) in cases {
        for method in [Method::POST, Method::PUT] {
            let request = ann.request(method, PATH).form(&parts);
            let file = world.send(request).await.expect(201);
            assert_eq!((&file["name"], &file["typeId"]), (&json!(name), &json!(type_id)), "{case}");
            assert_eq!(file["md5"], "9a0364b9e99bb480dd25e1f0284c8555", "{case}");
        }
    }
}

#[tokio::test]
async fn twins_in_nfc_and_nfd_and_equal_names_are_all_kept_as_sent() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let names = ["\u{e9}.txt", "e\u{301}.txt", "\u{e9}.txt", "\u{c9}.TXT", "a:b?.txt"];
    for name in names {
        world.send(ann.upload(name, name.as_bytes())).await.expect(201);
    }
    let list = world.send(ann.get("/api/files/?ordering=dateUploaded")).await.expect(200);
    let listed: Vec<&str> = list["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap())
        .collect();
    assert_eq!(listed, names);
}

#[tokio::test]
async fn what_is_no_upload_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let nothing = world.stored();
    let large = bytes(300_000);
    let many: Vec<Part> = (0..1000).map(|_| Part::field("x", "y")).collect();
    let with_file = |more: Vec<Part>| {
        let mut parts = vec![Part::file("a.dat", &large)];
        parts.extend(more);
        parts
    };
    let none = json!({"file": ["No file was submitted."]});
    let no_integer = json!({"typeId": ["A valid integer is required."]});
    let cases: [(&str, Vec<Part>, Option<&Value>); 19] = [
        ("no part", vec![], None),
        ("no file part", vec![Part::field("typeId", "1")], Some(&none)),
        (
            "another name",
            vec![Part("Content-Disposition: form-data; name=\"f\"; filename=\"a\"".into(), vec![])],
            Some(&none),
        ),
        ("a field", vec![Part::field("file", "text")], None),
        ("an empty file name", vec![Part::file("", b"content")], Some(&none)),
        ("only a folder", vec![Part::file("a/", b"content")], None),
        ("dots", vec![Part::file("..", b"content")], None),
        ("300 bytes", vec![Part::file(&"n".repeat(300), &large)], None),
        ("a control", vec![Part::file("a\u{1}b", b"content")], None),
        ("a coded line end", vec![Part::file("a%0D%0Ab", b"content")], None),
        ("a control in filename*", vec![file_with_head("filename*=utf-8''a%00b")], None),
        ("a backslash and dots", vec![Part::file(r"a\..", b"content")], None),
        ("two files", with_file(vec![Part::file("b", b"content")]), None),
        ("1,000 parts", with_file(many), None),
        (
            "a head of 1 MiB",
            vec![file_with_head(&format!("filename=\"{}\"", "n".repeat(1 << 20)))],
            None,
        ),
        ("no integer", with_file(vec![Part::field("typeId", "x")]), Some(&no_integer)),
        ("type 0", with_file(vec![Part::field("typeId", "0")]), None),
        ("type 13", with_file(vec![Part::field("typeId", "13")]), None),
        (
            "a field of 1 MiB",
            with_file(vec![Part::field("typeId", &"1".repeat(1 << 20))]),
            Some(&no_integer),
        ),
    ];
    for (case, parts, want) in cases {
        let answer = world.send(send_parts(&ann, &parts)).await.expect(400);
        if let Some(want) = want {
            assert_eq!(&answer, want, "{case}");
        }
        assert!(answer.is_object(), "{case}");
        assert_eq!(world.stored(), nothing, "{case}");
    }
    let latin1 = ann.request(Method::POST, PATH).body(
        "multipart/form-data; boundary=XX",
        [&b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r\xe9\"\r\n\r\nx\r\n--XX--\r\n"[..]].concat(),
    );
    world.send(latin1).await.expect(400);
    assert_eq!(world.stored(), nothing);
}

#[tokio::test]
async fn a_body_that_is_no_form_is_told_so() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    for (content_type, status) in [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("text/plain", 415),
        ("application/json", 415),
    ] {
        let request = ann.request(Method::POST, PATH).body(content_type, "x");
        assert!(world.send(request).await.expect(status)["detail"].is_string(), "{content_type}");
    }
    let without = ann.request(Method::POST, PATH).empty();
    world.send(without).await.expect(415);
}

#[tokio::test]
async fn a_revoked_token_is_told_so_whatever_it_sends() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    world.send(ann.upload("a.dat", b"content")).await.expect(201);
    let stored = world.stored();
    let token = world.drive.tokens("ann").await.unwrap()[0].id;
    world.drive.revoke_token(token).await.unwrap();
    let post = || ann.request(Method::POST, PATH);
    for request in [
        ann.upload("a.dat", b"content"),
        ann.upload("a.dat", &bytes(300_000)),
        send_parts(&ann, &[Part::field("typeId", "1")]),
        post().body("multipart/form-data; boundary=XX", "no form"),
        post().body("multipart/form-data", "x"),
        post().body("text/plain", "x"),
    ] {
        world.send(request).await.expect(401);
        assert_eq!(world.stored(), stored);
    }
}

#[tokio::test]
async fn a_form_cut_at_any_byte_stores_nothing() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let nothing = world.stored();
    let whole = form(&[Part::file("a.dat", b"some content"), Part::field("typeId", "2")]);
    for end in 0..whole.len() - 2 {
        let cut = ann
            .request(Method::POST, PATH)
            .body("multipart/form-data; boundary=XX", whole[..end].to_vec());
        world.send(cut).await.expect(400);
        assert_eq!(world.stored(), nothing, "cut at {end}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_stores_nothing() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let nothing = world.stored();
    let whole = form(&[Part::file("a.dat", &bytes(3 << 20))]);
    for end in [1, 100, 20_000, 300_000, whole.len() - 30, whole.len() - 3] {
        let pieces: Vec<_> =
            whole[..end].chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let broken = pieces.into_iter().chain([Err(std::io::Error::other("the connection broke"))]);
        let body = Body::from_stream(stream::iter(broken));
        let answer = world
            .send(ann.request(Method::POST, PATH).body("multipart/form-data; boundary=XX", body))
            .await;
        answer.expect(400);
        assert_eq!(world.stored(), nothing, "broken at {end}");
    }
}

/// A body whose first bytes come at once, and of the rest so many a second; 0 is no more at all.
fn paced(whole: Bytes, at_once: usize, each_second: usize) -> Body {
    let first = stream::iter([Ok::<_, std::io::Error>(whole.slice(..at_once))]);
    let rest = stream::unfold(at_once, move |at| {
        let piece = whole.slice(at..(at + each_second).min(whole.len()));
        let ended = at == whole.len();
        async move {
            if ended {
                return None;
            }
            if piece.is_empty() {
                return std::future::pending().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let next = at + piece.len();
            Some((Ok(piece), next))
        }
    });
    Body::from_stream(stream::StreamExt::chain(first, rest))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_or_trickles_is_given_up() {
    let world = World::embedded().await;
    let ann = world.person("ann").await;
    let nothing = world.stored();
    let whole = Bytes::from(form(&[Part::file("a.dat", &bytes(1 << 20))]));
    for (at_once, each_second) in [(600_000, 0), (600_000, 1000), (10, 1000), (whole.len() - 1, 0)]
    {
        let body = paced(whole.clone(), at_once, each_second);
        let answer = world
            .send(ann.request(Method::POST, PATH).body("multipart/form-data; boundary=XX", body))
            .await;
        assert!(answer.expect(408)["detail"].is_string());
        assert_eq!(world.stored(), nothing, "{at_once} bytes, then {each_second} a second");
    }
}

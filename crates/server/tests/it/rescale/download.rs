//! Contents as they are asked for: whole, in ranges, under conditions.

use crate::world::{Answer, Person, World, bytes};
use http::Method;
use proptest::prelude::*;

struct Content {
    world: World,
    ann: Person,
    path: String,
}

impl Content {
    async fn new(name: &str, content: &[u8]) -> Self {
        let world = World::new().await;
        let ann = world.person("ann").await;
        let file = world.send(ann.upload(name, content)).await.expect(201);
        let path = format!("/api/v3/files/{}/contents/", file["id"].as_str().unwrap());
        Content { world, ann, path }
    }

    async fn get(&self, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.ann.request(Method::GET, &self.path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.world.send(request.empty()).await
    }
}

#[tokio::test]
async fn ranges_are_clamped_ignored_or_refused() {
    let plain = bytes(200_000);
    let content = Content::new("a.dat", &plain).await;
    let many = format!("bytes={}", vec!["0-1"; 1000].join(","));
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=199999-", 199_999, 200_000),
        ("bytes=100-99999999", 100, 200_000),
        ("bytes=0-99999999999999999999", 0, 200_000),
        ("bytes=100-99999999999999999999999999", 100, 200_000),
        ("bytes=-5", 199_995, 200_000),
        ("bytes=-999999", 0, 200_000),
    ] {
        let answer = content.get(&[("range", range)]).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(
            answer.header("content-range"),
            format!("bytes {start}-{}/200000", end - 1),
            "{range}"
        );
        assert_eq!(answer.header("content-length"), (end - start).to_string(), "{range}");
        assert!(answer.body == plain[start..end], "{range}");
    }
    for range in [
        "bytes=0-1,5-6",
        "bytes=0-100,50-150",
        many.as_str(),
        "bytes=5-1",
        "bytes=x",
        "lines=0-1",
        "bytes=--1",
    ] {
        let answer = content.get(&[("range", range)]).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 200_000), "{range}");
    }
    for range in ["bytes=200000-", "bytes=99999999999999999999999-", "bytes=-0"] {
        let answer = content.get(&[("range", range)]).await;
        assert_eq!(answer.status, 416, "{range}");
        assert_eq!(answer.header("content-range"), "bytes */200000", "{range}");
    }
    let empty = Content::new("empty", b"").await;
    let answer = empty.get(&[("range", "bytes=0-1")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length")), (200, "0"));
}

#[tokio::test]
async fn conditions_are_kept() {
    let content = Content::new("a.dat", &bytes(100)).await;
    let whole = content.get(&[]).await;
    let (etag, modified) = (whole.header("etag"), whole.header("last-modified"));
    assert_eq!(modified, "Fri, 02 Jan 2026 03:04:05 GMT");
    for (headers, status) in [
        (vec![("if-none-match", etag)], 304),
        (vec![("if-none-match", "\"other\", *")], 200),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-modified-since", modified)], 304),
        (vec![("if-match", etag)], 200),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("range", "bytes=0-1"), ("if-range", etag)], 206),
        (vec![("range", "bytes=0-1"), ("if-range", "\"other\"")], 200),
        (vec![("range", "bytes=0-1"), ("if-range", modified)], 206),
    ] {
        let answer = content.get(&headers).await;
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.header("etag"), etag, "{headers:?}");
        assert_eq!(status < 300, !answer.body.is_empty(), "{headers:?}");
    }
}

#[tokio::test]
async fn no_browser_runs_what_somebody_uploaded() {
    for (name, content_type) in [
        ("page.html", "application/octet-stream"),
        ("image.svg", "application/octet-stream"),
        ("run.js", "application/octet-stream"),
        ("feed.xml", "application/octet-stream"),
        ("plot.png", "image/png"),
        ("a\"b;c \u{e9}.dat", "application/octet-stream"),
    ] {
        let content = Content::new(&name.replace('"', "%22"), b"<script>alert(1)</script>").await;
        let answer = content.get(&[("accept-encoding", "gzip, br")]).await;
        assert_eq!(answer.header("content-type"), content_type, "{name}");
        assert!(
            answer.header("content-disposition").starts_with("attachment; filename="),
            "{name}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(
            answer.header("content-security-policy"),
            "sandbox; default-src 'none'",
            "{name}"
        );
        assert_eq!(answer.header("cache-control"), "private", "{name}");
        assert_eq!(answer.header("accept-ranges"), "bytes", "{name}");
        assert!(answer.headers.get("content-encoding").is_none(), "{name}");
    }
}

#[tokio::test]
async fn head_has_the_same_headers_and_no_body() {
    let content = Content::new("a.txt", b"one\ntwo").await;
    let file = content.path.trim_end_matches("contents/").to_owned();
    let lines = format!("{file}lines/");
    for path in [&content.path, &file, &lines, "/api/v2/files/", "/api/v2/", "/api/users/me/"] {
        let get = content.world.send(content.ann.get(path)).await;
        let head = content.world.send(content.ann.request(Method::HEAD, path).empty()).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        for name in
            ["content-type", "etag", "accept-ranges", "content-disposition", "last-modified"]
        {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    let head =
        content.ann.request(Method::HEAD, &content.path).header("range", "bytes=1-2").empty();
    let head = content.world.send(head).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (206, "2"));
}

#[test]
fn any_range_of_any_content_is_its_slice() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plain = bytes(700_000);
    let lens = [0, 1, 16_384, 16_385, 65_536, 65_537, 262_144, 262_145, 700_000];
    let contents = lens.map(|len| runtime.block_on(Content::new("a.dat", &plain[..len])));
    proptest!(ProptestConfig::with_cases(300), |(which in 0..lens.len(), a in 0_usize..720_000, b in 0_usize..720_000)| {
        let (start, end, len) = (a.min(b), a.max(b), lens[which]);
        let range = format!("bytes={start}-{end}");
        let answer = runtime.block_on(contents[which].get(&[("range", &range)]));
        if start < len {
            prop_assert_eq!(answer.status.as_u16(), 206);
            prop_assert!(answer.body == plain[start..len.min(end + 1)]);
        } else {
            let whole = len == 0 && start == 0;
            prop_assert_eq!(answer.status.as_u16(), if whole { 200 } else { 416 });
        }
    });
}

//! The document's eight operations, in its order: what is answered, and in which shape.

use super::{Filr, MY_FILES, coded, text};
use crate::world::{Answer, Part};
use http::Method;
use serde_json::Value;

/// The members of an answer, one a line, with names in place of ids.
fn shown(answer: &Answer, ids: &[(&Value, &str)]) -> String {
    let mut body = String::from_utf8(answer.body.to_vec()).unwrap();
    for (id, name) in ids {
        let id = text(id);
        for (before, behind) in [("\"id\":", ","), ("/", "/"), ("/", "\""), ("\"id\":\"", "\"")] {
            body = body
                .replace(&format!("{before}{id}{behind}"), &format!("{before}<{name}>{behind}"));
        }
    }
    let mut shown = answer.status.as_u16().to_string();
    let (mut depth, mut quoted, mut begin) = (0, false, 1);
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth -= 1,
            _ => {}
        }
        if !quoted && (depth == 0 || (depth == 1 && byte == b',')) {
            let member = &body[begin..at];
            let whole = !member.starts_with("\"links\":");
            shown += &format!("\n{}", if whole { member } else { "\"links\":[...]" });
            begin = at + 1;
        }
    }
    shown
}

fn text_of(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

struct Story {
    ann: Filr,
    a: Value,
    b: Value,
}

impl Story {
    async fn new() -> Self {
        let ann = Filr::new().await;
        let a = ann.folder(MY_FILES, "A").await.into();
        let b = ann.folder(MY_FILES, "B").await.into();
        Story { ann, a, b }
    }

    fn later(&self) {
        self.ann.world.drive.clock().advance_seconds(60);
    }

    async fn upload(&self, more: &str, content: &[u8]) -> Answer {
        let path = format!("/folders/{}/library_files?file_name=aaa.txt{more}", self.a);
        self.ann.bytes(&path, content).await
    }

    fn shown(&self, answer: &Answer) -> String {
        let file = answer.json();
        let ids = [
            (&file["id"], "file"),
            (&file["owning_entity"]["id"], "entry"),
            (&self.a, "A"),
            (&self.b, "B"),
        ];
        shown(answer, &ids)
    }

    /// What a conflict must answer: the document's words, and the file as it is now.
    async fn conflict(&self, code: &str, file: &Value) -> String {
        let path = format!("/files/{}/metadata", text(&file["id"]));
        let now = self.ann.get(&path).await;
        let message = "A file with the name already exists.";
        format!(r#"{{"code":"{code}","message":"{message}","data":{}}}"#, text_of(&now))
    }
}

#[tokio::test]
async fn the_operations_of_the_document() {
    let story = Story::new().await;
    let ann = &story.ann;

    // 3.3.1 Download file
    let test = ann.file(MY_FILES, "test.txt", b"fourteen bytes").await;
    let metadata = ann.get(&format!("/files/{}/metadata", text(&test["id"]))).await;
    let list = ann.get("/self/my_files/library_files").await;
    let want = format!(r#"{{"first":0,"count":1,"total":1,"items":[{}]}}"#, text_of(&metadata));
    assert_eq!((list.status.as_u16(), text_of(&list)), (200, &*want));
    assert_eq!(list.header("content-type"), "application/json");
    let content = ann.get(&format!("/files/{}", text(&test["id"]))).await;
    assert_eq!((content.status.as_u16(), &content.body[..]), (200, &b"fourteen bytes"[..]));
    assert!(content.header("content-type").starts_with("text/plain"));
    assert_eq!(content.header("content-length"), "14");

    // 3.3.2 Upload new file
    let first = story.upload("", b"fourteen bytes").await;
    insta::assert_snapshot!(story.shown(&first), @r#"
    200
    "id":"<file>"
    "creation":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:04:05Z"}
    "modification":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:04:05Z"}
    "length":14
    "md5":"ed619c9d46c9d25f2b2f1c96c7001251"
    "name":"aaa.txt"
    "href":"/files/<file>/metadata"
    "links":[...]
    "doc_type":"file"
    "version_number":1
    "owning_entity":{"id":<entry>,"type":"folderEntry","href":"/folder_entries/<entry>"}
    "parent_binder":{"id":<A>,"href":"/binders/<A>"}
    "permalink":"http://files.example/rest/files/<file>/content/aaa.txt"
    "permalinks":[{"rel":"content","href":"http://files.example/rest/files/<file>/content/aaa.txt"}]
    "#);
    assert_eq!(first.header("content-type"), "application/json");
    let file = first.json();
    let id = text(&file["id"]);
    assert!(id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    story.later();
    let again = story.upload("", b"something else").await;
    assert_eq!(again.status, 409);
    assert_eq!(text_of(&again), story.conflict("FILE_EXISTS", &file).await);
    assert_eq!(again.json()["data"], file);

    // 3.3.3 Replace existing file
    let second = story.upload("&overwrite_existing=true", b"The second content.").await;
    insta::assert_snapshot!(story.shown(&second), @r#"
    200
    "id":"<file>"
    "creation":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:04:05Z"}
    "modification":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:05:05Z"}
    "length":19
    "md5":"cf164ea229cbc1d0bc0084e39c8c461e"
    "name":"aaa.txt"
    "href":"/files/<file>/metadata"
    "links":[...]
    "doc_type":"file"
    "version_number":2
    "owning_entity":{"id":<entry>,"type":"folderEntry","href":"/folder_entries/<entry>"}
    "parent_binder":{"id":<A>,"href":"/binders/<A>"}
    "permalink":"http://files.example/rest/files/<file>/content/aaa.txt"
    "permalinks":[{"rel":"content","href":"http://files.example/rest/files/<file>/content/aaa.txt"}]
    "#);
    assert_eq!(second.json()["id"], file["id"]);
    assert_eq!(second.json()["owning_entity"], file["owning_entity"]);

    let content = format!("/files/{id}");
    story.later();
    let third = ann.bytes(&format!("{content}?force_overwrite=true"), b"The third one.").await;
    let third = third.expect(200);
    assert_eq!((&third["version_number"], &third["length"]), (&3.into(), &14.into()));
    assert_eq!(third["md5"], "91931ef29f884416c300fd9d742c2321");
    story.later();
    let fourth = ann.bytes(&format!("{content}?last_version=3"), b"The fourth.").await;
    let fourth = fourth.expect(200);
    assert_eq!((&fourth["version_number"], &fourth["length"]), (&4.into(), &11.into()));
    assert_eq!(fourth["md5"], "614b21faa849d439532827b86c870837");
    assert_eq!((&fourth["id"], &fourth["creation"]), (&file["id"], &file["creation"]));
    assert_eq!(fourth["modification"]["date"], "2026-01-02T03:07:05Z");
    story.later();
    let late = ann.bytes(&format!("{content}?last_version=3"), b"too late").await;
    assert_eq!(late.status, 409);
    assert_eq!(text_of(&late), story.conflict("FILE_VERSION_CONFLICT", &file).await);
    assert_eq!(late.json()["data"], fourth);
    assert_eq!(ann.content(&file).await, b"The fourth.");

    // 3.3.4 Rename file
    let renamed = ann.form(&format!("{content}/name"), &[("name", "aaa renamed.txt")]).await;
    insta::assert_snapshot!(story.shown(&renamed), @r#"
    200
    "id":"<file>"
    "creation":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:04:05Z"}
    "modification":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:07:05Z"}
    "length":11
    "md5":"614b21faa849d439532827b86c870837"
    "name":"aaa renamed.txt"
    "href":"/files/<file>/metadata"
    "links":[...]
    "doc_type":"file"
    "version_number":4
    "owning_entity":{"id":<entry>,"type":"folderEntry","href":"/folder_entries/<entry>"}
    "parent_binder":{"id":<A>,"href":"/binders/<A>"}
    "permalink":"http://files.example/rest/files/<file>/content/aaa%20renamed.txt"
    "permalinks":[{"rel":"content","href":"http://files.example/rest/files/<file>/content/aaa%20renamed.txt"}]
    "#);

    // 3.3.5 Move file
    story.later();
    let to = text(&story.b);
    let moved = ann.form(&format!("{content}/parent_folder"), &[("folder_id", &to)]).await;
    insta::assert_snapshot!(story.shown(&moved), @r#"
    200
    "id":"<file>"
    "creation":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:04:05Z"}
    "modification":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:07:05Z"}
    "length":11
    "md5":"614b21faa849d439532827b86c870837"
    "name":"aaa renamed.txt"
    "href":"/files/<file>/metadata"
    "links":[...]
    "doc_type":"file"
    "version_number":4
    "owning_entity":{"id":<entry>,"type":"folderEntry","href":"/folder_entries/<entry>"}
    "parent_binder":{"id":<B>,"href":"/binders/<B>"}
    "permalink":"http://files.example/rest/files/<file>/content/aaa%20renamed.txt"
    "permalinks":[{"rel":"content","href":"http://files.example/rest/files/<file>/content/aaa%20renamed.txt"}]
    "#);
    assert_eq!(moved.json()["id"], file["id"], "one zone: ids stay");
    let back = [("folder_id", &*text(&story.a)), ("name", "aaa.txt")];
    let back = ann.form(&format!("{content}/parent_folder"), &back).await.expect(200);
    assert_eq!((&back["name"], &back["parent_binder"]["id"]), (&"aaa.txt".into(), &story.a));
    assert_eq!(ann.names(&format!("/folders/{}/library_files", story.a)).await, ["aaa.txt"]);

    // 3.3.6 Copy file
    let fields = [("source_id", &*id), ("file_name", "aaa copied.txt")];
    let copied = ann.form("/self/my_files/library_files", &fields).await;
    insta::assert_snapshot!(story.shown(&copied), @r#"
    200
    "id":"<file>"
    "creation":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:09:05Z"}
    "modification":{"principal":{"id":1,"href":"/users/1"},"date":"2026-01-02T03:07:05Z"}
    "length":11
    "md5":"614b21faa849d439532827b86c870837"
    "name":"aaa copied.txt"
    "href":"/files/<file>/metadata"
    "links":[...]
    "doc_type":"file"
    "version_number":1
    "owning_entity":{"id":<entry>,"type":"folderEntry","href":"/folder_entries/<entry>"}
    "parent_binder":{"id":-100,"href":"/self/my_files"}
    "permalink":"http://files.example/rest/files/<file>/content/aaa%20copied.txt"
    "permalinks":[{"rel":"content","href":"http://files.example/rest/files/<file>/content/aaa%20copied.txt"}]
    "#);
    let copy = copied.json();
    assert!(copy["id"] != file["id"] && copy["owning_entity"] != file["owning_entity"]);
    assert_eq!(ann.content(&copy).await, b"The fourth.");

    // 3.3.7 Delete file
    let gone = ann.delete(&format!("/files/{}", text(&copy["id"]))).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    assert_eq!(gone.header("content-type"), "");
    for path in ["", "/metadata", "/versions"] {
        let path = format!("/files/{}{path}", text(&copy["id"]));
        ann.get(&path).await.refused(404, "FILE_NOT_FOUND");
    }
    let again = ann.delete(&format!("/files/{}", text(&copy["id"]))).await;
    again.refused(404, "FILE_NOT_FOUND");
    assert_eq!(ann.names("/self/my_files/library_files").await, ["test.txt"]);
    assert_eq!(ann.content(&file).await, b"The fourth.", "the copy's source");
}

#[tokio::test]
async fn a_new_file_is_read_from_every_body() {
    let ann = Filr::new().await;
    let field = |name: &str| Part::field(name, "content");
    let cases: Vec<(&str, Option<&str>, Vec<u8>)> = vec![
        ("text", Some("text/plain; charset=utf-8"), b"content".to_vec()),
        ("json", Some("application/json"), b"content".to_vec()),
        ("image", Some("image/png"), b"content".to_vec()),
        ("no type", None, b"content".to_vec()),
        ("no sense", Some("%%%"), b"content".to_vec()),
        ("file part", Some("multipart"), crate::world::form(&[Part::file("other", b"content")])),
        (
            "the first part counts, whatever its name",
            Some("multipart"),
            crate::world::form(&[field("x"), Part::file("file", b"not this")]),
        ),
        (
            "an unnamed part",
            Some("multipart"),
            crate::world::form(&[Part("Content-Type: text/plain".into(), b"content".to_vec())]),
        ),
    ];
    for (case, content_type, body) in cases {
        let path = format!("/self/my_files/library_files?file_name={}", coded(case));
        let mut request = ann.request(Method::POST, &path);
        if let Some(content_type) = content_type {
            let form = content_type == "multipart";
            let content_type = if form { "multipart/form-data; boundary=XX" } else { content_type };
            request = request.header("content-type", content_type);
        }
        let mut request = request.empty();
        *request.body_mut() = body.into();
        let file = ann.send(request).await.expect(200);
        assert_eq!((&file["name"], &file["length"]), (&case.into(), &7.into()), "{case}");
        assert_eq!(file["md5"], "9a0364b9e99bb480dd25e1f0284c8555", "{case}");
        assert_eq!(ann.content(&file).await, b"content", "{case}");
    }
    let empty = ann.file(MY_FILES, "empty", b"").await;
    assert_eq!(empty["md5"], "d41d8cd98f00b204e9800998ecf8427e");
    let large = crate::world::bytes(3 << 20);
    let multipart = ann
        .request(Method::POST, &format!("/files/{}?force_overwrite=true", text(&empty["id"])))
        .form(&[Part::file("any", &large)]);
    let replaced = ann.send(multipart).await.expect(200);
    assert_eq!((&replaced["length"], &replaced["version_number"]), (&(3 << 20).into(), &2.into()));
    assert!(ann.content(&empty).await == large);
}

#[tokio::test]
async fn overwriting_what_is_not_there_makes_it() {
    let story = Story::new().await;
    let file = story.upload("&overwrite_existing=true", b"new").await.expect(200);
    assert_eq!(file["version_number"], 1);
    let refused = story.upload("&overwrite_existing=false", b"newer").await;
    refused.refused(409, "FILE_EXISTS");
    assert_eq!(story.ann.content(&file).await, b"new");
}

#[tokio::test]
async fn a_modification_date_is_kept_as_it_is_sent() {
    let ann = Filr::new().await;
    for (n, (sent, want)) in [
        ("2016-02-23T21:46:23Z", "2016-02-23T21:46:23Z"),
        ("2016-02-23T21:46:23.987Z", "2016-02-23T21:46:23Z"),
        ("2016-02-23T21:46:23+01:00", "2016-02-23T20:46:23Z"),
        ("2016-02-23T21:46:23-0530", "2016-02-24T03:16:23Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/self/my_files/library_files?file_name={n}&mod_date={}", coded(sent));
        let file = ann.bytes(&path, b"x").await.expect(200);
        assert_eq!(file["modification"]["date"], want, "{sent}");
        assert_eq!(file["creation"]["date"], "2026-01-02T03:04:05Z");
        let path = format!("/files/{}?last_version=1", text(&file["id"]));
        let replaced = ann.bytes(&path, b"y").await.expect(200);
        assert_eq!(replaced["modification"]["date"], "2026-01-02T03:04:05Z");
        let path = format!("/files/{}?last_version=2&mod_date={}", text(&file["id"]), coded(sent));
        let replaced = ann.bytes(&path, b"z").await.expect(200);
        assert_eq!(replaced["modification"]["date"], want, "{sent}");
    }
}

#[tokio::test]
async fn a_copy_moves_no_bytes() {
    let ann = Filr::new().await;
    let content = crate::world::bytes(200_000);
    let file = ann.file(MY_FILES, "a.dat", &content).await;
    let objects = ann.world.objects();
    assert!(!objects.is_empty());
    let fields = [("source_id", &*text(&file["id"])), ("file_name", "b.dat")];
    let copy = ann.form("/self/my_files/library_files", &fields).await.expect(200);
    assert_eq!(ann.world.objects(), objects);
    assert_eq!(copy["md5"], file["md5"]);
    let purged = ann.delete(&format!("/files/{}?purge=true", text(&file["id"]))).await;
    assert_eq!(purged.status, 204);
    assert!(ann.content(&copy).await == content, "the copy outlives its source");
}

#[tokio::test]
async fn a_content_comes_whole_in_ranges_and_under_conditions() {
    let ann = Filr::new().await;
    let content = crate::world::bytes(200_000);
    let file = ann.file(MY_FILES, "r\u{e9}sum\u{e9} 1.html", &content).await;
    let path = format!("/files/{}", text(&file["id"]));
    let whole = ann.get(&path).await;
    assert!(whole.status == 200 && whole.body == content);
    assert!(!whole.header("content-type").contains("html"), "a browser would run it");
    assert!(whole.header("content-disposition").contains("r%C3%A9sum%C3%A9%201.html"));
    let (etag, date) = (whole.header("etag"), whole.header("last-modified"));
    assert_eq!(date, "Fri, 02 Jan 2026 03:04:05 GMT");
    for (name, value, status, want) in [
        ("range", "bytes=100-199", 206, &content[100..200]),
        ("range", "bytes=-5", 206, &content[199_995..]),
        ("range", "bytes=200000-", 416, &[][..]),
        ("if-modified-since", date, 304, &[]),
        ("if-modified-since", "Thu, 01 Jan 2026 03:04:05 GMT", 200, &content),
        ("if-none-match", etag, 304, &[]),
    ] {
        let answer = ann.send(ann.request(Method::GET, &path).header(name, value).empty()).await;
        assert_eq!(answer.status, status, "{name}: {value}");
        assert!(status == 416 || answer.body == want, "{name}: {value}");
    }
    // Another content is another one, however old its sender says that it is.
    let since = |date: &str| {
        ann.send(ann.request(Method::GET, &path).header("if-modified-since", date).empty())
    };
    ann.world.drive.clock().advance_seconds(60);
    let replace = format!("{path}?last_version=1&mod_date=2016-02-23T21:46:23Z");
    ann.bytes(&replace, b"new").await.expect(200);
    let new = since(date).await;
    assert_eq!((new.status.as_u16(), &new.body[..]), (200, &b"new"[..]));
    assert_eq!(since(new.header("last-modified")).await.status, 304);
    ann.world.drive.clock().advance_seconds(60);
    let versions = ann.items(&format!("{path}/versions")).await;
    let promoted = serde_json::json!({"id": versions[1]["id"]});
    ann.json(&format!("{path}/versions/current"), promoted).await.expect(200);
    let old = since(new.header("last-modified")).await;
    assert!(old.status == 200 && old.body == content);
}

#[tokio::test]
async fn a_content_has_a_type_that_no_browser_runs_here() {
    let ann = Filr::new().await;
    for (name, want) in [
        ("a.txt", "text/plain"),
        ("a.png", "image/png"),
        ("a.pdf", "application/pdf"),
        ("a.zip", "application/zip"),
        ("a.HTML", ""),
        ("a.xhtml", ""),
        ("a.svg", ""),
        ("a.xml", ""),
        ("a.js", ""),
        ("a", "application/octet-stream"),
        ("a.\u{e9}", "application/octet-stream"),
    ] {
        let file = ann.file(MY_FILES, name, b"<script>alert(1)</script>").await;
        let last = file["permalinks"].as_array().unwrap().last().unwrap()["href"].clone();
        let last = text(&last).replace("http://files.example/rest", "");
        for path in [format!("/files/{}", text(&file["id"])), last] {
            let answer = ann.get(&path).await;
            let sent = answer.header("content-type");
            assert!(sent.starts_with(want), "{name}: {sent}");
            for harm in ["html", "svg", "xml", "javascript", "ecmascript"] {
                assert!(!sent.contains(harm), "{name}: {sent}");
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
            assert!(answer.header("content-disposition").starts_with("attachment"), "{name}");
        }
    }
}

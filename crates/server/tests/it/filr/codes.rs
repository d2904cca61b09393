//! Every code of the dialect through the wire, and that a refusal leaves nothing behind.

mod contents;

use super::{Filr, MY_FILES, coded, entry, text};
use crate::world::{Answer, Part, bytes};
use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

/// A folder `A` with the folder `sub` and the file `a.txt`, and beside it `b.txt` and `other`.
struct Place {
    ann: Filr,
    folder: String,
    sub: String,
    other: String,
    a: Value,
    b: Value,
}

impl Place {
    async fn new() -> Self {
        Place::of(Filr::new().await).await
    }

    async fn of(ann: Filr) -> Self {
        let folder = format!("/folders/{}", ann.folder(MY_FILES, "A").await);
        let sub = format!("/folders/{}", ann.folder(&folder, "sub").await);
        let other = format!("/folders/{}", ann.folder(MY_FILES, "other").await);
        let a = ann.file(&folder, "a.txt", b"content").await;
        let b = ann.file(&folder, "b.txt", b"content of b").await;
        Place { ann, folder, sub, other, a, b }
    }

    fn file(&self, more: &str) -> String {
        format!("/files/{}{more}", text(&self.a["id"]))
    }

    fn json(&self, path: &str, body: &str) -> Request<Body> {
        self.ann.request(Method::POST, path).body("application/json", body.to_owned())
    }

    /// Each request is refused with the code, and nothing is stored.
    async fn refuse(&self, status: u16, code: &str, requests: Vec<Request<Body>>) {
        let before = self.ann.world.stored();
        for (n, request) in requests.into_iter().enumerate() {
            let what = format!("{n}: {} {}", request.method(), request.uri());
            let answer = self.ann.send(request).await;
            assert_eq!(answer.status, status, "{what}: {:?}", answer.body);
            assert_eq!(answer.json()["code"], code, "{what}: {:?}", answer.body);
            answer.refused(status, code);
            assert_eq!(self.ann.world.stored(), before, "{what}");
        }
    }
}

fn last_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn what_is_missing_or_cannot_be_read_is_bad_input() {
    let place = Place::new().await;
    let Place { ann, folder, .. } = &place;
    let files = format!("{folder}/library_files");
    let folders = format!("{folder}/library_folders");
    let id = text(&place.a["id"]);
    let long = "n".repeat(300);
    let mut requests = vec![
        ann.bytes_request(&files, b"x"),
        ann.bytes_request(&format!("{files}?file_name="), b"x"),
        ann.bytes_request(&format!("{files}?file_name={long}"), b"x"),
        ann.bytes_request(&format!("{files}?file_name=."), b"x"),
        ann.bytes_request(&format!("{files}?file_name=.."), b"x"),
        ann.bytes_request(&format!("{files}?file_name=x&mod_date=yesterday"), b"x"),
        ann.request(Method::POST, &files).form(&[Part::file("x", b"x")]),
        ann.bytes_request(&place.file(""), b"x"),
        ann.bytes_request(&place.file("?force_overwrite=false"), b"x"),
        ann.bytes_request(&place.file("?last_version=x"), b"x"),
        ann.bytes_request(&place.file("?last_version=1&mod_date=2016-13-01T00:00:00Z"), b"x"),
        ann.request(Method::POST, &place.file("")).form(&[Part::file("x", b"x")]),
        ann.form_request(&place.file("/name"), &[]),
        ann.form_request(&place.file("/name"), &[("title", "x")]),
        ann.form_request(&place.file("/name"), &[("name", "")]),
        ann.form_request(&place.file("/name"), &[("name", &long)]),
        ann.form_request(&place.file("/parent_folder"), &[]),
        ann.form_request(&place.file("/parent_folder"), &[("folder_id", "x")]),
        ann.form_request(&files, &[("file_name", "x")]),
        ann.form_request(&files, &[("source_id", &id)]),
        ann.form_request(&format!("{folder}/title"), &[]),
        ann.form_request(&format!("{folder}/title"), &[("title", " ")]),
        ann.form_request(&format!("{folder}/parent_binder"), &[]),
        ann.request(Method::GET, &format!("{folder}/library_changes?since=2026-01-02")).empty(),
        ann.request(Method::GET, &format!("{folder}/library_changes?since=2026-01-02T03:04:05.5Z"))
            .empty(),
    ];
    let shares = format!("{folder}/shares");
    let versions = place.file("/versions/current");
    for path in [&folders, &shares, &versions] {
        for body in ["", "{", "not JSON", "{\"title\":", "{}", &"[".repeat(1000)] {
            requests.push(place.json(path, body));
        }
    }
    for body in [
        r#"{"recipient": {"type": "user", "id": 1}, "access": {"role": "OWNER"}}"#,
        r#"{"recipient": {"type": "nobody", "id": 1}, "access": {"role": "VIEWER"}}"#,
        r#"{"access": {"role": "VIEWER"}}"#,
    ] {
        requests.push(place.json(&shares, body));
    }
    place.refuse(400, "BAD_INPUT", requests).await;
    assert_eq!(ann.content(&place.a).await, b"content");
}

#[tokio::test]
async fn characters_that_no_name_has() {
    let place = Place::new().await;
    let Place { ann, folder, .. } = &place;
    let id = text(&place.a["id"]);
    let mut requests = Vec::new();
    for character in "\\/*:?<>|\"\u{0}\u{1}\n\u{7f}".chars() {
        let name = format!("a{character}b");
        let files = format!("{folder}/library_files");
        requests.extend([
            ann.bytes_request(&format!("{files}?file_name={}", coded(&name)), &bytes(40_000)),
            ann.form_request(&files, &[("file_name", &name), ("source_id", &id)]),
            ann.form_request(&place.file("/name"), &[("name", &name)]),
            ann.form_request(
                &place.file("/parent_folder"),
                &[("folder_id", last_of(&place.other)), ("name", &name)],
            ),
            ann.request(Method::POST, &format!("{folder}/library_folders"))
                .json(&json!({ "title": name })),
            ann.form_request(&format!("{folder}/title"), &[("title", &name)]),
        ]);
    }
    place.refuse(400, "ILLEGAL_CHARACTER", requests).await;
}

#[tokio::test]
async fn folders_do_not_lie_in_themselves() {
    let place = Place::new().await;
    let Place { ann, folder, sub, .. } = &place;
    let deep = format!("/folders/{}", ann.folder(sub, "deep").await);
    let into = |folder: &str, to: &str| {
        ann.form_request(&format!("{folder}/parent_binder"), &[("binder_id", last_of(to))])
    };
    let requests = vec![into(folder, folder), into(folder, sub), into(folder, &deep)];
    place.refuse(400, "INVALID_FOLDER_HIERARCHY", requests).await;
}

#[tokio::test]
async fn searches_do_not_begin_with_a_wildcard() {
    let place = Place::new().await;
    let get = |path: String| place.ann.request(Method::GET, &path).empty();
    let requests = vec![
        get(format!("{}/library_entities?keyword=*txt", place.folder)),
        get(format!("{}/library_entities?keyword=%3Ftxt", place.folder)),
        get("/self/my_files/library_entities?keyword=*.txt&recursive=true".into()),
    ];
    place.refuse(400, "SEARCH_INVALID_WILD_CARD", requests).await;
}

#[tokio::test]
async fn only_versions_stay_and_no_address_is_no_address() {
    let place = Place::new().await;
    let Place { ann, folder, .. } = &place;
    let versions = ann.items(&place.file("/versions")).await;
    let only = format!("/file_versions/{}", text(&versions[0]["id"]));
    place.refuse(403, "FILE_ONLY_VERSION", vec![ann.request(Method::DELETE, &only).empty()]).await;
    let with = |email: &str| {
        let body = json!({"recipient": {"type": "external_user", "email": email},
            "access": {"role": "VIEWER"}});
        ann.request(Method::POST, &format!("{folder}/shares")).json(&body)
    };
    let requests = vec![with("nobody"), with("@example.com"), with("a@"), with("a b@c d")];
    place.refuse(403, "INVALID_EMAIL_ADDRESS", requests).await;
}

#[tokio::test]
async fn what_is_seen_and_may_not_be_changed_is_denied() {
    let place = Place::new().await;
    let Place { ann, folder, .. } = &place;
    let bob = ann.with("bob").await;
    ann.share(folder, &bob, "VIEWER").await;
    for answer in [
        bob.bytes(&place.file("?force_overwrite=true"), b"x").await,
        bob.form(&place.file("/name"), &[("name", "x")]).await,
        bob.delete(&place.file("")).await,
        bob.delete(folder).await,
        bob.bytes(&format!("{folder}/library_files?file_name=x"), b"x").await,
        ann.delete("/folders/-100").await,
    ] {
        answer.refused(403, "ACCESS_DENIED");
    }
}

type Form = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn what_is_not_there() {
    let place = Place::new().await;
    let ann = &place.ann;
    let hex = "0123456789abcdef0123456789abcdef";
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let cases: [(&str, &str, &[&Method]); 20] = [
        ("FILE_NOT_FOUND", "/files/{hex}", &[&get, &delete]),
        ("FILE_NOT_FOUND", "/files/{hex}?force_overwrite=true", &[&post]),
        ("FILE_NOT_FOUND", "/files/{hex}/metadata", &[&get]),
        ("FILE_NOT_FOUND", "/files/{hex}/versions", &[&get]),
        ("FILE_NOT_FOUND", "/files/no-hex", &[&get, &delete]),
        ("FILE_VERSION_NOT_FOUND", "/file_versions/{hex}", &[&get, &delete]),
        ("FILE_VERSION_NOT_FOUND", "/file_versions/{hex}/metadata", &[&get]),
        ("FOLDER_NOT_FOUND", "/folders/987654321", &[&get, &delete]),
        ("FOLDER_NOT_FOUND", "/folders/987654321/library_children", &[&get]),
        ("FOLDER_NOT_FOUND", "/folders/987654321/library_files?file_name=x", &[&post]),
        ("FOLDER_NOT_FOUND", "/folders/987654321/library_tree", &[&get]),
        ("BINDER_NOT_FOUND", "/binders/987654321", &[&get]),
        ("ENTRY_NOT_FOUND", "/folder_entries/987654321", &[&get, &delete]),
        ("USER_NOT_FOUND", "/users/987654321", &[&get]),
        ("SHAREITEM_NOT_FOUND", "/shares/987654321", &[&get, &delete]),
        ("NOT_FOUND", "/nothing", &[&get, &post]),
        ("NOT_FOUND", "/self/nothing", &[&get]),
        ("NOT_FOUND", "/folders/1/nothing", &[&get]),
        ("NOT_FOUND", "/links", &[&get]),
        ("NOT_FOUND", "/links/a/b/c", &[&get, &post]),
    ];
    for (code, path, methods) in cases {
        for method in methods {
            let path = path.replace("{hex}", hex);
            let request = ann.request((*method).clone(), &path).body("text/plain", "x");
            let answer = ann.send(request).await;
            assert_eq!(answer.status, 404, "{method} {path}: {:?}", answer.body);
            assert_eq!(answer.json()["code"], code, "{method} {path}");
            answer.refused(404, code);
        }
    }
    let forms: [(&str, &str, Form); 4] = [
        ("FILE_NOT_FOUND", "/files/{hex}/name", &[("name", "x")]),
        ("FILE_NOT_FOUND", "/files/{hex}/parent_folder", &[("folder_id", "-100")]),
        (
            "FILE_NOT_FOUND",
            "/self/my_files/library_files",
            &[("file_name", "x"), ("source_id", "0123456789abcdef0123456789abcdef")],
        ),
        ("FOLDER_NOT_FOUND", "/folders/987654321/title", &[("title", "x")]),
    ];
    for (code, path, fields) in forms {
        ann.form(&path.replace("{hex}", hex), fields).await.refused(404, code);
    }
    let into = [("folder_id", "987654321")];
    ann.form(&place.file("/parent_folder"), &into).await.refused(404, "FOLDER_NOT_FOUND");
    // The entry of a file is no folder, and a folder is no entry.
    let number = place.a["owning_entity"]["id"].to_string();
    ann.get(&format!("/folders/{number}")).await.refused(404, "FOLDER_NOT_FOUND");
    let folder = last_of(&place.folder);
    ann.get(&format!("/folder_entries/{folder}")).await.refused(404, "ENTRY_NOT_FOUND");
}

/// The body of a conflict, whose data must be what its href shows.
async fn conflict(ann: &Filr, answer: &Answer, code: &str, id: &Value) {
    let body = answer.refused(409, code);
    assert_eq!(&body["data"]["id"], id, "{body}");
    let now = ann.get(body["data"]["href"].as_str().unwrap()).await.expect(200);
    for field in ["name", "title", "md5", "version_number", "creation", "modification"] {
        assert_eq!(body["data"][field], now[field], "{field}");
    }
}

#[tokio::test]
async fn conflicts_show_what_is_in_the_way() {
    let place = Place::new().await;
    let Place { ann, folder, sub, other, a, b } = &place;
    let beside = format!("/folders/{}", ann.folder(folder, "beside").await);
    let twin = format!("/folders/{}", ann.folder(other, "SUB").await);
    let in_other = ann.file(other, "A.TXT", b"another").await;
    let before = ann.world.stored();
    let (a_id, b_id) = (text(&a["id"]), text(&b["id"]));

    let files = format!("{folder}/library_files");
    let rename = format!("/files/{b_id}/name");
    let to_folder = [("folder_id", last_of(folder)), ("name", "a.txt")];
    let to_other = [("folder_id", last_of(other))];
    for (answer, there) in [
        (ann.bytes(&format!("{files}?file_name=A.txt"), b"x").await, a),
        (ann.form(&files, &[("source_id", &b_id), ("file_name", "a.TXT")]).await, a),
        (ann.form(&rename, &[("name", "a.txt")]).await, a),
        (ann.form(&format!("/files/{b_id}/parent_folder"), &to_folder).await, a),
        (ann.form(&format!("/files/{a_id}/parent_folder"), &to_other).await, &in_other),
    ] {
        conflict(ann, &answer, "FILE_EXISTS", &there["id"]).await;
    }

    let stale = ann.bytes(&place.file("?last_version=2"), b"x").await;
    conflict(ann, &stale, "FILE_VERSION_CONFLICT", &a["id"]).await;
    ann.delete(&place.file("?version=7")).await.refused(409, "FILE_VERSION_CONFLICT");
    let by_entry = ann.delete(&format!("{}?version=7", entry(a))).await;
    by_entry.refused(409, "FILE_VERSION_CONFLICT");

    let folders = format!("{folder}/library_folders");
    let copy = [("title", "Sub"), ("source_id", last_of(&beside))];
    for (answer, there) in [
        (ann.json(&folders, json!({"title": "sub"})).await, sub),
        (ann.json(&folders, json!({"title": "SUB"})).await, sub),
        (ann.form(&folders, &copy).await, sub),
        (ann.form(&format!("{beside}/title"), &[("title", "sUb")]).await, sub),
        (ann.form(&format!("{sub}/parent_binder"), &[("binder_id", last_of(other))]).await, &twin),
    ] {
        let id = last_of(there).parse::<i64>().unwrap();
        conflict(ann, &answer, "TITLE_EXISTS", &id.into()).await;
    }

    let filled = ann.delete(&format!("{folder}?only_if_empty=true")).await;
    filled.refused(409, "BINDER_NOT_EMPTY");
    let long_ago = ann.get(&format!("{folder}/library_changes?since=2001-01-01T00:00:00Z")).await;
    long_ago.refused(409, "CHANGES_WINDOW_PASSED");
    assert_eq!(ann.world.stored(), before);
}

#[tokio::test]
async fn json_is_read_leniently() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let post = |path: &str, content_type: &str, body: String| {
        ann.request(Method::POST, path).body(content_type, body)
    };
    for (n, body) in [
        "{\"title\": \"T\"}}",
        "{\"title\": \"T\"} and more",
        "  {\"title\": \"T\", \"unknown\": {\"a\": [1, null]}, \"id\": \"34\"}",
        "{\"title\": \"T\"}\r\n\0",
    ]
    .into_iter()
    .enumerate()
    {
        let body = body.replace('T', &format!("T{n}"));
        for content_type in ["application/json", "application/json; charset=UTF-8"] {
            let answer =
                ann.send(post("/self/my_files/library_folders", content_type, body.clone()));
            let answer = answer.await;
            let folder = if content_type == "application/json" {
                answer.expect(200)
            } else {
                answer.refused(409, "TITLE_EXISTS")["data"].clone()
            };
            assert_eq!(folder["title"], format!("T{n}"), "{body}");
        }
    }
    let folder = ann.folder(MY_FILES, "shared").await;
    let body = format!(
        r#"{{"recipient": {{"type": "user", "id": "{}"}}, "access": {{"role": "VIEWER"}}}}}}"#,
        bob.person.id
    );
    let path = format!("/folders/{folder}/shares");
    let share = ann.send(post(&path, "application/json", body)).await.expect(200);
    assert_eq!(share["recipient"]["id"], bob.person.id);
    let file = ann.file(MY_FILES, "a.txt", b"one").await;
    let path = format!("/files/{}", text(&file["id"]));
    ann.bytes(&format!("{path}?last_version=1"), b"two").await.expect(200);
    let versions = ann.items(&format!("{path}/versions")).await;
    let first = versions.iter().find(|version| version["version_number"] == 1).unwrap();
    let body = format!("{{\"id\": \"{}\"}}}}", text(&first["id"]));
    let current = format!("{path}/versions/current");
    ann.send(post(&current, "application/json", body)).await.expect(200);
    assert_eq!(ann.content(&file).await, b"one");
}

#[tokio::test]
async fn queries_and_paths_are_read_leniently() {
    let ann = Filr::new().await;
    for (query, name) in [
        ("file_name=r\u{e9}sultat.txt", "r\u{e9}sultat.txt"),
        ("file_name=100%.txt", "100%.txt"),
        ("file_name=5%2", "5%2"),
        ("file_name=%zz.txt", "%zz.txt"),
        ("file_name=a%20b.txt", "a b.txt"),
        ("file_name=c+d.txt", "c d.txt"),
        ("file_name=e%2Bf.txt", "e+f.txt"),
        ("unknown=1&&file_name=un.txt&also=%", "un.txt"),
        ("file_name=tail.txt&", "tail.txt"),
    ] {
        let path = format!("/self/my_files/library_files?{query}");
        let file = ann.bytes(&path, b"x").await.expect(200);
        assert_eq!(file["name"], name, "{query}");
        assert_eq!(ann.names(&format!("/self/my_files/library_files?{query}")).await, [name]);
    }
    let latin1 = ann.bytes("/self/my_files/library_files?file_name=r%E9.txt", b"x").await;
    assert!(matches!(latin1.status.as_u16(), 200 | 400), "{:?}", latin1.body);

    let list = ann.get("/self/my_files/library_files").await.expect(200);
    for path in ["/rest", "/rest/"] {
        let request = ann.person.request(Method::GET, path).empty();
        assert_eq!(ann.send(request).await.expect(200), ann.get("/").await.expect(200));
    }
    assert_eq!(ann.get("/self/my_files/library_files/").await.expect(200), list);
    assert_eq!(ann.get("/self/my_files/library_files/?unknown=x").await.expect(200), list);
    let with_body = ann.request(Method::GET, "/self/my_files/library_files");
    let answer = ann.send(with_body.body("application/json", "{\"a\": 1}")).await;
    assert_eq!(answer.expect(200), list);
    let file = ann.file(MY_FILES, "a.txt", b"content").await;
    let path = format!("/files/{}/", text(&file["id"]));
    assert_eq!(&ann.get(&path).await.body[..], b"content");
    assert_eq!(ann.bytes(&format!("{path}?last_version=1"), b"2").await.status, 200);
}

#[tokio::test]
async fn the_answer_is_json_whatever_is_accepted() {
    let ann = Filr::new().await;
    ann.file(MY_FILES, "a.txt", b"content").await;
    let plain = ann.get("/self/my_files/library_children").await;
    for accept in ["*/*", "application/json", "application/xml", "text/html,*;q=0.1", "nonsense"] {
        let request = ann.request(Method::GET, "/self/my_files/library_children");
        let answer = ann.send(request.header("accept", accept).empty()).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &plain.body), "{accept}");
        assert_eq!(answer.header("content-type"), "application/json", "{accept}");
        assert_eq!(answer.header("set-cookie"), "");
    }
}

//! What somebody uploaded never runs on this origin, whatever it is called and whatever the answer is.

use crate::filr::{Filr, MY_FILES, entry, text};
use crate::world::{Answer, Part, bytes};
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::fs;

/// A browser takes this answer for what it is said to be, runs nothing of it here, and tells nobody where
/// it was.
#[track_caller]
pub(crate) fn is_defended(answer: &Answer, what: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("referrer-policy", "no-referrer"),
    ] {
        let values: Vec<_> = answer.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{what}: {}", answer.status);
    }
    assert!(answer.headers.get("set-cookie").is_none(), "{what}");
    assert!(answer.headers.get("access-control-allow-origin").is_none(), "{what}");
    let kind = answer.header("content-type");
    for harm in ["html", "svg", "xml", "script", "css", "multipart"] {
        assert!(!kind.contains(harm), "{what}: {kind}");
    }
    // What is neither our JSON nor a plain word of ours is a content, and saved unless it may be shown.
    let disposition = answer.header("content-disposition");
    assert!(
        matches!(kind, "" | "application/json" | "text/plain; charset=utf-8")
            || disposition.starts_with("attachment; ")
            || disposition.starts_with("inline; ") && is_shown(kind),
        "{what}: {kind}, {disposition}"
    );
    assert!(answer.status.is_success() || disposition.is_empty(), "{what}: {}", answer.status);
}

fn is_shown(kind: &str) -> bool {
    ["image/png", "text/plain; charset=utf-8", "application/pdf"].contains(&kind)
}

/// Every path that sends a file's content, and whether it may be shown instead of saved.
async fn paths(ann: &Filr, file: &Value) -> Vec<(String, bool)> {
    let hex = text(&file["id"]);
    let versions = ann.items(&format!("/files/{hex}/versions")).await;
    let number = text(&file["owning_entity"]["id"]).parse().unwrap();
    let letters = bindery_core::FileId(number).letters();
    let link = json!({"recipient": {"type": "public_link"}, "access": {"role": "VIEWER"}});
    let link = ann.json(&format!("{}/shares", entry(file)), link).await.expect(200);
    let links = link["permalinks"].as_array().unwrap();
    let of_link = |at: usize| text(&links[at]["href"]).replace("http://files.example", "");
    vec![
        (format!("/api/files/{letters}/contents/"), false),
        (format!("/rest/files/{hex}"), false),
        (format!("/rest/files/{hex}/content/x.html"), false),
        (format!("/rest/file_versions/{}", text(&versions[0]["id"])), false),
        (of_link(0), false),
        (of_link(1), true),
    ]
}

async fn ask(ann: &Filr, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = ann.person.request(method, path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = ann.send(request.empty()).await;
    is_defended(&answer, path);
    answer
}

#[tokio::test]
async fn a_content_is_saved_unless_its_type_may_be_shown() {
    let ann = Filr::new().await;
    for (name, may_be_shown) in [
        ("a.png", true),
        ("a.txt", true),
        ("a.pdf", true),
        ("a.html", false),
        ("a.svg", false),
        ("a.xhtml", false),
        ("a.mhtml", false),
        ("a.js", false),
        ("a.html.", false),
        ("a.png.svg", false),
        ("a.csv", false),
        ("a", false),
    ] {
        let file = ann.file(MY_FILES, name, b"<script>alert(1)</script>").await;
        for (path, is_view) in paths(&ann, &file).await {
            let answer = ask(&ann, Method::GET, &path, &[]).await;
            assert_eq!(answer.status, 200, "{path}");
            let want = if is_view && may_be_shown { "inline; " } else { "attachment; " };
            let disposition = answer.header("content-disposition");
            assert!(disposition.starts_with(want), "{name} {path}: {disposition}");
        }
    }
}

#[tokio::test]
async fn all_other_answers_to_who_asks_for_a_content_are_as_harmless() {
    let ann = Filr::new().await;
    let file = ann.file(MY_FILES, "a.html", &bytes(100_000)).await;
    let known = ann.world.objects();
    let damaged = ann.file(MY_FILES, "b.html", &bytes(100_001)).await;
    let object = ann.world.objects().into_iter().find(|object| !known.contains(object)).unwrap();
    let mut sealed = fs::read(&object).unwrap();
    sealed[100] ^= 1;
    fs::write(&object, sealed).unwrap();
    for (path, _) in paths(&ann, &file).await {
        let etag = ask(&ann, Method::HEAD, &path, &[]).await.header("etag").to_owned();
        for (method, name, value, status) in [
            (Method::HEAD, "accept", "text/html", 200),
            (Method::GET, "range", "bytes=1-5", 206),
            (Method::GET, "if-none-match", &*etag, 304),
            (Method::GET, "if-match", "\"<script>\"", 412),
            (Method::GET, "range", "bytes=999999-", 416),
            (Method::TRACE, "x", "<script>", 405),
            (Method::OPTIONS, "origin", "https://evil.example", 405),
        ] {
            let answer = ask(&ann, method.clone(), &path, &[(name, value)]).await;
            assert_eq!(answer.status, status, "{method} {path} {name}");
        }
        // Ids that are none.
        let (before, last) = path.rsplit_once('/').unwrap();
        for path in [format!("{before}/<script>"), format!("{before}/%3Cscript%3E{last}")] {
            let Ok(uri) = path.parse::<http::Uri>() else { continue };
            ask(&ann, Method::GET, uri.path(), &[]).await;
        }
    }
    for (path, _) in paths(&ann, &damaged).await {
        assert_eq!(ask(&ann, Method::GET, &path, &[]).await.status, 500, "{path}");
    }
}

/// The name that a client would save the content under.
#[track_caller]
fn saved_as(headers: &HeaderMap) -> String {
    let values: Vec<_> = headers.get_all("content-disposition").iter().collect();
    let [value] = values[..] else { panic!("{values:?}") };
    let value = value.to_str().unwrap();
    assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{value}");
    let (plain, extended) = match value.split_once("; filename*=UTF-8''") {
        Some((plain, extended)) => (plain, Some(extended)),
        None => (value, None),
    };
    let plain = plain.split_once("; filename=\"").unwrap().1.strip_suffix('"').unwrap();
    assert!(!plain.contains(['"', '\\', '/']), "{value}");
    match extended {
        None => plain.to_owned(),
        Some(coded) => {
            assert!(!coded.contains([' ', ';', '"', '\'', ',']), "{value}");
            percent_decode_str(coded).decode_utf8().unwrap().into_owned()
        }
    }
}

#[tokio::test]
async fn no_name_says_more_than_a_name() {
    let ann = Filr::new().await;
    let mut kept = 0;
    for name in [
        "\"; filename=\"evil.html",
        "a\r\nSet-Cookie: x=1",
        "a\r\n\r\n<script>alert(1)</script>",
        "a\nb",
        "a\0.html",
        "../../etc/passwd",
        "..\\..\\evil.exe",
        "/absolute",
        "C:\\evil.exe",
        "\u{202e}gpj.exe",
        "\u{2066}a\u{2069}.txt",
        "\u{feff}a",
        "r\u{e9}sum\u{e9} \u{1f511}.txt",
        "a%22b%0d%0aX: y",
        "a'b''c*=UTF-8''d",
        "a;b,c=d",
        "a\u{85}b\u{2028}c",
        "\\\"",
        "%",
        "<img src=x onerror=alert(1)>.svg",
    ] {
        let made = ann.send(ann.person.upload("plain", b"content")).await.expect(201);
        let path = format!("/api/files/{}/", text(&made["id"]));
        let rename = ann.person.request(Method::PATCH, &path).json(&json!({ "name": name }));
        let renamed = ann.send(rename).await;
        is_defended(&renamed, name);
        if renamed.status != 200 {
            assert_eq!(renamed.status, 400, "{name:?}");
            continue;
        }
        kept += 1;
        let shown = text(&renamed.json()["name"]);
        assert!(!shown.contains(['/', '\0', '\r', '\n']) && shown != "..", "{shown:?}");
        let answer = ask(&ann, Method::GET, &format!("{path}contents/"), &[]).await;
        assert_eq!(saved_as(&answer.headers), shown);
        // The other dialect saves it under its label, which is a name everywhere.
        let number = bindery_core::FileId::from_letters(&text(&made["id"])).unwrap().0;
        let entry = ann.get(&format!("/folder_entries/{number}")).await.expect(200);
        let label = text(&entry["title"]);
        assert!(!label.contains(['/', '\\', '"', ':', '<', '>', '|', '?', '*']), "{label:?}");
        let hex = text(&entry["primary_file"]["id"]);
        let answer = ask(&ann, Method::GET, &format!("/rest/files/{hex}"), &[]).await;
        assert_eq!(saved_as(&answer.headers), label);
    }
    assert!(kept >= 12, "{kept}");
    let odd =
        Part("Content-Disposition: form-data; name=\"file\"; filename=\"a\0b\"".into(), vec![]);
    let odd = ann.person.request(Method::POST, "/api/files/contents/").form(&[odd]);
    is_defended(&ann.send(odd).await, "an odd part");
}

//! Holes that other file servers had, and that must not be here. Each test names where the world learned of
//! it. `docs/reliability.md` says which tests elsewhere hold the others: above all `matrix`, `web` and
//! `secrecy`, and `smuggling` beside the listener.

use crate::filr::{Filr, MY_FILES, coded, entry, text};
use crate::world::{Answer, PASSWORD, Part, World};
use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::NewUser;
use http::{Method, Request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn link() -> Value {
    json!({"recipient": {"type": "public_link"}, "access": {"role": "VIEWER"}})
}

async fn link_of(ann: &Filr, file: &Value) -> String {
    let made = ann.json(&format!("{}/shares", entry(file)), link()).await.expect(200);
    text(&made["permalinks"][0]["href"]).replace("http://files.example", "")
}

fn letters(file: &Value) -> String {
    let number = text(&file["owning_entity"]["id"]).parse().unwrap();
    bindery_core::FileId(number).letters()
}

async fn anonymous(ann: &Filr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path).header("host", "files.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ann.send(request.body(Body::empty()).unwrap()).await
}

/// CVE-2026-30914 (SFTPGo), CVE-2026-35605 (filebrowser), CVE-2026-54917 (SeaweedFS): a path is read in one
/// way by who checks it and in another one by who opens it.
#[tokio::test]
async fn cve_2026_30914_no_spelling_of_a_path_goes_around_the_check() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let theirs = bob.file(MY_FILES, "a.txt", b"bob's").await;
    let mine = ann.file(MY_FILES, "a.txt", b"ann's").await;
    let (hex, own) = (text(&theirs["id"]), text(&mine["id"]));
    let (short, own_short) = (letters(&theirs), letters(&mine));
    for (base, id, own) in [("/rest/files", &hex, &own), ("/api/files", &short, &own_short)] {
        for path in [
            format!("{base}/{id}"),
            format!("{base}//{id}"),
            format!("/{base}/{id}"),
            format!("{base}/./{id}"),
            format!("{base}/{own}/../{id}"),
            format!("{base}/{own}/..%2f{id}"),
            format!("{base}/{own}/%2e%2e/{id}"),
            format!("{base}/{own}%2f..%2f{id}"),
            format!("{base}/{own}%5c..%5c{id}"),
            format!("{base}/%2e/{id}"),
            format!("{base}/{id}%00"),
            format!("{base}/{id}%00{own}"),
            format!("{base}/{own}%00/../{id}"),
            format!("{base}/{id}%20"),
            format!("{base}/%20{id}"),
            format!("{base}/{id};{own}"),
            format!("{base}/{id}?id={own}"),
            format!("{base}/{id}%2f"),
            format!("{base}/%252e%252e%252f{id}"),
            format!("{base}/{id}/metadata/../../{own}"),
        ] {
            for method in [Method::GET, Method::DELETE] {
                let answer = ann.send(ann.person.request(method, &path).empty()).await;
                assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
                assert!(!answer.body.starts_with(b"bob's"), "{path}");
            }
        }
    }
    assert_eq!(bob.content(&theirs).await, b"bob's");
    assert_eq!(ann.content(&mine).await, b"ann's");
}

/// CVE-2026-30915 (SFTPGo), CVE-2026-54094 (filebrowser), CVE-2026-42600 (MinIO): a name of a user or of a
/// file becomes part of a path, or a symbolic link leads out of it.
#[tokio::test]
async fn cve_2026_30915_no_name_becomes_a_path() {
    let ann = Filr::new().await;
    for (at, login) in ["../../up", "%username%", "/etc", "..", "a/../b"].into_iter().enumerate() {
        let user = NewUser {
            login: login.into(),
            email: format!("u{at}@example.com"),
            name: "../up".into(),
            password: PASSWORD.into(),
            admin: false,
        };
        let Ok(_) = ann.world.drive.add_user(user).await else { continue };
        let token = ann.world.drive.create_token(login, "../up", None).await.unwrap().secret;
        let form = Part::file("..%2f..%2fup", &[7; 40_000]);
        let request = Request::post("/api/files/contents/")
            .header("host", "h")
            .header("authorization", format!("Token {token}"))
            .header("content-type", "multipart/form-data; boundary=XX")
            .body(crate::world::form(&[form]).into())
            .unwrap();
        assert_eq!(ann.send(request).await.status, 201, "{login}");
    }
    let objects = ann.world.objects();
    assert!(objects.len() >= 2);
    for object in objects {
        let name = object.file_name().unwrap().to_str().unwrap();
        let is_random = name.len() == 30 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_random, "{}", object.display());
    }
    assert!(!ann.world.directory.path().join("up").exists());
}

/// CVE-2026-32758, CVE-2026-25890 (filebrowser): only where something comes from is checked, not where it
/// goes; or all whose path begins like a permitted one are permitted too.
#[tokio::test]
async fn cve_2026_32758_both_ends_of_a_move_and_of_a_copy_are_checked() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let mine = ann.file(MY_FILES, "a.txt", b"ann's").await;
    let near = ann.folder(MY_FILES, "proj").await;
    let beside = ann.folder(MY_FILES, "project").await;
    ann.share(&format!("/folders/{near}"), &bob, "CONTRIBUTOR").await;
    let hidden = ann.file(&format!("/folders/{beside}"), "b.txt", b"hidden").await;
    let theirs = bob.folder(MY_FILES, "bob's").await;
    let his = bob.file(&format!("/folders/{theirs}"), "c.txt", b"bob's").await;
    let (id, his_id) = (text(&mine["id"]), text(&his["id"]));

    let to = [("folder_id", &*theirs.to_string())];
    let moved = ann.form(&format!("/files/{id}/parent_folder"), &to).await;
    moved.refused(404, "FOLDER_NOT_FOUND");
    let copy = [("file_name", "copy.txt"), ("source_id", &*his_id)];
    let copied = ann.form(&format!("{MY_FILES}/library_files"), &copy).await;
    copied.refused(404, "FILE_NOT_FOUND");
    let copy = [("file_name", "copy.txt"), ("source_id", &*id)];
    let copied = ann.form(&format!("/folders/{theirs}/library_files"), &copy).await;
    copied.refused(404, "FOLDER_NOT_FOUND");
    let tree = [("title", "copy"), ("source_id", &*theirs.to_string())];
    let copied = ann.form(&format!("{MY_FILES}/library_folders"), &tree).await;
    copied.refused(404, "FOLDER_NOT_FOUND");
    // What is shared is a folder, not all that is called like it.
    bob.get(&format!("/folders/{beside}")).await.refused(404, "FOLDER_NOT_FOUND");
    bob.get(&format!("/files/{}", text(&hidden["id"]))).await.refused(404, "FILE_NOT_FOUND");
    let to = [("folder_id", &*beside.to_string())];
    let moved = bob.form(&format!("/files/{his_id}/parent_folder"), &to).await;
    moved.refused(404, "FOLDER_NOT_FOUND");
    assert_eq!(
        ann.names(&format!("{MY_FILES}/library_children")).await,
        ["proj", "project", "a.txt"]
    );
    assert_eq!(bob.names(&format!("/folders/{theirs}/library_children")).await, ["c.txt"]);
}

/// CVE-2026-62684 (filebrowser), CVE-2026-27611 and CVE-2026-30933 (Quantum): who may see a share is shown
/// what opens it for others.
#[tokio::test]
async fn cve_2026_62684_a_reader_is_not_shown_the_links_of_others() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let file = ann.file(MY_FILES, "a.txt", b"content").await;
    ann.share(&entry(&file), &bob, "EDITOR").await;
    let link = link_of(&ann, &file).await;
    let secret = link.split("/links/").nth(1).unwrap().split('/').next().unwrap();
    let number = &file["owning_entity"]["id"];
    for path in [
        format!("{}/shares", entry(&file)),
        entry(&file),
        format!("/files/{}/metadata", text(&file["id"])),
        "/shares".into(),
        format!("/shares/by_user/{}", ann.person.id),
        format!("/shares/with_user/{}", bob.person.id),
        "/self/shared_with_me/library_children".into(),
        format!("/folder_entries?id={number}"),
    ] {
        let answer = bob.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        for told in [secret, "hash", "password", "wrapped", &*ann.person.token] {
            assert!(!body.contains(told), "{path} tells {told}: {body}");
        }
    }
}

/// CVE-2026-54096, CVE-2026-35604 (filebrowser): a share is of a path, and so of what comes to lie there.
#[tokio::test]
async fn cve_2026_54096_a_share_ends_with_its_file_and_opens_no_other() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let file = ann.file(MY_FILES, "a.txt", b"old").await;
    ann.share(&entry(&file), &bob, "VIEWER").await;
    let link = link_of(&ann, &file).await;
    let path = format!("/files/{}", text(&file["id"]));
    assert_eq!(ann.delete(&format!("{path}?purge=true")).await.status, 204);
    let new = ann.file(MY_FILES, "a.txt", b"new").await;
    assert!(new["id"] != file["id"]);
    assert_eq!(anonymous(&ann, &link, &[]).await.status, 404);
    bob.get(&path).await.refused(404, "FILE_NOT_FOUND");
    bob.get(&format!("/files/{}", text(&new["id"]))).await.refused(404, "FILE_NOT_FOUND");
    assert_eq!(bob.names("/self/shared_with_me/library_children").await, [""; 0]);
}

/// CVE-2026-34204 (MinIO): a client sends what only the server may say.
#[tokio::test]
async fn cve_2026_34204_nobody_sends_what_the_server_alone_knows() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let made = ann.send(ann.person.upload("a.txt", b"content")).await.expect(201);
    let path = format!("/api/v2/files/{}/", text(&made["id"]));
    let forged = json!({"id": "zkmlOc", "owner": bob.person.email, "path": "/etc/passwd",
        "encodedEncryptionKey": "AAAA", "md5": "00", "decryptedSize": 1, "encryptedSize": 1,
        "isUploaded": false, "dateUploaded": "2000-01-01T00:00:00Z", "fileChecksums": [],
        "relativePath": "../x", "downloadUrl": "http://evil.example", "viewInBrowser": true});
    let patched = ann.send(ann.person.request(Method::PATCH, &path).json(&forged)).await;
    assert_eq!(patched.expect(200), made);
    let form = ann.person.request(Method::POST, "/api/files/contents/").form(&[
        Part::field("owner", &bob.person.email),
        Part::field("encodedEncryptionKey", "AAAA"),
        Part::field("id", &text(&made["id"])),
        Part::file("b.txt", b"other"),
    ]);
    let other = ann.send(form).await.expect(201);
    assert!(other["id"] != made["id"] && other["encodedEncryptionKey"] != "AAAA");
    assert_eq!(other["owner"], made["owner"]);
}

/// CVE-2025-68926 (RustFS): a secret that every installation has.
#[tokio::test]
async fn cve_2025_68926_a_new_store_knows_nobody() {
    let world = World::new().await;
    assert!(world.drive.users().await.unwrap().is_empty());
    for (user, password) in
        [("admin", "admin"), ("admin", "password"), ("bindery", "bindery"), ("root", "")]
    {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        for shows in
            [basic, "Token admin".into(), "Bearer bindery_".into(), "Token bindery_".into()]
        {
            let request = Request::get("/rest/self").header("host", "h");
            let request = request.header("authorization", shows).body(Body::empty()).unwrap();
            assert_eq!(world.send(request).await.status, 401);
        }
    }
}

/// CVE-2024-52801 (SFTPGo), CVE-2026-25726 (Cloudreve), CVE-2020-28924 (rclone): secrets that can be guessed.
#[tokio::test]
async fn cve_2024_52801_secrets_are_long_and_never_alike() {
    let ann = Filr::new().await;
    let file = ann.file(MY_FILES, "a.txt", b"content").await;
    let mut secrets = BTreeSet::new();
    for _ in 0..50 {
        let token = ann.world.drive.create_token("ann", "t", None).await.unwrap().secret;
        let link = link_of(&ann, &file).await;
        let link = link.split("/links/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        for secret in [token, link] {
            let random = secret.rsplit('_').next().unwrap_or_default();
            assert!(secret.len() >= 43 && !random.is_empty(), "256 bits: {}", secret.len());
            // Neither a counter nor a date: any eight characters of one are in no other.
            let middle = secret[secret.len() - 16..secret.len() - 8].to_owned();
            assert!(secrets.insert(middle));
        }
    }
}

/// CVE-2026-62685 (filebrowser): two names are one user's place.
#[tokio::test]
async fn cve_2026_62685_two_spellings_of_a_name_are_one_user() {
    let ann = Filr::new().await;
    let add = async |login: &str, email: &str| {
        let user = NewUser {
            login: login.into(),
            email: email.into(),
            name: String::new(),
            password: PASSWORD.into(),
            admin: false,
        };
        ann.world.drive.add_user(user).await
    };
    add("zo\u{eb}", "zoe@example.com").await.unwrap();
    for (login, email) in [
        ("zoe\u{308}", "1@example.com"),
        ("ZO\u{cb}", "2@example.com"),
        ("Zoe\u{308}", "3@example.com"),
        ("ANN", "4@example.com"),
        ("new", "ZOE@EXAMPLE.COM"),
        ("new", "Ann@example.com"),
    ] {
        assert!(add(login, email).await.is_err(), "{login} {email}");
    }
}

/// CVE-2026-54089 (filebrowser), CVE-2021-46398 (filebrowser): a header that anyone can send, or a cookie that
/// a browser sends by itself, says who asks.
#[tokio::test]
async fn cve_2026_54089_no_header_but_one_says_who_asks() {
    let ann = Filr::new().await;
    let token = ann.person.token.clone();
    for (name, value) in [
        ("x-forwarded-user", "ann"),
        ("remote-user", "ann"),
        ("x-remote-user", "ann"),
        ("x-auth-request-email", "ann@example.com"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-original-url", "/rest/release_info"),
        ("x-rewrite-url", "/healthz"),
        ("x-http-method-override", "GET"),
        ("proxy-authorization", &*format!("Token {token}")),
        ("x-auth-token", &*token),
        ("x-api-key", &*token),
        ("cookie", &*format!("token={token}; sessionid={token}; auth={token}")),
    ] {
        for path in ["/rest/self", "/api/users/me/"] {
            assert_eq!(anonymous(&ann, path, &[(name, value)]).await.status, 401, "{name}");
        }
    }
    for path in
        [format!("/rest/self?token={token}"), format!("/api/users/me/?access_token={token}")]
    {
        assert_eq!(anonymous(&ann, &path, &[]).await.status, 401);
    }
}

/// CVE-2024-40120 (SeaweedFS), CVE-2023-34362 (MOVEit): what is searched for is run.
#[tokio::test]
async fn cve_2023_34362_what_is_asked_for_is_never_a_statement() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    bob.file(MY_FILES, "secret.txt", b"bob's").await;
    ann.file(MY_FILES, "plain.txt", b"ann's").await;
    for text in [
        "' or 1=1 --",
        "%' or '1'='1",
        "'; drop table nodes; --",
        "\" or \"\"=\"",
        "$1",
        "?1",
        "\\' or 1=1 --",
        "x' union select password from users --",
    ] {
        let coded = coded(text);
        for path in [
            format!("/api/files/?search={coded}"),
            format!("/api/files/?ordering={coded}"),
            format!("/api/files/?after={coded}&ordering=name"),
            format!("/rest/library_entities?keyword={coded}"),
            format!("/rest{MY_FILES}/library_files?file_name={coded}"),
            format!("/rest/users?keyword={coded}"),
            format!("/rest/files?id={coded}"),
            format!("/rest/files/{coded}"),
            format!("/rest/folders/{coded}"),
        ] {
            let answer = ann.send(ann.person.get(&path)).await;
            assert!(!answer.status.is_server_error(), "{path}: {}", answer.status);
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!body.contains("secret.txt") && !body.contains("argon2"), "{path}: {body}");
        }
        // A name is a name.
        let made = ann.send(ann.person.upload(text, b"x")).await;
        assert!(matches!(made.status.as_u16(), 201 | 400), "{text}: {}", made.status);
    }
    assert_eq!(bob.names(&format!("{MY_FILES}/library_files")).await, ["secret.txt"]);
}

/// CVE-2023-25577 (Werkzeug), CVE-2024-47874 (Starlette), RUSTSEC-2022-0055 (axum-core), CVE-2025-53893
/// (filebrowser): what is gathered of a request has no bound.
#[tokio::test]
async fn cve_2023_25577_nothing_of_a_request_is_gathered_without_bound() {
    let ann = Filr::new().await;
    let before = ann.world.stored();
    let post = || ann.person.request(Method::POST, "/api/files/contents/");
    let many: Vec<Part> = (0..65).map(|_| Part::field("x", "y")).collect();
    let long = Part(
        format!("X: {}\r\nContent-Disposition: form-data; name=\"file\"", "x".repeat(9000)),
        vec![],
    );
    let lines = Part(
        format!("{}Content-Disposition: form-data; name=\"file\"", "X: y\r\n".repeat(40)),
        vec![],
    );
    for parts in [many, vec![long], vec![lines]] {
        assert_eq!(ann.send(post().form(&parts)).await.status, 400);
    }
    let field = vec![Part::field("typeId", &"1".repeat(2 << 20)), Part::file("a", b"x")];
    assert!(ann.send(post().form(&field)).await.status.is_client_error());
    assert_eq!(ann.world.stored(), before);
    let made = ann.send(ann.person.upload("a.txt", b"content")).await.expect(201);
    let path = format!("/api/files/{}/", text(&made["id"]));
    let large = json!({"name": "x".repeat(2 << 20)});
    assert_eq!(ann.send(ann.person.request(Method::PATCH, &path).json(&large)).await.status, 413);
    let folders = format!("/rest{MY_FILES}/library_folders");
    assert_eq!(ann.send(ann.person.request(Method::POST, &folders).json(&large)).await.status, 413);
    let deep = ann.person.request(Method::PATCH, &path);
    let deep = deep.body("application/json", "[".repeat(500_000));
    assert_eq!(ann.send(deep).await.status, 400);
}

/// PYSEC-2026-3041: two names of one part, of which the check reads one and the store the other.
#[tokio::test]
async fn pysec_2026_3041_of_two_names_of_a_part_one_counts_everywhere() {
    let ann = Filr::new().await;
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"plain.txt\"; \
        filename*=UTF-8''r%C3%A9sum%C3%A9.txt";
    let form = ann.person.request(Method::POST, "/api/files/contents/");
    let made = ann.send(form.form(&[Part(head.into(), b"x".to_vec())])).await.expect(201);
    assert_eq!(made["name"], "r\u{e9}sum\u{e9}.txt");
    assert_eq!(ann.names(&format!("{MY_FILES}/library_files")).await, ["r\u{e9}sum\u{e9}.txt"]);
}

/// CVE-2026-55499 (Cloudreve): who may read one file is told what happens around it.
#[tokio::test]
async fn cve_2026_55499_who_reads_one_file_is_told_of_no_other() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let folder = format!("/folders/{}", ann.folder(MY_FILES, "shared from").await);
    let file = ann.file(&folder, "a.txt", b"one").await;
    ann.file(&folder, "hidden.txt", b"two").await;
    ann.share(&entry(&file), &bob, "EDITOR").await;
    assert_eq!(bob.content(&file).await, b"one");
    let since = coded("2026-01-01T00:00:00Z");
    for more in [
        String::new(),
        format!("/library_changes?since={since}"),
        "/library_children".into(),
        "/library_files".into(),
        "/recent_activity".into(),
        "/library_tree".into(),
        "/library_info".into(),
        "/library_entities?keyword=hidden".into(),
    ] {
        bob.get(&format!("{folder}{more}")).await.refused(404, "FOLDER_NOT_FOUND");
    }
    let number = &file["owning_entity"]["id"];
    for path in [
        "/recent_activity".into(),
        "/library_entities?keyword=hidden".into(),
        "/self/shared_with_me/library_children".into(),
        format!("/folder_entries/{number}/ancestry?parent_binder_paths=true"),
        format!("/files/{}/metadata?parent_binder_paths=true", text(&file["id"])),
    ] {
        let answer = bob.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!body.contains("hidden") && !body.contains("shared from"), "{path}: {body}");
    }
}

//! One story in every dialect, and what each dialect shows of what another one did.

use crate::filr::{Filr, MY_FILES, coded, text};
use crate::world::{Answer, bytes};
use http::Method;
use serde_json::{Value, json};

/// What a person does in one dialect. What a dialect cannot do it says.
trait Dialect {
    /// Whether a content is replaced under the same id.
    const OVERWRITES: bool;
    /// Whether files lie in folders.
    const MOVES: bool;

    async fn create(me: &Filr, name: &str, content: &[u8]) -> Answer;
    async fn list(me: &Filr) -> Vec<String>;
    async fn see(me: &Filr, id: &str) -> Answer;
    async fn read(me: &Filr, id: &str) -> Answer;
    async fn overwrite(me: &Filr, id: &str, seen: u64, content: &[u8]) -> Answer;
    async fn rename(me: &Filr, id: &str, name: &str) -> Answer;
    async fn to_folder(me: &Filr, id: &str, folder: i64) -> Answer;
    /// Lets someone read it, or takes that back.
    async fn share(me: &Filr, id: &str, with: Option<&Filr>);
    async fn trash(me: &Filr, id: &str) -> Answer;
    async fn restore(me: &Filr, id: &str);
    fn size(file: &Value) -> &Value;
}

struct Rescale;

impl Rescale {
    fn path(id: &str, more: &str) -> String {
        format!("/api/v2/files/{id}/{more}")
    }

    async fn patch(me: &Filr, id: &str, change: Value) -> Answer {
        me.send(me.person.request(Method::PATCH, &Self::path(id, "")).json(&change)).await
    }
}

impl Dialect for Rescale {
    const OVERWRITES: bool = false;
    const MOVES: bool = false;

    async fn create(me: &Filr, name: &str, content: &[u8]) -> Answer {
        me.send(me.person.upload(name, content)).await
    }

    async fn list(me: &Filr) -> Vec<String> {
        let list = me.send(me.person.get("/api/v2/files/")).await.expect(200);
        list["results"].as_array().unwrap().iter().map(|file| text(&file["name"])).collect()
    }

    async fn see(me: &Filr, id: &str) -> Answer {
        me.send(me.person.get(&Self::path(id, ""))).await
    }

    async fn read(me: &Filr, id: &str) -> Answer {
        me.send(me.person.get(&Self::path(id, "contents/"))).await
    }

    async fn overwrite(_: &Filr, _: &str, _: u64, _: &[u8]) -> Answer {
        unreachable!("this dialect overwrites nothing")
    }

    async fn rename(me: &Filr, id: &str, name: &str) -> Answer {
        Self::patch(me, id, json!({ "name": name })).await
    }

    async fn to_folder(_: &Filr, _: &str, _: i64) -> Answer {
        unreachable!("this dialect has no folders")
    }

    async fn share(me: &Filr, id: &str, with: Option<&Filr>) {
        let emails: Vec<&str> = with.iter().map(|who| who.person.email.as_str()).collect();
        Self::patch(me, id, json!({ "sharedWith": emails })).await.expect(200);
    }

    async fn trash(me: &Filr, id: &str) -> Answer {
        me.send(me.person.request(Method::DELETE, &Self::path(id, "")).empty()).await
    }

    async fn restore(me: &Filr, id: &str) {
        Self::patch(me, id, json!({"isDeleted": false})).await.expect(200);
    }

    fn size(file: &Value) -> &Value {
        &file["decryptedSize"]
    }
}

struct Files;

impl Dialect for Files {
    const OVERWRITES: bool = true;
    const MOVES: bool = true;

    async fn create(me: &Filr, name: &str, content: &[u8]) -> Answer {
        let path = format!("{MY_FILES}/library_files?file_name={}", coded(name));
        me.bytes(&path, content).await
    }

    async fn list(me: &Filr) -> Vec<String> {
        me.names("/self/my_files/library_files?recursive=true").await
    }

    async fn see(me: &Filr, id: &str) -> Answer {
        me.get(&format!("/files/{id}/metadata")).await
    }

    async fn read(me: &Filr, id: &str) -> Answer {
        me.get(&format!("/files/{id}")).await
    }

    async fn overwrite(me: &Filr, id: &str, seen: u64, content: &[u8]) -> Answer {
        me.bytes(&format!("/files/{id}?last_version={seen}"), content).await
    }

    async fn rename(me: &Filr, id: &str, name: &str) -> Answer {
        me.form(&format!("/files/{id}/name"), &[("name", name)]).await
    }

    async fn to_folder(me: &Filr, id: &str, folder: i64) -> Answer {
        let folder = folder.to_string();
        me.form(&format!("/files/{id}/parent_folder"), &[("folder_id", &folder)]).await
    }

    async fn share(me: &Filr, id: &str, with: Option<&Filr>) {
        let file = Self::see(me, id).await.expect(200);
        let entry = crate::filr::entry(&file);
        if let Some(with) = with {
            me.share(&entry, with, "VIEWER").await;
            return;
        }
        for share in me.items(&format!("{entry}/shares")).await {
            assert_eq!(me.delete(share["href"].as_str().unwrap()).await.status, 204);
        }
    }

    async fn trash(me: &Filr, id: &str) -> Answer {
        me.delete(&format!("/files/{id}")).await
    }

    async fn restore(me: &Filr, _: &str) {
        let trashed = me.world.drive.trash_list(Some(&me.person.login)).await.unwrap();
        let [only] = &trashed[..] else { panic!("one thing in the trash") };
        me.world.drive.restore_node(only.id).await.unwrap();
    }

    fn size(file: &Value) -> &Value {
        &file["length"]
    }
}

async fn story<D: Dialect>() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let content = bytes(100_000);

    let sent = D::create(&ann, "r\u{e9}sum\u{e9} 1.dat", &content).await;
    assert!(sent.status.is_success(), "{:?}", sent.body);
    let file = sent.json();
    let id = text(&file["id"]);
    assert_eq!(
        (&file["name"], D::size(&file)),
        (&json!("r\u{e9}sum\u{e9} 1.dat"), &json!(100_000))
    );
    assert_eq!(D::list(&ann).await, ["r\u{e9}sum\u{e9} 1.dat"]);
    let read = D::read(&ann, &id).await;
    assert!(read.status == 200 && read.body == content);

    let mut now = content;
    if D::OVERWRITES {
        now = bytes(70_000);
        D::overwrite(&ann, &id, 1, &now).await.expect(200);
        D::overwrite(&ann, &id, 1, b"too late").await.expect(409);
        assert!(D::read(&ann, &id).await.body == now);
    }

    // Who does not see it learns nothing; who sees it changes nothing.
    for answer in [D::see(&bob, &id).await, D::read(&bob, &id).await, D::trash(&bob, &id).await] {
        answer.expect(404);
    }
    D::share(&ann, &id, Some(&bob)).await;
    assert!(D::read(&bob, &id).await.body == now);
    assert_eq!(D::list(&bob).await, [""; 0]);
    D::rename(&bob, &id, "mine").await.expect(403);
    D::trash(&bob, &id).await.expect(403);
    if D::OVERWRITES {
        D::overwrite(&bob, &id, 2, b"mine").await.expect(403);
    }
    D::rename(&ann, &id, "renamed.dat").await.expect(200);
    assert_eq!(D::see(&bob, &id).await.expect(200)["name"], "renamed.dat");

    if D::MOVES {
        let folder = ann.folder(MY_FILES, "A").await;
        D::to_folder(&bob, &id, folder).await.expect(403);
        D::to_folder(&ann, &id, folder).await.expect(200);
        assert!(D::read(&bob, &id).await.body == now, "it is shared wherever it lies");
    }
    D::share(&ann, &id, None).await;
    D::read(&bob, &id).await.expect(404);

    assert_eq!(D::trash(&ann, &id).await.status, 204);
    for answer in [D::see(&ann, &id).await, D::read(&ann, &id).await, D::trash(&ann, &id).await] {
        answer.expect(404);
    }
    assert_eq!(D::list(&ann).await, [""; 0]);
    D::restore(&ann, &id).await;
    assert_eq!(D::list(&ann).await, ["renamed.dat"]);
    assert!(D::read(&ann, &id).await.body == now);
    let file = D::see(&ann, &id).await.expect(200);
    assert_eq!(D::size(&file), now.len());
    let account = ann.world.drive.account(&ann.caller()).await.unwrap();
    assert_eq!((account.files, account.bytes), (1, now.len() as u64));
}

#[tokio::test]
async fn the_story_in_rescale() {
    story::<Rescale>().await;
}

#[tokio::test]
async fn the_story_in_filr() {
    story::<Files>().await;
}

#[tokio::test]
async fn what_one_dialect_sends_the_other_shows() {
    let ann = Filr::new().await;
    let content = bytes(100_000);
    let sent = Rescale::create(&ann, "a.dat", &content).await.expect(201);
    let id = text(&sent["id"]);
    let [file] = &ann.items("/self/my_files/library_files").await[..] else { panic!("one file") };
    assert_eq!((&file["name"], &file["md5"]), (&json!("a.dat"), &sent["md5"]));
    assert_eq!((&file["length"], &file["version_number"]), (&json!(100_000), &json!(1)));
    assert_eq!(file["parent_binder"], json!({"id": -100, "href": MY_FILES}));
    assert!(ann.content(file).await == content);

    ann.world.drive.clock().advance_seconds(60);
    let new = bytes(70_000);
    let path = format!("/files/{}", text(&file["id"]));
    let replaced = ann.bytes(&format!("{path}?last_version=1"), &new).await.expect(200);
    let seen = Rescale::see(&ann, &id).await.expect(200);
    assert_eq!((&seen["id"], &seen["decryptedSize"]), (&sent["id"], &json!(70_000)));
    assert_eq!(seen["md5"], replaced["md5"]);
    assert!(seen["md5"] != sent["md5"]);
    assert!(text(&seen["dateUploaded"]).starts_with("2026-01-02T03:05:05."), "{seen}");
    assert!(Rescale::read(&ann, &id).await.body == new);

    let folder = ann.folder(MY_FILES, "A").await.to_string();
    let to = [("folder_id", &*folder), ("name", "b.dat")];
    ann.form(&format!("{path}/parent_folder"), &to).await.expect(200);
    let seen = Rescale::see(&ann, &id).await.expect(200);
    assert_eq!(seen["name"], "b.dat");
    assert_eq!(Rescale::list(&ann).await, ["b.dat"]);
    Rescale::rename(&ann, &id, "c.dat").await.expect(200);
    assert_eq!(ann.names(&format!("/folders/{folder}/library_files")).await, ["c.dat"]);

    assert_eq!(ann.delete(&format!("/folders/{folder}")).await.status, 204);
    Rescale::see(&ann, &id).await.expect(404);
    assert_eq!(Rescale::list(&ann).await, [""; 0]);
    ann.world.drive.restore_node(folder.parse().unwrap()).await.unwrap();
    assert!(Rescale::read(&ann, &id).await.body == new);
    assert_eq!(Rescale::trash(&ann, &id).await.status, 204);
    ann.get(&path).await.refused(404, "FILE_NOT_FOUND");
    // Purged by one, it does not come back in the other.
    Rescale::restore(&ann, &id).await;
    assert_eq!(ann.delete(&format!("{path}?purge=true")).await.status, 204);
    Rescale::patch(&ann, &id, json!({"isDeleted": false})).await.expect(404);
}

#[tokio::test]
async fn names_that_only_one_dialect_has() {
    let ann = Filr::new().await;
    let sent = ["a.txt", "a.txt", "A.TXT", "a:b?.txt", "a*b<.txt", "e\u{301}"];
    for (n, name) in sent.into_iter().enumerate() {
        Rescale::create(&ann, name, format!("{n}").as_bytes()).await.expect(201);
    }
    let files = ann.items("/self/my_files/library_files").await;
    let mut labels: Vec<String> = files.iter().map(|file| text(&file["name"])).collect();
    labels.sort();
    let want = ["A (3).TXT", "a (2).txt", "a.txt", "a_b_ (2).txt", "a_b_.txt", "\u{e9}"];
    assert_eq!(labels, want);
    let mut names = Rescale::list(&ann).await;
    names.sort();
    let mut kept = sent.map(str::to_owned);
    kept.sort();
    assert_eq!(names, kept);
    // A label finds its own file, and no other.
    for label in want {
        let found =
            ann.items(&format!("{MY_FILES}/library_files?file_name={}", coded(label))).await;
        assert_eq!(found.len(), 1, "{label}");
        assert_eq!(found[0]["name"], label);
    }
    let second = files.iter().find(|file| file["name"] == "a (2).txt").unwrap();
    assert_eq!(ann.content(second).await, b"1");
    let again = ann.bytes(&format!("{MY_FILES}/library_files?file_name=A%20(2).txt"), b"x").await;
    again.refused(409, "FILE_EXISTS");
    // A new version keeps the name; another name is the same in both.
    let path = format!("/files/{}", text(&second["id"]));
    ann.bytes(&format!("{path}?last_version=1"), b"new").await.expect(200);
    assert_eq!(Rescale::list(&ann).await.iter().filter(|name| *name == "a.txt").count(), 2);
    ann.form(&format!("{path}/name"), &[("name", "renamed.txt")]).await.expect(200);
    assert!(Rescale::list(&ann).await.contains(&"renamed.txt".to_owned()));
    // A folder's name is taken for files of every dialect.
    ann.folder(MY_FILES, "results").await;
    Rescale::create(&ann, "results", b"x").await.expect(201);
    assert!(
        ann.names(&format!("{MY_FILES}/library_files")).await.contains(&"results (2)".to_owned())
    );
}

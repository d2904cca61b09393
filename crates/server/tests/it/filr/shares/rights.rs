//! By role and verb: what a recipient may, where it comes to lie, and on whose account.

use super::{Ground, file, id, made, terms, user};
use crate::filr::{Filr, MY_FILES, entry, text};
use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

type Verb = (&'static str, fn(&Filr, &Ground) -> Request<Body>, [u16; 3]);

fn post(me: &Filr, path: &str) -> crate::world::RequestBuilder {
    me.request(Method::POST, path)
}

/// Each verb, and what it answers to a viewer, an editor and a contributor.
const VERBS: [Verb; 24] = [
    ("read", |me, on| me.request(Method::GET, &file(on, "")).empty(), [200, 200, 200]),
    ("see", |me, on| me.request(Method::GET, &file(on, "/metadata")).empty(), [200, 200, 200]),
    ("see its entry", |me, on| me.request(Method::GET, &entry(&on.file)).empty(), [200, 200, 200]),
    (
        "see versions",
        |me, on| me.request(Method::GET, &file(on, "/versions")).empty(),
        [200, 200, 200],
    ),
    ("see a folder", |me, on| me.request(Method::GET, &on.sub).empty(), [200, 200, 200]),
    (
        "list",
        |me, on| me.request(Method::GET, &format!("{}/library_children", on.sub)).empty(),
        [200, 200, 200],
    ),
    (
        "see a tree",
        |me, on| me.request(Method::GET, &format!("{}/library_tree", on.top)).empty(),
        [200, 200, 200],
    ),
    (
        "copy to one's own",
        |me, on| {
            let fields = [("source_id", &*text(&on.file["id"])), ("file_name", "copy.txt")];
            me.form_request("/self/my_files/library_files", &fields)
        },
        [200, 200, 200],
    ),
    ("replace", |me, on| me.bytes_request(&file(on, "?last_version=1"), b"new"), [403, 200, 200]),
    (
        "overwrite by name",
        |me, on| {
            let name = "library_files?file_name=a.txt&overwrite_existing=true";
            me.bytes_request(&format!("{}/{name}", on.sub), b"new")
        },
        [403, 200, 200],
    ),
    (
        "upload",
        |me, on| me.bytes_request(&format!("{}/library_files?file_name=new", on.sub), b"new"),
        [403, 403, 200],
    ),
    (
        "upload to what is shared",
        |me, on| me.bytes_request(&format!("{}/library_files?file_name=new", on.top), b"new"),
        [403, 403, 200],
    ),
    (
        "make a folder",
        |me, on| post(me, &format!("{}/library_folders", on.sub)).json(&json!({"title": "new"})),
        [403, 403, 200],
    ),
    (
        "copy inside",
        |me, on| {
            let fields = [("source_id", &*text(&on.file["id"])), ("file_name", "copy.txt")];
            me.form_request(&format!("{}/library_files", on.other), &fields)
        },
        [403, 403, 200],
    ),
    ("rename", |me, on| me.form_request(&file(on, "/name"), &[("name", "b.txt")]), [403, 403, 200]),
    (
        "move",
        |me, on| me.form_request(&file(on, "/parent_folder"), &[("folder_id", id(&on.other))]),
        [403, 403, 200],
    ),
    ("delete", |me, on| me.request(Method::DELETE, &file(on, "")).empty(), [403, 403, 204]),
    (
        "delete by its entry",
        |me, on| me.request(Method::DELETE, &entry(&on.file)).empty(),
        [403, 403, 204],
    ),
    (
        "rename a folder",
        |me, on| me.form_request(&format!("{}/title", on.sub), &[("title", "new")]),
        [403, 403, 200],
    ),
    (
        "move a folder",
        |me, on| {
            me.form_request(&format!("{}/parent_binder", on.sub), &[("binder_id", id(&on.other))])
        },
        [403, 403, 200],
    ),
    ("delete a folder", |me, on| me.request(Method::DELETE, &on.sub).empty(), [403, 403, 204]),
    // What is shared itself stays where and what it is.
    (
        "rename what is shared",
        |me, on| me.form_request(&format!("{}/title", on.top), &[("title", "new")]),
        [403, 403, 403],
    ),
    (
        "delete what is shared",
        |me, on| me.request(Method::DELETE, &on.top).empty(),
        [403, 403, 403],
    ),
    (
        "share on",
        |me, on| {
            let body = terms(json!({"type": "public"}), "VIEWER");
            post(me, &format!("{}/shares", on.sub)).json(&body)
        },
        [403, 403, 403],
    ),
];

#[tokio::test]
async fn every_role_and_every_verb() {
    for (n, role) in ["VIEWER", "EDITOR", "CONTRIBUTOR"].into_iter().enumerate() {
        let ann = Filr::new().await;
        let (bob, cid) = (ann.with("bob").await, ann.with("cid").await);
        for (verb, request, statuses) in &VERBS {
            let on = Ground::new(&ann, verb).await;
            ann.share(&on.top, &bob, role).await;
            let before = ann.world.stored();
            let hidden = cid.send(request(&cid, &on)).await;
            assert_eq!(hidden.status, 404, "a stranger: {verb}: {:?}", hidden.body);
            let answer = bob.send(request(&bob, &on)).await;
            assert_eq!(answer.status, statuses[n], "{role}: {verb}: {:?}", answer.body);
            if answer.status == 403 {
                answer.refused(403, "ACCESS_DENIED");
                assert_eq!(ann.world.stored(), before, "{role}: {verb}");
            }
            // The owner still may; on what the verb has not taken away.
            if statuses[n] == 403 {
                let answer = ann.send(request(&ann, &on)).await;
                assert!(answer.status.is_success(), "the owner: {verb}: {:?}", answer.body);
            }
        }
    }
}

/// What the catalog keeps about an account must be what its tree holds.
async fn check_account(who: &Filr, files: u64, bytes: u64) {
    let account = who.world.drive.account(&who.caller()).await.unwrap();
    assert_eq!((account.files, account.bytes), (files, bytes), "{}", who.person.login);
    let all = who.items("/self/my_files/library_files?recursive=true").await;
    let sum: u64 = all.iter().map(|file| file["length"].as_u64().unwrap()).sum();
    assert_eq!((all.len() as u64, sum), (files, bytes), "{}", who.person.login);
}

#[tokio::test]
async fn what_a_contributor_makes_belongs_to_the_owner_of_the_folder() {
    let ann = Filr::new().await;
    let (bob, cid) = (ann.with("bob").await, ann.with("cid").await);
    let on = Ground::new(&ann, "A").await;
    ann.share(&on.top, &bob, "CONTRIBUTOR").await;
    let new = bob.file(&on.sub, "of bob.txt", b"of bob").await;
    let by = |file: &Value, when: &str| file[when]["principal"]["id"].clone();
    assert_eq!(by(&new, "creation"), bob.person.id);
    let folder = made(&bob, &on.sub, "folder of bob").await;
    assert_eq!(by(&ann.get(&folder).await.expect(200), "creation"), bob.person.id);
    let replaced = bob.bytes(&file(&on, "?last_version=1"), b"by bob").await.expect(200);
    assert_eq!(by(&replaced, "creation"), ann.person.id);
    assert_eq!(by(&replaced, "modification"), bob.person.id);
    check_account(&ann, 2, 12).await;
    check_account(&bob, 0, 0).await;
    // Deleted by one who may, it lies in the owner's trash.
    assert_eq!(bob.delete(&file(&on, "")).await.status, 204);
    let trashed = ann.world.drive.trash_list(Some("ann")).await.unwrap();
    assert_eq!(trashed.len(), 1);
    assert!(ann.world.drive.trash_list(Some("bob")).await.unwrap().is_empty());
    ann.world.drive.restore_node(trashed[0].id).await.unwrap();

    // Taken home, it is its new owner's, with its history, and shared with no one of before.
    ann.share(&entry(&new), &cid, "EDITOR").await;
    assert_eq!(cid.content(&new).await, b"of bob");
    let home = [("folder_id", "-100")];
    let path = format!("/files/{}/parent_folder", text(&new["id"]));
    cid.form(&path, &home).await.refused(403, "ACCESS_DENIED");
    let moved = bob.form(&path, &home).await.expect(200);
    assert_eq!(moved["parent_binder"], json!({"id": -100, "href": MY_FILES}));
    assert_eq!(bob.content(&moved).await, b"of bob");
    for who in [&ann, &cid] {
        let path = format!("/files/{}", text(&moved["id"]));
        who.get(&path).await.refused(404, "FILE_NOT_FOUND");
    }
    check_account(&ann, 1, 6).await;
    check_account(&bob, 1, 6).await;
    // And a whole tree, to where it is shared again.
    let tree = [("binder_id", "-100")];
    let taken = bob.form(&format!("{}/parent_binder", on.sub), &tree).await.expect(200);
    let taken = format!("/folders/{}", taken["id"]);
    ann.get(&taken).await.refused(404, "FOLDER_NOT_FOUND");
    check_account(&ann, 0, 0).await;
    check_account(&bob, 2, 12).await;
    let back = [("binder_id", id(&on.top))];
    bob.form(&format!("{taken}/parent_binder"), &back).await.expect(200);
    check_account(&ann, 1, 6).await;
    check_account(&bob, 1, 6).await;
    assert_eq!(ann.names(&format!("{taken}/library_files")).await, ["a.txt"]);
}

#[tokio::test]
async fn a_quota_counts_where_things_come_to_lie() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let on = Ground::new(&ann, "A").await;
    ann.share(&on.top, &bob, "CONTRIBUTOR").await;
    ann.world.drive.set_quota("bob", Some(6)).await.unwrap();
    let before = ann.world.stored();
    let copy = [("title", "copy"), ("source_id", id(&on.sub))];
    for answer in [
        bob.form(&file(&on, "/parent_folder"), &[("folder_id", "-100")]).await,
        bob.form(&format!("{}/parent_binder", on.sub), &[("binder_id", "-100")]).await,
        bob.form("/self/my_files/library_folders", &copy).await,
    ] {
        answer.refused(403, "USER_QUOTA_EXCEEDED");
    }
    assert_eq!(ann.world.stored(), before);
    check_account(&ann, 1, 7).await;
    check_account(&bob, 0, 0).await;
    // What lies in the trash counts no more, and again when it comes back.
    let kept = bob.file(MY_FILES, "a.txt", b"123456").await;
    assert_eq!(bob.delete(&format!("/files/{}", text(&kept["id"]))).await.status, 204);
    bob.file(MY_FILES, "b.txt", b"123456").await;
    check_account(&bob, 1, 6).await;
}

#[tokio::test]
async fn a_file_that_is_shared_by_itself() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let file = ann.file(MY_FILES, "a.txt", b"content").await;
    let path = format!("/files/{}", text(&file["id"]));
    let shares = format!("{}/shares", entry(&file));
    let replace = format!("{path}?force_overwrite=true");
    let share = ann.json(&shares, terms(user(&bob), "VIEWER")).await.expect(200);
    assert_eq!(share["shared_entity"]["id"], file["owning_entity"]["id"]);
    assert_eq!(share["shared_entity"]["type"], "folderEntry");
    assert_eq!(bob.content(&file).await, b"content");
    bob.bytes(&replace, b"x").await.refused(403, "ACCESS_DENIED");
    // The same share again changes the one that is there.
    let again = ann.json(&shares, terms(user(&bob), "EDITOR")).await.expect(200);
    assert_eq!(ann.items(&shares).await.len(), 1);
    assert_eq!((&again["id"], &again["access"]["role"]), (&share["id"], &json!("EDITOR")));
    bob.bytes(&replace, b"new").await.expect(200);
    assert_eq!(ann.content(&file).await, b"new");
    for answer in [
        bob.form(&format!("{path}/name"), &[("name", "b.txt")]).await,
        bob.form(&format!("{path}/parent_folder"), &[("folder_id", "-100")]).await,
        bob.delete(&path).await,
        bob.delete(&entry(&file)).await,
    ] {
        answer.refused(403, "ACCESS_DENIED");
    }
    let change = format!("/shares/{}", share["id"]);
    ann.json(&change, terms(user(&bob), "VIEWER")).await.expect(200);
    bob.bytes(&replace, b"x").await.refused(403, "ACCESS_DENIED");
    let shown = ann.get(&change).await.expect(200);
    assert_eq!(shown["access"]["role"], "VIEWER");
    // A folder above it that is not shared stays hidden.
    let seen = bob.get(&format!("{path}/metadata")).await.expect(200);
    assert!(seen["parent_binder"]["id"].as_i64().unwrap() < 0, "{seen}");
}

//! What others may do: by role and verb, downwards, until it ends at once.

use super::{Filr, MY_FILES, entry, in_order, text};
use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

const DAY: i64 = 86_400;

fn id(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap()
}

async fn made(me: &Filr, parent: &str, title: &str) -> String {
    format!("/folders/{}", me.folder(parent, title).await)
}

fn user(who: &Filr) -> Value {
    json!({"type": "user", "id": who.person.id})
}

/// What is sent to share something.
#[expect(clippy::needless_pass_by_value, reason = "what is sent is made where it is sent")]
fn terms(recipient: Value, role: &str) -> Value {
    json!({"recipient": recipient, "access": {"role": role}})
}

fn reshared(mut terms: Value) -> Value {
    terms["access"]["sharing"] = json!({"internal": true, "external": true, "public": true,
        "public_link": true, "grant_reshare": true});
    terms
}

/// Where a verb is tried: a folder that is shared, and what lies in it.
struct Ground {
    top: String,
    sub: String,
    other: String,
    file: Value,
}

impl Ground {
    async fn new(ann: &Filr, title: &str) -> Self {
        let top = made(ann, MY_FILES, title).await;
        let sub = made(ann, &top, "sub").await;
        let other = made(ann, &top, "other").await;
        let file = ann.file(&sub, "a.txt", b"content").await;
        Ground { top, sub, other, file }
    }
}

type Verb = (&'static str, fn(&Filr, &Ground) -> Request<Body>, [u16; 3]);

fn file(ground: &Ground, more: &str) -> String {
    format!("/files/{}{more}", text(&ground.file["id"]))
}

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

#[tokio::test]
async fn a_share_looks_as_it_should() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let folder = made(&ann, MY_FILES, "A").await;
    let mut body = terms(user(&bob), "VIEWER");
    body["comment"] = json!("for you");
    body["days_to_expire"] = json!(3);
    body["access"]["sharing"] = json!({"internal": true, "grant_reshare": true});
    let answer = ann.json(&format!("{folder}/shares?notify=false"), body).await;
    let share = answer.expect(200);
    let order = "id href comment shared_entity sharer recipient sharing_date access";
    in_order(&answer, order);
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(!text.contains("null"));
    assert_eq!(share["href"], format!("/shares/{}", share["id"]));
    assert_eq!(share["comment"], "for you");
    let number: i64 = id(&folder).parse().unwrap();
    assert_eq!(share["shared_entity"], json!({"id": number, "type": "folder", "href": folder}));
    assert_eq!(
        share["sharer"],
        json!({"id": ann.person.id, "href": format!("/users/{}", ann.person.id)})
    );
    assert_eq!(share["recipient"]["id"], bob.person.id);
    assert_eq!(share["recipient"]["type"], "user");
    assert_eq!(share["recipient"]["href"], format!("/users/{}", bob.person.id));
    assert_eq!(share["sharing_date"], "2026-01-02T03:04:05Z");
    assert_eq!(
        (&share["expiration"], &share["days_to_expire"]),
        (&json!("2026-01-05T03:04:05Z"), &json!(3))
    );
    assert_eq!(
        share["access"],
        json!({"role": "VIEWER", "sharing": {"internal": true, "external": false, "public": false,
            "public_link": false, "grant_reshare": true}})
    );
    let path = share["href"].as_str().unwrap();
    assert_eq!(ann.get(path).await.expect(200), share);
    assert_eq!(bob.get(path).await.expect(200)["id"], share["id"]);
    for list in [
        format!("{folder}/shares"),
        format!("/shares/by_user/{}", ann.person.id),
        format!("/shares/with_user/{}", bob.person.id),
    ] {
        for who in [&ann, &bob] {
            let shares = who.items(&list).await;
            assert_eq!(shares.len(), 1, "{list}: {}", who.person.login);
            assert_eq!(shares[0]["id"], share["id"]);
        }
    }
    let cid = ann.with("cid").await;
    cid.get(path).await.refused(404, "SHAREITEM_NOT_FOUND");
    cid.delete(path).await.refused(404, "SHAREITEM_NOT_FOUND");
    cid.get(&format!("{folder}/shares")).await.refused(404, "FOLDER_NOT_FOUND");
    assert!(cid.items(&format!("/shares/by_user/{}", ann.person.id)).await.is_empty());
}

#[tokio::test]
async fn a_share_ends_at_once_by_revocation_and_by_its_date() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let on = Ground::new(&ann, "A").await;
    let reads = [file(&on, ""), file(&on, "/metadata"), on.sub.clone(), on.top.clone()];
    let check = async |status: u16| {
        for path in &reads {
            assert_eq!(bob.get(path).await.status, status, "{path}");
        }
        let shared = bob.items("/self/shared_with_me/library_children").await;
        assert_eq!(shared.len(), usize::from(status == 200));
    };
    let shares = format!("{}/shares", on.top);
    let with = |more: (&str, Value)| {
        let mut body = terms(user(&bob), "CONTRIBUTOR");
        body[more.0] = more.1;
        body
    };
    check(404).await;
    let share = ann.json(&shares, terms(user(&bob), "CONTRIBUTOR")).await.expect(200);
    check(200).await;
    assert_eq!(ann.delete(share["href"].as_str().unwrap()).await.status, 204);
    check(404).await;
    ann.get(share["href"].as_str().unwrap()).await.refused(404, "SHAREITEM_NOT_FOUND");
    bob.bytes(&format!("{}/library_files?file_name=x", on.sub), b"x").await.expect(404);

    ann.json(&shares, with(("days_to_expire", json!(1)))).await.expect(200);
    ann.world.drive.clock().advance_seconds(DAY - 10);
    check(200).await;
    ann.world.drive.clock().advance_seconds(20);
    check(404).await;
    bob.bytes(&format!("{}/library_files?file_name=x", on.sub), b"x").await.expect(404);

    ann.json(&shares, with(("expiration", json!("2026-01-04T00:00:00Z")))).await.expect(200);
    check(200).await;
    ann.world.drive.clock().advance_seconds(DAY);
    check(404).await;

    // Moved out of the folder that is shared, it is shared no more; and the other way round.
    ann.json(&shares, terms(user(&bob), "VIEWER")).await.expect(200);
    check(200).await;
    ann.form(&file(&on, "/parent_folder"), &[("folder_id", "-100")]).await.expect(200);
    bob.get(&reads[0]).await.refused(404, "FILE_NOT_FOUND");
    ann.form(&file(&on, "/parent_folder"), &[("folder_id", id(&on.sub))]).await.expect(200);
    check(200).await;
    // In the trash nothing is shared, and it is again when it comes back.
    assert_eq!(ann.delete(&on.top).await.status, 204);
    check(404).await;
    ann.world.drive.restore_node(id(&on.top).parse().unwrap()).await.unwrap();
    check(200).await;
}

#[tokio::test]
async fn what_is_shared_on_ends_with_what_it_hangs_on() {
    let ann = Filr::new().await;
    let (bob, cid, dan) = (ann.with("bob").await, ann.with("cid").await, ann.with("dan").await);
    let on = Ground::new(&ann, "A").await;
    let (top, sub) = (format!("{}/shares", on.top), format!("{}/shares", on.sub));
    let read = file(&on, "");
    let sees = async |who: &Filr, seen: bool| {
        let status = who.get(&read).await.status;
        assert_eq!(status, if seen { 200 } else { 404 }, "{}", who.person.login);
    };

    ann.json(&top, terms(user(&bob), "VIEWER")).await.expect(200);
    bob.json(&sub, terms(user(&cid), "VIEWER")).await.refused(403, "ACCESS_DENIED");
    let first = ann.json(&top, reshared(terms(user(&bob), "VIEWER"))).await.expect(200);
    let second = bob.json(&sub, reshared(terms(user(&cid), "VIEWER"))).await.expect(200);
    cid.json(&sub, terms(user(&dan), "VIEWER")).await.expect(200);
    for who in [&bob, &cid, &dan] {
        sees(who, true).await;
    }
    // No more than one has.
    let more = bob.json(&sub, terms(user(&dan), "CONTRIBUTOR")).await;
    assert!(matches!(more.status.as_u16(), 200 | 403), "{:?}", more.body);
    let upload = format!("{}/library_files?file_name=x", on.sub);
    dan.bytes(&upload, b"x").await.refused(403, "ACCESS_DENIED");
    if more.status == 200 {
        assert_eq!(bob.delete(more.json()["href"].as_str().unwrap()).await.status, 204);
    }
    sees(&dan, true).await;

    // Who shared it on may end that; then what hangs on that ends too.
    assert_eq!(bob.delete(second["href"].as_str().unwrap()).await.status, 204);
    for (who, seen) in [(&bob, true), (&cid, false), (&dan, false)] {
        sees(who, seen).await;
    }
    bob.json(&sub, reshared(terms(user(&cid), "VIEWER"))).await.expect(200);
    cid.json(&sub, terms(user(&dan), "VIEWER")).await.expect(200);
    assert_eq!(ann.delete(first["href"].as_str().unwrap()).await.status, 204);
    for who in [&bob, &cid, &dan] {
        sees(who, false).await;
    }

    // For no longer than one has it.
    let mut short = reshared(terms(user(&bob), "VIEWER"));
    short["days_to_expire"] = json!(1);
    ann.json(&top, short).await.expect(200);
    bob.json(&sub, terms(user(&cid), "VIEWER")).await.expect(200);
    sees(&cid, true).await;
    ann.world.drive.clock().advance_seconds(DAY + 1);
    for who in [&bob, &cid] {
        sees(who, false).await;
    }

    // And it is gone as soon as sharing on is no longer permitted.
    let again = ann.json(&top, reshared(terms(user(&bob), "VIEWER"))).await.expect(200);
    bob.json(&sub, terms(user(&cid), "VIEWER")).await.expect(200);
    sees(&cid, true).await;
    let mut less = terms(user(&bob), "VIEWER");
    less["access"]["sharing"] = json!({"grant_reshare": false});
    ann.json(again["href"].as_str().unwrap(), less).await.expect(200);
    sees(&bob, true).await;
    sees(&cid, false).await;
}

#[tokio::test]
async fn an_e_mail_of_someone_who_comes_later() {
    let ann = Filr::new().await;
    let folder = made(&ann, MY_FILES, "A").await;
    let inside = ann.file(&folder, "a.txt", b"content").await;
    let recipient = json!({"type": "external_user", "email": "Zoe@Example.COM"});
    let share = ann.json(&format!("{folder}/shares"), terms(recipient, "VIEWER")).await.expect(200);
    assert_eq!(share["recipient"]["type"], "external_user");
    assert_eq!(share["recipient"]["email"], "zoe@example.com");
    let zoe = ann.with("zoe").await;
    assert_eq!(zoe.content(&inside).await, b"content");
    assert_eq!(zoe.names("/self/shared_with_me/library_children").await, ["A"]);
    let recipient = json!({"type": "external_user", "email": "zoe@example.com"});
    let again = ann.json(&format!("{folder}/shares"), terms(recipient, "EDITOR")).await.expect(200);
    assert_eq!(again["id"], share["id"]);
    assert_eq!(ann.delete(share["href"].as_str().unwrap()).await.status, 204);
    zoe.get(&folder).await.refused(404, "FOLDER_NOT_FOUND");
}

#[tokio::test]
async fn everyone_and_whoever_has_the_link() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let file = ann.file(MY_FILES, "r\u{e9}sum\u{e9}.txt", b"content").await;
    let path = format!("/files/{}", text(&file["id"]));
    let shares = format!("{}/shares", entry(&file));

    let everyone = ann.json(&shares, terms(json!({"type": "public"}), "VIEWER")).await.expect(200);
    assert_eq!(everyone["recipient"]["type"], "public");
    assert_eq!(bob.content(&file).await, b"content");
    assert_eq!(bob.names("/self/public_shares/library_children").await, ["r\u{e9}sum\u{e9}.txt"]);
    assert_eq!(bob.names("/self/shared_with_me/library_children").await.len(), 0);
    bob.bytes(&format!("{path}?force_overwrite=true"), b"x").await.refused(403, "ACCESS_DENIED");
    bob.delete(everyone["href"].as_str().unwrap()).await.refused(403, "ACCESS_DENIED");
    assert_eq!(bob.content(&file).await, b"content", "who has it with all others cannot end it");
    assert_eq!(ann.delete(everyone["href"].as_str().unwrap()).await.status, 204);
    bob.get(&path).await.refused(404, "FILE_NOT_FOUND");

    let body = terms(json!({"type": "public_link"}), "VIEWER");
    let link = ann.json(&shares, body).await.expect(200);
    let permalinks = link["permalinks"].as_array().unwrap();
    assert_eq!(permalinks.len(), 2, "download first, then view: {link}");
    let open = async |permalink: &Value, method: Method| {
        let url = permalink["href"].as_str().unwrap();
        let path = url.strip_prefix("http://files.example").unwrap();
        let request = Request::builder().method(method).uri(path).header("host", "files.example");
        ann.send(request.body(Body::empty()).unwrap()).await
    };
    for permalink in permalinks {
        let answer = open(permalink, Method::GET).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"content"[..]));
        assert!(!answer.header("content-type").contains("html"));
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = open(permalink, method.clone()).await;
            assert!(answer.status.is_client_error(), "{method}: {}", answer.status);
        }
    }
    let download = open(&permalinks[0], Method::GET).await;
    assert!(download.header("content-disposition").starts_with("attachment"));
    // The link shows this file alone, and those who may see the share alone see the link.
    bob.get(&path).await.refused(404, "FILE_NOT_FOUND");
    ann.bytes(&format!("{path}?last_version=1"), b"new content").await.expect(200);
    assert_eq!(open(&permalinks[0], Method::GET).await.body, "new content");
    let shown = ann.get(link["href"].as_str().unwrap()).await.expect(200);
    assert_eq!(shown["permalinks"], link["permalinks"]);
    assert_eq!(ann.delete(&path).await.status, 204);
    assert_eq!(open(&permalinks[0], Method::GET).await.status, 404);
    let number = file["owning_entity"]["id"].as_i64().unwrap();
    ann.world.drive.restore_node(number).await.unwrap();
    assert_eq!(open(&permalinks[0], Method::GET).await.status, 200);
    assert_eq!(ann.delete(link["href"].as_str().unwrap()).await.status, 204);
    for permalink in permalinks {
        assert_eq!(open(permalink, Method::GET).await.status, 404);
    }
    let mut body = terms(json!({"type": "public_link"}), "VIEWER");
    body["days_to_expire"] = json!(1);
    let link = ann.json(&shares, body).await.expect(200);
    assert_eq!(open(&link["permalinks"][0], Method::GET).await.status, 200);
    ann.world.drive.clock().advance_seconds(DAY + 1);
    assert_eq!(open(&link["permalinks"][0], Method::GET).await.status, 404);
}

#[tokio::test]
async fn what_is_shared_is_listed_on_both_sides() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let folder = made(&ann, MY_FILES, "A").await;
    let inner = ann.file(&folder, "inner.txt", b"x").await;
    let alone = ann.file(MY_FILES, "alone.txt", b"x").await;
    ann.share(&folder, &bob, "VIEWER").await;
    ann.share(&entry(&alone), &bob, "VIEWER").await;
    assert_eq!(bob.names("/self/shared_with_me/library_children").await, ["A", "alone.txt"]);
    assert_eq!(bob.names("/self/shared_with_me/library_folders").await, ["A"]);
    assert_eq!(bob.names("/self/shared_with_me/library_files").await, ["alone.txt"]);
    assert_eq!(ann.names("/self/shared_by_me/library_children").await, ["A", "alone.txt"]);
    for (who, path) in [
        (&ann, "/self/shared_with_me/library_children"),
        (&bob, "/self/shared_by_me/library_children"),
        (&bob, "/self/my_files/library_children"),
        (&bob, "/self/public_shares/library_children"),
        (&bob, "/self/net_folders/library_children"),
    ] {
        assert!(who.names(path).await.is_empty(), "{path}");
    }
    assert_eq!(bob.names(&format!("{folder}/library_files")).await, ["inner.txt"]);
    let above = bob.get(&format!("/files/{}/ancestry", text(&inner["id"]))).await;
    if above.status == 200 {
        let ids: Vec<i64> =
            above.json().as_array().unwrap().iter().map(|f| f["id"].as_i64().unwrap()).collect();
        assert!(ids.iter().all(|id| *id < 0 || folder.ends_with(&format!("/{id}"))), "{ids:?}");
    }
}

#[tokio::test]
async fn the_other_dialect_honours_the_shares_of_folders() {
    let ann = Filr::new().await;
    let bob = ann.with("bob").await;
    let on = Ground::new(&ann, "A").await;
    let rescale = async |who: &Filr, path: &str| who.send(who.person.get(path)).await;
    let list = rescale(&ann, "/api/v2/files/").await.expect(200);
    assert_eq!((&list["count"], &list["results"][0]["name"]), (&json!(1), &json!("a.txt")));
    let path = format!("/api/v2/files/{}/", text(&list["results"][0]["id"]));
    let reads = [path.clone(), format!("{path}contents/"), format!("{path}lines/")];
    let shared = "/api/v2/files/?shared=1";
    for (share, status) in [(None, 404), (Some("VIEWER"), 200), (None, 404)] {
        let given = match share {
            Some(role) => Some(ann.share(&on.top, &bob, role).await),
            None => None,
        };
        for read in &reads {
            assert_eq!(rescale(&bob, read).await.status, status, "{read}");
        }
        let count = rescale(&bob, shared).await.expect(200)["count"].clone();
        assert_eq!(count, u64::from(status == 200));
        assert_eq!(rescale(&bob, "/api/v2/files/").await.expect(200)["count"], 0);
        if let Some(given) = given {
            assert_eq!(rescale(&bob, &reads[1]).await.body, "content");
            let patch = bob.person.request(Method::PATCH, &path).json(&json!({"name": "x"}));
            bob.send(patch).await.expect(403);
            let delete = bob.person.request(Method::DELETE, &path).empty();
            bob.send(delete).await.expect(403);
            assert_eq!(ann.delete(given["href"].as_str().unwrap()).await.status, 204);
        }
    }
}

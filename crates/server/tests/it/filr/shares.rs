//! What others may do, downwards, until it ends at once.

mod rights;

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

/// A folder to be shared, and what lies in it.
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

fn file(ground: &Ground, more: &str) -> String {
    format!("/files/{}{more}", text(&ground.file["id"]))
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

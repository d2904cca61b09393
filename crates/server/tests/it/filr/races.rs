//! Many at once: one wins, the others are told, and nothing in between is ever seen.

use super::{Filr, MY_FILES, names, text};
use crate::world::Answer;
use axum::body::Body;
use http::{Method, Request};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Barrier;

/// Sends all requests at the same moment, each from a task of its own.
async fn at_once(ann: &Filr, requests: Vec<Request<Body>>) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(requests.len()));
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let (ann, barrier) = (ann.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                ann.send(request).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    statuses
}

/// The list, the counts that are kept, and every content agree.
async fn check(ann: &Filr) {
    let files = ann.items("/self/my_files/library_files?recursive=true").await;
    let mut bytes = 0;
    for file in &files {
        let content = ann.content(file).await;
        assert_eq!(file["length"], content.len(), "{file}");
        bytes += content.len() as u64;
        let versions = ann.items(&format!("/files/{}/versions", text(&file["id"]))).await;
        let current = versions.iter().find(|v| v["version_number"] == file["version_number"]);
        assert_eq!(current.expect("the current version is listed")["md5"], file["md5"]);
    }
    let account = ann.world.drive.account(&ann.caller()).await.unwrap();
    assert_eq!((account.files, account.bytes), (files.len() as u64, bytes));
    let checked = ann.world.drive.verify(None, |_| ()).await.unwrap();
    assert!(checked.damaged.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_64_who_replace_the_same_version_one_wins() {
    let ann = Filr::new().await;
    let file = ann.file(MY_FILES, "a.txt", b"0").await;
    let path = format!("/files/{}", text(&file["id"]));
    for round in 1..=200 {
        let requests = (0..64).map(|n| {
            let content = format!("round {round}, task {n}");
            ann.bytes_request(&format!("{path}?last_version={round}"), content.as_bytes())
        });
        let answers = at_once(&ann, requests.collect()).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 63), "{:?}", statuses(&answers));
        for answer in lost {
            let body = answer.refused(409, "FILE_VERSION_CONFLICT");
            assert_eq!(body["data"]["version_number"], round + 1);
        }
        let won = won[0].json();
        assert_eq!(won["version_number"], round + 1);
        let now = ann.get(&format!("{path}/metadata")).await.expect(200);
        assert_eq!((&now["md5"], &now["version_number"]), (&won["md5"], &json!(round + 1)));
    }
    let versions = ann.items(&format!("{path}/versions")).await;
    let numbers: Vec<i64> =
        versions.iter().map(|version| version["version_number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=201).rev().collect::<Vec<_>>());
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_64_who_make_one_name_one_wins() {
    let ann = Filr::new().await;
    for round in 0..5 {
        let requests = (0..64).map(|n| {
            let name = if n % 2 == 0 { "Name" } else { "nAME" };
            if n % 4 == 3 {
                let title = json!({"title": format!("{name} {round}")});
                ann.request(Method::POST, "/self/my_files/library_folders").json(&title)
            } else {
                let path = format!("/self/my_files/library_files?file_name={name}%20{round}");
                ann.bytes_request(&path, format!("task {n}").as_bytes())
            }
        });
        let answers = at_once(&ann, requests.collect()).await;
        let mut want = vec![409; 64];
        want[0] = 200;
        assert_eq!(statuses(&answers), want);
        assert_eq!(ann.items("/self/my_files/library_children").await.len(), round + 1);
    }
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn all_who_overwrite_one_name_make_one_file() {
    let ann = Filr::new().await;
    let path = "/self/my_files/library_files?file_name=a.txt&overwrite_existing=true";
    let requests = (0..64).map(|n| ann.bytes_request(path, format!("task {n}").as_bytes()));
    let answers = at_once(&ann, requests.collect()).await;
    assert_eq!(statuses(&answers), [200; 64]);
    let mut numbers: Vec<i64> =
        answers.iter().map(|answer| answer.json()["version_number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    assert_eq!(ann.names("/self/my_files/library_children").await, ["a.txt"]);
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_quota_holds_against_many() {
    let ann = Filr::new().await;
    ann.world.drive.set_quota("ann", Some(100)).await.unwrap();
    let requests = (0..64).map(|n| {
        let path = format!("/self/my_files/library_files?file_name={n}");
        ann.bytes_request(&path, b"ten bytes.")
    });
    let answers = at_once(&ann, requests.collect()).await;
    assert_eq!(statuses(&answers), [[200; 10].as_slice(), &[403; 54]].concat());
    for answer in answers.iter().filter(|answer| answer.status == 403) {
        answer.refused(403, "USER_QUOTA_EXCEEDED");
    }
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn two_moves_make_no_cycle() {
    let ann = Filr::new().await;
    for round in 0..20 {
        let a = ann.folder(MY_FILES, &format!("a {round}")).await.to_string();
        let b = ann.folder(MY_FILES, &format!("b {round}")).await.to_string();
        ann.file(&format!("/folders/{a}"), "in a", b"in a").await;
        ann.file(&format!("/folders/{b}"), "in b", b"in b").await;
        let into = |from: &str, to: &str| {
            ann.form_request(&format!("/folders/{from}/parent_binder"), &[("binder_id", to)])
        };
        let answers = at_once(&ann, vec![into(&a, &b), into(&b, &a)]).await;
        assert_eq!(statuses(&answers), [200, 400]);
        let lost = answers.iter().find(|answer| answer.status == 400).unwrap();
        lost.refused(400, "INVALID_FOLDER_HIERARCHY");
        let top = ann.names("/self/my_files/library_folders").await;
        assert_eq!(top.len(), round + 1, "{top:?}");
    }
    let all = ann.items("/self/my_files/library_files?recursive=true").await;
    assert_eq!(all.len(), 40);
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_file_that_is_deleted_while_it_is_replaced() {
    let ann = Filr::new().await;
    for round in 0..40 {
        let file = ann.file(MY_FILES, &format!("{round}.txt"), b"old").await;
        let path = format!("/files/{}", text(&file["id"]));
        let guarded = round % 2 == 0;
        let delete = if guarded { format!("{path}?version=1") } else { path.clone() };
        let requests = vec![
            ann.request(Method::DELETE, &delete).empty(),
            ann.bytes_request(&format!("{path}?last_version=1"), b"a new content"),
        ];
        let answers = at_once(&ann, requests).await;
        let (deleted, replaced) = (answers[0].status.as_u16(), answers[1].status.as_u16());
        let there = ann.get(&path).await;
        match (deleted, replaced) {
            (204, 404) => {}
            (204, 200) => assert!(!guarded, "it had another version"),
            (409, 200) => {
                assert!(guarded);
                answers[0].refused(409, "FILE_VERSION_CONFLICT");
                assert_eq!((there.status.as_u16(), &there.body[..]), (200, &b"a new content"[..]));
                continue;
            }
            other => panic!("{other:?}"),
        }
        there.refused(404, "FILE_NOT_FOUND");
        let restored = file["owning_entity"]["id"].as_i64().unwrap();
        ann.world.drive.restore_node(restored).await.unwrap();
        let content = ann.content(&file).await;
        let want: &[u8] = if replaced == 200 { b"a new content" } else { b"old" };
        assert_eq!(content, want);
    }
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_file_that_is_renamed_while_it_is_moved() {
    let ann = Filr::new().await;
    let to = ann.folder(MY_FILES, "to").await.to_string();
    for round in 0..40 {
        let name = format!("{round}.txt");
        let file = ann.file(MY_FILES, &name, name.as_bytes()).await;
        let path = format!("/files/{}", text(&file["id"]));
        let renamed = format!("renamed {round}.txt");
        let requests = vec![
            ann.form_request(&format!("{path}/name"), &[("name", &renamed)]),
            ann.form_request(&format!("{path}/parent_folder"), &[("folder_id", &to)]),
        ];
        assert_eq!(statuses(&at_once(&ann, requests).await), [200, 200]);
        let now = ann.get(&format!("{path}/metadata")).await.expect(200);
        assert_eq!((&now["name"], &now["version_number"]), (&json!(renamed), &json!(1)));
        assert_eq!(now["parent_binder"]["id"].to_string(), to);
        let list = format!("/folders/{to}/library_files?file_name={}", super::coded(&renamed));
        assert_eq!(ann.names(&list).await, [renamed]);
    }
    assert!(ann.names("/self/my_files/library_files").await.is_empty());
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_version_that_is_deleted_while_it_is_promoted() {
    let ann = Filr::new().await;
    for round in 0..40 {
        let file = ann.file(MY_FILES, &format!("{round}.txt"), b"the first").await;
        let path = format!("/files/{}", text(&file["id"]));
        ann.bytes(&format!("{path}?last_version=1"), b"second").await.expect(200);
        let versions = ann.items(&format!("{path}/versions")).await;
        let first = versions.iter().find(|version| version["version_number"] == 1).unwrap();
        let first = text(&first["id"]);
        let requests = vec![
            ann.request(Method::POST, &format!("{path}/versions/current"))
                .json(&json!({"id": first})),
            ann.request(Method::DELETE, &format!("/file_versions/{first}")).empty(),
        ];
        let answers = at_once(&ann, requests).await;
        assert_eq!(answers[1].status, 204);
        let now = ann.get(&format!("{path}/metadata")).await.expect(200);
        if answers[0].status == 200 {
            assert_eq!(now["version_number"], 3);
            assert_eq!(ann.content(&file).await, b"the first");
        } else {
            answers[0].refused(404, "FILE_VERSION_NOT_FOUND");
            assert_eq!(now["version_number"], 2);
            assert_eq!(ann.content(&file).await, b"second");
        }
        ann.get(&format!("/file_versions/{first}")).await.refused(404, "FILE_VERSION_NOT_FOUND");
    }
    check(&ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_folder_that_is_deleted_while_it_is_filled() {
    let ann = Filr::new().await;
    for round in 0..20 {
        let folder = ann.folder(MY_FILES, &format!("{round}")).await;
        let path = format!("/folders/{folder}");
        let mut requests = vec![ann.request(Method::DELETE, &path).empty()];
        for n in 0..8 {
            requests.push(ann.bytes_request(&format!("{path}/library_files?file_name={n}"), b"in"));
        }
        let answers = at_once(&ann, requests).await;
        assert_eq!(answers[0].status, 204);
        let filled = answers[1..].iter().filter(|answer| answer.status == 200).count();
        for answer in answers[1..].iter().filter(|answer| answer.status != 200) {
            answer.refused(404, "FOLDER_NOT_FOUND");
        }
        assert!(ann.names("/self/my_files/library_children").await.is_empty());
        check(&ann).await;
        ann.world.drive.restore_node(folder).await.unwrap();
        let inside = names(&ann.items(&format!("{path}/library_files")).await);
        assert_eq!(inside.len(), filled, "{inside:?}");
        check(&ann).await;
        assert_eq!(ann.delete(&format!("{path}?purge=true")).await.status, 204);
    }
}

//! Pages, by number and by the links between them.

use crate::world::{Person, World};
use axum::http::StatusCode;
use serde_json::Value;

fn names(page: &Value) -> Vec<String> {
    page["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn world_with(names: &[&str]) -> (World, Person) {
    let world = World::new().await;
    let ann = world.person("ann").await;
    for name in names {
        world.send(ann.upload(name, name.as_bytes())).await.expect(201);
    }
    (world, ann)
}

#[tokio::test]
async fn links_lead_to_every_file_once_in_every_order_and_back() {
    let sent: Vec<String> = (0..23).map(|n| format!("{}{n}", "x".repeat(n % 5 + 1))).collect();
    let (world, ann) = world_with(&sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for order in [
        "dateUploaded",
        "-dateUploaded",
        "name",
        "-name",
        "decryptedSize",
        "-decryptedSize",
        "unknown",
    ] {
        let first = format!("/api/v2/files/?page_size=4&ordering={order}&search=x");
        let (mut url, mut pages) = (first.clone(), Vec::new());
        let last = loop {
            let page = world.send(ann.get(&url)).await.expect(200);
            assert_eq!(page["count"], 23);
            pages.push(names(&page));
            match page["next"].as_str() {
                Some(next) => {
                    let next = next.strip_prefix("http://files.example").unwrap();
                    assert!(next.starts_with(&format!(
                        "/api/v2/files/?page={}&page_size=4&",
                        pages.len() + 1
                    )));
                    url = next.to_owned();
                }
                None => break page,
            }
        };
        let mut all = pages.concat();
        all.sort();
        let mut want = sent.clone();
        want.sort();
        assert_eq!(all, want, "{order}");
        let mut page = last;
        for number in (1..pages.len()).rev() {
            let previous =
                page["previous"].as_str().unwrap().strip_prefix("http://files.example").unwrap();
            page = world.send(ann.get(previous)).await.expect(200);
            assert_eq!(names(&page), pages[number - 1], "{order}");
            let counted = world.send(ann.get(&format!("{first}&page={number}"))).await.expect(200);
            assert_eq!(names(&counted), pages[number - 1], "{order}");
        }
        assert_eq!(page["previous"], Value::Null);
        let by_name = world.send(ann.get(&format!("{first}&page=last"))).await.expect(200);
        assert_eq!(names(&by_name), pages[5], "{order}");
    }
}

#[tokio::test]
async fn there_are_only_the_pages_that_there_are() {
    let (world, ann) = world_with(&[]).await;
    let empty = world.send(ann.get("/api/files/")).await.expect(200);
    assert_eq!((&empty["count"], &empty["next"]), (&Value::from(0), &Value::Null));
    for page in ["0", "abc", "2", "-1", "99999999999999999999"] {
        let answer = world.send(ann.get(&format!("/api/files/?page={page}"))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{page}");
        assert_eq!(answer.json()["detail"], "Invalid page.");
    }
}

#[tokio::test]
async fn a_search_takes_every_character_as_it_is() {
    let (world, ann) =
        world_with(&["Case_1.dat", "case11.dat", "50%.txt", "wow!.txt", "\u{c9}t\u{e9}.txt"]).await;
    for (search, found) in
        [("CASE", 2), ("e_1", 1), ("%25", 1), ("!", 1), ("e%CC%81t", 1), ("", 5), ("zzz", 0)]
    {
        let page = world.send(ann.get(&format!("/api/files/?search={search}"))).await.expect(200);
        assert_eq!((&page["count"], names(&page).len()), (&Value::from(found), found), "{search}");
    }
}

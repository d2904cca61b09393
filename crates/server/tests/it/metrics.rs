//! The page that monitoring reads: who gets it, its form, and what its figures say.

use crate::world::{Answer, PASSWORD, Person, World};
use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::{Limits, Rate};
use bindery_server::app::Settings;
use http::Request;
use http::header::AUTHORIZATION;
use std::collections::BTreeMap;

async fn show(world: &World, shows: &str) -> Answer {
    let request = Request::builder().uri("/metrics").header(AUTHORIZATION, shows);
    world.send(request.body(Body::empty()).unwrap()).await
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// The samples of a page, each of which must have its help and its type before it.
fn samples(page: &Answer) -> BTreeMap<String, f64> {
    assert_eq!(page.status, 200, "{:?}", page.body);
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.ends_with('\n'));
    let lines: Vec<&str> = text.lines().collect();
    let mut samples = BTreeMap::new();
    for lines in lines.chunks(3) {
        let (sample, value) = lines[2].split_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        assert!(lines[0].starts_with(&format!("# HELP {name} ")), "{text}");
        assert_eq!(lines[1], format!("# TYPE {name} gauge"));
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{text}");
    }
    samples
}

async fn oldest(world: &World, root: &Person) -> f64 {
    let page = samples(&show(world, &format!("Token {}", root.token)).await);
    page["bindery_oldest_unverified_byte_seconds"]
}

#[tokio::test]
async fn only_administrators_are_shown_figures() {
    let settings = Settings { allowed_hosts: vec!["files.example".into()], ..Settings::default() };
    let world = World::with(settings).await;
    let (ann, root) = (world.person("ann").await, world.admin("root").await);
    for (shows, status) in [
        (format!("Token {}", root.token), 200),
        (format!("Bearer {}", root.token), 200),
        (basic("root", &root.token), 200),
        (basic("root", PASSWORD), 200),
        (format!("Token {}", ann.token), 403),
        (basic("ann", PASSWORD), 403),
        (basic("root", "another"), 401),
        ("Token bindery_nothing".into(), 401),
        ("Token".into(), 401),
        ("Basic ?".into(), 401),
    ] {
        let answer = show(&world, &shows).await;
        assert_eq!(answer.status, status, "{shows}");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401, "{shows}");
        let told = String::from_utf8_lossy(&answer.body).contains("bindery_");
        assert_eq!(told, status == 200, "{shows}");
    }
    let nobody = Request::builder().uri("/metrics").body(Body::empty()).unwrap();
    assert_eq!(world.send(nobody).await.status, 401);
    world.drive.set_disabled("root", true).await.unwrap();
    assert_eq!(show(&world, &basic("root", PASSWORD)).await.status, 401);
}

#[tokio::test]
async fn the_figures_are_limited_as_all_requests_are() {
    let rate = Some(Rate { requests: 1, seconds: 4 });
    let limits = Limits { requests_per_token: rate, ..Limits::default() };
    let world = World::limited(Settings::default(), limits).await;
    let shows = format!("Token {}", world.admin("root").await.token);
    assert_eq!(show(&world, &shows).await.status, 200);
    let refused = show(&world, &shows).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "4"));
}

#[tokio::test]
async fn the_oldest_unverified_byte_ages_until_all_is_verified() {
    let world = World::embedded().await;
    let root = world.admin("root").await;
    let clock = world.drive.clock().clone();
    clock.advance_seconds(1000);
    assert_eq!(oldest(&world, &root).await, 0.0, "nothing is stored");
    world.send(root.upload("a", b"a")).await.expect(201);
    assert_eq!(oldest(&world, &root).await, 1000.0, "no older than the catalog");
    clock.advance_seconds(500);
    world.drive.verify(None, |_| ()).await.unwrap();
    assert_eq!(oldest(&world, &root).await, 0.0);
    clock.advance_seconds(86_400);
    world.send(root.upload("b", b"b")).await.expect(201);
    assert_eq!(oldest(&world, &root).await, 86_400.0);
    let page = samples(&show(&world, &format!("Token {}", root.token)).await);
    assert_eq!(page["bindery_writing_ended"], 0.0);
    assert_eq!(page["bindery_build_info"], 1.0);
    assert_eq!(page["bindery_start_time_seconds"], 1_767_323_045.678_901);
    assert_eq!(page.len(), 4);
}

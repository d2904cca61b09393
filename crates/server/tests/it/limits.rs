//! What an operator limits, as each dialect tells it.

use crate::world::{Person, World, bytes};
use axum::body::Body;
use axum::extract::ConnectInfo;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::{Limits, Rate};
use bindery_server::app::Settings;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request};
use std::net::SocketAddr;

const RESCALE: &str = "/api/v2/files/";
const FILR: &str = "/rest/self/my_files/library_files";

async fn limited(limits: Limits) -> (World, Person) {
    let world = World::limited(Settings::default(), limits).await;
    let jane = world.person("jane").await;
    (world, jane)
}

fn rate(requests: u32, seconds: u32) -> Option<Rate> {
    Some(Rate { requests, seconds })
}

fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    let peer: SocketAddr = format!("{address}:1").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

fn basic(person: &Person, path: &str) -> Request<Body> {
    let shown = BASE64_STANDARD.encode(format!("{}:{}", person.login, crate::world::PASSWORD));
    let request = Request::builder().uri(path).header(HOST, "files.example");
    request.header(AUTHORIZATION, format!("Basic {shown}")).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_back() {
    let limits = Limits { requests_per_token: rate(3, 60), ..Limits::default() };
    let (world, jane) = limited(limits).await;
    for path in [RESCALE, FILR, RESCALE] {
        world.send(jane.get(path)).await.expect(200);
    }
    let refused = world.send(jane.get(RESCALE)).await;
    assert_eq!(refused.header("retry-after"), "20");
    let why = "Request was throttled. Expected available in 20 seconds.";
    assert_eq!(refused.expect(429)["detail"], why);
    let refused = world.send(jane.get(FILR)).await;
    assert_eq!(refused.header("retry-after"), "20");
    assert_eq!(refused.expect(429)["code"], "TOO_MANY_REQUESTS");
    // Another token of the same user has its own.
    let other = world.drive.create_token("jane", "", None).await.unwrap().secret;
    let other = Person { token: other, ..jane };
    world.send(other.get(RESCALE)).await.expect(200);
}

#[tokio::test]
async fn a_user_is_counted_whatever_is_shown() {
    let limits = Limits { requests_per_user: rate(3, 3), ..Limits::default() };
    let (world, jane) = limited(limits).await;
    let ann = world.person("ann").await;
    world.send(jane.get(RESCALE)).await.expect(200);
    world.send(basic(&jane, FILR)).await.expect(200);
    let other = world.drive.create_token("jane", "", None).await.unwrap().secret;
    let again = Person { token: other, ..jane.clone() };
    world.send(again.get(RESCALE)).await.expect(200);
    let refused = world.send(again.get(RESCALE)).await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.expect(429);
    world.send(basic(&jane, FILR)).await.expect(429);
    world.send(ann.get(RESCALE)).await.expect(200);
    let stranger = Person { token: "nothing".into(), ..jane };
    world.send(stranger.get(RESCALE)).await.expect(401);
}

#[tokio::test]
async fn an_address_is_counted_with_credentials_or_without() {
    let limits = Limits { requests_per_address: rate(4, 4), ..Limits::default() };
    let (world, jane) = limited(limits).await;
    let nobody = || Request::builder().uri(RESCALE).body(Body::empty()).unwrap();
    world.send(from("192.0.2.1", jane.get(RESCALE))).await.expect(200);
    world.send(from("192.0.2.1", jane.get(FILR))).await.expect(200);
    world.send(from("192.0.2.1", nobody())).await.expect(401);
    let link = Request::builder().uri("/rest/links/nothing").body(Body::empty()).unwrap();
    world.send(from("192.0.2.1", link)).await.expect(404);
    for request in [nobody(), jane.get(RESCALE), jane.get(FILR)] {
        let refused = world.send(from("192.0.2.1", request)).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"));
    }
    let link = Request::builder().uri("/rest/links/nothing").body(Body::empty()).unwrap();
    world.send(from("192.0.2.1", link)).await.expect(429);
    world.send(from("192.0.2.2", jane.get(RESCALE))).await.expect(200);
    // Who asks whether it lives, is not counted.
    let health = Request::builder().uri("/healthz").body(Body::empty()).unwrap();
    assert_eq!(world.send(from("192.0.2.1", health)).await.status, 200);
}

#[tokio::test]
async fn no_more_transfers_run_than_may() {
    let (world, jane) = limited(Limits { transfers: Some(1), ..Limits::default() }).await;
    let made = world.send(jane.upload("a", &bytes(300_000))).await.expect(201);
    let content = format!("{RESCALE}{}/contents/", made["id"].as_str().unwrap());
    let caller = bindery_core::Caller::with_token(&jane.token);
    let running = world.drive.upload(&caller, bindery_core::Target::home(), None).await.unwrap();
    let before = world.stored();
    for request in [jane.get(&content), jane.upload("b", b"b")] {
        let refused = world.send(request).await;
        assert!(!refused.header("retry-after").is_empty());
        assert!(refused.expect(503)["detail"].as_str().unwrap().contains("too many uploads"));
    }
    let path = format!("{FILR}?file_name=c");
    let refused = jane.request(Method::POST, &path).body("application/octet-stream", "c");
    assert_eq!(world.send(refused).await.expect(503)["code"], "TOO_MANY_TRANSFERS");
    assert_eq!(world.stored(), before);
    // What is no transfer goes on, and one that has ended makes room.
    world.send(jane.get(RESCALE)).await.expect(200);
    drop(running);
    for _ in 0..3 {
        assert_eq!(world.send(jane.get(&content)).await.body.len(), 300_000);
        world.send(jane.upload("b", b"b")).await.expect(201);
    }
}

#[tokio::test]
async fn a_host_that_this_is_not_is_turned_away() {
    let settings = Settings {
        allowed_hosts: vec!["files.example".into(), "[::1]:8080".into()],
        ..Settings::default()
    };
    let world = World::with(settings).await;
    let jane = world.person("jane").await;
    world.send(jane.get(RESCALE)).await.expect(200);
    for (host, status) in
        [("FILES.example:81", 200), ("[::1]:8080", 200), ("[::1]", 421), ("evil.example", 421)]
    {
        let mut request = jane.get(RESCALE);
        request.headers_mut().insert(HOST, host.parse().unwrap());
        assert_eq!(world.send(request).await.status, status, "{host}");
    }
    let nameless = Request::builder().uri(RESCALE).body(Body::empty()).unwrap();
    assert_eq!(world.send(nameless).await.status, 421);
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 401)] {
        let health = Request::builder().uri(path).body(Body::empty()).unwrap();
        assert_eq!(world.send(health).await.status, status, "{path}");
    }
}

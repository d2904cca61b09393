//! Where links lead: to the host that the client named, unless somebody trusted knows better.

use crate::world::{Person, World};
use axum::body::Body;
use axum::extract::ConnectInfo;
use bindery_server::app::Settings;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

const PROXY: &str = "10.0.0.1";

/// Names and values, as bytes, since a value need not be text.
type Headers<'a> = &'a [(&'a str, &'a [u8])];

/// A server that trusts one proxy, and a user with two files.
async fn world(public_url: Option<&str>) -> (World, Person) {
    let world = World::with(Settings {
        public_url: public_url.map(str::to_owned),
        trusted_proxies: vec![PROXY.parse().unwrap(), "fd00::1".parse().unwrap()],
        ..Settings::default()
    })
    .await;
    let ann = world.person("ann").await;
    for name in ["a.txt", "b.txt"] {
        world.send(ann.upload(name, b"content")).await.expect(201);
    }
    (world, ann)
}

fn list(ann: &Person, peer: &str, headers: Headers<'_>) -> Request<Body> {
    let mut request = ann.request(Method::GET, "/api/v2/files/?page_size=1").empty();
    let peer: IpAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 40_000))));
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        if name == HOST {
            request.headers_mut().remove(HOST);
        }
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

/// Scheme and host of the links in a page, which all have the same.
fn base(page: &Value) -> String {
    let path = |text: &Value, path: &str| {
        let text = text.as_str().unwrap();
        let at = text.find(path).unwrap_or_else(|| panic!("{text}"));
        text[..at].to_owned()
    };
    let base = path(&page["next"], "/api/v2/files/?page=2");
    assert_eq!(path(&page["results"][0]["downloadUrl"], "/api/v2/files/"), base);
    base
}

async fn check(world: &World, ann: &Person, peer: &str, headers: Headers<'_>, want: &str) {
    let page = world.send(list(ann, peer, headers)).await.expect(200);
    let shown: Vec<_> =
        headers.iter().map(|(name, value)| (name, String::from_utf8_lossy(value))).collect();
    assert_eq!(base(&page), want, "{peer} {shown:?}");
}

#[tokio::test]
async fn a_trusted_proxy_says_by_which_scheme_and_host_it_was_asked() {
    let (world, ann) = world(None).await;
    let cases: [(Headers<'_>, &str); 8] = [
        (&[], "http://files.example"),
        (&[("x-forwarded-proto", b"https")], "https://files.example"),
        (&[("x-forwarded-host", b"out.example:8443")], "http://out.example:8443"),
        (
            &[("x-forwarded-proto", b"https"), ("x-forwarded-host", b"[2001:db8::1]:1")],
            "https://[2001:db8::1]:1",
        ),
        (
            &[("x-forwarded-proto", b"https, http"), ("x-forwarded-host", b" first.example , b")],
            "https://first.example",
        ),
        (
            &[("x-forwarded-host", b"first.example"), ("x-forwarded-host", b"second.example")],
            "http://first.example",
        ),
        (&[("x-forwarded-proto", b"javascript")], "http://files.example"),
        (&[("x-forwarded-for", b"1.2.3.4"), ("forwarded", b"host=f")], "http://files.example"),
    ];
    for (headers, want) in cases {
        check(&world, &ann, PROXY, headers, want).await;
    }
    let said: Headers<'_> = &[("x-forwarded-host", b"out.example")];
    check(&world, &ann, "fd00::1", said, "http://out.example").await;
    // How a socket for both families shows a peer of the older one.
    check(&world, &ann, "::ffff:10.0.0.1", said, "http://out.example").await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let (world, ann) = world(None).await;
    let said: Headers<'_> =
        &[("x-forwarded-proto", b"https"), ("x-forwarded-host", b"evil.example")];
    for peer in ["10.0.0.2", "127.0.0.1", "::1", "::ffff:10.0.0.2", "fd00::2"] {
        check(&world, &ann, peer, said, "http://files.example").await;
    }
    // Nor is one who claims to come by way of the proxy.
    let by_way = [said, &[("x-forwarded-for", PROXY.as_bytes())]].concat();
    check(&world, &ann, "10.0.0.2", &by_way, "http://files.example").await;
}

#[tokio::test]
async fn what_is_no_host_is_not_echoed() {
    let (world, ann) = world(None).await;
    for host in [
        r#"evil"><x"#,
        "evil.example/path",
        "evil.example?x",
        "evil.example#x",
        "user@evil.example",
        "evil.example%0d%0aSet-Cookie:x",
        "evil example",
        "evil\texample",
        r"evil\example",
        "<script>",
        "'",
    ] {
        let host = host.as_bytes();
        let safe = "http://localhost";
        check(&world, &ann, PROXY, &[("x-forwarded-host", host)], safe).await;
        check(&world, &ann, "10.0.0.2", &[("host", host)], safe).await;
    }
    // A line end cannot stand in a header at all, and what is no text is not read.
    assert!(HeaderValue::from_bytes(b"evil.example\r\nSet-Cookie: x").is_err());
    check(&world, &ann, PROXY, &[("x-forwarded-host", b"\xffevil")], "http://files.example").await;
}

#[tokio::test]
async fn a_public_url_wins_over_all_that_is_said() {
    let (world, ann) = world(Some("https://public.example")).await;
    let said: Headers<'_> = &[
        ("host", b"evil.example"),
        ("x-forwarded-proto", b"http"),
        ("x-forwarded-host", b"evil.example"),
    ];
    for peer in [PROXY, "10.0.0.2"] {
        check(&world, &ann, peer, said, "https://public.example").await;
        check(&world, &ann, peer, &[], "https://public.example").await;
    }
}

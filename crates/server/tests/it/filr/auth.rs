//! Who signs in, and how it ends.

use super::Filr;
use crate::world::{Answer, PASSWORD};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::NewUser;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request};

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

async fn get(ann: &Filr, authorization: Option<&str>) -> Answer {
    let mut request = Request::builder().method(Method::GET).uri("/rest/self").header(HOST, "h");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    ann.send(request.body("".into()).unwrap()).await
}

#[track_caller]
fn challenged(answer: &Answer) {
    assert_eq!(answer.status, 401, "{:?}", answer.body);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Basic realm=\""), "{challenge}");
    assert_eq!(answer.header("set-cookie"), "");
    let body = answer.json();
    assert!(body["code"].is_string() && body["message"].is_string(), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn a_login_an_e_mail_and_a_token() {
    let ann = Filr::new().await;
    let token = &ann.person.token;
    for good in [
        basic("ann", PASSWORD),
        basic("ANN", PASSWORD),
        basic("ann@example.com", PASSWORD),
        basic("Ann@Example.com", PASSWORD),
        basic("ann", PASSWORD).replacen("Basic", "basic", 1),
        format!("Bearer {token}"),
        format!("Token {token}"),
    ] {
        let me = get(&ann, Some(&good)).await.expect(200);
        assert_eq!(
            (&me["name"], &me["email"]),
            (&"ann".into(), &"ann@example.com".into()),
            "{good}"
        );
        assert_eq!(me["id"], ann.person.id);
    }
    for bad in [
        None,
        Some(basic("ann", "another")),
        Some(basic("ann", "")),
        Some(basic("", PASSWORD)),
        Some(basic("nobody", PASSWORD)),
        Some(basic("ann", &PASSWORD.to_uppercase())),
        Some("Basic".into()),
        Some("Basic !!!".into()),
        Some(format!("Basic {}", BASE64_STANDARD.encode("no colon"))),
        Some(format!("Basic {}", BASE64_STANDARD.encode(b"ann\0:\xff\xfe"))),
        Some("Bearer".into()),
        Some("Bearer nothing".into()),
        Some("Token nothing".into()),
        Some("Digest username=ann".into()),
    ] {
        challenged(&get(&ann, bad.as_deref()).await);
    }
}

#[tokio::test]
async fn credentials_come_before_everything_else() {
    let ann = Filr::new().await;
    let before = ann.world.stored();
    let requests = [
        (Method::GET, "/rest"),
        (Method::GET, "/rest/admin"),
        (Method::GET, "/rest/release_info"),
        (Method::GET, "/rest/zone_config"),
        (Method::GET, "/rest/groups"),
        (Method::GET, "/rest/net_folders"),
        (Method::GET, "/rest/files/0123456789abcdef0123456789abcdef"),
        (Method::GET, "/rest/files/nothing/metadata"),
        (Method::GET, "/rest/folders/-100"),
        (Method::GET, "/rest/folders/-101"),
        (Method::GET, "/rest/folders/-102/library_children"),
        (Method::GET, "/rest/folders/-103"),
        (Method::GET, "/rest/folders/-103/library_children"),
        (Method::GET, "/rest/folders/-104/ancestry"),
        (Method::GET, "/rest/self/net_folders/library_tree"),
        (Method::GET, "/rest/self/public_shares/library_folders"),
        (Method::DELETE, "/rest/folders/-103"),
        (Method::GET, "/rest/nothing"),
        // No link, though it begins like one.
        (Method::GET, "/rest/links/a/b/c"),
        (Method::GET, "/rest/links/"),
        (Method::PUT, "/rest/self"),
        (Method::POST, "/rest/self/my_files/library_files"),
        (Method::POST, "/rest/self/my_files/library_files?file_name=x"),
        (Method::POST, "/rest/self/my_files/library_files?file_name=x&md5=y"),
        (Method::POST, "/rest/self/my_files/library_folders"),
        (Method::POST, "/rest/files/0123456789abcdef0123456789abcdef"),
        (Method::DELETE, "/rest/folders/1"),
    ];
    for shown in [None, Some("Token nothing")] {
        for (method, path) in &requests {
            for key in [None, Some("k\u{e4}y")] {
                let mut request = Request::builder().method(method).uri(*path);
                for (name, value) in [(AUTHORIZATION.as_str(), shown), ("idempotency-key", key)] {
                    request = value
                        .into_iter()
                        .fold(request, |request, value| request.header(name, value));
                }
                let answer = ann.send(request.body("x".into()).unwrap()).await;
                let asked = (method, path, &shown, key);
                assert_eq!(answer.status, 401, "{asked:?}: {:?}", answer.body);
                challenged(&answer);
            }
        }
    }
    assert_eq!(ann.world.stored(), before);
}

#[tokio::test]
async fn a_password_may_hold_colons_and_any_script() {
    let ann = Filr::new().await;
    let password = "p\u{e4}ss: \u{1f511}:";
    let user = NewUser {
        login: "zo\u{eb}".into(),
        email: "zoe@example.com".into(),
        name: "Zo\u{eb} Z".into(),
        password: password.into(),
        admin: false,
    };
    ann.world.drive.add_user(user).await.unwrap();
    for login in ["zo\u{eb}", "zoe\u{308}", "zoe@example.com"] {
        get(&ann, Some(&basic(login, password))).await.expect(200);
        challenged(&get(&ann, Some(&basic(login, password.trim_end_matches(':')))).await);
    }
}

#[tokio::test]
async fn a_password_and_a_user_end_at_once() {
    let ann = Filr::new().await;
    let drive = &ann.world.drive;
    let old = basic("ann", PASSWORD);
    let token = format!("Token {}", ann.person.token);
    for _ in 0..3 {
        get(&ann, Some(&old)).await.expect(200);
    }
    drive.set_password("ann", "a new one".into()).await.unwrap();
    challenged(&get(&ann, Some(&old)).await);
    let new = basic("ann", "a new one");
    get(&ann, Some(&new)).await.expect(200);
    drive.set_disabled("ann", true).await.unwrap();
    challenged(&get(&ann, Some(&new)).await);
    challenged(&get(&ann, Some(&token)).await);
    drive.set_disabled("ann", false).await.unwrap();
    get(&ann, Some(&new)).await.expect(200);
    get(&ann, Some(&token)).await.expect(200);
    challenged(&get(&ann, Some(&old)).await);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_forgiven() {
    let ann = Filr::new().await;
    let token = format!("Token {}", ann.person.token);
    let good = basic("ann", PASSWORD);
    let mut failures = 0;
    let throttled = loop {
        let answer = get(&ann, Some(&basic("ann", &format!("guess {failures}")))).await;
        if answer.status == 429 {
            break answer;
        }
        challenged(&answer);
        failures += 1;
        assert!(failures < 200, "guessing goes on and on");
    };
    assert!(failures >= 3, "a mistyped password is no attack: {failures}");
    assert!(throttled.json()["message"].is_string());
    let seconds: i64 = throttled.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&seconds), "{seconds}");
    // Who guessed right would not learn it, and who has a token goes on.
    assert_eq!(get(&ann, Some(&good)).await.status, 429);
    get(&ann, Some(&token)).await.expect(200);
    ann.world.drive.clock().advance_seconds(seconds + 1);
    get(&ann, Some(&good)).await.expect(200);
}

//! A store in a temporary directory, its users, and the front-ends over it.

use crate::backend::Backend;
use axum::body::{Body, Bytes};
use bindery_core::{Clock, Drive, Limits, NewUser, Time};
use bindery_server::app::{FrontEnds, Settings};
use bindery_server::listener::Handler as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::path::PathBuf;
use tempfile::TempDir;

/// 2026-01-02T03:04:05.678901Z.
pub(crate) const NOW: Time = Time(1_767_323_045_678_901);

pub(crate) struct World {
    pub(crate) drive: Drive,
    pub(crate) directory: TempDir,
    pub(crate) front_ends: FrontEnds,
    backend: Backend,
}

/// What every person signs in with.
pub(crate) const PASSWORD: &str = "a password";

/// A user and a token of theirs.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: i64,
    pub(crate) login: String,
    pub(crate) email: String,
    pub(crate) token: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        World::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        World::limited(settings, Limits::default()).await
    }

    /// A store whose catalog is embedded, for a test under whose clock no server would be in time.
    pub(crate) async fn embedded() -> Self {
        World::on(Backend::default(), Settings::default(), Limits::default()).await
    }

    pub(crate) async fn limited(settings: Settings, limits: Limits) -> Self {
        World::on(Backend::new(), settings, limits).await
    }

    async fn on(backend: Backend, settings: Settings, limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = backend.location(directory.path().join("data"));
        let drive = Drive::open_limited(&location, Clock::fixed(NOW), limits).await.unwrap();
        let front_ends = FrontEnds::new(drive.clone(), settings);
        World { drive, directory, front_ends, backend }
    }

    pub(crate) async fn person(&self, login: &str) -> Person {
        self.add(login, false).await
    }

    pub(crate) async fn admin(&self, login: &str) -> Person {
        self.add(login, true).await
    }

    async fn add(&self, login: &str, admin: bool) -> Person {
        let email = format!("{login}@example.com");
        let user = NewUser {
            login: login.into(),
            email: email.clone(),
            name: String::new(),
            password: PASSWORD.into(),
            admin,
        };
        let id = self.drive.add_user(user).await.unwrap().id.0;
        let token = self.drive.create_token(login, "test", None).await.unwrap().secret;
        Person { id, login: login.into(), email, token }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.front_ends.handle(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes);
        Answer { status: parts.status, headers: parts.headers, body: body.unwrap_or_default() }
    }

    /// What is stored: rows of every table that grows with uploads, and files of the store.
    pub(crate) fn stored(&self) -> Vec<String> {
        let data = self.directory.path().join("data");
        let tables = ["nodes", "versions", "contents", "pending", "doomed", "shares", "changes"];
        let count = |table| self.backend.count(&data, table);
        let rows = tables.map(|table| format!("{table} {}", count(table)));
        let files = self.objects().into_iter().map(|file| file.display().to_string());
        rows.into_iter().chain(files).collect()
    }

    /// Every object and temporary file in the store.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        self.backend.objects(&self.directory.path().join("data"))
    }
}

impl Person {
    /// A request with this person's token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        RequestBuilder(
            Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, "files.example")
                .header(AUTHORIZATION, format!("Token {}", self.token)),
        )
    }

    pub(crate) fn get(&self, path: &str) -> Request<Body> {
        self.request(Method::GET, path).empty()
    }

    /// A form with one file, as `requests` sends it.
    pub(crate) fn upload(&self, name: &str, content: &[u8]) -> Request<Body> {
        self.request(Method::POST, "/api/v2/files/contents/").form(&[Part::file(name, content)])
    }
}

/// A request that is being put together.
pub(crate) struct RequestBuilder(http::request::Builder);

impl RequestBuilder {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        RequestBuilder(self.0.header(name, value))
    }

    pub(crate) fn empty(self) -> Request<Body> {
        self.0.body(Body::empty()).unwrap()
    }

    pub(crate) fn body(self, content_type: &str, body: impl Into<Body>) -> Request<Body> {
        self.0.header(CONTENT_TYPE, content_type).body(body.into()).unwrap()
    }

    pub(crate) fn json(self, json: &Value) -> Request<Body> {
        self.body("application/json", json.to_string())
    }

    pub(crate) fn form(self, parts: &[Part]) -> Request<Body> {
        self.body("multipart/form-data; boundary=XX", form(parts))
    }
}

/// A part of a form: its head, and its content.
pub(crate) struct Part(pub(crate) String, pub(crate) Vec<u8>);

impl Part {
    pub(crate) fn file(name: &str, content: &[u8]) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        Part(head, content.to_vec())
    }

    pub(crate) fn field(name: &str, value: &str) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"");
        Part(head, value.as_bytes().to_vec())
    }
}

/// The bytes of a form whose boundary is `XX`.
pub(crate) fn form(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for Part(head, content) in parts {
        body.extend_from_slice(format!("--XX\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.body))
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:?}", self.body);
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Bytes that do not repeat within a segment.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 31 + i / 251) % 251) as u8).collect()
}

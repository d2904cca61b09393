//! The Filr files dialect, call by call, and a short way to speak it.

mod auth;
mod codes;
mod document;
mod folders;
mod keys;
mod links;
mod names;
mod races;
mod shares;
mod versions;

use crate::world::{Answer, Person, RequestBuilder, World};
use axum::body::Body;
use bindery_core::Caller;
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const MY_FILES: &str = "/self/my_files";

/// A person who speaks this dialect. Clones are the same person in the same world.
#[derive(Clone)]
pub(crate) struct Filr {
    pub(crate) world: Arc<World>,
    pub(crate) person: Person,
}

impl Filr {
    /// Ann, in a world of her own.
    pub(crate) async fn new() -> Self {
        Filr::in_world(World::new().await).await
    }

    /// Ann, in a world that is made already.
    pub(crate) async fn in_world(world: World) -> Self {
        let world = Arc::new(world);
        let person = world.person("ann").await;
        Filr { world, person }
    }

    /// Someone else in the same world.
    pub(crate) async fn with(&self, login: &str) -> Self {
        Filr { world: Arc::clone(&self.world), person: self.world.person(login).await }
    }

    /// An administrator in the same world.
    pub(crate) async fn with_admin(&self, login: &str) -> Self {
        Filr { world: Arc::clone(&self.world), person: self.world.admin(login).await }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::with_token(&self.person.token)
    }

    /// A request on a path below the base.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.person.request(method, &format!("/rest{path}"))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.world.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).empty()).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.form_request(path, fields)).await
    }

    pub(crate) fn form_request(&self, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", coded(value))).collect();
        let request = self.request(Method::POST, path);
        request.body("application/x-www-form-urlencoded", fields.join("&"))
    }

    pub(crate) async fn json(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// Sends raw bytes, as the document's examples do.
    pub(crate) async fn bytes(&self, path: &str, content: &[u8]) -> Answer {
        self.send(self.bytes_request(path, content)).await
    }

    pub(crate) fn bytes_request(&self, path: &str, content: &[u8]) -> Request<Body> {
        self.request(Method::POST, path).body("application/octet-stream", content.to_vec())
    }

    /// Makes a folder in a folder, and returns its id.
    #[track_caller]
    pub(crate) fn folder(&self, parent: &str, title: &str) -> impl Future<Output = i64> {
        let (me, path) = (self.clone(), format!("{parent}/library_folders"));
        let body = json!({ "title": title });
        async move { me.json(&path, body).await.expect(200)["id"].as_i64().unwrap() }
    }

    /// Makes a file in a folder, and returns its properties.
    pub(crate) async fn file(&self, parent: &str, name: &str, content: &[u8]) -> Value {
        let path = format!("{parent}/library_files?file_name={}", coded(name));
        self.bytes(&path, content).await.expect(200)
    }

    /// The items of a list, however long it is.
    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let list = self.get(&format!("{path}{sign}count=-1")).await.expect(200);
        list["items"].as_array().unwrap_or_else(|| panic!("{path}: {list}")).clone()
    }

    /// Titles of the folders and names of the files in a list.
    pub(crate) async fn names(&self, path: &str) -> Vec<String> {
        names(&self.items(path).await)
    }

    /// A file's content.
    #[track_caller]
    pub(crate) fn content(&self, file: &Value) -> impl Future<Output = Vec<u8>> {
        let (me, path) = (self.clone(), format!("/files/{}", text(&file["id"])));
        async move {
            let answer = me.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
            answer.body.to_vec()
        }
    }

    /// Gives someone a role on something, and returns the share.
    pub(crate) async fn share(&self, path: &str, with: &Filr, role: &str) -> Value {
        let recipient = json!({"type": "user", "id": with.person.id});
        let body = json!({"recipient": recipient, "access": {"role": role}});
        self.json(&format!("{path}/shares"), body).await.expect(200)
    }
}

/// Titles of the folders and names of the files among items.
pub(crate) fn names(items: &[Value]) -> Vec<String> {
    let name = |item: &Value| {
        let name = if item["title"].is_string() { &item["title"] } else { &item["name"] };
        text(name)
    };
    items.iter().map(name).collect()
}

/// A string as it is, and a number as it is written.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Encoded for any place in a URL or a form.
pub(crate) fn coded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The entry of a file, as a path.
pub(crate) fn entry(file: &Value) -> String {
    format!("/folder_entries/{}", file["owning_entity"]["id"])
}

/// The members of an answer come in this order; each name counts where it stands first.
#[track_caller]
pub(crate) fn in_order(answer: &Answer, members: &str) {
    let text = std::str::from_utf8(&answer.body).unwrap();
    let place = |member: &str| text.find(&format!("\"{member}\":"));
    let places: Vec<_> = members.split_whitespace().map(place).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?} in {text}");
}

impl Answer {
    /// Refused with this status and code, in a body of exactly the keys that it may have.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        assert_eq!(self.header("content-type"), "application/json");
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        let with_data = body["data"].is_object();
        assert_eq!(
            keys,
            if with_data { vec!["code", "data", "message"] } else { vec!["code", "message"] }
        );
        body
    }
}

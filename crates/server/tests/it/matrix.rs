//! Every route, asked by everyone: without credentials, by a disabled user, with an expired token, by
//! another user, by a viewer, and at last by the owner, who shows that the request was a good one. What was
//! refused has changed nothing.

mod routes;
mod rows;

use crate::filr::{Filr, MY_FILES, coded, entry, text};
use crate::web::is_defended;
use crate::world::{Answer, PASSWORD, Part, form};
use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request};
use routes::Route;
use rows::{OPEN, ROWS, Row, Sent};
use serde_json::json;
use std::cell::Cell;
use std::collections::BTreeSet;

/// In the name of everything that the owner has, so that it shows wherever it leaks.
const MARK: &str = "zebra";

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// Somebody, by all credentials that they can show.
struct Who {
    name: &'static str,
    shows: Vec<Option<String>>,
}

impl Who {
    fn with(name: &'static str, login: &str, token: &str) -> Self {
        let token_header = Some(format!("Token {token}"));
        let shows = vec![token_header, Some(basic(login, PASSWORD)), Some(basic(login, token))];
        Who { name, shows }
    }
}

/// The owner's things.
struct Matrix {
    ann: Filr,
    top: String,
    someone: i64,
    /// Who is let in nowhere.
    outside: Vec<Who>,
    stranger: Who,
    viewer: Who,
    owner: Who,
    made: Cell<usize>,
}

/// What one row is about: fresh things of the owner's.
struct Ground {
    names: Vec<(&'static str, String)>,
    folder: String,
    file: String,
    entry: String,
}

impl Matrix {
    async fn new() -> Self {
        let ann = Filr::new().await;
        let drive = &ann.world.drive;
        let old = drive.create_token("ann", "old", Some(1)).await.unwrap().secret;
        drive.clock().advance_seconds(2 * 86_400);
        let (bob, vic) = (ann.with("bob").await, ann.with("vic").await);
        let (dan, uma) = (ann.with("dan").await, ann.with("uma").await);
        let top = format!("/folders/{}", ann.folder(MY_FILES, MARK).await);
        ann.share(&top, &vic, "VIEWER").await;
        ann.share(&top, &dan, "CONTRIBUTOR").await;
        drive.set_disabled("dan", true).await.unwrap();
        let expired = vec![Some(format!("Bearer {old}")), Some(basic("ann", &old))];
        let outside = vec![
            Who { name: "nobody", shows: vec![None] },
            Who::with("a disabled user", "dan", &dan.person.token),
            Who { name: "an expired token", shows: expired },
        ];
        let stranger = Who::with("another user", "bob", &bob.person.token);
        let viewer = Who::with("a viewer", "vic", &vic.person.token);
        let owner = Who::with("the owner", "ann", &ann.person.token);
        let someone = uma.person.id;
        Matrix { ann, top, someone, outside, stranger, viewer, owner, made: Cell::new(0) }
    }

    fn number(&self) -> usize {
        self.made.set(self.made.get() + 1);
        self.made.get()
    }

    async fn ground(&self) -> Ground {
        let ann = &self.ann;
        let number = self.number();
        let id = ann.folder(&self.top, &format!("{MARK} {number}")).await;
        let other = ann.folder(&self.top, &format!("other {MARK} {number}")).await;
        let folder = format!("/folders/{id}");
        ann.folder(&folder, &format!("{MARK} below")).await;
        let made = ann.file(&folder, &format!("{MARK}.txt"), b"content of a zebra").await;
        let file = format!("/files/{}", text(&made["id"]));
        ann.bytes(&format!("{file}?last_version=1"), b"a zebra again").await.expect(200);
        let versions = ann.items(&format!("{file}/versions")).await;
        let old = versions.iter().find(|version| version["version_number"] == 1).unwrap();
        let entry = entry(&made);
        let share = json!({"recipient": {"type": "external_user", "email": "zebra@example.com"},
            "access": {"role": "VIEWER"}});
        let share = ann.json(&format!("{entry}/shares"), share).await.expect(200);
        let link = json!({"recipient": {"type": "public_link"}, "access": {"role": "VIEWER"}});
        let link = ann.json(&format!("{entry}/shares"), link).await.expect(200);
        let url = text(&link["permalinks"][0]["href"]);
        let secret = url.split("/links/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let number = entry.rsplit('/').next().unwrap();
        let letters = bindery_core::FileId(number.parse().unwrap()).letters();
        let names = vec![
            ("{folder}", id.to_string()),
            ("{other}", other.to_string()),
            ("{file}", text(&made["id"])),
            ("{letters}", letters),
            ("{entry}", number.to_owned()),
            ("{version}", text(&old["id"])),
            ("{share}", text(&share["id"])),
            ("{owner}", ann.person.id.to_string()),
            ("{someone}", self.someone.to_string()),
            ("{secret}", secret),
            ("{since}", coded("2026-01-04T00:00:00Z")),
            ("{name}", format!("{MARK}.txt")),
        ];
        Ground { names, folder, file, entry }
    }

    /// All that the owner sees of it.
    async fn seen(&self, on: &Ground) -> Vec<Vec<u8>> {
        let (file, folder, entry) = (&on.file, &on.folder, &on.entry);
        let mut seen = Vec::new();
        for path in [
            folder.clone(),
            format!("{folder}/library_children"),
            format!("{folder}/library_tree"),
            format!("{folder}/shares"),
            file.clone(),
            format!("{file}/metadata"),
            format!("{file}/versions"),
            format!("{entry}/shares"),
        ] {
            let answer = self.ann.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            seen.push(answer.body.to_vec());
        }
        seen
    }

    async fn send(&self, row: &Row, path: &str, on: &Ground, shows: Option<&str>) -> Answer {
        let Row(method, _, query, sent, _) = row;
        let unique = ("{unique}", format!("u{}", self.number()));
        let fill = |text: &str| {
            let names = on.names.iter().chain([&unique]);
            names.fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        let question = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}{question}{}", fill(&filled(path)), fill(query));
        let mut request = Request::builder().method(method).uri(&uri).header(HOST, "files.example");
        if let Some(shows) = shows {
            request = request.header(AUTHORIZATION, shows);
        }
        let (kind, body): (&str, Body) = match sent {
            Sent::Nothing => ("", Body::empty()),
            Sent::Bytes => ("application/octet-stream", "bytes".into()),
            Sent::File => {
                let part = Part::file(&fill("{unique}"), b"bytes");
                ("multipart/form-data; boundary=XX", form(&[part]).into())
            }
            Sent::Form(text) => ("application/x-www-form-urlencoded", fill(text).into()),
            Sent::Json(text) => ("application/json", fill(text).into()),
        };
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind);
        }
        let answer = self.ann.send(request.body(body).unwrap()).await;
        is_defended(&answer, path);
        answer
    }

    /// Asks as one of them, by all that they can show: the statuses are those that are expected, and
    /// nothing of the owner's is told to who may not see it.
    async fn ask(
        &self,
        row: &Row,
        path: &str,
        on: &Ground,
        (who, expected): (&Who, u16),
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let repeats = row.0 == Method::GET || expected >= 400;
        for shows in who.shows.iter().take(if repeats { 3 } else { 1 }) {
            let is_basic = shows.as_deref().is_some_and(|shows| shows.starts_with("Basic"));
            let is_open = OPEN.contains(&row.1);
            // One dialect knows no passwords.
            let expected = if is_basic && row.1.starts_with("/api") { 401 } else { expected };
            for path in [path.to_owned(), format!("{path}/")] {
                if !repeats && path.ends_with('/')
                    || ["/healthz/", "/readyz/", "/metrics/"].contains(&&*path)
                {
                    continue;
                }
                let answer = self.send(row, &path, on, shows.as_deref()).await;
                let status = answer.status.as_u16();
                // A wrong password costs; who tries many is told to wait.
                let is_slowed = is_basic && expected == 401 && status == 429;
                let told = String::from_utf8_lossy(&answer.body).contains(MARK);
                let may_be_told = is_open || expected < 400 && who.name != "another user";
                if status != expected && !is_slowed || told && !may_be_told {
                    let body = String::from_utf8_lossy(&answer.body).into_owned();
                    let scheme = shows.as_deref().map_or("", |shows| &shows[..6]);
                    wrong.push(format!(
                        "{} {path} by {} ({scheme}): {status}, not {expected}; {body}",
                        row.0, who.name
                    ));
                }
            }
        }
        wrong
    }

    /// What everybody else gets of a row.
    async fn others(&self, route: &Route, row: &Row, on: &Ground) -> Vec<String> {
        let mut wrong = Vec::new();
        let [stranger, viewer, _] = row.4;
        for who in &self.outside {
            let expected = if OPEN.contains(&row.1) { 200 } else { 401 };
            wrong.extend(self.ask(row, &route.path, on, (who, expected)).await);
        }
        for insider in [(&self.stranger, stranger), (&self.viewer, viewer)] {
            wrong.extend(self.ask(row, &route.path, on, insider).await);
        }
        wrong
    }

    /// The owner shows that the request was a good one.
    async fn owner(&self, route: &Route, row: &Row, on: &Ground) -> Option<String> {
        let answer = self.send(row, &route.path, on, self.owner.shows[0].as_deref()).await;
        let is_wrong = answer.status.as_u16() != row.4[2];
        is_wrong.then(|| format!("{} {} by the owner: {}", row.0, route.path, answer.status))
    }
}

/// A route's path, with the name of the thing that each id names.
fn filled(path: &str) -> String {
    let mut words: Vec<&str> = path.split('/').collect();
    for at in 1..words.len() {
        if words[at] == "{id}" {
            words[at] = match (words[1], words[at - 1]) {
                ("api", _) => "{letters}",
                (_, "files") => "{file}",
                (_, "file_versions") => "{version}",
                (_, "folder_entries") => "{entry}",
                (_, "folders" | "binders" | "workspaces") => "{folder}",
                (_, "shares") => "{share}",
                (_, "by_user" | "with_user" | "users") => "{owner}",
                (_, other) => panic!("what is an id behind {other}?"),
            };
        }
    }
    words.join("/")
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let routes = routes::all();
    let routed: BTreeSet<_> = routes
        .iter()
        .flat_map(|route| route.methods.iter().map(|method| format!("{method} {}", route.row)))
        .collect();
    let rows: Vec<_> = ROWS.iter().map(|row| format!("{} {}", row.0, row.1)).collect();
    let known: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), known.len(), "a row stands twice");
    let without: Vec<_> = routed.difference(&known).collect();
    assert!(without.is_empty(), "no row says who may: {without:?}");
    assert_eq!(known.difference(&routed).count(), 0, "{:?}", known.difference(&routed));
}

/// What the source says is what the router does.
#[tokio::test]
async fn the_router_knows_the_methods_that_were_read() {
    let matrix = Matrix::new().await;
    let on = matrix.ground().await;
    let token = matrix.owner.shows[0].clone().unwrap();
    for route in routes::all() {
        let row = Row(Method::TRACE, "", "", Sent::Nothing, [405; 3]);
        let answer = matrix.send(&row, &route.path, &on, Some(&token)).await;
        assert_eq!(answer.status, 405, "{}", route.path);
        let allowed: BTreeSet<&str> = answer.header(ALLOW.as_str()).split(',').collect();
        let mut read: BTreeSet<&str> = route.methods.iter().map(Method::as_str).collect();
        if read.contains("GET") {
            read.insert("HEAD");
        }
        assert_eq!(allowed, read, "{}", route.path);
    }
}

async fn check(module: &str) {
    let matrix = Matrix::new().await;
    let mut wrong = Vec::new();
    let read = matrix.ground().await;
    let unread = matrix.seen(&read).await;
    for route in routes::all().iter().filter(|route| route.path.starts_with(module)) {
        for method in &route.methods {
            let row = ROWS.iter().find(|row| row.0 == *method && row.1 == route.row).unwrap();
            if row.0 == Method::GET {
                wrong.extend(matrix.others(route, row, &read).await);
                wrong.extend(matrix.owner(route, row, &read).await);
                continue;
            }
            let on = matrix.ground().await;
            let before = matrix.seen(&on).await;
            wrong.extend(matrix.others(route, row, &on).await);
            if matrix.seen(&on).await != before {
                wrong.push(format!("{} {} by others changed things", row.0, route.path));
            }
            wrong.extend(matrix.owner(route, row, &on).await);
        }
    }
    assert!(matrix.seen(&read).await == unread, "reading changed things");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn who_gets_what_in_rescale() {
    check("/api").await;
}

#[tokio::test]
async fn who_gets_what_in_filr() {
    check("/rest").await;
}

#[tokio::test]
async fn who_gets_what_of_health() {
    check("/healthz").await;
    check("/readyz").await;
    check("/metrics").await;
}

//! The Filr files API, under `/rest`. The route table is here; a row of `docs/protocols/filr.md` says of
//! each route what it takes and answers.

mod ask;
mod auth;
mod body;
mod dates;
mod error;
mod href;
mod paths;
mod place;
mod query;
mod wire;

mod changes;
mod collections;
mod entries;
mod files;
mod folders;
mod links;
mod lists;
mod people;
mod root;
mod shares;
mod uploads;
mod versions;

use crate::app::App;
use crate::listener::Handler;
use ask::gate;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use error::Problem;

const BASE: &str = "/rest";
/// How the path of each link begins, behind the base.
const LINKS: &str = "/links/";
/// Folders by their ids. A user's workspace is the folder that holds My Files.
const FOLDERS: [&str; 3] = ["/folders/{id}", "/binders/{id}", "/workspaces/{id}"];
/// My Files, and the views that stand beside it.
const ROOTS: [&str; 6] =
    ["my_files", "shared_with_me", "shared_by_me", "net_folders", "public_shares", "public"];

/// The front-end: all but the public links stand behind the gate.
#[derive(Clone, Debug)]
pub(crate) struct Filr {
    app: App,
    links: Router,
    gated: Router,
}

impl Filr {
    /// Every route with and without a trailing slash.
    pub(crate) fn new(app: &App) -> Self {
        let mut gated = Routes::default();
        gated.roots();
        gated.files();
        for folder in FOLDERS {
            gated.folder(folder);
        }
        for root in ROOTS {
            gated.folder(&format!("/self/{root}"));
        }
        gated.shares_and_people();
        let gated = gated.0.fallback(no_such_path).with_state(app.clone());
        let mut links = Routes::default();
        links.add("/links/{secret}", get(links::view));
        links.add("/links/{secret}/{name}", get(links::download));
        let links = links.0.fallback(no_such_link).with_state(app.clone());
        Filr { app: app.clone(), links, gated }
    }

    /// Whether a path is one of this front-end's.
    pub(crate) fn serves(path: &str) -> bool {
        path.strip_prefix(BASE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Handler for Filr {
    async fn handle(&self, request: Request) -> Response {
        let path = request.uri().path().strip_prefix(BASE);
        if path.is_some_and(|path| path.starts_with(LINKS)) {
            return self.links.handle(request).await;
        }
        gate(&self.app, request, |request| self.gated.handle(request)).await
    }
}

#[derive(Default)]
struct Routes(Router<App>);

impl Routes {
    fn add(&mut self, path: &str, methods: MethodRouter<App>) {
        let methods = methods.fallback(method_not_allowed);
        for slash in ["", "/"] {
            let path = format!("{BASE}{path}{slash}");
            self.0 = std::mem::take(&mut self.0).route(&path, methods.clone());
        }
    }

    fn roots(&mut self) {
        self.add("", get(root::root));
        self.add("/admin", get(root::admin));
        self.add("/release_info", get(root::release_info));
        self.add("/zone_config", get(root::zone_config));
        self.add("/self", get(people::me));
        self.add("/self/roots", get(lists::roots));
        self.add("/net_folders", get(root::nothing));
        self.add("/groups", get(root::nothing));
        self.add("/folders", get(collections::folders));
        self.add("/library_entities", get(lists::everything));
        self.add("/recent_activity", get(lists::recent_everywhere));
    }

    fn files(&mut self) {
        self.add("/files", get(collections::files));
        let file = get(files::content).post(uploads::replace).delete(files::delete);
        self.add("/files/{id}", file);
        self.add("/files/{id}/content/{name}", get(files::content));
        self.add("/files/{id}/metadata", get(files::show));
        self.add("/files/{id}/ancestry", get(files::ancestry));
        self.add("/files/{id}/name", post(files::rename));
        self.add("/files/{id}/parent_folder", post(files::relocate));
        self.add("/files/{id}/versions", get(versions::list));
        let current = get(versions::current).post(versions::promote);
        self.add("/files/{id}/versions/current", current);
        self.add("/file_versions/{id}", get(versions::content).delete(versions::delete));
        self.add("/file_versions/{id}/metadata", get(versions::show));
        self.add("/folder_entries", get(collections::entries));
        self.add("/folder_entries/{id}", get(entries::show).delete(entries::delete));
        self.add("/folder_entries/{id}/ancestry", get(entries::ancestry));
        self.add("/folder_entries/{id}/access", get(entries::access));
        self.add("/folder_entries/{id}/shares", get(shares::of_entry).post(shares::share_entry));
    }

    fn folder(&mut self, at: &str) {
        let mut add = |word: &str, methods| self.add(&format!("{at}{word}"), methods);
        add("", get(folders::show).delete(folders::delete));
        add("/title", post(folders::rename));
        add("/parent_binder", post(folders::relocate));
        add("/ancestry", get(folders::ancestry));
        add("/access", get(folders::access));
        add("/shares", get(shares::of_folder).post(shares::share_folder));
        add("/library_children", get(lists::children));
        add("/library_folders", get(lists::child_folders).post(folders::create));
        add("/library_files", get(lists::child_files).post(uploads::create));
        add("/library_tree", get(folders::tree));
        add("/library_info", get(folders::info));
        add("/library_entities", get(lists::search));
        add("/library_changes", get(changes::list));
        add("/recent_activity", get(lists::recent));
    }

    fn shares_and_people(&mut self) {
        self.add("/shares", get(shares::list));
        let share = get(shares::show).post(shares::change).delete(shares::delete);
        self.add("/shares/{id}", share);
        self.add("/shares/by_user/{id}", get(shares::by_user));
        self.add("/shares/with_user/{id}", get(shares::with_user));
        self.add("/principals", get(people::list));
        self.add("/users", get(people::list));
        self.add("/users/{id}", get(people::show));
    }
}

async fn no_such_path() -> Problem {
    Problem::NoSuchPath
}

/// What is no link stands behind the gate, as whatever else is not there.
async fn no_such_link(State(app): State<App>, request: Request) -> Response {
    gate(&app, request, |_| async { no_such_path().await.into_response() }).await
}

async fn method_not_allowed() -> Problem {
    Problem::MethodNotAllowed
}

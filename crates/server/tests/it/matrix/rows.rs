//! What each caller gets of each route. `{…}` stands for an id of the owner's things.

use http::Method;

/// What a request carries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Nothing,
    Bytes,
    File,
    Form(&'static str),
    Json(&'static str),
}

/// A method of a route, the query that it is asked with, what it is sent, and the statuses for another
/// user, for a viewer and for the owner. Without credentials, with those of a disabled user and with an
/// expired token it is a 401, except where [`OPEN`] says otherwise.
pub(super) struct Row(
    pub(super) Method,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) Sent,
    pub(super) [u16; 3],
);

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// What nobody signs in to, because it tells nothing or because whoever has the link may have it.
pub(super) const OPEN: [&str; 4] =
    ["/healthz", "/readyz", "/rest/links/{secret}", "/rest/links/{secret}/{name}"];

/// What a caller gets of their own: nobody else's things can be named by it.
const OWN: [u16; 3] = [200; 3];
/// What who may not see it does not find, and who may see it sees.
const SEEN: [u16; 3] = [404, 200, 200];
/// What who may see it may not change.
const CHANGED: [u16; 3] = [404, 403, 200];
const REMOVED: [u16; 3] = [404, 403, 204];
/// My Files cannot be changed; a view can be listed and no more; none of them is an administrator.
const FIXED: [u16; 3] = [403; 3];

const SHARE: Sent =
    Sent::Json(r#"{"recipient": {"type": "user", "id": {someone}}, "access": {"role": "VIEWER"}}"#);
const TITLE: Sent = Sent::Form("title={unique}");
const INTO: Sent = Sent::Form("binder_id={other}");

pub(super) const ROWS: &[Row] = {
    use Sent::{Bytes, File, Form, Json, Nothing};
    &[
        Row(GET, "/healthz", "", Nothing, OWN),
        Row(GET, "/readyz", "", Nothing, OWN),
        Row(GET, "/metrics", "", Nothing, FIXED),
        Row(GET, "/api", "", Nothing, OWN),
        Row(GET, "/api/users/me", "", Nothing, OWN),
        Row(GET, "/api/files", "page_size=1000", Nothing, OWN),
        Row(POST, "/api/files/contents", "", File, [201; 3]),
        Row(PUT, "/api/files/contents", "", File, [201; 3]),
        Row(GET, "/api/files/{id}", "", Nothing, SEEN),
        Row(PATCH, "/api/files/{id}", "", Json(r#"{"name": "{unique}"}"#), CHANGED),
        Row(DELETE, "/api/files/{id}", "", Nothing, REMOVED),
        Row(GET, "/api/files/{id}/contents", "", Nothing, SEEN),
        Row(GET, "/api/files/{id}/lines", "", Nothing, SEEN),
        Row(GET, "/rest", "", Nothing, OWN),
        Row(GET, "/rest/admin", "", Nothing, FIXED),
        Row(GET, "/rest/release_info", "", Nothing, OWN),
        Row(GET, "/rest/zone_config", "", Nothing, OWN),
        Row(GET, "/rest/self", "", Nothing, OWN),
        Row(GET, "/rest/self/roots", "", Nothing, OWN),
        Row(GET, "/rest/net_folders", "", Nothing, OWN),
        Row(GET, "/rest/groups", "", Nothing, OWN),
        Row(GET, "/rest/folders", "id={folder}", Nothing, OWN),
        Row(GET, "/rest/library_entities", "keyword=ZEBRA", Nothing, OWN),
        Row(GET, "/rest/recent_activity", "", Nothing, OWN),
        Row(GET, "/rest/files", "id={file}", Nothing, OWN),
        Row(GET, "/rest/files/{id}", "", Nothing, SEEN),
        Row(POST, "/rest/files/{id}", "last_version=2", Bytes, CHANGED),
        Row(DELETE, "/rest/files/{id}", "", Nothing, REMOVED),
        Row(GET, "/rest/files/{id}/content/{name}", "", Nothing, SEEN),
        Row(GET, "/rest/files/{id}/metadata", "", Nothing, SEEN),
        Row(GET, "/rest/files/{id}/ancestry", "", Nothing, SEEN),
        Row(POST, "/rest/files/{id}/name", "", Form("name={unique}"), CHANGED),
        Row(POST, "/rest/files/{id}/parent_folder", "", Form("folder_id={other}"), CHANGED),
        Row(GET, "/rest/files/{id}/versions", "", Nothing, SEEN),
        Row(GET, "/rest/files/{id}/versions/current", "", Nothing, SEEN),
        Row(POST, "/rest/files/{id}/versions/current", "", Json(r#"{"id": "{version}"}"#), CHANGED),
        Row(GET, "/rest/file_versions/{id}", "", Nothing, SEEN),
        Row(DELETE, "/rest/file_versions/{id}", "", Nothing, REMOVED),
        Row(GET, "/rest/file_versions/{id}/metadata", "", Nothing, SEEN),
        Row(GET, "/rest/folder_entries", "id={entry}", Nothing, OWN),
        Row(GET, "/rest/folder_entries/{id}", "", Nothing, SEEN),
        Row(DELETE, "/rest/folder_entries/{id}", "", Nothing, REMOVED),
        Row(GET, "/rest/folder_entries/{id}/ancestry", "", Nothing, SEEN),
        Row(GET, "/rest/folder_entries/{id}/access", "", Nothing, SEEN),
        Row(GET, "/rest/folder_entries/{id}/shares", "", Nothing, SEEN),
        Row(POST, "/rest/folder_entries/{id}/shares", "", SHARE, CHANGED),
        Row(GET, "{folder}", "", Nothing, SEEN),
        Row(DELETE, "{folder}", "", Nothing, REMOVED),
        Row(POST, "{folder}/title", "", TITLE, CHANGED),
        Row(POST, "{folder}/parent_binder", "", INTO, CHANGED),
        Row(GET, "{folder}/ancestry", "", Nothing, SEEN),
        Row(GET, "{folder}/access", "", Nothing, SEEN),
        Row(GET, "{folder}/shares", "", Nothing, SEEN),
        Row(POST, "{folder}/shares", "", SHARE, CHANGED),
        Row(GET, "{folder}/library_children", "", Nothing, SEEN),
        Row(GET, "{folder}/library_folders", "", Nothing, SEEN),
        Row(POST, "{folder}/library_folders", "", Json(r#"{"title": "{unique}"}"#), CHANGED),
        Row(GET, "{folder}/library_files", "", Nothing, SEEN),
        Row(POST, "{folder}/library_files", "file_name={unique}", Bytes, CHANGED),
        Row(GET, "{folder}/library_tree", "", Nothing, SEEN),
        Row(GET, "{folder}/library_info", "", Nothing, SEEN),
        Row(GET, "{folder}/library_entities", "keyword=ZEBRA", Nothing, SEEN),
        Row(GET, "{folder}/library_changes", "since={since}", Nothing, SEEN),
        Row(GET, "{folder}/recent_activity", "", Nothing, SEEN),
        Row(GET, "{home}", "", Nothing, OWN),
        Row(DELETE, "{home}", "", Nothing, FIXED),
        Row(POST, "{home}/title", "", TITLE, FIXED),
        Row(POST, "{home}/parent_binder", "", INTO, FIXED),
        Row(GET, "{home}/ancestry", "", Nothing, OWN),
        Row(GET, "{home}/access", "", Nothing, OWN),
        Row(GET, "{home}/shares", "", Nothing, OWN),
        Row(POST, "{home}/shares", "", SHARE, FIXED),
        Row(GET, "{home}/library_children", "", Nothing, OWN),
        Row(GET, "{home}/library_folders", "", Nothing, OWN),
        Row(POST, "{home}/library_folders", "", Json(r#"{"title": "{unique}"}"#), OWN),
        Row(GET, "{home}/library_files", "", Nothing, OWN),
        Row(POST, "{home}/library_files", "file_name={unique}", Bytes, OWN),
        Row(GET, "{home}/library_tree", "", Nothing, OWN),
        Row(GET, "{home}/library_info", "", Nothing, OWN),
        Row(GET, "{home}/library_entities", "keyword=ZEBRA", Nothing, OWN),
        Row(GET, "{home}/library_changes", "since={since}", Nothing, OWN),
        Row(GET, "{home}/recent_activity", "", Nothing, OWN),
        Row(GET, "{view}", "", Nothing, OWN),
        Row(DELETE, "{view}", "", Nothing, FIXED),
        Row(POST, "{view}/title", "", TITLE, FIXED),
        Row(POST, "{view}/parent_binder", "", INTO, FIXED),
        Row(GET, "{view}/ancestry", "", Nothing, OWN),
        Row(GET, "{view}/access", "", Nothing, FIXED),
        Row(GET, "{view}/shares", "", Nothing, OWN),
        Row(POST, "{view}/shares", "", SHARE, FIXED),
        Row(GET, "{view}/library_children", "", Nothing, OWN),
        Row(GET, "{view}/library_folders", "", Nothing, OWN),
        Row(POST, "{view}/library_folders", "", Json(r#"{"title": "{unique}"}"#), FIXED),
        Row(GET, "{view}/library_files", "", Nothing, OWN),
        Row(POST, "{view}/library_files", "file_name={unique}", Bytes, FIXED),
        Row(GET, "{view}/library_tree", "", Nothing, OWN),
        Row(GET, "{view}/library_info", "", Nothing, FIXED),
        Row(GET, "{view}/library_entities", "keyword=ZEBRA", Nothing, FIXED),
        Row(GET, "{view}/library_changes", "since={since}", Nothing, FIXED),
        Row(GET, "{view}/recent_activity", "", Nothing, FIXED),
        Row(GET, "/rest/shares", "id={share}", Nothing, OWN),
        Row(GET, "/rest/shares/{id}", "", Nothing, [404, 404, 200]),
        Row(POST, "/rest/shares/{id}", "", Json(r#"{"comment": "mine"}"#), [404, 404, 200]),
        Row(DELETE, "/rest/shares/{id}", "", Nothing, [404, 404, 204]),
        Row(GET, "/rest/shares/by_user/{id}", "", Nothing, OWN),
        Row(GET, "/rest/shares/with_user/{id}", "", Nothing, OWN),
        Row(GET, "/rest/principals", "keyword=ann", Nothing, OWN),
        Row(GET, "/rest/users", "keyword=ann", Nothing, OWN),
        Row(GET, "/rest/users/{id}", "", Nothing, OWN),
        Row(GET, "/rest/links/{secret}", "", Nothing, OWN),
        Row(GET, "/rest/links/{secret}/{name}", "", Nothing, OWN),
    ]
};

//! What goes over the wire: objects in the document's spelling and order.

use crate::http::hex;
use crate::site::Site;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::{Caller, Drive, File, Time};
use serde::Serialize;

/// The largest content that a browser is told to show, in bytes.
const VIEW_MAX: u64 = 10 << 20;

/// A file, with the fields of the document in its order, and the checksums of newer clients.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileObject {
    type_id: i64,
    name: String,
    date_uploaded: String,
    relative_path: String,
    encoded_encryption_key: String,
    download_url: String,
    shared_with: Vec<String>,
    decrypted_size: u64,
    owner: String,
    path: String,
    is_uploaded: bool,
    view_in_browser: bool,
    id: String,
    is_deleted: bool,
    md5: String,
    file_checksums: Vec<Checksum>,
}

/// One checksum of a file's content.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    hash_function: &'static str,
    file_hash: String,
}

/// A page of files.
#[derive(Debug, Serialize)]
pub(super) struct FileList {
    pub(super) count: u64,
    pub(super) previous: Option<String>,
    pub(super) results: Vec<FileObject>,
    pub(super) next: Option<String>,
}

/// What a client needs to know of its user.
#[derive(Debug, Serialize)]
pub(super) struct UserObject {
    pub(super) username: String,
    pub(super) email: String,
    pub(super) name: String,
}

/// The API root: where to go from here.
#[derive(Debug, Serialize)]
pub(super) struct Root {
    pub(super) files: String,
    pub(super) upload: String,
    pub(super) user: String,
}

impl FileObject {
    /// To be shown to a caller. `prefix` is the one that the request used: `/api`, `/api/v2` or `/api/v3`.
    pub(super) fn new(
        (drive, caller): (&Drive, &Caller),
        file: File,
        site: &Site,
        prefix: &str,
    ) -> Self {
        let key = drive.disclose_key(caller, &file).map_or_else(
            |error| {
                // One damaged row must not hide the others of a list.
                tracing::error!(file.id = %file.id, %error, "a file's key is not shown");
                String::new()
            },
            |key| BASE64_STANDARD.encode(key.as_bytes()),
        );
        let id = file.id.letters();
        let checksum =
            |hash: [u8; 64]| Checksum { hash_function: "sha512", file_hash: hex::encode(&hash) };
        let (plain, sha512) = (file.plain(), file.sha512());
        FileObject {
            type_id: file.type_id,
            relative_path: file.name.clone(),
            name: file.name,
            date_uploaded: date(file.uploaded),
            encoded_encryption_key: key,
            download_url: format!("{}{prefix}/files/{id}/contents/", site.0),
            shared_with: file.shared_with,
            decrypted_size: file.size,
            owner: file.owner_email,
            path: file.path,
            is_uploaded: true,
            view_in_browser: plain && file.size <= VIEW_MAX,
            id,
            is_deleted: file.trashed.is_some(),
            md5: hex::encode(&file.md5),
            file_checksums: sha512.map(checksum).into_iter().collect(),
        }
    }
}

/// RFC 3339 in UTC with exactly six digits behind the second.
fn date(time: Time) -> String {
    // Outside the years that can be written there is no time that this server ever recorded.
    let timestamp =
        jiff::Timestamp::from_microsecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{timestamp:.6}")
}

//! `POST` and `PUT files/contents/`: a form with one file part, streamed into the store.

use super::auth::Credentials;
use super::error::Problem;
use super::files::Prefix;
use super::wire::FileObject;
use crate::app::App;
use crate::http::body::{BodyError, MinimumRate, announced};
use crate::http::json::Json;
use crate::http::media_type::ContentType;
use crate::http::multipart::{Boundary, BoundaryError, Limits, Multipart, PartHead};
use crate::site::Site;
use axum::body::Body;
use axum::extract::State;
use bindery_core::{Name, Target, Upload, UploadEnd};
use bytes::Bytes;
use futures_util::Stream;
use http::StatusCode;

/// The most that a field beside the file may hold, in bytes.
const FIELD_MAX: usize = 1024;

pub(super) async fn upload(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    site: Site,
    Prefix(prefix): Prefix,
    content_type: ContentType,
    body: Body,
) -> Result<(StatusCode, Json<FileObject>), Problem> {
    // Before anything of the body is read.
    let mut upload = app.drive.upload(&caller, Target::home(), announced(&body)).await?;
    let boundary = match boundary(&content_type) {
        Ok(boundary) => boundary,
        Err(problem) => return Err(upload.refuse(problem).await),
    };
    let body = MinimumRate::new(body, app.settings.rate_floor);
    let mut form = Multipart::new(body, &boundary, Limits::default());
    let end = match receive(&mut form, &mut upload).await {
        Ok(end) => end,
        Err(problem) => return Err(upload.refuse(problem).await),
    };
    let file = upload.finish(end).await?.node;
    Ok((StatusCode::CREATED, Json(FileObject::new((&app.drive, &caller), file, &site, prefix))))
}

/// The boundary of a form. No boundary, or a bad one, is the client's mistake and not another type.
pub(super) fn boundary(content_type: &ContentType) -> Result<Boundary, Problem> {
    let content_type = content_type.as_bytes();
    Boundary::from_content_type(content_type).map_err(|error| match error {
        BoundaryError::NotMultipart => {
            Problem::UnsupportedMediaType(String::from_utf8_lossy(content_type).into_owned())
        }
        BoundaryError::Missing | BoundaryError::Malformed => {
            Problem::Parse(format!("Multipart form parse error - {error}"))
        }
    })
}

/// Reads the whole form: the file's bytes into the store, what is known about it out of the rest. A
/// field counts before and behind the file; it wins over the file part's own type.
async fn receive<S>(form: &mut Multipart<S>, upload: &mut Upload) -> Result<UploadEnd, Problem>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Unpin,
{
    let mut name = None;
    let (mut field_type, mut part_type) = (None, None);
    while let Some(head) = form.next_part().await? {
        let part_name = head.name().transpose().unwrap_or_default();
        match part_name.as_deref() {
            Some("file") if name.is_some() => {
                return Err(file_problem("Submit one file at a time."));
            }
            Some("file") => {
                name = Some(file_name(&head)?);
                part_type = type_of_part(&head);
                while let Some(bytes) = form.next_data().await? {
                    upload.write(bytes).await?;
                }
            }
            Some("typeId" | "type_id") => field_type = Some(read_type(form).await?),
            _ => {}
        }
    }
    let name = name.ok_or_else(|| file_problem("No file was submitted."))?;
    let type_id = field_type.or(part_type);
    Ok(UploadEnd { name: Some(name), type_id, shows_key: true, ..UploadEnd::default() })
}

fn file_name(head: &PartHead) -> Result<Name, Problem> {
    let sent = head.file_name().ok_or_else(|| {
        file_problem("The submitted data was not a file. Check the encoding type on the form.")
    })?;
    let sent = sent.map_err(|_| file_problem("The file name is not valid UTF-8."))?;
    if sent.is_empty() {
        return Err(file_problem("No file was submitted."));
    }
    Name::from_client_path(&sent).map_err(|error| match error {
        bindery_core::Error::Invalid { why, .. } => file_problem(&why),
        other => other.into(),
    })
}

fn file_problem(why: &str) -> Problem {
    Problem::Field("file", why.to_owned())
}

async fn read_type<S>(form: &mut Multipart<S>) -> Result<i64, Problem>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Unpin,
{
    let mut text = Vec::new();
    while let Some(bytes) = form.next_data().await? {
        if text.len() + bytes.len() > FIELD_MAX {
            return Err(not_an_integer());
        }
        text.extend_from_slice(&bytes);
    }
    let text = std::str::from_utf8(&text).ok();
    text.and_then(|text| text.trim().parse().ok()).ok_or_else(not_an_integer)
}

pub(super) fn not_an_integer() -> Problem {
    Problem::Field("typeId", "A valid integer is required.".into())
}

/// The document's second example puts `{'type_id': 1}` where the part's `Content-Type` goes.
fn type_of_part(head: &PartHead) -> Option<i64> {
    let text = std::str::from_utf8(head.content_type_raw()?).ok()?;
    let (key, value) = text.trim().strip_prefix('{')?.strip_suffix('}')?.split_once(':')?;
    let unquoted = |text: &'_ str| text.trim().trim_matches(['\'', '"']).to_owned();
    matches!(unquoted(key).as_str(), "type_id" | "typeId").then(|| unquoted(value).parse().ok())?
}

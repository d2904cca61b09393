//! Contents on their way in: a new file, a new version of one, and, as the same call with a form, a
//! copy.

use super::ask::Ask;
use super::body::{FORM, Fields};
use super::dates;
use super::error::Problem;
use super::place::{AtFile, Place};
use super::wire::FileProperties;
use crate::http::body::{BodyError, announced};
use crate::http::hex;
use crate::http::json::Json;
use crate::http::media_type::ContentType;
use crate::http::multipart::{
    Boundary, BoundaryError, Limits, Multipart, MultipartError, SyntaxError,
};
use axum::body::Body;
use bindery_core::{
    Base, Error, FileHex, FolderRef, Name, OnTaken, Target, Thing, Upload, UploadEnd,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

pub(super) async fn create(
    ask: Ask,
    place: Place,
    content_type: ContentType,
    body: Body,
) -> Result<Json<FileProperties>, Problem> {
    let folder = place.folder()?;
    // Libraries call any body a form that they are told nothing about; a name in the query says better.
    if content_type.media_type() == FORM && ask.query.get("file_name").is_none() {
        return copy(&ask, folder, body).await;
    }
    let name = Name::parse_legal(ask.query.required("file_name")?)?;
    let overwrite = ask.query.is_set("overwrite_existing")?;
    let on_taken = if overwrite { OnTaken::Overwrite } else { OnTaken::Refuse };
    let target = Target::Folder { folder, name: Some(name), on_taken };
    receive(&ask, target, &content_type, body).await
}

pub(super) async fn replace(
    ask: Ask,
    AtFile(id): AtFile,
    content_type: ContentType,
    body: Body,
) -> Result<Json<FileProperties>, Problem> {
    if content_type.media_type() == FORM {
        return Err(Problem::UnsupportedMediaType);
    }
    let base = match (ask.query.is_set("force_overwrite")?, ask.query.number("last_version")?) {
        (true, _) => Base::Any,
        (false, Some(version)) => Base::Version(version),
        (false, None) => {
            let why = "Either force_overwrite=true or last_version must be given.";
            return Err(Problem::BadInput(why.into()));
        }
    };
    let target = Target::File { file: id.into(), base };
    receive(&ask, target, &content_type, body).await
}

/// No byte moves: the new file shows the content of the old one.
async fn copy(ask: &Ask, folder: FolderRef, body: Body) -> Result<Json<FileProperties>, Problem> {
    let fields = Fields::read(ask, body).await?;
    let source = fields.required("source_id")?;
    let name = fields.name("file_name")?;
    let source = FileHex::parse(source.trim()).ok_or(Error::NotFound(Thing::File))?;
    let file = ask.drive().copy_file(&ask.caller, source.into(), folder, &name).await?;
    Ok(Json(FileProperties::new(&file, &ask.site, None)))
}

async fn receive(
    ask: &Ask,
    target: Target,
    content_type: &ContentType,
    body: Body,
) -> Result<Json<FileProperties>, Problem> {
    let end = end(ask)?;
    let boundary = boundary(content_type)?;
    // Before anything of the body is read.
    let mut upload = ask.drive().upload(&ask.caller, target, announced(&body)).await?;
    let body = ask.body(body);
    let received = match boundary {
        None => raw(body, &mut upload).await,
        Some(boundary) => {
            form(Multipart::new(body, &boundary, Limits::default()), &mut upload).await
        }
    };
    if let Err(problem) = received {
        return Err(upload.refuse(problem).await);
    }
    let file = upload.finish(end).await?;
    Ok(Json(FileProperties::new(&file, &ask.site, None)))
}

/// What the query says about the content.
fn end(ask: &Ask) -> Result<UploadEnd, Problem> {
    let digest = |text: &str| {
        let problem = || Problem::BadInput("md5 must be 32 hex digits.".into());
        hex::decode(text.trim()).ok_or_else(problem)
    };
    let modified = ask.query.get("mod_date").map(|text| dates::any("mod_date", text));
    Ok(UploadEnd {
        modified: modified.transpose()?,
        md5: ask.query.get("md5").map(digest).transpose()?,
        ..UploadEnd::default()
    })
}

/// The boundary of a form; a body of any other type is the content itself.
fn boundary(content_type: &ContentType) -> Result<Option<Boundary>, Problem> {
    match Boundary::from_content_type(content_type.as_bytes()) {
        Ok(boundary) => Ok(Some(boundary)),
        Err(BoundaryError::NotMultipart) => Ok(None),
        Err(error @ (BoundaryError::Missing | BoundaryError::Malformed)) => Err(error.into()),
    }
}

async fn raw<S>(mut body: S, upload: &mut Upload) -> Result<(), Problem>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Unpin,
{
    while let Some(bytes) = body.next().await {
        upload.write(bytes?).await?;
    }
    Ok(())
}

/// The first part is the content, whatever it is called. The form is read to its end, so that one that
/// was cut off is noticed.
async fn form<S>(mut form: Multipart<S>, upload: &mut Upload) -> Result<(), Problem>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Unpin,
{
    match form.next_part().await {
        Ok(Some(_)) => {}
        Ok(None) | Err(MultipartError::Syntax(SyntaxError::Truncated)) => {
            return Err(Problem::MissingForm);
        }
        Err(error) => return Err(error.into()),
    }
    while let Some(bytes) = form.next_data().await? {
        upload.write(bytes).await?;
    }
    while form.next_part().await?.is_some() {}
    Ok(())
}

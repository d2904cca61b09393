//! A file's content as an answer: ranges, conditions, and a type and a disposition under which no browser
//! runs what somebody uploaded.

use super::conditional::{Precondition, Validators, evaluate, range_applies};
use super::disposition::{Disposition, content_disposition, content_type};
use super::range::ByteRange;
use axum::body::Body;
use axum::response::Response;
use bindery_core::{Download, DownloadBody, Error};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, try_unfold};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::time::{Duration, UNIX_EPOCH};

/// Room for what is put on an answer here and in `app.rs`.
const HEADERS: usize = 12;

/// How a content is announced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced<'a> {
    /// The name that a client may save it under, which its media type follows from.
    pub(crate) name: &'a str,
    /// What a client is told to do with it; what a browser would run is only ever saved.
    pub(crate) disposition: Disposition,
}

impl<'a> Announced<'a> {
    /// To be saved under a name.
    pub(crate) fn attachment(name: &'a str) -> Self {
        Announced { name, disposition: Disposition::Attachment }
    }
}

/// Answers a GET or HEAD for a file's content (RFC 9110): 200, 206, 304, 412 or 416.
pub(crate) async fn respond(
    method: &Method,
    request: &HeaderMap,
    download: Download,
    announced: Announced<'_>,
) -> Result<Response, Error> {
    let file = &download.file;
    let size = file.size;
    let quoted = format!("\"{}-{}\"", file.id.letters(), file.version);
    let etag = &quoted[1..quoted.len() - 1];
    let modified = u64::try_from(file.uploaded.seconds()).unwrap_or(0);
    let validators = Validators { etag, last_modified_seconds: Some(modified) };
    let mut headers = validator_headers(quoted.clone(), modified);
    match evaluate(method, request, validators) {
        Precondition::Proceed => {}
        Precondition::NotModified => {
            return Ok(answer(StatusCode::NOT_MODIFIED, headers, Body::empty()));
        }
        Precondition::Failed => {
            return Ok(answer(StatusCode::PRECONDITION_FAILED, headers, Body::empty()));
        }
    }
    let wanted = match request.get(RANGE) {
        Some(range) if range_applies(request, validators) => {
            ByteRange::parse(range.as_bytes(), size)
        }
        _ => ByteRange::Whole,
    };
    add_content_headers(&mut headers, announced);
    let (status, range) = match wanted {
        ByteRange::Whole => (StatusCode::OK, 0..size),
        ByteRange::Part(range) => {
            let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers.insert(CONTENT_RANGE, ascii(text));
            (StatusCode::PARTIAL_CONTENT, range)
        }
        ByteRange::Unsatisfiable => {
            headers.insert(CONTENT_RANGE, ascii(format!("bytes */{size}")));
            headers.remove(CONTENT_TYPE);
            headers.remove(CONTENT_DISPOSITION);
            return Ok(answer(StatusCode::RANGE_NOT_SATISFIABLE, headers, Body::empty()));
        }
    };
    let len = range.end - range.start;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    if method == Method::HEAD {
        return Ok(answer(status, headers, Body::empty()));
    }
    let mut body = download.read(range)?;
    // The first piece is verified before the status is sent.
    let body = match body.next().await? {
        None => Body::empty(),
        Some(all) if all.len() as u64 == len => Body::from(all),
        Some(first) => Body::from_stream(stream(first, body)),
    };
    Ok(answer(status, headers, body))
}

fn answer(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

fn validator_headers(etag: String, modified: u64) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    let modified = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(modified));
    headers.insert(ETAG, ascii(etag));
    headers.insert(LAST_MODIFIED, ascii(modified));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    headers
}

fn add_content_headers(headers: &mut HeaderMap, announced: Announced<'_>) {
    let content_type = content_type(announced.name);
    let disposition = match announced.disposition {
        Disposition::Inline if content_type.may_inline => Disposition::Inline,
        _ => Disposition::Attachment,
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type.media_type));
    headers.insert(CONTENT_DISPOSITION, content_disposition(disposition, announced.name));
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits, letters and punctuation are header text")
}

fn stream(first: Bytes, body: DownloadBody) -> BoxStream<'static, Result<Bytes, Error>> {
    try_unfold((Some(first), body), |(first, mut body)| async move {
        let piece = match first {
            Some(piece) => Some(piece),
            None => body.next().await?,
        };
        Ok(piece.map(|piece| (piece, (None, body))))
    })
    .boxed()
}

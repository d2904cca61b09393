//! `GET files/{id}/contents/` and `files/{id}/lines/`: streamed, never held whole.

use super::auth::Credentials;
use super::error::Problem;
use super::files::{RawId, file_id};
use crate::app::App;
use crate::http::content::{self, Announced};
use crate::http::lines::LinesEncoder;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bindery_core::DownloadBody;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, try_unfold};
use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

pub(super) async fn contents(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    id: RawId,
    // Whole: its headers would be copied.
    request: Request,
) -> Result<Response, Problem> {
    let id = file_id(&app.drive, &caller, id).await?;
    let download = app.drive.download(&caller, id).await?;
    let name = download.file.name.clone();
    Ok(content::respond(
        request.method(),
        request.headers(),
        download,
        Announced::attachment(&name),
    )
    .await?)
}

pub(super) async fn lines(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    method: Method,
    id: RawId,
) -> Result<Response, Problem> {
    let id = file_id(&app.drive, &caller, id).await?;
    let text = app.drive.text(&caller, id).await?;
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "private")];
    if method == Method::HEAD {
        return Ok((headers, Body::empty()).into_response());
    }
    let size = text.file.size;
    let mut body = text.read(0..size)?;
    // The first piece is verified before the status is sent.
    let first = body.next().await?;
    Ok((headers, Body::from_stream(encode(first, body))).into_response())
}

/// The lines as JSON, a piece of the content at a time.
fn encode(
    first: Option<Bytes>,
    body: DownloadBody,
) -> BoxStream<'static, Result<Bytes, bindery_core::Error>> {
    try_unfold(Some((first, body, LinesEncoder::default())), |state| async move {
        let Some((first, mut body, mut encoder)) = state else {
            return Ok(None);
        };
        let piece = match first {
            Some(piece) => Some(piece),
            None => body.next().await?,
        };
        let mut out = Vec::new();
        let Some(piece) = piece else {
            encoder.finish(&mut out);
            return Ok(Some((Bytes::from(out), None)));
        };
        out.reserve(piece.len() + piece.len() / 8 + 16);
        encoder.push(&piece, &mut out);
        Ok::<_, bindery_core::Error>(Some((Bytes::from(out), Some((None, body, encoder)))))
    })
    .boxed()
}

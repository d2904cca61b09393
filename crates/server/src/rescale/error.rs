//! Every way in which a request fails, in this dialect's form: a JSON object, always.

use crate::http::body::BodyError;
use crate::http::json::Json;
use crate::http::multipart::{MultipartError, SyntaxError};
use axum::response::{IntoResponse, Response};
use bindery_core::Error;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

/// Seconds after which something that is unavailable is worth another try.
const RETRY_SECONDS: &str = "5";

/// Why a request was not answered as asked.
#[derive(Debug)]
pub(super) enum Problem {
    /// The domain says so.
    Domain(Error),
    /// The request shows no credentials that could be looked up.
    Unauthenticated(&'static str),
    /// The route does not know the method.
    MethodNotAllowed(Method),
    /// The body is of a type that the route does not read.
    UnsupportedMediaType(String),
    /// The body is not what its type says.
    Parse(String),
    /// A field of the body cannot be accepted; named as on the wire.
    Field(&'static str, String),
    /// The body did not arrive.
    Body(BodyError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem::Domain(error)
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Problem::Body(error)
    }
}

impl From<MultipartError<BodyError>> for Problem {
    fn from(error: MultipartError<BodyError>) -> Self {
        match error {
            MultipartError::Body(error) => Problem::Body(error),
            MultipartError::Syntax(SyntaxError::Truncated) => Problem::Body(BodyError::Cut),
            MultipartError::Syntax(error) => {
                Problem::Parse(format!("Multipart form parse error - {error}"))
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, body) = match &self {
            Problem::Domain(error) => domain(error),
            Problem::Unauthenticated(why) => (StatusCode::UNAUTHORIZED, detail(why)),
            Problem::MethodNotAllowed(method) => {
                let why = format!("Method \"{method}\" not allowed.");
                (StatusCode::METHOD_NOT_ALLOWED, detail(&why))
            }
            Problem::UnsupportedMediaType(media_type) => {
                let why = format!("Unsupported media type \"{media_type}\" in request.");
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, detail(&why))
            }
            Problem::Parse(why) => (StatusCode::BAD_REQUEST, detail(why)),
            Problem::Field(field, why) => (StatusCode::BAD_REQUEST, json!({ *field: [why] })),
            Problem::Body(error) => {
                let status = match error {
                    BodyError::Cut => StatusCode::BAD_REQUEST,
                    BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
                    BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                };
                (status, detail(&error.to_string()))
            }
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
        }
        if let Problem::Domain(Error::Throttled { seconds } | Error::TooManyRequests { seconds }) =
            &self
        {
            headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        response
    }
}

/// Each meaning of the domain in this dialect. No wildcard: a new meaning has to be answered here.
fn domain(error: &Error) -> (StatusCode, Value) {
    match error {
        Error::Unauthenticated => (StatusCode::UNAUTHORIZED, detail("Invalid token.")),
        Error::NotFound(_) => (StatusCode::NOT_FOUND, detail("Not found.")),
        Error::Forbidden => {
            (StatusCode::FORBIDDEN, detail("You do not have permission to perform this action."))
        }
        Error::Invalid { field, why } => {
            (StatusCode::BAD_REQUEST, json!({ wire_field(field): [why] }))
        }
        Error::NoSuchPage => (StatusCode::NOT_FOUND, detail("Invalid page.")),
        Error::NotText => {
            (StatusCode::BAD_REQUEST, detail("The file is not plain text: it has no lines."))
        }
        Error::IllegalCharacter => {
            (StatusCode::BAD_REQUEST, json!({ "name": [error.to_string()] }))
        }
        Error::ChecksumFailed | Error::Hierarchy => {
            (StatusCode::BAD_REQUEST, detail(&error.to_string()))
        }
        Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, detail(&error.to_string())),
        Error::QuotaExceeded { .. } | Error::TooManyFiles { .. } => (
            StatusCode::FORBIDDEN,
            detail("The owner of the files has no room for this. Nothing was stored."),
        ),
        Error::Throttled { seconds } | Error::TooManyRequests { seconds } => (
            StatusCode::TOO_MANY_REQUESTS,
            detail(&format!("Request was throttled. Expected available in {seconds} seconds.")),
        ),
        Error::TooManyTransfers => (StatusCode::SERVICE_UNAVAILABLE, detail(&error.to_string())),
        Error::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, detail(&error.to_string())),
        Error::Taken { why } => (StatusCode::CONFLICT, detail(why)),
        Error::Exists(_)
        | Error::VersionConflict(_)
        | Error::NotEmpty
        | Error::OnlyVersion
        | Error::WindowPassed => (StatusCode::CONFLICT, detail(&error.to_string())),
        Error::StorageFull => (
            StatusCode::INSUFFICIENT_STORAGE,
            detail("The server's storage is full. Nothing was stored."),
        ),
        Error::Damaged { .. } => {
            tracing::error!(%error, "a stored content was refused");
            let why = "The stored content is damaged. An administrator finds out more by `bindery verify`.";
            (StatusCode::INTERNAL_SERVER_ERROR, detail(why))
        }
        Error::Unavailable(_) => {
            tracing::warn!(%error, "a request was not served");
            (StatusCode::SERVICE_UNAVAILABLE, detail("The service is not available now."))
        }
        Error::Refused(_) | Error::Internal(_) => {
            tracing::error!(%error, "a request failed");
            (StatusCode::INTERNAL_SERVER_ERROR, detail("A server error occurred."))
        }
    }
}

/// The domain's name of a field on this wire.
fn wire_field(field: &str) -> &str {
    match field {
        "type_id" => "typeId",
        "shared_with" => "sharedWith",
        same => same,
    }
}

fn detail(why: &str) -> Value {
    json!({ "detail": why })
}

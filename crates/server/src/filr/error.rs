//! Every way in which a request fails, in this dialect's form: an ErrorInfo, always.

use super::wire::{ErrorData, ErrorInfo};
use crate::http::body::BodyError;
use crate::http::json::Json;
use crate::http::multipart::{BoundaryError, MultipartError, SyntaxError};
use axum::response::{IntoResponse, Response};
use bindery_core::{Entry, Error, Thing};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use std::sync::Arc;

/// Seconds after which something that is unavailable is worth another try.
const RETRY_SECONDS: u64 = 5;
/// The document has one sentence for a name that is taken and for a version that is not the latest.
const TAKEN: &str = "A file with the name already exists.";

/// Why a request was not answered as asked.
#[derive(Debug)]
pub(super) enum Problem {
    /// The domain says so.
    Domain(Error),
    /// The request shows no credentials that could be looked up.
    Unauthenticated(&'static str),
    /// There is no such route.
    NoSuchPath,
    /// The route does not know the method.
    MethodNotAllowed,
    /// The body is of a type that the route does not read.
    UnsupportedMediaType,
    /// A parameter or the body cannot be understood.
    BadInput(String),
    /// The form holds no part.
    MissingForm,
    /// The form cannot be read.
    BadForm(String),
    /// The body did not arrive.
    Body(BodyError),
}

impl Problem {
    /// A parameter that must be there and is not.
    pub(super) fn missing(name: &'static str) -> Self {
        Problem::BadInput(format!("{name} is missing."))
    }
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

impl From<BoundaryError> for Problem {
    fn from(error: BoundaryError) -> Self {
        Problem::BadForm(error.to_string())
    }
}

impl From<MultipartError<BodyError>> for Problem {
    fn from(error: MultipartError<BodyError>) -> Self {
        match error {
            MultipartError::Body(error) => Problem::Body(error),
            MultipartError::Syntax(error) => error.into(),
        }
    }
}

impl From<SyntaxError> for Problem {
    fn from(error: SyntaxError) -> Self {
        Problem::BadForm(error.to_string())
    }
}

/// What the path of a request calls the thing that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// By its own name.
    Plainly,
    /// Folders as binders.
    Binder,
    /// Files as entries.
    Entry,
    /// Files by their versions.
    Version,
}

impl Asked {
    pub(super) fn of_path(path: &str) -> Self {
        if path.starts_with("/binders/") {
            Asked::Binder
        } else if path.starts_with("/folder_entries/") {
            Asked::Entry
        } else if path.starts_with("/file_versions/") {
            Asked::Version
        } else {
            Asked::Plainly
        }
    }
}

/// Status, code and message.
type Answer = (StatusCode, &'static str, String);

impl IntoResponse for Problem {
    /// Also hands itself on, for whoever knows more about the request.
    fn into_response(self) -> Response {
        self.log();
        let mut response = self.render(Asked::Plainly, None);
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl Problem {
    /// The answer, with what a client may want to see of what is in the way.
    pub(super) fn render(&self, asked: Asked, data: Option<ErrorData>) -> Response {
        let (status, code, message) = self.answer(asked);
        let mut response = (status, Json(ErrorInfo { code, message, data })).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Basic realm=\"Bindery\"");
            headers.insert(WWW_AUTHENTICATE, scheme);
        }
        let retry = match self {
            Problem::Domain(Error::Throttled { seconds } | Error::TooManyRequests { seconds }) => {
                Some(*seconds)
            }
            _ => (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_SECONDS),
        };
        if let Some(seconds) = retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn answer(&self, asked: Asked) -> Answer {
        let bad = |code, why: &str| (StatusCode::BAD_REQUEST, code, why.to_owned());
        match self {
            Problem::Domain(error) => domain(error, asked),
            Problem::Unauthenticated(why) => {
                (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", (*why).to_owned())
            }
            Problem::NoSuchPath => {
                (StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such resource.".into())
            }
            Problem::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "The resource does not know this method.".into(),
            ),
            Problem::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "The resource does not read a body of this type.".into(),
            ),
            Problem::BadInput(why) => bad("BAD_INPUT", why),
            Problem::MissingForm => {
                bad("MISSING_MULTIPART_FORM_DATA", "The form holds no content.")
            }
            Problem::BadForm(why) => bad("BAD_MULTIPART_FORM_DATA", why),
            Problem::Body(error) => {
                let status = match error {
                    BodyError::Cut => StatusCode::BAD_REQUEST,
                    BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
                    BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                };
                (status, "BAD_INPUT", error.to_string())
            }
        }
    }

    /// A cause is logged once, and never sent.
    fn log(&self) {
        let Problem::Domain(error) = self else {
            return;
        };
        match error {
            Error::Unavailable(_) => tracing::warn!(%error, "a request was not served"),
            Error::Damaged { .. } => tracing::error!(%error, "a stored content was refused"),
            Error::Refused(_) | Error::Internal(_) => tracing::error!(%error, "a request failed"),
            _ => {}
        }
    }
}

/// Each meaning of the domain in this dialect. No wildcard: a new meaning has to be answered here.
fn domain(error: &Error, asked: Asked) -> Answer {
    let (status, code) = match error {
        Error::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
        Error::Throttled { .. } | Error::TooManyRequests { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS")
        }
        Error::TooManyTransfers => (StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_TRANSFERS"),
        Error::NotFound(thing) => (StatusCode::NOT_FOUND, not_found(*thing, asked)),
        Error::NoSuchPage => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        Error::Forbidden => (StatusCode::FORBIDDEN, "ACCESS_DENIED"),
        Error::Invalid { field: "email", .. } => (StatusCode::FORBIDDEN, "INVALID_EMAIL_ADDRESS"),
        Error::Invalid { field: "keyword", .. } => {
            (StatusCode::BAD_REQUEST, "SEARCH_INVALID_WILD_CARD")
        }
        Error::Invalid { .. } | Error::NotText => (StatusCode::BAD_REQUEST, "BAD_INPUT"),
        Error::IllegalCharacter => (StatusCode::BAD_REQUEST, "ILLEGAL_CHARACTER"),
        Error::ChecksumFailed => (StatusCode::BAD_REQUEST, "FILE_CHECKSUM_FAILED"),
        Error::Hierarchy => (StatusCode::BAD_REQUEST, "INVALID_FOLDER_HIERARCHY"),
        Error::Exists(taken) => match &taken.node {
            Entry::File(_) => (StatusCode::CONFLICT, "FILE_EXISTS"),
            Entry::Folder(_) => (StatusCode::CONFLICT, "TITLE_EXISTS"),
        },
        Error::VersionConflict(_) => (StatusCode::CONFLICT, "FILE_VERSION_CONFLICT"),
        Error::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"),
        Error::NotEmpty => (StatusCode::CONFLICT, "BINDER_NOT_EMPTY"),
        Error::WindowPassed => (StatusCode::CONFLICT, "CHANGES_WINDOW_PASSED"),
        Error::Taken { .. } => (StatusCode::CONFLICT, "BAD_INPUT"),
        Error::OnlyVersion => (StatusCode::FORBIDDEN, "FILE_ONLY_VERSION"),
        Error::TooLarge { .. } => (StatusCode::FORBIDDEN, "FILE_SIZE_LIMIT_EXCEEDED"),
        Error::QuotaExceeded { .. } | Error::TooManyFiles { .. } => {
            (StatusCode::FORBIDDEN, "USER_QUOTA_EXCEEDED")
        }
        Error::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "SERVER_ERROR"),
        Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "SERVER_ERROR"),
        Error::Damaged { .. } | Error::Refused(_) | Error::Internal(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "SERVER_ERROR")
        }
    };
    (status, code, message(error))
}

fn not_found(thing: Thing, asked: Asked) -> &'static str {
    match (thing, asked) {
        (Thing::Folder, Asked::Binder) => "BINDER_NOT_FOUND",
        (Thing::Folder, _) => "FOLDER_NOT_FOUND",
        (Thing::File, Asked::Entry) => "ENTRY_NOT_FOUND",
        (Thing::File, Asked::Version) => "FILE_VERSION_NOT_FOUND",
        (Thing::File, _) => "FILE_NOT_FOUND",
        (Thing::Version, _) => "FILE_VERSION_NOT_FOUND",
        (Thing::Share, _) => "SHAREITEM_NOT_FOUND",
        (Thing::User, _) => "USER_NOT_FOUND",
        (Thing::Token, _) => "NOT_FOUND",
    }
}

/// A sentence for the user. Causes are kept for the log.
fn message(error: &Error) -> String {
    match error {
        Error::Exists(taken) if matches!(taken.node, Entry::Folder(_)) => {
            "A folder with the name already exists.".into()
        }
        Error::Exists(_) | Error::VersionConflict(_) => TAKEN.into(),
        Error::Invalid { why, .. } => why.clone(),
        Error::Unavailable(_) => "The service is not available now.".into(),
        Error::Damaged { .. } => "The stored content is damaged.".into(),
        Error::Refused(_) | Error::Internal(_) => "A server error occurred.".into(),
        other => {
            let mut sentence = other.to_string();
            if let Some(first) = sentence.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            sentence + "."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_found_has_the_name_that_it_was_asked_by() {
        for (path, thing, code) in [
            ("/files/0", Thing::File, "FILE_NOT_FOUND"),
            ("/folder_entries/1", Thing::File, "ENTRY_NOT_FOUND"),
            ("/file_versions/0", Thing::File, "FILE_VERSION_NOT_FOUND"),
            ("/folder_entries/1/shares", Thing::User, "USER_NOT_FOUND"),
            ("/folders/1", Thing::Folder, "FOLDER_NOT_FOUND"),
            ("/binders/1/library_files", Thing::Folder, "BINDER_NOT_FOUND"),
            ("/self/my_files", Thing::Folder, "FOLDER_NOT_FOUND"),
        ] {
            let answer = Problem::from(Error::NotFound(thing)).answer(Asked::of_path(path));
            assert_eq!((answer.0, answer.1), (StatusCode::NOT_FOUND, code), "{path}");
        }
    }

    #[test]
    fn a_cause_is_never_sent() {
        let secret = "disk sda1 failed";
        for error in [
            Error::Internal(secret.into()),
            Error::Unavailable(secret.into()),
            Error::Refused(secret.into()),
            Error::Damaged { why: secret.into() },
        ] {
            assert!(!message(&error).contains("sda1"));
        }
        assert_eq!(message(&Error::NotEmpty), "The folder is not empty.");
    }
}

//! What can go wrong, by meaning. No status codes here: each front-end answers every meaning in its
//! own form, in one exhaustive `match`.

use std::error::Error as StdError;
use std::fmt;

/// The result of every operation of the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed cause, kept for the log and never shown to a client.
pub type Source = Box<dyn StdError + Send + Sync>;

/// Why an operation did not happen. Whatever is refused leaves nothing behind.
#[derive(Debug)]
pub enum Error {
    /// The credentials are unknown, expired, revoked, or their user is disabled.
    Unauthenticated,
    /// It is not there, or the caller may not see it. The two are never told apart.
    NotFound,
    /// The caller may see it and may not do this to it.
    Forbidden,
    /// A field of the request cannot be accepted.
    Invalid {
        /// The field, in the domain's words.
        field: &'static str,
        /// A sentence for the user.
        why: String,
    },
    /// A list has no such page.
    NoSuchPage,
    /// The content is not plain text (valid UTF-8 without NUL).
    NotText,
    /// A user, e-mail or name exists already.
    Taken {
        /// What exists, as a sentence.
        why: String,
    },
    /// There is no room: the disk, or the store behind it, is full.
    StorageFull,
    /// A stored content does not verify; no byte of it that was not verified has been given out.
    Damaged {
        /// Which content, and how it fails.
        why: String,
    },
    /// It cannot be done now and may be tried again; whether a write took effect can be unknown.
    Unavailable(Source),
    /// The directory, key, schema or setting does not allow this process to start.
    Refused(String),
    /// A fault of the server.
    Internal(Source),
}

impl Error {
    /// A field that cannot be accepted.
    pub fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Error::Invalid { field, why: why.into() }
    }

    /// A fault of the server, from whatever it came.
    pub fn internal(source: impl Into<Source>) -> Self {
        Error::Internal(source.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unauthenticated => f.write_str("the credentials are not valid"),
            Error::NotFound => f.write_str("not found"),
            Error::Forbidden => f.write_str("not permitted"),
            Error::Invalid { field, why } => write!(f, "{field}: {why}"),
            Error::NoSuchPage => f.write_str("the list has no such page"),
            Error::NotText => f.write_str("the content is not plain text"),
            Error::Taken { why } | Error::Refused(why) => f.write_str(why),
            Error::StorageFull => f.write_str("the storage is full"),
            Error::Damaged { why } => write!(f, "the stored content is damaged: {why}"),
            Error::Unavailable(source) => write!(f, "not available now: {source}"),
            Error::Internal(source) => write!(f, "internal fault: {source}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Unavailable(source) | Error::Internal(source) => Some(source.as_ref()),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        match error.sqlite_error_code() {
            Some(DiskFull) => Error::StorageFull,
            Some(DatabaseBusy | DatabaseLocked) => Error::Unavailable(error.into()),
            _ => Error::Internal(error.into()),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        if is_full(&error) { Error::StorageFull } else { Error::Internal(error.into()) }
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(current) = cause {
            if current.downcast_ref::<std::io::Error>().is_some_and(is_full) {
                return Error::StorageFull;
            }
            cause = current.source();
        }
        Error::Internal(error.into())
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

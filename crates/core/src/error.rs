//! What can go wrong, by meaning. No status codes here: each front-end answers every meaning in its
//! own form, in one exhaustive `match`.

use crate::catalog::files::File;
use crate::node::{Entry, Seen};
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
    NotFound(Thing),
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
    /// A name holds a character that not every front-end can show.
    IllegalCharacter,
    /// A live sibling has the name already, without regard to case.
    Exists(Box<Seen<Entry>>),
    /// The file has another version than the caller expects: it is here as it is now.
    VersionConflict(Box<Seen<File>>),
    /// The bytes that arrived do not have the digest that was announced.
    ChecksumFailed,
    /// The caller gave this key to another request before.
    KeyReused,
    /// The folder is not empty.
    NotEmpty,
    /// A file keeps one version at least.
    OnlyVersion,
    /// A folder would lie in itself, or folders too deep.
    Hierarchy,
    /// What changed since then is no longer known.
    WindowPassed,
    /// The content is larger than this server takes.
    TooLarge {
        /// Bytes that a file may have.
        limit: u64,
    },
    /// The owner's files would take more room than the owner has.
    QuotaExceeded {
        /// Bytes that the owner's files take.
        used: u64,
        /// Bytes that they may take.
        quota: u64,
    },
    /// Too many sign-ins failed; no password is looked at for a while.
    Throttled {
        /// Seconds after which to try again.
        seconds: u64,
    },
    /// This token, user or address asked more often than it may.
    TooManyRequests {
        /// Seconds after which to try again.
        seconds: u64,
    },
    /// As many uploads and downloads run as may at the same time.
    TooManyTransfers,
    /// The owner has as many files as the owner may have.
    TooManyFiles {
        /// Files that the owner may have.
        quota: u64,
    },
    /// A user or an e-mail exists already.
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

/// What was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A file.
    File,
    /// A version of a file.
    Version,
    /// A folder.
    Folder,
    /// A share, or a link.
    Share,
    /// A user.
    User,
    /// A token.
    Token,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Thing::File => "file",
            Thing::Version => "version",
            Thing::Folder => "folder",
            Thing::Share => "share",
            Thing::User => "user",
            Thing::Token => "token",
        })
    }
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
            Error::NotFound(thing) => write!(f, "no such {thing}"),
            Error::Forbidden => f.write_str("not permitted"),
            Error::Invalid { field, why } => write!(f, "{field}: {why}"),
            Error::NoSuchPage => f.write_str("the list has no such page"),
            Error::NotText => f.write_str("the content is not plain text"),
            Error::IllegalCharacter => {
                f.write_str("the name holds a character that is not allowed")
            }
            Error::Exists(_) => f.write_str("the name is taken"),
            Error::VersionConflict(file) => {
                write!(f, "the file has version {} now", file.version)
            }
            Error::ChecksumFailed => f.write_str("the content does not have the announced digest"),
            Error::KeyReused => f.write_str("the idempotency key was given to another request"),
            Error::NotEmpty => f.write_str("the folder is not empty"),
            Error::OnlyVersion => f.write_str("a file's only version cannot be deleted"),
            Error::Hierarchy => f.write_str("folders cannot lie in themselves, or so deep"),
            Error::WindowPassed => f.write_str("changes are not known from so long ago"),
            Error::TooLarge { limit } => write!(f, "a file may have {limit} bytes and no more"),
            Error::QuotaExceeded { used, quota } => {
                write!(f, "{used} of {quota} bytes are used, and there is no room for more")
            }
            Error::Throttled { seconds } => {
                write!(f, "too many failed sign-ins: try again in {seconds} seconds")
            }
            Error::TooManyRequests { seconds } => {
                write!(f, "too many requests: try again in {seconds} seconds")
            }
            Error::TooManyTransfers => {
                f.write_str("too many uploads and downloads are running: try again in a moment")
            }
            Error::TooManyFiles { quota } => {
                write!(f, "there are as many files as there may be, {quota}")
            }
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
        match error {
            // A service that cannot be reached, or that is not well, may be by the next try.
            object_store::Error::Generic { .. } => Error::Unavailable(error.into()),
            _ => Error::Internal(error.into()),
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

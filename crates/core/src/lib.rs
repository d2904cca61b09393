//! The domain of Bindery: users, files, versions, rights, and the sealed store. It knows no HTTP.
//!
//! Everything goes through a [`Drive`]. One upload, as an example of the path that all take:
//! [`Drive::upload`] asks who calls, [`Upload::write`] hashes, seals and stores the bytes as they
//! come, and [`Upload::finish`] makes the file in one transaction of the catalog, after its objects
//! are on disk and before anyone is told.
//!
//! Modules in reading order: `drive` (an operation a method), `access` (who may), `node`, `share`, `name`, `id`,
//! `audit` (what was done), `catalog` (all SQL), `vault` (all sealed bytes), `sweep` (what runs in the background).

mod access;
mod audit;
mod catalog;
mod clock;
mod disk;
mod drive;
mod error;
mod id;
mod name;
mod node;
mod share;
mod sweep;
pub mod vault;

// What the tests inside share with those outside names the crate as those do.
#[cfg(test)]
extern crate self as bindery_core;

pub use access::{Caller, IdempotencyKey, Role};
pub use audit::Act;
pub use audit::chain::{
    AuditChain, AuditCheckpoint, AuditEvent, AuditFault, AuditKeys, AuditLink, Tampering,
};
pub use catalog::Database;
pub use catalog::backups::Backup;
pub use catalog::entries::Trashed;
pub use catalog::files::File;
pub use catalog::folders::{Action, TreeSums};
pub use catalog::pages::{FileSet, Key, KeyValue, OrderBy};
pub use catalog::readable::Readable;
pub use catalog::users::{Token, User};
pub use clock::{Clock, Time};
pub use drive::*;
pub use error::{Error, Result, Source, Thing};
pub use id::{FileId, FolderId, ShareId, TokenId, UserId};
pub use name::{Label, NAME_MAX, Name};
pub use node::{
    Above, Entry, EntryKey, FileHex, FileRef, Folder, FolderRef, Kinds, Listing, NodeRef, Seen,
    Stamp, Version, VersionId, Window,
};
pub use share::{NewRecipient, Recipient, Share, SharedNode, Sharing, Terms};
pub use sweep::{SweepSettings, Swept};
pub use vault::Service;

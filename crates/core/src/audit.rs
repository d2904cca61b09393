//! The audit log: what an act is, and how an event tells of one. An operation names what it did in the unit
//! that does it (`drive/once.rs` records it there); `chain` links the events and finds what was tampered
//! with. `docs/audit.md` lists the acts.
//!
//! An event holds numbers and words of ours: no name, no e-mail, no text of a client, no secret. What is
//! linked cannot be taken back, and who may read the log need not see what files are called.

pub(crate) mod chain;

use crate::access::Role;
use crate::id::{FileId, FolderId, UserId};
use crate::share::{Recipient, Share, SharedNode};
use std::fmt;

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What is done. The words are the log's for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Act {
            $($(#[$doc])* $name),*
        }

        impl Act {
            /// Every act.
            pub const ALL: &[Act] = &[$(Act::$name),*];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Act::$name => $text),*
                }
            }
        }
    };
}

acts! {
    /// A file was made of an upload.
    FileCreated = "file-created";
    /// A file got a new version of an upload.
    FileReplaced = "file-replaced";
    /// A file got another name.
    FileRenamed = "file-renamed";
    /// A file went to another folder.
    FileMoved = "file-moved";
    /// A file was made of another one.
    FileCopied = "file-copied";
    /// It was changed what a file is for.
    FileTyped = "file-typed";
    /// It was set who may read a file: exactly these users.
    ReadersSet = "readers-set";
    /// A file was put in the trash.
    FileTrashed = "file-trashed";
    /// A file was taken out of the trash.
    FileRestored = "file-restored";
    /// A file was removed for good.
    FilePurged = "file-purged";
    /// An older version was made the current one again.
    VersionPromoted = "version-promoted";
    /// A version was removed for good.
    VersionDeleted = "version-deleted";
    /// A folder was made.
    FolderCreated = "folder-created";
    /// A folder got another name.
    FolderRenamed = "folder-renamed";
    /// A folder went to another folder.
    FolderMoved = "folder-moved";
    /// A folder was made of another one, with all that is in it.
    FolderCopied = "folder-copied";
    /// A folder was put in the trash, with all that is in it.
    FolderTrashed = "folder-trashed";
    /// A folder was taken out of the trash.
    FolderRestored = "folder-restored";
    /// A folder was removed for good, with all that is in it.
    FolderPurged = "folder-purged";
    /// A share was made, or made again with other terms.
    Shared = "shared";
    /// The terms of a share were changed.
    ShareChanged = "share-changed";
    /// A share was ended, with what hung on it.
    ShareEnded = "share-ended";
    /// A file's own key was shown.
    KeyDisclosed = "key-disclosed";
    /// A password or a token was refused.
    SignInFailed = "sign-in-failed";
    /// A user was made.
    UserAdded = "user-added";
    /// A user got another password.
    PasswordSet = "password-set";
    /// A user was disabled.
    UserDisabled = "user-disabled";
    /// A user was enabled.
    UserEnabled = "user-enabled";
    /// A user's quota was set.
    QuotaSet = "quota-set";
    /// A token was made.
    TokenCreated = "token-created";
    /// A token was revoked.
    TokenRevoked = "token-revoked";
    /// A copy of the whole store was begun.
    StoreCopied = "store-copied";
    /// A backup was made.
    BackupMade = "backup-made";
    /// A backup was removed, or is known to be.
    BackupForgotten = "backup-forgotten";
    /// Another master key wraps from now on.
    KeyActivated = "master-key-activated";
    /// A master key was taken out of the catalog for good.
    KeyRetired = "master-key-retired";
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// A user, by credentials that were good.
    User(UserId),
    /// An administrator on the command line.
    Command,
    /// The program itself, by its settings.
    System,
    /// Whoever could not say who it is.
    Unknown,
}

impl Actor {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Actor::User(_) => "user",
            Actor::Command => "command",
            Actor::System => "system",
            Actor::Unknown => "unknown",
        }
    }

    pub(crate) fn user(self) -> Option<UserId> {
        match self {
            Actor::User(user) => Some(user),
            Actor::Command | Actor::System | Actor::Unknown => None,
        }
    }
}

/// What was done, to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) actor: Actor,
    pub(crate) act: Act,
    details: Vec<(&'static str, String)>,
}

/// What a unit comes to, and what it did; nothing, where nothing is different from before.
pub(crate) type Did<T> = (T, Vec<Event>);

/// One thing was done.
pub(crate) fn did<T>(outcome: T, event: Event) -> Did<T> {
    (outcome, vec![event])
}

impl Event {
    pub(crate) fn new(actor: Actor, act: Act) -> Self {
        Event { actor, act, details: Vec::new() }
    }

    pub(crate) fn by(user: UserId, act: Act) -> Self {
        Event::new(Actor::User(user), act)
    }

    pub(crate) fn by_command(act: Act) -> Self {
        Event::new(Actor::Command, act)
    }

    /// With a number or a word of ours.
    pub(crate) fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.details.push((key, value.to_string()));
        self
    }

    pub(crate) fn file(self, file: FileId) -> Self {
        self.with("file", file)
    }

    pub(crate) fn folder(self, folder: FolderId) -> Self {
        self.with("folder", folder)
    }

    /// With users, in order; none is a word of its own.
    pub(crate) fn users(self, users: &[UserId]) -> Self {
        let mut users: Vec<_> = users.iter().map(|user| user.0).collect();
        users.sort_unstable();
        let users: Vec<_> = users.iter().map(i64::to_string).collect();
        self.with("users", if users.is_empty() { "none".into() } else { users.join(",") })
    }

    /// With what a share is: of what, to whom, with which role.
    pub(crate) fn share(self, share: &Share) -> Self {
        let event = self.with("share", share.id).with("role", role(share.role));
        let event = match share.node {
            SharedNode::File(id, _) => event.file(id),
            SharedNode::Folder(id) => event.folder(id),
        };
        match share.recipient {
            Recipient::User { id, .. } => event.with("to", "user").with("recipient", id),
            Recipient::External { id: Some(id), .. } => {
                event.with("to", "email").with("recipient", id)
            }
            Recipient::External { id: None, .. } => event.with("to", "email"),
            Recipient::Everyone => event.with("to", "everyone"),
            Recipient::Link => event.with("to", "link"),
        }
    }

    /// `key=value`, in the order of the keys, with a space between.
    pub(crate) fn details(&self) -> String {
        let mut pairs: Vec<_> = self.details.iter().collect();
        pairs.sort();
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(" ")
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "view",
        Role::Editor => "edit",
        Role::Contributor => "contribute",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_have_one_order() {
        let event = Event::by(UserId(1), Act::FileMoved).with("to", 4).file(FileId(2));
        assert_eq!(event.details(), "file=2 to=4");
        assert_eq!(Event::by_command(Act::StoreCopied).details(), "");
        let set = |users: &[i64]| {
            let users: Vec<_> = users.iter().copied().map(UserId).collect();
            Event::by(UserId(1), Act::ReadersSet).users(&users).details()
        };
        assert_eq!((&*set(&[10, 9]), &*set(&[])), ("users=9,10", "users=none"));
    }

    #[test]
    fn every_act_has_a_word_of_its_own() {
        let mut words: Vec<_> = Act::ALL.iter().map(|act| act.as_str()).collect();
        let lower = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(words.iter().all(lower));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Act::ALL.len());
    }
}

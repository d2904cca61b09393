//! Shares as plain data: who gave whom what on which file or folder, and until when.

use crate::access::Role;
use crate::clock::Time;
use crate::id::{FileId, FolderId, ShareId, UserId};
use crate::node::FileHex;
use crate::vault::seal::WRAPPED_KEY_LEN;

/// What the secret of a link is sealed for, before its hash.
const LINK_CONTEXT: &[u8] = b"bindery link ";

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedNode {
    /// A file.
    File(FileId, FileHex),
    /// A folder.
    Folder(FolderId),
}

impl SharedNode {
    pub(crate) fn from_row(id: i64, kind: i64, hex: Option<String>) -> Option<Self> {
        match (kind, hex) {
            (0, _) => Some(SharedNode::Folder(FolderId(id))),
            (_, Some(hex)) => Some(SharedNode::File(FileId(id), FileHex::parse(&hex)?)),
            _ => None,
        }
    }

    /// The number of the file or folder.
    pub fn number(self) -> i64 {
        match self {
            SharedNode::File(id, _) => id.0,
            SharedNode::Folder(id) => id.0,
        }
    }
}

/// Who has a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A user.
    User {
        /// The user.
        id: UserId,
        /// The user's e-mail.
        email: String,
    },
    /// Whoever has an e-mail, as soon as there is a user who has it.
    External {
        /// The user who has it, if there is one.
        id: Option<UserId>,
        /// The e-mail.
        email: String,
    },
    /// Everyone who signs in.
    Everyone,
    /// Whoever has the link.
    Link,
}

/// With whom one who has a share may share on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// With users. Whoever may share on at all may do this.
    pub internal: bool,
    /// With e-mails of people who are not users.
    pub external: bool,
    /// With everyone.
    pub public: bool,
    /// By a link.
    pub public_link: bool,
    /// Whether sharing on is permitted at all.
    pub grant_reshare: bool,
}

impl Sharing {
    /// With anyone.
    pub fn all() -> Self {
        Sharing::from_bits(31)
    }

    /// As the catalog keeps it: whoever may share on at all has 16 or more.
    pub(crate) fn bits(self) -> i64 {
        let bit = |set: bool, bit: i64| if set { bit } else { 0 };
        bit(self.internal, 1)
            + bit(self.external, 2)
            + bit(self.public, 4)
            + bit(self.public_link, 8)
            + bit(self.grant_reshare, 16)
    }

    pub(crate) fn from_bits(bits: i64) -> Self {
        Sharing {
            internal: bits & 1 != 0,
            external: bits & 2 != 0,
            public: bits & 4 != 0,
            public_link: bits & 8 != 0,
            grant_reshare: bits & 16 != 0,
        }
    }

    /// What is left of it inside another one.
    pub(crate) fn within(self, other: Sharing) -> Self {
        Sharing::from_bits(self.bits() & other.bits())
    }

    /// What must be permitted to share on with a kind of recipient, by the catalog's number.
    pub(crate) fn needed_for(kind: i64) -> Self {
        Sharing {
            internal: false,
            external: kind == 1,
            public: kind == 2,
            public_link: kind == 3,
            grant_reshare: true,
        }
    }

    /// Whether it permits sharing on with a kind of recipient.
    pub(crate) fn permits(self, kind: i64) -> bool {
        let needed = Sharing::needed_for(kind);
        needed.within(self) == needed
    }
}

/// A right on a file or folder that someone gave.
#[derive(Clone, Debug)]
pub struct Share {
    /// The id.
    pub id: ShareId,
    /// What is shared.
    pub node: SharedNode,
    /// What that is called.
    pub name: String,
    /// Who gave it.
    pub sharer: UserId,
    /// Who has it.
    pub recipient: Recipient,
    /// What it gives.
    pub role: Role,
    /// With whom its recipient may share on.
    pub sharing: Sharing,
    /// What its sharer says about it.
    pub comment: String,
    /// When it was made.
    pub created: Time,
    /// When it ends, if it does.
    pub expires: Option<Time>,
    /// The secret of a link, for those who may see the share.
    pub link: Option<String>,
    pub(crate) via: Option<ShareId>,
    pub(crate) sealed_link: Option<(String, [u8; WRAPPED_KEY_LEN], [u8; 32])>,
}

/// Who is to have a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewRecipient {
    /// A user.
    User(UserId),
    /// Whoever has an e-mail.
    External(String),
    /// Everyone who signs in.
    Everyone,
    /// Whoever has the link, which is made.
    Link,
}

impl NewRecipient {
    /// The catalog's number of its kind.
    pub(crate) fn kind(&self) -> i64 {
        match self {
            NewRecipient::User(_) => 0,
            NewRecipient::External(_) => 1,
            NewRecipient::Everyone => 2,
            NewRecipient::Link => 3,
        }
    }
}

/// What the secret of a link is sealed for, as it lies in the catalog.
pub(crate) fn link_context(hash: &[u8; 32]) -> Vec<u8> {
    [LINK_CONTEXT, hash].concat()
}

/// What a share is to give.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What it gives.
    pub role: Role,
    /// With whom its recipient may share on.
    pub sharing: Sharing,
    /// What its sharer says about it.
    pub comment: String,
    /// When it ends, if it does.
    pub expires: Option<Time>,
}

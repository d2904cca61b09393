//! What it takes to read a file's content, and what its reader is told of it: less than a
//! [`File`](super::files::File), since reading is what is asked most.

use super::held::Held;
use super::row::{FromRow, Row};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId, UserId};
use crate::vault::StoredContent;
use crate::vault::keys::Keyring;
use crate::vault::seal::DataKey;

/// As `files::file_columns!`, with the sealed bytes if they are inline, and without the SHA-512, which no reader is
/// told.
macro_rules! readable_columns {
    () => {
        "n.id, n.owner, n.name, n.label, n.parent, p.parent is null, coalesce(n.trashed, p.trashed), n.uploaded, \
         v.number, v.size, v.md5, c.sealed, v.content, v.plain, v.master_key, v.wrapped_key, c.objects, null"
    };
}

macro_rules! readable_joins {
    ($number:literal) => {
        concat!(
            "left join nodes p on p.id = n.parent left join versions v on v.file = n.id and v.number = ",
            $number,
            " left join contents c on c.id = v.content"
        )
    };
}

/// A file whose content may be read: that of its current version, or of another one in its place.
#[derive(Debug)]
pub struct Readable {
    /// The id.
    pub id: FileId,
    /// The name, as sent.
    pub name: String,
    /// What it is called among its siblings.
    pub label: String,
    /// When the current version was sent.
    pub uploaded: Time,
    /// The number of the version.
    pub version: u64,
    /// Bytes of content.
    pub size: u64,
    pub(crate) owner: UserId,
    pub(crate) parent: FolderId,
    pub(crate) in_root: bool,
    pub(crate) trashed: Option<Time>,
    pub(crate) held: Held,
    md5: [u8; 16],
    inline: Option<Vec<u8>>,
}

impl Readable {
    /// Whether the content is plain text: valid UTF-8 without NUL.
    pub fn plain(&self) -> bool {
        self.held.plain
    }

    /// The key that the content is sealed under.
    pub(crate) fn data_key(&self, keys: &Keyring) -> Result<DataKey> {
        self.held.data_key(keys, (self.id, self.version), self.size, &self.md5)
    }

    /// Where the sealed bytes are. It is asked once: those that are inline are given away.
    pub(crate) fn take_stored(&mut self) -> Result<StoredContent> {
        self.held.stored(self.size, self.inline.take())
    }
}

impl FromRow for Readable {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(Readable {
            id: FileId(row.take()?),
            owner: UserId(row.take()?),
            name: row.take()?,
            label: row.take()?,
            parent: FolderId(row.take()?),
            in_root: row.take()?,
            trashed: row.take()?,
            uploaded: row.take()?,
            version: row.take()?,
            size: row.take()?,
            md5: row.take()?,
            inline: row.take()?,
            held: Option::from_row(row)?
                .ok_or_else(|| Error::internal("a version has no content"))?,
        })
    }
}

pub(super) use {readable_columns, readable_joins};

//! Files and their versions.

pub(super) mod change;

pub(super) use change::arrange_node;
pub(crate) use change::{
    NewFile, NewVersion, Place, arrange, delete_version, free_label, insert, insert_at,
    insert_version, purge, set_current, set_type, taken, trash,
};

use super::conn::Tx;
use super::held::Held;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId, UserId};
use crate::node::{FileHex, FileRef, Stamp, Version, VersionId};
use crate::vault::keys::Keyring;
use crate::vault::seal::{ContentId, DataKey};
use crate::vault::{ObjectList, StoredContent};

/// What every statement that returns files selects: a file from `n`, with its current version or with
/// another one in its place from `v`. It is in the trash when its own mark says so or that of its folder,
/// `p`.
macro_rules! file_columns {
    () => {
        file_columns!(
            "v.number, v.modified, v.created_by, v.size, v.md5, v.content, v.plain, v.master_key, \
             v.wrapped_key, c.objects, c.sha512"
        )
    };
    // What the file itself shows of its current version.
    (shown) => {
        file_columns!("n.version, n.modified, n.modified_by, n.size, n.md5, null")
    };
    ($version:literal) => {
        concat!(
            "n.id, n.owner, o.email, n.name, n.path, n.type_id, n.uploaded, coalesce(n.trashed, p.trashed), \
             n.hex, n.label, n.parent, n.created, n.created_by, p.parent is null, n.last_version, ",
            $version
        )
    };
}

macro_rules! file_joins {
    () => {
        file_joins!("", "n.version")
    };
    (shown $left:literal) => {
        concat!(
            $left,
            "join users o on o.id = n.owner ",
            $left,
            "join nodes p on p.id = n.parent"
        )
    };
    ($left:literal, $number:literal) => {
        concat!(
            file_joins!(shown $left),
            " ",
            $left,
            "join versions v on v.file = n.id and v.number = ",
            $number,
            " ",
            $left,
            "join contents c on c.id = v.content"
        )
    };
}

statements! {
    FILE = concat!("select ", file_columns!(), " from nodes n ", file_joins!(),
        " where n.id = $1 and n.kind = 1");
    FILE_BY_HEX = concat!("select ", file_columns!(), " from nodes n ", file_joins!(),
        " where n.hex = $1 and n.kind = 1");
    VERSION = concat!("select ", file_columns!(), " from nodes n \
        join users o on o.id = n.owner join nodes p on p.id = n.parent \
        join versions v on v.file = n.id join contents c on c.id = v.content \
        where n.id = $1 and v.number = $2");
    VERSIONS = "select number, size, md5, created, created_by, modified from versions \
        where file = $1 order by number desc";
    INLINE = "select sealed from contents where id = $1";
}

/// A file with its current version, as a reader may see it.
#[derive(Clone, Debug)]
pub struct File {
    /// The id.
    pub id: FileId,
    /// Who owns it.
    pub owner: UserId,
    /// The owner's e-mail.
    pub owner_email: String,
    /// The name, as sent.
    pub name: String,
    /// A stable name, which a rename does not change. Not where anything is stored.
    pub path: String,
    /// What the file is for, by the Rescale document's numbers.
    pub type_id: i64,
    /// When the current version was sent.
    pub uploaded: Time,
    /// When it was put in the trash, if it is there.
    pub trashed: Option<Time>,
    /// The number of the current version, from 1.
    pub version: u64,
    /// Bytes of content.
    pub size: u64,
    /// MD5 of the content.
    pub md5: [u8; 16],
    /// The UUID.
    pub hex: FileHex,
    /// What it is called among its siblings.
    pub label: String,
    /// The folder that it lies in.
    pub parent: FolderId,
    /// Who made it, and when.
    pub created: Stamp,
    /// Who sent the current version, and when its content was last changed, by its sender's word.
    pub modified: Stamp,
    /// E-mails of those it is shared with, in order.
    pub shared_with: Vec<String>,
    /// Whether it lies directly in its owner's root.
    pub(crate) in_root: bool,
    /// The highest number that a version of it ever had.
    pub(crate) last_version: u64,
    /// `None` in a list of a folder's children, which shows nothing of it.
    pub(crate) held: Option<Held>,
}

impl File {
    /// The number of the next version: no number is ever given to two contents.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_version + 1
    }

    /// Whether the content is plain text: valid UTF-8 without NUL. A list of a folder's children does not say so.
    pub fn plain(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.plain)
    }

    /// SHA-512 of the content; `None` until a large content's is known, and in a list of a folder's children.
    pub fn sha512(&self) -> Option<[u8; 64]> {
        self.held.as_ref()?.sha512
    }

    /// Which content it is; `None` in a list of a folder's children.
    pub(crate) fn content(&self) -> Option<ContentId> {
        Some(self.held.as_ref()?.content)
    }

    /// The content of the version.
    pub(crate) fn held(&self) -> Result<&Held> {
        self.held
            .as_ref()
            .ok_or_else(|| Error::internal("a file of a list is asked for its content"))
    }

    /// The objects of its content.
    pub(crate) fn objects(&self) -> Result<&ObjectList> {
        self.held()?.objects()
    }

    /// The key that the content is sealed under. Whoever holds a [`File`] was granted to read it.
    pub(crate) fn data_key(&self, keys: &Keyring) -> Result<DataKey> {
        self.held()?.data_key(keys, (self.id, self.version), self.size, &self.md5)
    }
}

impl FromRow for File {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let unreadable = |what| move || Error::internal(format!("a file's {what} cannot be read"));
        Ok(File {
            id: FileId(row.take()?),
            owner: UserId(row.take()?),
            owner_email: row.take()?,
            name: row.take()?,
            path: row.take()?,
            type_id: row.take()?,
            uploaded: row.take()?,
            trashed: row.take()?,
            hex: FileHex::parse(&row.take::<String>()?).ok_or_else(unreadable("UUID"))?,
            label: row.take()?,
            parent: FolderId(row.take()?),
            created: Stamp { at: row.take()?, by: UserId(row.take()?) },
            in_root: row.take()?,
            last_version: row.take()?,
            version: row.take()?,
            modified: Stamp { at: row.take()?, by: UserId(row.take()?) },
            size: row.take()?,
            md5: row.take()?,
            held: Option::from_row(row)?,
            shared_with: Vec::new(),
        })
    }
}

/// A file, and one of those that it is shared with.
pub(super) struct FileAndReader(File, Option<String>);

impl FromRow for FileAndReader {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(FileAndReader(File::from_row(row)?, row.take()?))
    }
}

/// Files, each with all that it is shared with.
pub(super) fn gather(rows: impl IntoIterator<Item = FileAndReader>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for FileAndReader(file, reader) in rows {
        if files.last().is_none_or(|last| last.id != file.id) {
            files.push(file);
        }
        // One whom several share it with follows themselves.
        if let Some(last) = files.last_mut()
            && last.shared_with.last() != reader.as_ref()
        {
            last.shared_with.extend(reader);
        }
    }
    files
}

/// One version's row.
struct VersionRow(u64, u64, [u8; 16], Stamp, Time);

impl FromRow for VersionRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (number, size, md5) = (row.take()?, row.take()?, row.take()?);
        let created = Stamp { at: row.take()?, by: UserId(row.take()?) };
        Ok(VersionRow(number, size, md5, created, row.take()?))
    }
}

impl VersionRow {
    fn of(self, file: FileId) -> Version {
        let VersionRow(number, size, md5, created, modified) = self;
        Version { id: VersionId { file, number }, size, md5, created, modified }
    }
}

/// A file by either of its names, in the trash or not, without asking who may.
pub(crate) async fn find(tx: &mut Tx<'_>, file: FileRef) -> Result<Option<File>> {
    match file {
        FileRef::Id(id) => tx.opt(&FILE, params![id.0]).await,
        FileRef::Hex(hex) => tx.opt(&FILE_BY_HEX, params![&hex.to_string()]).await,
    }
}

/// A file with one of its versions in the place of the current one.
pub(crate) async fn at_version(tx: &mut Tx<'_>, id: VersionId) -> Result<Option<File>> {
    tx.opt(&VERSION, params![id.file.0, id.number.cast_signed()]).await
}

/// All versions of a file, the newest first.
pub(crate) async fn versions(tx: &mut Tx<'_>, file: FileId) -> Result<Vec<Version>> {
    let rows: Vec<VersionRow> = tx.all(&VERSIONS, params![file.0]).await?;
    Ok(rows.into_iter().map(|row| row.of(file)).collect())
}

/// Fills in whom a file is shared with.
pub(crate) async fn load_shares(tx: &mut Tx<'_>, file: &mut File) -> Result<()> {
    file.shared_with = super::shares::readers(tx, file.id.0).await?;
    Ok(())
}

/// Where the sealed bytes of a file's current version are.
pub(crate) async fn stored(tx: &mut Tx<'_>, file: &File) -> Result<StoredContent> {
    let held = file.held()?;
    let inline = match held.objects()?.0.is_empty() {
        true => tx.opt::<Option<Vec<u8>>>(&INLINE, params![&held.content.0]).await?.flatten(),
        false => None,
    };
    held.stored(file.size, inline)
}

pub(crate) use {file_columns, file_joins};

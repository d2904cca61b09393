//! Files and their versions. What changes a file takes a proof that the caller may.

use super::conn::Tx;
use super::held::Held;
use super::names;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::access::Granted;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId, UserId};
use crate::name::{Label, Name, fold};
use crate::node::{FileHex, FileRef, Folder, Stamp, Version, VersionId};
use crate::vault::keys::Keyring;
use crate::vault::seal::{ContentId, DataKey, WRAPPED_KEY_LEN};
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

macro_rules! version_columns {
    () => {
        "versions (file, number, content, size, md5, plain, created, created_by, modified, master_key, wrapped_key)"
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
    TAKEN = "select id, kind from nodes where parent = $1 and label_key = $2 and trashed is null";
    LABEL_NUMBER = "insert into label_numbers (parent, label_key, next) values ($1, $2, 3) \
        on conflict (parent, label_key) do update set next = label_numbers.next + 1 \
        returning next - 1";
    INSERT = "insert into nodes (owner, parent, kind, name, name_key, label, label_key, created, \
        created_by, modified, modified_by, hex, path, type_id, version, last_version, size, uploaded, md5) \
        values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $8, $10, $11, $12, 1, 1, $13, $7, $14) returning id";
    /// SQLite would keep copies of the pages that an `insert … select` changes. There the master key that does
    /// not wrap is a null, and a row with that is left out; so is a number that is taken, and neither is believed.
    VERSION_INSERT = concat!("insert into ", version_columns!(),
        " select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 \
        where exists (select 1 from master_keys where id = $10 and replaced is null)"),
        sqlite concat!("insert or ignore into ", version_columns!(),
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
        (select id from master_keys where id = $10 and replaced is null), $11)");
    VERSION_CURRENT = "update nodes set version = $2, size = $3, uploaded = $4, modified = $5, \
        modified_by = $6, md5 = $7, last_version = case when $2 > last_version then $2 else last_version end \
        where id = $1";
    VERSION_DELETE = "delete from versions where file = $1 and number = $2 returning content";
    // Each index of a column that is set is written, whether or not the value is another one.
    RENAME = "update nodes set name = $2, name_key = $3, label = $4, label_key = $5 where id = $1";
    MOVE = "update nodes set parent = $2 where id = $1";
    ARRANGE = "update nodes set owner = $2, parent = $3, name = $4, name_key = $5, label = $6, \
        label_key = $7 where id = $1";
    SET_TYPE = "update nodes set type_id = $2 where id = $1";
    TRASH = "update nodes set trashed = $2, trashed_with = $1 where id = $1";
    CONTENTS_OF = "select distinct content from versions where file = $1";
    VERSIONS_DELETE = "delete from versions where file = $1";
    DELETE = "delete from nodes where id = $1";
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

/// A file to be made in a folder.
#[derive(Debug)]
pub(crate) struct NewFile<'a> {
    pub(crate) name: &'a Name,
    pub(crate) label: &'a Label,
    pub(crate) hex: FileHex,
    pub(crate) path: &'a str,
    pub(crate) type_id: i64,
    pub(crate) size: u64,
    pub(crate) md5: &'a [u8; 16],
    pub(crate) created: Stamp,
    pub(crate) modified: Time,
}

pub(crate) async fn insert<'tx>(
    tx: &mut Tx<'tx>,
    folder: &Granted<'tx, Folder>,
    file: &NewFile<'_>,
) -> Result<FileId> {
    insert_at(tx, (folder.owner, folder.id), file).await
}

/// As [`insert`], into a tree that is built out of sight and attached with a proof.
pub(crate) async fn insert_at(
    tx: &mut Tx<'_>,
    (owner, folder): (UserId, FolderId),
    file: &NewFile<'_>,
) -> Result<FileId> {
    let (name_key, label_key) = (file.name.key(), file.label.key());
    let id = tx
        .insert(
            &INSERT,
            params![
                owner.0,
                folder.0,
                file.name.as_str(),
                &name_key,
                file.label.as_str(),
                &label_key,
                file.created.at,
                file.created.by.0,
                file.modified,
                &file.hex.to_string(),
                file.path,
                file.type_id,
                file.size.cast_signed(),
                file.md5
            ],
        )
        .await?;
    Ok(FileId(id))
}

/// A version to be added to a file.
#[derive(Debug)]
pub(crate) struct NewVersion<'a> {
    pub(crate) file: FileId,
    pub(crate) number: u64,
    pub(crate) content: ContentId,
    pub(crate) size: u64,
    pub(crate) md5: &'a [u8; 16],
    pub(crate) plain: bool,
    pub(crate) created: Stamp,
    pub(crate) modified: Time,
    pub(crate) master_key: &'a str,
    pub(crate) wrapped_key: &'a [u8; WRAPPED_KEY_LEN],
}

/// Records a version. False: its key is wrapped under a master key that is not the one that wraps.
pub(crate) async fn insert_version(tx: &mut Tx<'_>, version: &NewVersion<'_>) -> Result<bool> {
    let inserted = tx
        .exec(
            &VERSION_INSERT,
            params![
                version.file.0,
                version.number.cast_signed(),
                &version.content.0,
                version.size.cast_signed(),
                version.md5,
                version.plain,
                version.created.at,
                version.created.by.0,
                version.modified,
                version.master_key,
                version.wrapped_key
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Makes a version, which is there already, the one that is shown.
pub(crate) async fn set_current(tx: &mut Tx<'_>, version: &Version) -> Result<()> {
    let number = version.id.number.cast_signed();
    let (size, created) = (version.size.cast_signed(), version.created);
    let (by, md5) = (created.by.0, &version.md5);
    let params = params![version.id.file.0, number, size, created.at, version.modified, by, md5];
    tx.exec(&VERSION_CURRENT, params).await.map(drop)
}

/// Removes a version; the content that it had. `None`: there is no such version.
pub(crate) async fn delete_version<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    number: u64,
) -> Result<Option<ContentId>> {
    let params = params![file.id.0, number.cast_signed()];
    Ok(tx.opt::<[u8; 16]>(&VERSION_DELETE, params).await?.map(ContentId))
}

/// The live child that has a label: its number, and whether it is a file.
pub(crate) async fn taken(
    tx: &mut Tx<'_>,
    folder: FolderId,
    label: &Label,
) -> Result<Option<(i64, bool)>> {
    tx.opt(&TAKEN, params![folder.0, &label.key()]).await
}

/// The label itself if it is free among live siblings, else the next number of it that is.
pub(crate) async fn free_label(tx: &mut Tx<'_>, folder: FolderId, wanted: &Label) -> Result<Label> {
    let key = wanted.key();
    let mut label = wanted.clone();
    while taken(tx, folder, &label).await?.is_some() {
        label = wanted.numbered(tx.one(&LABEL_NUMBER, params![folder.0, &key]).await?);
    }
    Ok(label)
}

/// Where a file or folder is to be, and what it is to be called there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) owner: UserId,
    pub(crate) folder: FolderId,
    pub(crate) name: &'a str,
    pub(crate) label: &'a Label,
}

/// Renames and moves at once, so that no name is in the way that is about to change.
pub(crate) async fn arrange<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    place: Place<'_>,
) -> Result<()> {
    let renamed = (place.name, place.label.as_str()) != (file.name.as_str(), file.label.as_str());
    arrange_node(tx, file.id.0, place, (file.owner, Some(file.parent), renamed)).await
}

/// Writes where a node is to be; `owner` and `folder` are where it is, `renamed` that it is to be called something else.
pub(super) async fn arrange_node(
    tx: &mut Tx<'_>,
    node: i64,
    place: Place<'_>,
    (owner, folder, renamed): (UserId, Option<FolderId>, bool),
) -> Result<()> {
    let (name, label) = (place.name, place.label.as_str());
    if place.owner == owner && !renamed {
        return tx.exec(&MOVE, params![node, place.folder.0]).await.map(drop);
    }
    let (name_key, label_key) = (fold(name), place.label.key());
    if place.owner == owner && Some(place.folder) == folder {
        tx.exec(&RENAME, params![node, name, &name_key, label, &label_key]).await?;
    } else {
        let (owner, folder) = (place.owner.0, place.folder.0);
        let params = params![node, owner, folder, name, &name_key, label, &label_key];
        tx.exec(&ARRANGE, params).await?;
    }
    if renamed { names::changed(tx, node).await } else { Ok(()) }
}

pub(crate) async fn set_type<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    type_id: i64,
) -> Result<()> {
    tx.exec(&SET_TYPE, params![file.id.0, type_id]).await.map(drop)
}

pub(crate) async fn trash<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    at: Time,
) -> Result<()> {
    tx.exec(&TRASH, params![file.id.0, at]).await.map(drop)
}

/// Removes a file for good; the contents that its versions had.
pub(crate) async fn purge(tx: &mut Tx<'_>, file: FileId) -> Result<Vec<ContentId>> {
    let contents: Vec<[u8; 16]> = tx.all(&CONTENTS_OF, params![file.0]).await?;
    super::shares::clear(tx, file.0).await?;
    names::forget(tx, file.0).await?;
    for statement in [&VERSIONS_DELETE, &DELETE] {
        tx.exec(statement, params![file.0]).await?;
    }
    Ok(contents.into_iter().map(ContentId).collect())
}

pub(crate) use {file_columns, file_joins};

//! Files and their versions. What changes a file takes a proof that the caller may.

use super::conn::Tx;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::access::{Granted, Place};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId, UserId};
use crate::name::{Label, Name};
use crate::vault::seal::{ContentId, WRAPPED_KEY_LEN, WrapContext};
use crate::vault::{ObjectList, Sealed, StoredContent};
use bytes::Bytes;

/// What every statement that returns files selects from `n`: a file with its current version.
macro_rules! file_columns {
    () => {
        "n.id, n.owner, o.email, n.name, n.path, n.type_id, n.uploaded, n.trashed, \
         n.version, v.size, v.md5, v.plain, v.content, v.master_key, v.wrapped_key, \
         c.objects, c.sha512"
    };
}

/// The same of one version, current or not.
macro_rules! version_columns {
    () => {
        "n.id, n.owner, o.email, n.name, n.path, n.type_id, n.uploaded, n.trashed, \
         v.number, v.size, v.md5, v.plain, v.content, v.master_key, v.wrapped_key, \
         c.objects, c.sha512"
    };
}

macro_rules! file_joins {
    () => {
        "join users o on o.id = n.owner \
         join versions v on v.file = n.id and v.number = n.version \
         join contents c on c.id = v.content"
    };
}

statements! {
    FILE = concat!("select ", file_columns!(), ", \
        (select max(s.role) from shares s where s.node = n.id and s.user_id = $2) \
        from nodes n ", file_joins!(), " where n.id = $1 and n.kind = 1");
    ANY_FILE = concat!("select ", file_columns!(), " from nodes n ", file_joins!(),
        " where n.id = $1 and n.kind = 1");
    SHARED_WITH = "select u.email from shares s join users u on u.id = s.user_id \
        where s.node = $1 order by u.email_key";
    INLINE = "select sealed from inline_contents where content = $1";
    LABEL_TAKEN = "select 1 from nodes where parent = $1 and label_key = $2 and trashed is null";
    LABEL_NUMBER = "insert into label_numbers (parent, label_key, next) values ($1, $2, 3) \
        on conflict (parent, label_key) do update set next = label_numbers.next + 1 \
        returning next - 1";
    INSERT = "insert into nodes (owner, parent, kind, name, name_key, label, label_key, created, \
        modified, hex, path, type_id, version, size, uploaded) \
        values ($1, $2, 1, $3, $4, $5, $6, $7, $7, $8, $9, $10, 1, $11, $7) returning id";
    VERSION_INSERT = "insert into versions (file, number, content, size, md5, plain, created, \
        created_by, master_key, wrapped_key) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    RENAME = "update nodes set name = $2, name_key = $3, label = $4, label_key = $5 where id = $1";
    SET_TYPE = "update nodes set type_id = $2 where id = $1";
    TRASH = "update nodes set trashed = $2 where id = $1";
    RESTORE = "update nodes set trashed = null, label = $2, label_key = $3 where id = $1";
    PLACE = "select parent, label from nodes where id = $1";
    TRASHED_BEFORE = "select id, owner from nodes where trashed < $1 and kind = 1 \
        order by trashed, id limit $2";
    CONTENTS_OF = "select distinct content from versions where file = $1";
    VERSIONS_DELETE = "delete from versions where file = $1";
    SHARES_DELETE = "delete from shares where node = $1";
    DELETE = "delete from nodes where id = $1";
    TOTALS = "select count(*), coalesce(sum(size), 0) from versions";
    NEXT_VERSION = concat!("select ", version_columns!(), " from versions v \
        join nodes n on n.id = v.file join users o on o.id = n.owner \
        join contents c on c.id = v.content \
        where (v.file, v.number) > ($1, $2) order by v.file, v.number limit 1");
    WITHOUT_SHA512 = concat!("select ", version_columns!(), " from contents c \
        join versions v on v.content = c.id join nodes n on n.id = v.file \
        join users o on o.id = n.owner \
        where c.sha512 is null and v.file > $1 order by v.file, v.number limit 1");
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
    /// Whether the content is plain text: valid UTF-8 without NUL.
    pub plain: bool,
    /// SHA-512 of the content; `None` until a large content's is known.
    pub sha512: Option<[u8; 64]>,
    /// E-mails of those it is shared with, in order.
    pub shared_with: Vec<String>,
    pub(crate) content: ContentId,
    pub(crate) objects: ObjectList,
    pub(crate) master_key: String,
    pub(crate) wrapped_key: [u8; WRAPPED_KEY_LEN],
}

impl File {
    /// What the wrapped key of the current version is bound to.
    pub(crate) fn wrap_context(&self) -> Result<Vec<u8>> {
        wrap_context(self.id, self.version, (self.content, self.size), &self.md5, &self.objects)
    }
}

/// What a version's wrapped key is bound to.
pub(crate) fn wrap_context(
    file: FileId,
    version: u64,
    (content, plain_len): (ContentId, u64),
    md5: &[u8; 16],
    objects: &ObjectList,
) -> Result<Vec<u8>> {
    let file = file.0.cast_unsigned();
    let objects = objects.wrap_objects();
    WrapContext { file, version, content, plain_len, md5: *md5, objects: &objects }
        .encode()
        .map_err(Error::internal)
}

impl FromRow for File {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(File {
            id: FileId(row.take()?),
            owner: UserId(row.take()?),
            owner_email: row.take()?,
            name: row.take()?,
            path: row.take()?,
            type_id: row.take()?,
            uploaded: row.take()?,
            trashed: row.take()?,
            version: row.take()?,
            size: row.take()?,
            md5: row.take()?,
            plain: row.take()?,
            content: ContentId(row.take()?),
            master_key: row.take()?,
            wrapped_key: row.take()?,
            objects: ObjectList::decode(&row.take::<String>()?)
                .ok_or_else(|| Error::internal("a content's list of objects cannot be read"))?,
            sha512: row.take()?,
            shared_with: Vec::new(),
        })
    }
}

/// A file, and the role that a share gives to whoever asks.
struct FileForUser(File, Option<i64>);

impl FromRow for FileForUser {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(FileForUser(File::from_row(row)?, row.take()?))
    }
}

/// A file, in the trash or not, and the role that a share gives `user` on it.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    id: FileId,
    user: UserId,
) -> Result<Option<(File, Option<i64>)>> {
    let found = tx.opt::<FileForUser>(&FILE, params![id.0, user.0]).await?;
    Ok(found.map(|FileForUser(file, role)| (file, role)))
}

/// A file for an administrator's command, without asking who may.
pub(crate) async fn find_any(tx: &mut Tx<'_>, id: FileId) -> Result<Option<File>> {
    tx.opt(&ANY_FILE, params![id.0]).await
}

/// Fills in whom a file is shared with.
pub(crate) async fn load_shares(tx: &mut Tx<'_>, file: &mut File) -> Result<()> {
    file.shared_with = tx.all(&SHARED_WITH, params![file.id.0]).await?;
    Ok(())
}

/// Where the sealed bytes of a file's current version are.
pub(crate) async fn stored(tx: &mut Tx<'_>, file: &File) -> Result<StoredContent> {
    let sealed = if file.objects.0.is_empty() {
        let sealed: Option<Vec<u8>> = tx.opt(&INLINE, params![&file.content.0]).await?;
        let missing = || Error::Damaged { why: "its inline content is missing".into() };
        Sealed::Inline(Bytes::from(sealed.ok_or_else(missing)?))
    } else {
        Sealed::Objects(file.objects.clone())
    };
    Ok(StoredContent { id: file.content, size: file.size, sealed })
}

/// A file to be made in a folder.
#[derive(Debug)]
pub(crate) struct NewFile<'a> {
    pub(crate) name: &'a Name,
    pub(crate) label: &'a Label,
    pub(crate) hex: &'a str,
    pub(crate) path: &'a str,
    pub(crate) type_id: i64,
    pub(crate) size: u64,
    pub(crate) at: Time,
}

pub(crate) async fn insert<'tx>(
    tx: &mut Tx<'tx>,
    place: &Granted<'tx, Place>,
    file: &NewFile<'_>,
) -> Result<FileId> {
    let (name_key, label_key) = (file.name.key(), file.label.key());
    let id = tx
        .one(
            &INSERT,
            params![
                place.owner.0,
                place.folder.0,
                file.name.as_str(),
                &name_key,
                file.label.as_str(),
                &label_key,
                file.at,
                file.hex,
                file.path,
                file.type_id,
                file.size.cast_signed()
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
    pub(crate) at: Time,
    pub(crate) by: UserId,
    pub(crate) master_key: &'a str,
    pub(crate) wrapped_key: &'a [u8; WRAPPED_KEY_LEN],
}

pub(crate) async fn insert_version(tx: &mut Tx<'_>, version: &NewVersion<'_>) -> Result<()> {
    tx.exec(
        &VERSION_INSERT,
        params![
            version.file.0,
            version.number.cast_signed(),
            &version.content.0,
            version.size.cast_signed(),
            version.md5,
            version.plain,
            version.at,
            version.by.0,
            version.master_key,
            version.wrapped_key
        ],
    )
    .await
    .map(drop)
}

/// The label itself if it is free among live siblings, else the next number of it that is.
pub(crate) async fn free_label(tx: &mut Tx<'_>, folder: FolderId, wanted: &Label) -> Result<Label> {
    let key = wanted.key();
    let mut label = wanted.clone();
    while tx.opt::<i64>(&LABEL_TAKEN, params![folder.0, &label.key()]).await?.is_some() {
        label = wanted.numbered(tx.one(&LABEL_NUMBER, params![folder.0, &key]).await?);
    }
    Ok(label)
}

/// The folder that a file is in, or was in before it went to the trash, and its label there.
pub(crate) async fn place(tx: &mut Tx<'_>, file: FileId) -> Result<(FolderId, String)> {
    let (parent, label) = tx.one(&PLACE, params![file.0]).await?;
    Ok((FolderId(parent), label))
}

pub(crate) async fn rename<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    name: &Name,
    label: &Label,
) -> Result<()> {
    let (name_key, label_key) = (name.key(), label.key());
    let params = params![file.id.0, name.as_str(), &name_key, label.as_str(), &label_key];
    tx.exec(&RENAME, params).await.map(drop)
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

pub(crate) async fn restore<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    label: &Label,
) -> Result<()> {
    tx.exec(&RESTORE, params![file.id.0, label.as_str(), &label.key()]).await.map(drop)
}

/// How many versions there are, and their bytes: for the progress of a command that reads them all.
pub(crate) async fn totals(tx: &mut Tx<'_>) -> Result<(u64, u64)> {
    tx.one(&TOTALS, params![]).await
}

/// The version that comes next, over all files.
pub(crate) async fn next_version(
    tx: &mut Tx<'_>,
    file: FileId,
    number: u64,
) -> Result<Option<File>> {
    tx.opt(&NEXT_VERSION, params![file.0, number.cast_signed()]).await
}

/// The next file with a version whose content has no SHA-512 yet.
pub(crate) async fn without_sha512(tx: &mut Tx<'_>, behind: FileId) -> Result<Option<File>> {
    tx.opt(&WITHOUT_SHA512, params![behind.0]).await
}

/// Up to `limit` files that went to the trash before a time, and their owners.
pub(crate) async fn trashed_before(
    tx: &mut Tx<'_>,
    before: Time,
    limit: i64,
) -> Result<Vec<(FileId, UserId)>> {
    let rows: Vec<(i64, i64)> = tx.all(&TRASHED_BEFORE, params![before, limit]).await?;
    Ok(rows.into_iter().map(|(file, owner)| (FileId(file), UserId(owner))).collect())
}

/// Removes a file for good; the contents that its versions had.
pub(crate) async fn purge(tx: &mut Tx<'_>, file: FileId) -> Result<Vec<ContentId>> {
    let contents: Vec<[u8; 16]> = tx.all(&CONTENTS_OF, params![file.0]).await?;
    for statement in [&VERSIONS_DELETE, &SHARES_DELETE, &DELETE] {
        tx.exec(statement, params![file.0]).await?;
    }
    Ok(contents.into_iter().map(ContentId).collect())
}

pub(super) use {file_columns, file_joins};

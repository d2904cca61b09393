//! What changes files and their versions. What a request does to a file by itself takes a proof that the caller may.

use super::File;
use crate::access::Granted;
use crate::catalog::conn::Tx;
use crate::catalog::names;
use crate::catalog::row::params;
use crate::catalog::shares;
use crate::catalog::sql::statements;
use crate::clock::Time;
use crate::error::Result;
use crate::id::{FileId, FolderId, UserId};
use crate::name::{Label, Name, fold};
use crate::node::{FileHex, Folder, Stamp, Version};
use crate::vault::seal::{ContentId, WRAPPED_KEY_LEN};

macro_rules! version_columns {
    () => {
        "versions (file, number, content, size, md5, plain, created, created_by, modified, master_key, wrapped_key)"
    };
}

statements! {
    TAKEN = "select id, kind from nodes where parent = $1 and label_key = $2 and trashed is null";
    LABEL_NUMBER = "insert into label_numbers (parent, label_key, next) values ($1, $2, 3) \
        on conflict (parent, label_key) do update set next = label_numbers.next + 1 \
        returning next - 1";
    INSERT = "insert into nodes (owner, parent, kind, name, name_key, label, label_key, created, \
        created_by, modified, modified_by, hex, path, type_id, version, last_version, size, uploaded, md5) \
        values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $8, $10, $11, $12, 1, 1, $13, $7, $14) \
        on conflict (parent, label_key) where trashed is null do nothing returning id";
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

/// Makes a file under its label if that is free among live siblings, else under the next number of it that is.
pub(crate) async fn insert<'tx>(
    tx: &mut Tx<'tx>,
    folder: &Granted<'tx, Folder>,
    file: &NewFile<'_>,
) -> Result<(FileId, Label)> {
    let mut label = file.label.clone();
    loop {
        let numbered = NewFile { label: &label, ..*file };
        if let Some(id) = insert_at(tx, (folder.owner, folder.id), &numbered).await? {
            return Ok((id, label));
        }
        label = free_label(tx, folder.id, file.label).await?;
    }
}

/// Makes a file, also in a tree that is built out of sight and attached with a proof. `None`: a live sibling has its label.
pub(crate) async fn insert_at(
    tx: &mut Tx<'_>,
    (owner, folder): (UserId, FolderId),
    file: &NewFile<'_>,
) -> Result<Option<FileId>> {
    let (name_key, label_key) = (file.name.key(), file.label.key());
    let id = tx
        .insert_unless_taken(
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
    Ok(id.map(FileId))
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
pub(in crate::catalog) async fn arrange_node(
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
    shares::clear(tx, file.0).await?;
    names::forget(tx, file.0).await?;
    for statement in [&VERSIONS_DELETE, &DELETE] {
        tx.exec(statement, params![file.0]).await?;
    }
    Ok(contents.into_iter().map(ContentId).collect())
}

//! The trash. What is put there is the top of a tree: it and the folders below it are marked at once,
//! the files in them one by one later, so that a list of files stays a look-up on an index. Until then
//! the mark of a file's folder counts. What is to be deleted for good is cut off first, and then taken
//! apart in pieces.

use super::conn::Tx;
use super::files;
use super::folders::{down, whole};
use super::names;
use super::row::params;
use super::sql::statements;
use crate::clock::Time;
use crate::error::Result;
use crate::id::{FileId, FolderId};
use crate::name::Label;
use crate::vault::seal::ContentId;

statements! {
    UNMARKED_ADD = concat!(down!(), "insert into unmarked (folder) \
        select f.id from down cross join folders f where f.id = down.id and f.files > 0");
    FOLDERS_MARK = concat!(down!(), "update nodes set trashed = $2, trashed_with = $1 \
        where id in (select id from down)");
    UNMARKED_NEXT = "select u.folder, n.trashed, n.trashed_with from unmarked u \
        join nodes n on n.id = u.folder limit 1";
    FILES_MARK = "update nodes set trashed = $2, trashed_with = $3 where id in \
        (select id from nodes where parent = $1 and kind = 1 and trashed is null limit $4)";
    UNMARKED_DONE = "delete from unmarked where folder = $1";
    UNMARKED_CLEAR = "delete from unmarked where folder in \
        (select id from nodes where trashed_with = $1 and kind = 0)";
    FILES_UNMARK = "update nodes set trashed = null, trashed_with = null where id in \
        (select id from nodes where trashed_with = $1 and kind = 1 limit $2)";
    FILES_MARKED = "select 1 from nodes where trashed_with = $1 and kind = 1 limit 1";
    FOLDERS_UNMARK = "update nodes set trashed = null, trashed_with = null \
        where trashed_with = $1 and kind = 0";
    PUT_BACK = "update nodes set trashed = null, trashed_with = null, parent = $2, label = $3, \
        label_key = $4 where id = $1";
    CUT_OFF = "update nodes set parent = null, trashed = 0, trashed_with = $1 where id = $1";
    ANY_CUT_OFF = "select 1 from nodes where trashed = 0 limit 1";
    HIDE = "update nodes set trashed_with = $1 where id = $1";
    TOP = "select kind from nodes where id = $1 and trashed > 0 and trashed_with = id \
        and parent is not null";
    DUE = "select id, kind, parent is not null from nodes where trashed < $1 and trashed_with = id \
        and (parent is not null or trashed < $2) order by trashed, id limit $3";
    FILES_IN = concat!(whole!(), "select n.id from whole cross join nodes n \
        where n.parent = whole.id and n.kind = 1 limit $2");
    FOLDERS_EMPTY = concat!(whole!(), "select whole.id from whole where not exists \
        (select 1 from nodes n where n.parent = whole.id) limit $2");
    LABELS_DELETE = "delete from label_numbers where parent = $1";
    FOLDER_DELETE_KEPT = "delete from folders where id = $1";
    FOLDER_DELETE = "delete from nodes where id = $1";
}

/// Marks a live folder and the live folders below it; the files inside are marked later.
pub(crate) async fn mark_tree(tx: &mut Tx<'_>, top: FolderId, at: Time) -> Result<()> {
    tx.exec(&UNMARKED_ADD, params![top.0]).await?;
    tx.exec(&FOLDERS_MARK, params![top.0, at]).await.map(drop)
}

/// Marks up to `limit` files whose folder is in the trash; false when there is nothing left to mark.
pub(crate) async fn mark_files(tx: &mut Tx<'_>, limit: i64) -> Result<bool> {
    let next: Option<(i64, Option<Time>, Option<i64>)> = tx.opt(&UNMARKED_NEXT, params![]).await?;
    let Some((folder, at, with)) = next else {
        return Ok(false);
    };
    let marked = match at {
        Some(at) => tx.exec(&FILES_MARK, params![folder, at, with, limit]).await?,
        None => 0,
    };
    if marked.cast_signed() as i64 != limit {
        tx.exec(&UNMARKED_DONE, params![folder]).await?;
    }
    Ok(true)
}

/// Clears the marks of up to `limit` files that went to the trash with a folder; false when none is
/// left. They stay out of sight as long as their folders are.
pub(crate) async fn unmark_files(tx: &mut Tx<'_>, top: FolderId, limit: i64) -> Result<bool> {
    tx.exec(&UNMARKED_CLEAR, params![top.0]).await?;
    tx.exec(&FILES_UNMARK, params![top.0, limit]).await?;
    Ok(tx.opt::<i64>(&FILES_MARKED, params![top.0]).await?.is_some())
}

/// Clears the marks of the folders that went to the trash together.
pub(crate) async fn unmark_folders(tx: &mut Tx<'_>, top: FolderId) -> Result<()> {
    tx.exec(&FOLDERS_UNMARK, params![top.0]).await.map(drop)
}

/// Puts the top of what is in the trash into a folder that lives.
pub(crate) async fn put_back(
    tx: &mut Tx<'_>,
    node: i64,
    folder: FolderId,
    label: &Label,
) -> Result<()> {
    tx.exec(&PUT_BACK, params![node, folder.0, label.as_str(), &label.key()]).await?;
    names::changed(tx, node).await
}

/// Cuts a folder off for good: from now on it can only be taken apart.
pub(crate) async fn cut_off(tx: &mut Tx<'_>, top: FolderId) -> Result<()> {
    tx.exec(&CUT_OFF, params![top.0]).await.map(drop)
}

/// Whether there is a tree that is cut off.
pub(crate) async fn any_cut_off(tx: &mut Tx<'_>) -> Result<bool> {
    Ok(tx.opt::<i64>(&ANY_CUT_OFF, params![]).await?.is_some())
}

/// Makes a folder that is built out of sight the top of its tree: left alone, it goes with the trash.
pub(crate) async fn hide(tx: &mut Tx<'_>, top: FolderId) -> Result<()> {
    tx.exec(&HIDE, params![top.0]).await.map(drop)
}

/// Whether the top of something in the trash is a file. `None`: it is not there.
pub(crate) async fn top_is_file(tx: &mut Tx<'_>, id: i64) -> Result<Option<bool>> {
    tx.opt(&TOP, params![id]).await
}

/// Up to `limit` tops that went to the trash before a time, or were begun as a copy before `begun` too
/// and never attached: numbers, whether each is a file, and whether it is in the trash to be seen.
pub(crate) async fn due(
    tx: &mut Tx<'_>,
    (before, begun): (Time, Time),
    limit: i64,
) -> Result<Vec<(i64, bool, bool)>> {
    tx.all(&DUE, params![before, begun, limit]).await
}

/// Takes a piece of a tree that is cut off apart: the contents that its files had. `None`: nothing of
/// it is left.
pub(crate) async fn take_apart(
    tx: &mut Tx<'_>,
    top: FolderId,
    limit: i64,
) -> Result<Option<Vec<ContentId>>> {
    let found: Vec<i64> = tx.all(&FILES_IN, params![top.0, limit]).await?;
    let mut contents = Vec::new();
    for file in &found {
        contents.extend(files::purge(tx, FileId(*file)).await?);
    }
    if !found.is_empty() {
        return Ok(Some(contents));
    }
    let empty: Vec<i64> = tx.all(&FOLDERS_EMPTY, params![top.0, limit]).await?;
    for folder in &empty {
        super::shares::clear(tx, *folder).await?;
        names::forget(tx, *folder).await?;
        for statement in [&UNMARKED_DONE, &LABELS_DELETE, &FOLDER_DELETE_KEPT, &FOLDER_DELETE] {
            tx.exec(statement, params![*folder]).await?;
        }
    }
    let gone = empty.is_empty() || empty.contains(&top.0);
    Ok(if gone { None } else { Some(contents) })
}

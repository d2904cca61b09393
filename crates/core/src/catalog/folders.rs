//! Folders: what is kept about their children, what changed in them, and trees of them. What changes a
//! folder takes a proof that the caller may.

use super::conn::Tx;
use super::files::{Place, arrange_node};
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::access::Granted;
use crate::clock::Time;
use crate::error::Result;
use crate::id::{FolderId, UserId};
use crate::name::Label;
use crate::node::{Folder, Stamp};

/// What every statement that returns folders selects: the node is `n`, what is kept of it `f`.
macro_rules! folder_columns {
    () => {
        "n.id, n.owner, n.parent, n.label, n.created, coalesce(n.created_by, n.owner), n.modified, \
         coalesce(n.modified_by, n.owner), n.trashed, f.files, f.folders, f.bytes, f.changed, \
         p.id is not null and p.parent is null"
    };
}

macro_rules! folder_joins {
    () => {
        folder_joins!("")
    };
    ($left:literal) => {
        concat!($left, "join folders f on f.id = n.id left join nodes p on p.id = n.parent")
    };
}

/// How many these are.
pub(super) const COLUMNS: usize = 14;

// `cross join` tells the embedded engine, which knows no statistics, to walk first and look up then.

/// Walks from folder `$1` down its live folders: `down` has each with its depth.
macro_rules! down {
    () => {
        "with recursive down (id, depth) as (\
            select n.id, 0 from nodes n where n.id = $1 \
            union all select n.id, down.depth + 1 from down cross join nodes n \
                where n.parent = down.id and n.kind = 0 and n.trashed is null) "
    };
}

/// Walks from node `$1` down all folders, in the trash or not.
macro_rules! whole {
    () => {
        "with recursive whole (id) as (\
            select n.id from nodes n where n.id = $1 \
            union all select n.id from whole cross join nodes n \
                where n.parent = whole.id and n.kind = 0) "
    };
}

/// Walks from node `$1` up to its root: `up` has each with its height.
macro_rules! up {
    () => {
        "with recursive up (id, parent, height) as (\
            select n.id, n.parent, 0 from nodes n where n.id = $1 \
            union all select n.id, n.parent, up.height + 1 from up cross join nodes n \
                where n.id = up.parent) "
    };
}

statements! {
    FOLDER = concat!("select ", folder_columns!(), " from nodes n ", folder_joins!(),
        " where n.id = $1 and n.kind = 0");
    FOLDERS_OF = concat!("select ", folder_columns!(), " from nodes n ", folder_joins!(),
        " where n.owner = $1 and n.kind = 0 and n.trashed is null and n.id > $2 \
        order by n.id limit $3");
    FOLDER_INSERT = "insert into nodes (owner, parent, kind, name, name_key, label, label_key, \
        created, created_by, modified, modified_by, trashed, trashed_with) \
        values ($1, $2, 0, $3, $4, $3, $4, $5, $6, $5, $6, $7, $8) returning id";
    FOLDER_INSERT_KEPT = "insert into folders (id, changed) values ($1, $2)";
    FOLDER_MODIFIED = "update nodes set modified = $2, modified_by = $3 where id = $1";
    CHILDREN_CHANGED = "update folders set files = files + $2, folders = folders + $3, \
        bytes = bytes + $4, changed = case when $5 > changed then $5 else changed + 1 end \
        where id = $1";
    CHILDREN_ADDED = "update folders set files = files + $2, folders = folders + $3, \
        bytes = bytes + $4 where id = $1";
    CHANGE_INSERT = "insert into changes (folder, at, node, kind, hex, action) \
        values ($1, $2, $3, $4, $5, $6)";
    CHANGES = concat!(down!(), "select c.at, c.node, c.kind, c.hex, c.action, c.id from down \
        cross join changes c where c.folder = down.id and c.at >= $2 order by c.at, c.id limit $3");
    CHANGES_FORGET = "delete from changes where id in \
        (select id from (select id, at from changes oldest order by id limit $2) oldest where at < $1)";
    ANCESTRY = concat!(up!(), "select ", folder_columns!(), " from up cross join nodes n ",
        folder_joins!(), " where n.id = up.id and n.kind = 0 order by up.height desc");
    TREE = concat!(down!(), "select ", folder_columns!(), " from down \
        cross join nodes n ", folder_joins!(), " where n.id = down.id order by down.depth, n.label_key limit $2");
    TREE_SUMS = concat!(down!(), "select count(*), cast(coalesce(sum(f.files), 0) as bigint), \
        cast(coalesce(sum(f.bytes), 0) as bigint), max(down.depth) from down cross join folders f where f.id = down.id");
    HEIGHT = concat!(up!(), "select max(height) from up");
    IS_ABOVE = concat!(up!(), "select 1 from up where id = $2");
    TREE_OWNER = concat!(whole!(), "update nodes set owner = $2 \
        where id in (select id from whole) or parent in (select id from whole)");
}

/// Deeper than this, walking a tree would take long, and clients that recurse would fail.
pub(crate) const DEPTH_MAX: u64 = 500;

impl FromRow for Folder {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(Folder {
            id: FolderId(row.take()?),
            owner: UserId(row.take()?),
            parent: row.take::<Option<i64>>()?.map(FolderId),
            title: row.take()?,
            created: Stamp { at: row.take()?, by: UserId(row.take()?) },
            modified: Stamp { at: row.take()?, by: UserId(row.take()?) },
            trashed: row.take()?,
            files: row.take()?,
            folders: row.take()?,
            bytes: row.take()?,
            changed: Time(row.take::<i64>()?.saturating_mul(1_000_000)),
            in_root: row.take()?,
        })
    }
}

/// A folder, in the trash or not, without asking who may.
pub(crate) async fn find(tx: &mut Tx<'_>, id: FolderId) -> Result<Option<Folder>> {
    tx.opt(&FOLDER, params![id.0]).await
}

/// Live folders of an owner, by number, behind one.
pub(crate) async fn of_owner(
    tx: &mut Tx<'_>,
    owner: UserId,
    behind: FolderId,
    limit: u64,
) -> Result<Vec<Folder>> {
    tx.all(&FOLDERS_OF, params![owner.0, behind.0, limit.cast_signed()]).await
}

/// A folder to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewFolder<'a> {
    pub(crate) owner: UserId,
    /// None for a root, and for a tree that is built out of sight.
    pub(crate) parent: Option<FolderId>,
    pub(crate) label: &'a Label,
    pub(crate) created: Stamp,
    /// With which node it is out of sight, if it is.
    pub(crate) hidden_with: Option<Option<FolderId>>,
}

/// Makes a root, or a folder of a tree that is built out of sight and attached with a proof.
pub(crate) async fn insert_node(tx: &mut Tx<'_>, folder: &NewFolder<'_>) -> Result<FolderId> {
    let NewFolder { owner, parent, label, created, hidden_with } = *folder;
    let hidden_at = hidden_with.map(|_| created.at);
    let with = hidden_with.flatten().map(|top| top.0);
    let (parent, key) = (parent.map(|parent| parent.0), label.key());
    let params =
        params![owner.0, parent, label.as_str(), &key, created.at, created.by.0, hidden_at, with];
    let id = tx.insert(&FOLDER_INSERT, params).await?;
    tx.exec(&FOLDER_INSERT_KEPT, params![id, created.at.seconds()]).await?;
    Ok(FolderId(id))
}

/// Makes a folder inside another one.
pub(crate) async fn insert<'tx>(
    tx: &mut Tx<'tx>,
    parent: &Granted<'tx, Folder>,
    label: &Label,
    created: Stamp,
) -> Result<FolderId> {
    let (owner, parent) = (parent.owner, Some(parent.id));
    insert_node(tx, &NewFolder { owner, parent, label, created, hidden_with: None }).await
}

/// Renames and moves at once, so that no name is in the way that is about to change.
pub(crate) async fn arrange<'tx>(
    tx: &mut Tx<'tx>,
    folder: &Granted<'tx, Folder>,
    place: Place<'_>,
) -> Result<()> {
    let renamed = [place.name, place.label.as_str()] != [folder.title.as_str(); 2];
    arrange_node(tx, folder.id.0, place, (folder.owner, folder.parent, renamed)).await
}

/// Notes that a folder itself was changed.
pub(crate) async fn modified<'tx>(
    tx: &mut Tx<'tx>,
    folder: &Granted<'tx, Folder>,
    at: Time,
) -> Result<()> {
    tx.exec(&FOLDER_MODIFIED, params![folder.id.0, at, folder.caller().0]).await.map(drop)
}

/// Gives a whole tree to another owner, with what of it is in the trash.
pub(crate) async fn give<'tx>(
    tx: &mut Tx<'tx>,
    folder: &Granted<'tx, Folder>,
    owner: UserId,
) -> Result<()> {
    tx.exec(&TREE_OWNER, params![folder.id.0, owner.0]).await.map(drop)
}

/// What happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was made, moved or restored into the folder.
    Added = 1,
    /// Its content or name changed.
    Modified = 2,
    /// It was deleted, or moved out of the folder.
    Deleted = 3,
}

/// A child that something happened to, and by how much the folder's totals change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child<'a> {
    pub(crate) id: i64,
    /// A file has one, a folder has none.
    pub(crate) hex: Option<&'a str>,
    pub(crate) files: i64,
    pub(crate) folders: i64,
    pub(crate) bytes: i64,
}

/// Keeps what is kept about a folder's children, and notes what happened.
pub(crate) async fn child_changed(
    tx: &mut Tx<'_>,
    folder: FolderId,
    child: Child<'_>,
    action: Action,
    at: Time,
) -> Result<()> {
    let Child { id, hex, files, folders, bytes } = child;
    tx.exec(&CHILDREN_CHANGED, params![folder.0, files, folders, bytes, at.seconds()]).await?;
    let kind = i64::from(hex.is_some());
    tx.exec(&CHANGE_INSERT, params![folder.0, at, id, kind, hex, action as i64]).await.map(drop)
}

/// Keeps what is kept about a folder of a tree that is built out of sight.
pub(crate) async fn children_added(
    tx: &mut Tx<'_>,
    folder: FolderId,
    (files, folders, bytes): (i64, i64, i64),
) -> Result<()> {
    tx.exec(&CHILDREN_ADDED, params![folder.0, files, folders, bytes]).await.map(drop)
}

/// One thing that happened below a folder.
#[derive(Clone, Debug)]
pub(crate) struct ChangeRow {
    pub(crate) at: Time,
    pub(crate) node: i64,
    pub(crate) hex: Option<String>,
    pub(crate) action: Action,
}

impl FromRow for ChangeRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (at, node) = (row.take()?, row.take()?);
        let (_kind, hex) = (row.take::<i64>()?, row.take()?);
        let action = match row.take::<i64>()? {
            1 => Action::Added,
            2 => Action::Modified,
            _ => Action::Deleted,
        };
        Ok(ChangeRow { at, node, hex, action })
    }
}

/// What happened in a live tree since a time, in order.
pub(crate) async fn changes(
    tx: &mut Tx<'_>,
    folder: FolderId,
    since: Time,
    limit: u64,
) -> Result<Vec<ChangeRow>> {
    tx.all(&CHANGES, params![folder.0, since, limit.cast_signed()]).await
}

/// Forgets those of the `limit` oldest changes that are from before a time; how many.
pub(crate) async fn forget_changes(tx: &mut Tx<'_>, before: Time, limit: i64) -> Result<usize> {
    tx.exec(&CHANGES_FORGET, params![before, limit]).await
}

/// The folders that a node lies in, the topmost first; a folder itself is the last of them.
pub(crate) async fn ancestry(tx: &mut Tx<'_>, node: i64) -> Result<Vec<Folder>> {
    tx.all(&ANCESTRY, params![node]).await
}

/// A live folder and up to `limit` folders in all of its tree, level by level.
pub(crate) async fn tree(tx: &mut Tx<'_>, folder: FolderId, limit: u64) -> Result<Vec<Folder>> {
    tx.all(&TREE, params![folder.0, limit.cast_signed()]).await
}

/// What a live tree holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeSums {
    /// Folders, the topmost included.
    pub folders: u64,
    /// Files.
    pub files: u64,
    /// Bytes of the files' current versions.
    pub bytes: u64,
    pub(crate) depth: u64,
}

impl FromRow for TreeSums {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (folders, files, bytes) = (row.take()?, row.take()?, row.take()?);
        Ok(TreeSums { folders, files, bytes, depth: row.take()? })
    }
}

pub(crate) async fn sums(tx: &mut Tx<'_>, folder: FolderId) -> Result<TreeSums> {
    tx.one(&TREE_SUMS, params![folder.0]).await
}

/// How many folders lie above a node.
pub(crate) async fn height(tx: &mut Tx<'_>, node: FolderId) -> Result<u64> {
    tx.one(&HEIGHT, params![node.0]).await
}

/// Whether `node` is `above` or lies in it.
pub(crate) async fn is_in(tx: &mut Tx<'_>, node: i64, above: i64) -> Result<bool> {
    Ok(tx.opt::<i64>(&IS_ABOVE, params![node, above]).await?.is_some())
}

pub(super) use {down, folder_columns, folder_joins, up, whole};

//! Children of folders: folders first, then by label without regard to case. A part of a list is found
//! by the key of its neighbour, or by counting index rows; the rest is read for what is shown alone.

use super::conn::Tx;
use super::files::{File, file_columns, file_joins};
use super::folders::down;
use super::names::listed;
use super::row::{FromRow, Row, params};
use super::sql::{Sql, sql, statements};
use crate::clock::Time;
use crate::error::Result;
use crate::id::{FolderId, UserId};
use crate::node::{Entry, EntryKey, Kinds};

/// A part of the files directly in folder `$1`; `$begin` says where it begins.
macro_rules! files_page {
    ($behind:literal, $limit:literal) => {
        concat!(
            "select ",
            file_columns!(),
            " from (select n.id from nodes n where n.parent = $1 and n.kind = 1 and n.trashed is null ",
            $behind,
            " order by n.label_key, n.id ",
            $limit,
            ") k join nodes n on n.id = k.id ",
            file_joins!(),
            " order by n.label_key, n.id"
        )
    };
}

/// Live nodes whose folded label fits `$2`, at most `$3` levels below `$1`, of kinds `$4` to `$5`.
macro_rules! found {
    ($what:literal, $more:literal) => {
        concat!(down!(), "select ", $what, " from down cross join nodes n \
            where n.parent = down.id and down.depth <= $3 and n.trashed is null and n.label_key like $2 escape '!' \
            and n.kind >= $4 and n.kind <= $5 ", $more)
    };
}

/// The same out of candidates `c`, each of which is followed up to `$1`: all of them, for they are few.
// What lies above is a folder. To say so would have a server look for it among all folders.
macro_rules! found_among {
    ($candidates:expr) => {
        concat!("select n.id, n.kind from ", $candidates, "nodes n \
            where n.id = c.value and n.trashed is null and n.label_key like $2 escape '!' \
            and n.kind >= $4 and n.kind <= $5 and exists (with recursive up (id, depth) as (\
                select n.parent, 0 \
                union all select a.parent, up.depth + 1 from up cross join nodes a where a.id = up.id \
                    and up.id <> $1 and up.depth < $3 and a.trashed is null) \
             select 1 from up where up.id = $1) order by n.kind, n.label_key, n.id")
    };
}

pub(crate) const FOUND_AMONG: Sql =
    sql!(found_among!(listed!(postgres "$6")), found_among!(listed!(sqlite "$6")));

statements! {
    FILES_FIRST = files_page!("", "limit $2");
    FILES_BEHIND = files_page!("and (n.label_key, n.id) > ($3, $4)", "limit $2");
    FOUND = found!("n.id, n.kind", "order by n.kind, n.label_key, n.id limit $6 offset $7");
    FOUND_COUNT = found!("count(*)", "");
    RECENT = concat!(down!(), "select n.id from down cross join nodes n \
        where n.parent = down.id and n.kind = 1 and n.trashed is null order by n.uploaded desc, n.id desc limit $2 offset $3");
    TRASHED = "select n.id, n.kind, n.label, n.trashed, o.login from nodes n \
        join users o on o.id = n.owner where n.trashed > 0 and n.trashed_with = n.id and n.parent is not null \
        and (n.owner = $1 or $1 = 0) order by n.trashed, n.id";
}

/// Files directly inside a folder, from its first one on or behind one.
pub(crate) async fn files(
    tx: &mut Tx<'_>,
    folder: FolderId,
    behind: Option<&EntryKey>,
    limit: u64,
) -> Result<Vec<File>> {
    let limit = limit.cast_signed();
    match behind {
        None => tx.all(&FILES_FIRST, params![folder.0, limit]).await,
        Some(key) => tx.all(&FILES_BEHIND, params![folder.0, limit, &key.label_key, key.id]).await,
    }
}

/// What a search looks for.
#[derive(Debug)]
pub(crate) struct Hunt<'a> {
    pub(crate) folder: FolderId,
    /// A pattern for `like`, on folded labels.
    pub(crate) pattern: &'a str,
    /// The only nodes that the pattern may fit, if that is known.
    pub(crate) candidates: Option<&'a str>,
    /// How many levels of folders below the first are looked into.
    pub(crate) depth: u64,
    pub(crate) kinds: Kinds,
}

impl Kinds {
    /// The least and the greatest of the catalog's numbers.
    pub(super) fn numbers(self) -> (i64, i64) {
        match self {
            Kinds::Both => (0, 1),
            Kinds::Folders => (0, 0),
            Kinds::Files => (1, 1),
        }
    }
}

/// A part of what a search finds: numbers, and whether each is a file; and how much it finds in all.
pub(crate) async fn found(
    tx: &mut Tx<'_>,
    hunt: &Hunt<'_>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<(i64, bool)>, u64)> {
    let (least, most) = hunt.kinds.numbers();
    let (folder, pattern, depth) = (hunt.folder.0, hunt.pattern, hunt.depth.cast_signed());
    if let Some(candidates) = hunt.candidates {
        let params = params![folder, pattern, depth, least, most, candidates];
        let all: Vec<(i64, bool)> = tx.all(&FOUND_AMONG, params).await?;
        let total = all.len() as u64;
        let [offset, limit] = [offset, limit].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        return Ok((all.into_iter().skip(offset).take(limit).collect(), total));
    }
    let total = tx.one(&FOUND_COUNT, params![folder, pattern, depth, least, most]).await?;
    let (limit, offset) = (limit.cast_signed(), offset.cast_signed());
    let params = params![folder, pattern, depth, least, most, limit, offset];
    Ok((tx.all(&FOUND, params).await?, total))
}

/// The files of a tree by date, the newest first.
pub(crate) async fn recent(
    tx: &mut Tx<'_>,
    folder: FolderId,
    offset: u64,
    limit: u64,
) -> Result<Vec<i64>> {
    tx.all(&RECENT, params![folder.0, limit.cast_signed(), offset.cast_signed()]).await
}

/// The place of a child among its siblings.
pub(crate) fn key(entry: &Entry) -> EntryKey {
    let (file, label, id) = match entry {
        Entry::Folder(folder) => (false, &folder.title, folder.id.0),
        Entry::File(file) => (true, &file.label, file.id.0),
    };
    EntryKey { file, label_key: crate::name::fold(label), id }
}

/// Something that was put in the trash: the top of what went there together.
#[derive(Clone, Debug)]
pub struct Trashed {
    /// The number of the file or folder.
    pub id: i64,
    /// Whether it is a file.
    pub file: bool,
    /// What it was called.
    pub name: String,
    /// When it went there.
    pub at: Time,
    /// The login of its owner.
    pub owner: String,
}

impl FromRow for Trashed {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(Trashed {
            id: row.take()?,
            file: row.take()?,
            name: row.take()?,
            at: row.take()?,
            owner: row.take()?,
        })
    }
}

/// What is in the trash, of one owner or of all, the oldest first.
pub(crate) async fn trashed(tx: &mut Tx<'_>, owner: Option<UserId>) -> Result<Vec<Trashed>> {
    tx.all(&TRASHED, params![owner.map_or(0, |owner| owner.0)]).await
}

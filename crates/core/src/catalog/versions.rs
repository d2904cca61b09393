//! All versions, over all files, in the order of their ids: for what comes to every one of them, an inspection, a
//! backup, a migration, the sweep.

use super::conn::Tx;
use super::files::{File, at_version, file_columns};
use super::meta::VersionMark;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::error::Result;
use crate::id::FileId;
use crate::node::VersionId;

statements! {
    TOTALS = "select count(*), cast(coalesce(sum(size), 0) as bigint) from versions";
    VERSION_COUNT = "select count(*) from (select file from versions limit 1) one";
    NEXT_VERSION = concat!("select ", file_columns!(), " from versions v \
        join nodes n on n.id = v.file join users o on o.id = n.owner \
        join nodes p on p.id = n.parent join contents c on c.id = v.content \
        where (v.file, v.number) > ($1, $2) order by v.file, v.number limit 1");
    NEXT_MARK = "select v.file, v.number, n.name from versions v left join nodes n on n.id = v.file \
        where (v.file, v.number) > ($1, $2) order by v.file, v.number limit 1";
    // `cross join` has the embedded engine begin with these contents, which it has an index of, and not with all versions.
    WITHOUT_SHA512 = concat!("select ", file_columns!(), " from contents c cross join versions v \
        join nodes n on n.id = v.file \
        join users o on o.id = n.owner join nodes p on p.id = n.parent \
        where c.sha512 is null and v.content = c.id and v.file > $1 order by v.file, v.number limit 1");
}

/// How many versions there are, and their bytes: for the progress of a command that reads them all.
pub(crate) async fn totals(tx: &mut Tx<'_>) -> Result<(u64, u64)> {
    tx.one(&TOTALS, params![]).await
}

/// Whether any version is stored.
pub(crate) async fn exist(tx: &mut Tx<'_>) -> Result<bool> {
    Ok(tx.one::<i64>(&VERSION_COUNT, params![]).await? > 0)
}

/// The version that comes next, over all files.
pub(crate) async fn next_version(
    tx: &mut Tx<'_>,
    file: FileId,
    number: u64,
) -> Result<Option<File>> {
    tx.opt(&NEXT_VERSION, params![file.0, number.cast_signed()]).await
}

/// A version as an inspection comes to it, whatever can be read of it.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) mark: VersionMark,
    /// Its file's name, if the file has a row.
    pub(crate) name: Option<String>,
    /// The file at this version; `None` where rows that belong to it are missing.
    pub(crate) found: Result<Option<File>>,
}

/// The version that comes next, over all files, by its own row alone.
pub(crate) async fn next_mark(
    tx: &mut Tx<'_>,
    (file, number): VersionMark,
) -> Result<Option<Next>> {
    let params = params![file.0, number.cast_signed()];
    let Some(MarkRow(mark, name)) = tx.opt(&NEXT_MARK, params).await? else {
        return Ok(None);
    };
    let (file, number) = mark;
    let found = at_version(tx, VersionId { file, number }).await;
    Ok(Some(Next { mark, name, found }))
}

struct MarkRow(VersionMark, Option<String>);

impl FromRow for MarkRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let mark = (FileId(row.take()?), row.take::<i64>()?.cast_unsigned());
        // A name that is no text is none.
        Ok(MarkRow(mark, row.take().unwrap_or_default()))
    }
}

/// The next file with a version whose content has no SHA-512 yet.
pub(crate) async fn without_sha512(tx: &mut Tx<'_>, behind: FileId) -> Result<Option<File>> {
    tx.opt(&WITHOUT_SHA512, params![behind.0]).await
}

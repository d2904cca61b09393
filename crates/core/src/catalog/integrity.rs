//! Whether the catalog agrees with itself: the engine's own checks, and ours of what it keeps twice.

use super::Tx;
use super::row::params;
use super::sql::statements;
use crate::error::Result;
use crate::id::FileId;

statements! {
    // A file says of its current version what the version says too, for lists.
    SHOWN_OTHERWISE = "select n.id from nodes n \
        left join versions v on v.file = n.id and v.number = n.version \
        where n.kind = 1 and (v.file is null or v.size <> n.size or v.created <> n.uploaded \
            or v.modified <> n.modified or v.created_by <> n.modified_by or n.md5 is null or v.md5 <> n.md5) \
        order by n.id limit 20";
}

/// All that is found wrong, up to 20 lines of each kind.
pub(super) async fn faults(tx: &mut Tx<'_>) -> Result<Vec<String>> {
    let mut faults = of_the_engine(tx)?;
    let files: Vec<i64> = tx.all(&SHOWN_OTHERWISE, params![]).await?;
    faults.extend(files.into_iter().map(|file| {
        let id = FileId(file).letters();
        format!("file {id} shows a version that it does not have, or not as it is")
    }));
    Ok(faults)
}

/// What SQLite's checks find wrong: of its pages and indexes, and of rows that refer to rows.
fn of_the_engine(tx: &mut Tx<'_>) -> Result<Vec<String>> {
    // A server looks after its own files.
    let Some(engine) = tx.embedded() else {
        return Ok(Vec::new());
    };
    let mut statement = engine.prepare("pragma integrity_check(20)")?;
    let lines: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut faults: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
    let mut statement = engine
        .prepare("select distinct \"table\", parent from pragma_foreign_key_check limit 20")?;
    let lost = statement.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(format!("{table} has a row that belongs to none of {parent}"))
    })?;
    for fault in lost {
        faults.push(fault?);
    }
    Ok(faults)
}

//! What the catalog knows about itself: which one it is, whether it is whole, and how far and when it was
//! inspected.

use super::conn::Tx;
use super::row::params;
use super::sql::statements;
use crate::clock::Time;
use crate::error::Result;
use crate::id::FileId;

/// Written when the schema is made.
const CREATED: &str = "created";
const INSPECTED: &str = "inspected";
const PASS: &str = "pass";
const WHOLE: &str = "whole";
/// Whoever does it keeps the others from sweeping.
pub(crate) const SWEEP: &str = "sweep";
/// Whoever does it keeps the others from linking the audit log.
pub(crate) const AUDIT: &str = "audit";
const ID: &str = "id";
const MOVING: &str = "moving";
/// Up to which id nodes are in the index of names, on the embedded engine.
const NAMES: &str = "names";

/// A place in the order of all versions: a file, and a version's number.
pub(crate) type VersionMark = (FileId, u64);

statements! {
    VALUE = "select value from meta where key = $1";
    VALUE_SET = "insert into meta (key, value) values ($1, $2) \
        on conflict (key) do update set value = excluded.value";
    VALUE_FORGET = "delete from meta where key = $1";
}

/// When this catalog was made.
pub(crate) async fn created(tx: &mut Tx<'_>) -> Result<Option<Time>> {
    time(tx, CREATED).await
}

/// The version that the last inspection with a budget ended at, if there was one.
pub(crate) async fn inspected(tx: &mut Tx<'_>) -> Result<Option<VersionMark>> {
    let mark: Option<String> = tx.opt(&VALUE, params![INSPECTED]).await?;
    Ok(mark.and_then(|mark| {
        let (file, number) = mark.split_once(' ')?;
        Some((FileId(file.parse().ok()?), number.parse().ok()?))
    }))
}

pub(crate) async fn set_inspected(tx: &mut Tx<'_>, (file, number): VersionMark) -> Result<()> {
    tx.exec(&VALUE_SET, params![INSPECTED, &format!("{file} {number}")]).await.map(drop)
}

/// When inspections with a budget last began with the first version, if they have not come to the last.
pub(crate) async fn pass(tx: &mut Tx<'_>) -> Result<Option<Time>> {
    time(tx, PASS).await
}

pub(crate) async fn set_pass(tx: &mut Tx<'_>, begun: Time) -> Result<()> {
    tx.exec(&VALUE_SET, params![PASS, &begun.0.to_string()]).await.map(drop)
}

/// When the latest inspection began that came to every version.
pub(crate) async fn whole(tx: &mut Tx<'_>) -> Result<Option<Time>> {
    time(tx, WHOLE).await
}

/// Notes an inspection that came to every version, unless a later one did.
pub(crate) async fn set_whole(tx: &mut Tx<'_>, begun: Time) -> Result<()> {
    if whole(tx).await?.is_some_and(|known| begun < known) {
        return Ok(());
    }
    tx.exec(&VALUE_SET, params![WHOLE, &begun.0.to_string()]).await.map(drop)
}

async fn time(tx: &mut Tx<'_>, key: &str) -> Result<Option<Time>> {
    let time: Option<String> = tx.opt(&VALUE, params![key]).await?;
    Ok(time.and_then(|time| time.parse().ok()).map(Time))
}

/// Takes what one node does at a time for `node` until a time, unless another node has it now. True: it is
/// taken.
pub(crate) async fn take(
    tx: &mut Tx<'_>,
    what: &str,
    node: u64,
    (now, until): (Time, Time),
) -> Result<bool> {
    let held: Option<String> = tx.opt(&VALUE, params![what]).await?;
    let held = held.as_deref().and_then(|held| held.split_once(' '));
    let by_another = held.is_some_and(|(by, until)| {
        by.parse() != Ok(node) && until.parse().is_ok_and(|until: i64| now.0 < until)
    });
    if !by_another {
        let (node, until) = (node.to_string(), until.0);
        tx.exec(&VALUE_SET, params![what, &format!("{node} {until}")]).await?;
    }
    Ok(!by_another)
}

/// What tells this catalog from every other one.
pub(crate) async fn id(tx: &mut Tx<'_>) -> Result<Option<String>> {
    tx.opt(&VALUE, params![ID]).await
}

/// Gives the catalog an id, unless it has one; the one that it has.
pub(crate) async fn set_id(tx: &mut Tx<'_>, fresh: &str) -> Result<String> {
    if let Some(id) = id(tx).await? {
        return Ok(id);
    }
    tx.exec(&VALUE_SET, params![ID, fresh]).await?;
    Ok(fresh.to_owned())
}

/// The catalog that this one is being made a copy of, while that is not complete.
pub(crate) async fn moving(tx: &mut Tx<'_>) -> Result<Option<String>> {
    tx.opt(&VALUE, params![MOVING]).await
}

pub(crate) async fn set_moving(tx: &mut Tx<'_>, from: &str) -> Result<()> {
    tx.exec(&VALUE_SET, params![MOVING, from]).await.map(drop)
}

pub(crate) async fn moved(tx: &mut Tx<'_>) -> Result<()> {
    tx.exec(&VALUE_FORGET, params![MOVING]).await.map(drop)
}

/// Notes that all nodes up to this id were taken into the index of names.
pub(super) async fn set_names(tx: &mut Tx<'_>, to: i64) -> Result<()> {
    tx.exec(&VALUE_SET, params![NAMES, &to.to_string()]).await.map(drop)
}

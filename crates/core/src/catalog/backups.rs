//! The backups that exist, as far as is known here, and the hold of one that is being made.

use super::conn::Tx;
use super::keys;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::clock::Time;
use crate::error::{Error, Result};

statements! {
    BACKUP_INSERT = "insert into backups (id, at, target, master_keys, hold) values ($1, $2, $3, '', $4)";
    BACKUP_HOLD = "update backups set hold = $2 where id = $1";
    BACKUP_NEEDS = "update backups set master_keys = $2 where id = $1";
    BACKUP_COMPLETE = "update backups set hold = null, master_keys = $2 where id = $1";
    BACKUP_DELETE = "delete from backups where id = $1";
    BACKUPS = "select id, at, target, master_keys, hold from backups order by at, id";
    HELD = "select 1 from backups where hold > $1 limit 1";
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What it is called.
    pub id: String,
    /// When it was begun.
    pub at: Time,
    /// The directory that it went to.
    pub target: String,
    /// The ids of the master keys that it takes to read all of it.
    pub master_keys: Vec<String>,
    pub(crate) hold: Option<Time>,
}

impl Backup {
    /// Whether it came to its end.
    pub fn is_complete(&self) -> bool {
        self.hold.is_none()
    }
}

impl FromRow for Backup {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (id, at, target) = (row.take()?, row.take()?, row.take()?);
        let master_keys = row.take::<String>()?.split_whitespace().map(str::to_owned).collect();
        Ok(Backup { id, at, target, master_keys, hold: row.take()? })
    }
}

/// Begins a backup: until `hold`, or [`hold`] again, no object is removed.
pub(crate) async fn begin(
    tx: &mut Tx<'_>,
    id: &str,
    at: Time,
    target: &str,
    hold: Time,
) -> Result<()> {
    tx.exec(&BACKUP_INSERT, params![id, at, target, hold]).await.map(drop)
}

/// Has objects kept until another time.
pub(crate) async fn hold(tx: &mut Tx<'_>, id: &str, until: Time) -> Result<()> {
    tx.exec(&BACKUP_HOLD, params![id, until]).await.map(drop)
}

/// Notes the master keys that it takes to read a backup, before there is anything to read. One that was retired since
/// the backup began is refused.
pub(crate) async fn note_keys(tx: &mut Tx<'_>, id: &str, master_keys: &[String]) -> Result<()> {
    for key in master_keys {
        if !keys::is_known(tx, key).await? {
            return Err(Error::Refused(format!(
                "master key {key} was retired while the backup was made: make it again"
            )));
        }
    }
    match tx.exec(&BACKUP_NEEDS, params![id, &master_keys.join(" ")]).await? {
        0 => Err(Error::Refused(format!("backup {id} was forgotten while it was made"))),
        _ => Ok(()),
    }
}

/// Ends a backup, and with it its hold.
pub(crate) async fn complete(tx: &mut Tx<'_>, id: &str, master_keys: &[String]) -> Result<()> {
    tx.exec(&BACKUP_COMPLETE, params![id, &master_keys.join(" ")]).await.map(drop)
}

/// Forgets a backup that is no more. False: it is not known.
pub(crate) async fn forget(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    Ok(tx.exec(&BACKUP_DELETE, params![id]).await? == 1)
}

/// All backups, the oldest first.
pub(crate) async fn all(tx: &mut Tx<'_>) -> Result<Vec<Backup>> {
    tx.all(&BACKUPS, params![]).await
}

/// Whether objects are being kept for a backup.
pub(crate) async fn is_held(tx: &mut Tx<'_>, now: Time) -> Result<bool> {
    Ok(tx.opt::<i64>(&HELD, params![now]).await?.is_some())
}

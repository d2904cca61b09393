//! What the catalog knows about itself: its master keys.

use super::conn::Tx;
use super::row::params;
use super::sql::statements;
use crate::clock::Time;
use crate::error::Result;

statements! {
    KEYS = "select id, canary from master_keys order by created, id";
    KEY_INSERT = "insert into master_keys (id, canary, created) values ($1, $2, $3)";
}

/// Every master key that anything may be wrapped under: its id and its canary.
pub(crate) async fn master_keys(tx: &mut Tx<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    tx.all(&KEYS, params![]).await
}

pub(crate) async fn insert_master_key(
    tx: &mut Tx<'_>,
    id: &str,
    canary: &[u8],
    now: Time,
) -> Result<()> {
    tx.exec(&KEY_INSERT, params![id, canary, now]).await.map(drop)
}

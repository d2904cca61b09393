//! Writes that were given a key, and what became of them: recorded in the unit that does them, so that
//! there is a row exactly where there is an effect.

use super::conn::Tx;
use super::row::params;
use super::sql::statements;
use crate::access::IdempotencyKey;
use crate::clock::Time;
use crate::error::Result;
use crate::id::UserId;

statements! {
    ANSWERED = "select request, outcome from answered where user_id = $1 and key = $2";
    ANSWERED_INSERT = "insert into answered (user_id, key, request, outcome, at) \
        values ($1, $2, $3, $4, $5)";
    ANSWERED_FORGET = "delete from answered where (user_id, key) in \
        (select user_id, key from answered where at < $1 order by at limit $2)";
}

/// A write as it is recorded: the digest of what was asked for, and what became of it.
pub(crate) type Answered = ([u8; 32], String);

/// The write that a user gave a key to, if there was one.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    user: UserId,
    key: &IdempotencyKey,
) -> Result<Option<Answered>> {
    tx.opt(&ANSWERED, params![user.0, key.as_str()]).await
}

/// Records a write that takes effect with this unit.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    (user, key): (UserId, &IdempotencyKey),
    (request, outcome): (&[u8; 32], &str),
    at: Time,
) -> Result<()> {
    tx.exec(&ANSWERED_INSERT, params![user.0, key.as_str(), request, outcome, at]).await.map(drop)
}

/// Forgets up to `limit` writes from before a time; how many.
pub(crate) async fn forget(tx: &mut Tx<'_>, before: Time, limit: i64) -> Result<usize> {
    tx.exec(&ANSWERED_FORGET, params![before, limit]).await
}

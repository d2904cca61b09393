//! Shares: who else may do what with a file.

use super::conn::Tx;
use super::files::File;
use super::row::params;
use super::sql::statements;
use crate::access::{Granted, Role};
use crate::clock::Time;
use crate::error::Result;
use crate::id::UserId;

statements! {
    SHARE_CLEAR = "delete from shares where node = $1";
    SHARE_INSERT = "insert into shares (node, user_id, role, created) values ($1, $2, $3, $4)";
}

/// Shares a file with exactly these users.
pub(crate) async fn replace<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    users: &[UserId],
    at: Time,
) -> Result<()> {
    tx.exec(&SHARE_CLEAR, params![file.id.0]).await?;
    for user in users {
        let params = params![file.id.0, user.0, Role::Viewer as i64, at];
        tx.exec(&SHARE_INSERT, params).await?;
    }
    Ok(())
}

//! What an operator's monitoring watches. Nothing here is counted: each figure is kept, or a look-up, so that
//! it may be asked for at any time.

use super::Drive;
use crate::access::{Caller, identify};
use crate::catalog::{Tx, meta, versions};
use crate::clock::Time;
use crate::error::{Error, Result};
use std::time::Duration;

/// How a store is, and the process that serves it.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// No stored byte was last verified, or stored, longer ago than this; nothing where nothing is stored.
    pub oldest_unverified: Duration,
    /// Whether this process writes no more, because something could not be made durable.
    pub writing_ended: bool,
    /// When this process opened the store.
    pub opened: Time,
}

impl Drive {
    /// The figures, for an administrator.
    pub async fn figures(&self, caller: &Caller) -> Result<Figures> {
        let now = self.now();
        let input = (caller.clone(), now);
        let since = self
            .catalog()
            .read(&input, |tx, (caller, now)| {
                Box::pin(async move {
                    if !identify(tx, caller, *now).await?.admin {
                        return Err(Error::Forbidden);
                    }
                    unverified_since(tx, *now).await
                })
            })
            .await?;
        self.note_use(caller, now);
        Ok(Figures {
            oldest_unverified: now.since(since),
            writing_ended: self.may_write().is_err(),
            opened: self.0.opened,
        })
    }
}

/// Before this every stored byte was verified. Where nothing ever was: no byte of a catalog is older than the
/// catalog, and which is the oldest would have to be searched for. One that was migrated was verified then.
async fn unverified_since(tx: &mut Tx<'_>, now: Time) -> Result<Time> {
    if !versions::exist(tx).await? {
        return Ok(now);
    }
    match meta::whole(tx).await? {
        Some(whole) => Ok(whole),
        None => Ok(meta::created(tx).await?.unwrap_or(Time(0))),
    }
}

//! A write that its sender gave a key takes effect once, however often it is sent: with its effect, in
//! the same unit, it is recorded under the key. Who sends it again gets its outcome, and changes nothing.
//!
//! What failed left nothing behind, so it is not recorded either: sent again, it is tried again.

use super::Drive;
use super::entries::own_file;
use crate::access::{Caller, IdempotencyKey, Right, grant, grant_folder, identify};
use crate::audit::Did;
use crate::catalog::conn::{Tx, Unit};
use crate::catalog::files::{self, File};
use crate::catalog::{answered, audit};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId};
use crate::node::{Folder, Seen, VersionId};
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Debug;

/// What is asked for under a key, as a digest: by it another request under the same key is told apart.
#[derive(Clone, Debug)]
pub(super) struct Request {
    key: IdempotencyKey,
    digest: [u8; 32],
}

impl Request {
    /// `None`: the caller gave no key. An operation with all that it was told. Debug output quotes its texts, so two requests that differ
    /// never read the same, and a parameter that is added one day counts by itself. It need not stay the
    /// same from release to release: it is compared within a day.
    pub(super) fn of(caller: &Caller, operation: &str, told: &impl Debug) -> Option<Self> {
        let key = caller.key.clone()?;
        let text = format!("{operation} {told:?}");
        let hash = digest(&SHA256, text.as_bytes());
        Some(Request { key, digest: hash.as_ref().try_into().expect("SHA-256 has 32 bytes") })
    }
}

/// What a caller told of something that changes with the time at which it is read; as it was read, where
/// the caller did not say.
pub(super) fn told(caller: &Caller, read: &impl Debug) -> String {
    caller.told.as_deref().map_or_else(|| format!("{read:?}"), str::to_owned)
}

/// What a write comes to, as it is written down beside its effect.
pub(super) trait Outcome: Sized + Send + Sync + 'static {
    /// How it is written down; `None`: it took no effect, and is not to be remembered.
    fn note(&self) -> Option<String>;

    /// What was written down, as the caller may see it now.
    fn recall(
        tx: &mut Tx<'_>,
        caller: &Caller,
        now: Time,
        note: &str,
    ) -> impl Future<Output = Result<Self>> + Send;
}

impl Drive {
    /// As `Catalog::write`, but what the caller has given a key takes effect once; and with its effect it is
    /// recorded in the audit log what that was.
    pub(super) async fn once<I, T, F>(
        &self,
        caller: &Caller,
        request: Option<Request>,
        input: I,
        unit: F,
    ) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Outcome,
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, Did<T>> + Send + Sync + 'static,
    {
        let keyed = Keyed { caller: caller.clone(), request, now: self.now(), input, unit };
        self.catalog()
            .write(keyed, |tx, keyed| {
                Box::pin(async move {
                    let Keyed { caller, request, now, input, unit } = keyed;
                    if let Some(request) = request
                        && let Some(outcome) = recall(tx, caller, *now, request).await?
                    {
                        return Ok(outcome);
                    }
                    let (outcome, events) = unit(tx, input).await?;
                    audit::record(tx, &events, *now).await?;
                    if let Some(request) = request {
                        record(tx, caller, *now, request, &outcome).await?;
                    }
                    Ok(outcome)
                })
            })
            .await
    }
}

struct Keyed<I, F> {
    caller: Caller,
    request: Option<Request>,
    now: Time,
    input: I,
    unit: F,
}

/// What became of a request under its key, if it has taken effect.
pub(super) async fn recall<T: Outcome>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    request: &Request,
) -> Result<Option<T>> {
    let user = identify(tx, caller, now).await?.id;
    match answered::find(tx, user, &request.key).await? {
        None => Ok(None),
        Some((asked, _)) if asked != request.digest => Err(Error::KeyReused),
        Some((_, note)) => T::recall(tx, caller, now, &note).await.map(Some),
    }
}

/// Whether the caller's key was given to any write that took effect.
pub(super) async fn is_answered(tx: &mut Tx<'_>, caller: &Caller, now: Time) -> Result<bool> {
    let Some(key) = &caller.key else {
        return Ok(false);
    };
    let user = identify(tx, caller, now).await?.id;
    Ok(answered::find(tx, user, key).await?.is_some())
}

async fn record<T: Outcome>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    request: &Request,
    outcome: &T,
) -> Result<()> {
    let Some(note) = outcome.note() else {
        return Ok(());
    };
    let user = identify(tx, caller, now).await?.id;
    answered::insert(tx, (user, &request.key), (&request.digest, &note), now).await
}

/// A part of a note that this program wrote.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::internal("a recorded outcome cannot be read"))
}

/// Nothing is left to be shown.
impl Outcome for () {
    fn note(&self) -> Option<String> {
        Some(String::new())
    }

    async fn recall(_: &mut Tx<'_>, _: &Caller, _: Time, _: &str) -> Result<Self> {
        Ok(())
    }
}

/// A folder that is gone: only its number is left.
impl Outcome for FolderId {
    fn note(&self) -> Option<String> {
        Some(self.to_string())
    }

    async fn recall(_: &mut Tx<'_>, _: &Caller, _: Time, note: &str) -> Result<Self> {
        number(note).map(FolderId)
    }
}

impl Outcome for Seen<Folder> {
    fn note(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn recall(tx: &mut Tx<'_>, caller: &Caller, now: Time, note: &str) -> Result<Self> {
        let id = FolderId(number(note)?);
        Ok(grant_folder(tx, caller, now, id.into(), Right::Read).await?.into_seen())
    }
}

/// With the version that the write made or left, as long as that is there.
impl Outcome for Seen<File> {
    fn note(&self) -> Option<String> {
        Some(format!("{} {}", self.id, self.version))
    }

    async fn recall(tx: &mut Tx<'_>, caller: &Caller, now: Time, note: &str) -> Result<Self> {
        let id = version_id(note)?;
        let seen = grant(tx, caller, now, id.file.into(), Right::Read).await?.into_seen();
        let file = at_version(tx, id).await?;
        Ok(seen.map(|_| file))
    }
}

/// What only an owner does to a file, who may have put it in the trash thereby.
impl Outcome for File {
    fn note(&self) -> Option<String> {
        Some(format!("{} {}", self.id, self.version))
    }

    async fn recall(tx: &mut Tx<'_>, caller: &Caller, now: Time, note: &str) -> Result<Self> {
        let id = version_id(note)?;
        grant(tx, caller, now, id.file.into(), Right::Restore).await?;
        at_version(tx, id).await
    }
}

fn version_id(note: &str) -> Result<VersionId> {
    let (file, version) = note.split_once(' ').unwrap_or((note, ""));
    Ok(VersionId { file: FileId(number(file)?), number: number(version)? })
}

/// A file that is there, with one of its versions in the place of the current one; as it is now, if that
/// version was deleted.
async fn at_version(tx: &mut Tx<'_>, id: VersionId) -> Result<File> {
    let now = own_file(tx, id.file).await?;
    Ok(match files::at_version(tx, id).await? {
        Some(version) => File { shared_with: now.shared_with, ..version },
        None => now,
    })
}

//! The history of a file: its versions, an older one made the current one again, one deleted.

use super::Drive;
use super::arrange::rewrap;
use super::entries::own_file;
use super::once::Request;
use super::upload::replaced;
use crate::access::{Caller, Granted, Right, grant};
use crate::audit::{Act, Event, did};
use crate::catalog::conn::Tx;
use crate::catalog::files::{self, File};
use crate::catalog::{contents, users};
use crate::error::{Error, Result, Thing};
use crate::node::{FileRef, Seen, Stamp, Version, VersionId};
use std::sync::Arc;

impl Drive {
    /// All versions of a file, the newest first.
    pub async fn versions(
        &self,
        caller: &Caller,
        file: FileRef,
    ) -> Result<(Seen<File>, Vec<Version>)> {
        let input = (caller.clone(), self.now(), file);
        self.catalog()
            .read(&input, |tx, (caller, now, file)| {
                Box::pin(async move {
                    let file = grant(tx, caller, *now, *file, Right::Read).await?;
                    let versions = files::versions(tx, file.id).await?;
                    Ok((file.into_seen(), versions))
                })
            })
            .await
    }

    /// One version of a file, with the file as it is now.
    pub async fn version(&self, caller: &Caller, id: VersionId) -> Result<(Seen<File>, Version)> {
        let input = (caller.clone(), self.now(), id);
        self.catalog()
            .read(&input, |tx, (caller, now, id)| {
                Box::pin(async move {
                    let file = grant_version(tx, caller, *now, *id, Right::Read).await?;
                    let versions = files::versions(tx, file.id).await?;
                    let version = versions.into_iter().find(|version| version.id == *id);
                    Ok((file.into_seen(), version.ok_or(GONE)?))
                })
            })
            .await
    }

    /// Makes the content of a version the current one again: as a new version, with the next number.
    pub async fn promote(&self, caller: &Caller, id: VersionId) -> Result<Seen<File>> {
        let request = Request::of(caller, "promote", &id);
        let input = (caller.clone(), self.now(), id, Arc::clone(&self.vault().keys));
        self.once(caller, request, input, |tx, (caller, now, id, keys)| {
            Box::pin(async move {
                let file = grant_version(tx, caller, *now, *id, Right::Edit).await?;
                let old = version_of(tx, &file, *id).await?;
                let bytes = old.size.cast_signed() - file.size.cast_signed();
                let at = users::change_tree(tx, file.owner, 0, bytes, *now).await?;
                let number = file.next_number();
                let version = Version {
                    id: VersionId { file: file.id, number },
                    size: old.size,
                    md5: old.md5,
                    created: Stamp { at, by: file.caller() },
                    modified: at,
                };
                rewrap(tx, keys, &old, &version).await?;
                files::set_current(tx, &version).await?;
                let event = Event::by(file.caller(), Act::VersionPromoted).file(file.id);
                let event = event.with("from", id.number).with("version", number);
                Ok(did(replaced(tx, file, bytes, at).await?, event))
            })
        })
        .await
    }

    /// Deletes a version for good. If it is the current one, the one before it becomes that.
    pub async fn delete_version(&self, caller: &Caller, id: VersionId) -> Result<()> {
        let request = Request::of(caller, "delete_version", &id);
        let input = (caller.clone(), self.now(), id);
        self.once(caller, request, input, |tx, (caller, now, id)| {
            Box::pin(async move {
                let file = grant_version(tx, caller, *now, *id, Right::Arrange).await?;
                let content = version_of(tx, &file, *id).await?.held()?.content;
                let versions = files::versions(tx, file.id).await?;
                let latest = versions.iter().find(|version| version.id != *id);
                let latest = latest.ok_or(Error::OnlyVersion)?;
                let current = id.number == file.version;
                let bytes =
                    if current { latest.size.cast_signed() - file.size.cast_signed() } else { 0 };
                let at = users::change_tree(tx, file.owner, 0, bytes, *now).await?;
                if current {
                    files::set_current(tx, latest).await?;
                }
                files::delete_version(tx, &file, id.number).await?;
                contents::release(tx, content, at).await?;
                let event = Event::by(file.caller(), Act::VersionDeleted).file(file.id);
                let event = event.with("version", id.number);
                replaced(tx, file, bytes, at).await?;
                Ok(did((), event))
            })
        })
        .await
    }
}

const GONE: Error = Error::NotFound(Thing::Version);

/// A file, named by one of its versions.
async fn grant_version<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: crate::clock::Time,
    id: VersionId,
    right: Right,
) -> Result<Granted<'tx, File>> {
    match grant(tx, caller, now, id.file.into(), right).await {
        Err(Error::NotFound(_)) => Err(GONE),
        other => other,
    }
}

/// A file that may be read, with one of its versions in the place of the current one.
async fn version_of<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    id: VersionId,
) -> Result<File> {
    debug_assert_eq!(file.id, id.file);
    let mut version = files::at_version(tx, id).await?.ok_or(GONE)?;
    version.shared_with.clone_from(&own_file(tx, file.id).await?.shared_with);
    Ok(version)
}

//! Moving a store to another catalog and another place for its objects.
//!
//! Contents first, each as an upload does it: its objects are leased in the new catalog, stored, opened
//! there and compared with the version's length and digests, and then its row is made. What has a row
//! is done, so a migration that was interrupted goes on behind it. All other rows follow in the order
//! of their keys; they are few beside the contents, and each attempt copies them anew. Ids, wrapped keys
//! and the master key stay what they were. Until both sides were found equal, the new store says that it
//! is incomplete, and nothing opens it.

use super::carry::{each_content, pour};
use super::inspect::verify_content;
use super::{Checked, Drive, Limits, Location};
use crate::audit::{Act, Event, did};
use crate::catalog::copy::{self, TABLES, Table};
use crate::catalog::files::File;
use crate::catalog::snapshot::Rows;
use crate::catalog::{contents, keys, meta, users};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::vault::seal::{ContentId, Layout};
use crate::vault::{ObjectList, ObjectRef, Sealed, StoredContent};
use aws_lc_rs::digest::{Context, SHA256};
use std::sync::Arc;

/// Rows that are changed in one unit.
const ROWS: i64 = 500;
/// No one sweeps a store that is incomplete, so this bounds nothing; it dates what is given up.
const LEASE_SECONDS: i64 = 3600;

/// How many there are of something on each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// A table of the catalog, or what else is counted.
    pub what: &'static str,
    /// On the side that was copied from.
    pub from: u64,
    /// On the side that was copied to.
    pub to: u64,
}

/// What a migration did.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Contents that this run copied; the others were there.
    pub contents: u64,
    /// Everything, counted on both sides.
    pub counts: Vec<Copied>,
}

impl Drive {
    /// Copies this store to a place where there is none yet, or goes on with a migration that was
    /// interrupted; tells `progress` how many versions were looked at, and of how many. Nobody else may
    /// write to either side meanwhile: rows that do not agree at the end are an error.
    ///
    /// The new store has this one's master key, whatever key file `to` names. This side stays as it is, but
    /// for a line in its audit log.
    pub async fn migrate(
        &self,
        to: &Location,
        mut progress: impl FnMut(Checked, Checked),
    ) -> Result<Migration> {
        let keys = Some(Arc::clone(&self.vault().keys));
        let settings = (self.clock().clone(), Limits::default());
        let target = Drive::assemble(Disk::default(), to, settings, keys).await?;
        if self.vault().blobs.is_same_directory(&target.vault().blobs) {
            return Err(Error::Refused(
                "both sides would have their objects in the same directory: name another one"
                    .into(),
            ));
        }
        target.become_copy_of(&self.catalog_id().await?).await?;
        target.check_blobs().await?;
        self.administer((), |_, ()| {
            Box::pin(async { Ok(did((), Event::by_command(Act::StoreCopied))) })
        })
        .await?;
        let copied = self.copy_contents(&target, &mut progress).await?;
        target.clear().await?;
        for table in &TABLES {
            Rows::Of(self.catalog()).copy(table, target.catalog()).await?;
        }
        target.release_unused().await?;
        let counts = self.compare(&target).await?;
        target.check_keys().await?;
        target.catalog().write((), |tx, ()| Box::pin(meta::moved(tx))).await?;
        Ok(Migration { contents: copied, counts })
    }

    /// Refuses what is a store of its own already.
    async fn become_copy_of(&self, source: &str) -> Result<()> {
        self.catalog()
            .write(source.to_owned(), |tx, source| {
                Box::pin(async move {
                    if meta::moving(tx).await?.as_ref() == Some(source) {
                        return Ok(());
                    }
                    if users::exist(tx).await? || !keys::all(tx).await?.is_empty() {
                        return Err(Error::Refused(
                            "there is a store already where this one is to be copied to: name an empty \
                             database or directory"
                                .into(),
                        ));
                    }
                    meta::set_moving(tx, source).await
                })
            })
            .await
    }

    async fn copy_contents(
        &self,
        target: &Drive,
        progress: &mut impl FnMut(Checked, Checked),
    ) -> Result<u64> {
        let work = |version: File| {
            let (source, target) = (self.clone(), target.clone());
            async move {
                let done = source.copy_content(&target, &version).await;
                done.map_err(|error| name_damaged(error, &version))
            }
        };
        each_content(self.catalog(), progress, work).await
    }

    /// Copies the content of a version, unless it is there. True: it was copied.
    async fn copy_content(&self, target: &Drive, version: &File) -> Result<bool> {
        let held = version.held()?;
        let there = target
            .catalog()
            .read(&held.content, |tx, content| Box::pin(copy::has_content(tx, *content)))
            .await?;
        if there {
            return Ok(false);
        }
        let content = self.stored(version).await?;
        match &content.sealed {
            Sealed::Inline(_) => verify_content(self.vault(), version, &content).await?,
            Sealed::Objects(list) => {
                target.lease_all(list.clone(), version.owner).await?;
                for object in &list.0 {
                    self.copy_object(target, object).await?;
                }
                let arrived = verify_content(target.vault(), version, &content).await;
                if let Err(error) = arrived {
                    // What arrived otherwise than it was sent is sent again by the next attempt.
                    for object in &list.0 {
                        target.vault().blobs.remove(&object.blob, None).await?;
                    }
                    return Err(error);
                }
            }
        }
        target.insert_content(content, held.sha512).await?;
        Ok(true)
    }

    async fn lease_all(&self, objects: ObjectList, owner: UserId) -> Result<()> {
        let until = self.now().plus_seconds(LEASE_SECONDS);
        self.catalog()
            .write((objects, owner, until), |tx, (objects, owner, until)| {
                Box::pin(async move {
                    for object in &objects.0 {
                        if !contents::extend_lease(tx, &object.blob, *until).await? {
                            contents::lease(tx, &object.blob, *owner, *until).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn copy_object(&self, target: &Drive, object: &ObjectRef) -> Result<()> {
        let size = Layout::of_plain(object.size).map_err(Error::internal)?.sealed_len();
        let to = &target.vault().blobs;
        // An object is there whole or not at all, and what is in it is checked behind this.
        if to.size(&object.blob).await? == Some(size) {
            return Ok(());
        }
        let begun = target
            .catalog()
            .read(&object.blob, |tx, blob| Box::pin(contents::upload(tx, blob)))
            .await?;
        to.remove(&object.blob, begun.as_ref()).await?;
        pour(&self.vault().blobs, to, object, Some(target)).await
    }

    async fn insert_content(&self, content: StoredContent, sha512: Option<[u8; 64]>) -> Result<()> {
        self.catalog()
            .write((content, sha512), |tx, (content, sha512)| {
                Box::pin(contents::insert(tx, content, sha512.as_ref()))
            })
            .await
    }

    /// Removes what an earlier attempt left in the tables that are copied anew.
    async fn clear(&self) -> Result<()> {
        for table in TABLES.iter().rev() {
            while self.catalog().write((), move |tx, ()| Box::pin(table.remove(tx, ROWS))).await?
                > 0
            {}
        }
        Ok(())
    }

    /// Contents that an earlier attempt copied and that were removed since: the sweep takes their objects.
    async fn release_unused(&self) -> Result<()> {
        let mut behind = ContentId([0; 16]);
        loop {
            let page = self
                .catalog()
                .read(&behind, |tx, behind| Box::pin(copy::contents(tx, *behind, ROWS)))
                .await?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            self.catalog()
                .write((page, self.now()), |tx, (page, now)| {
                    Box::pin(async move {
                        for content in page {
                            contents::release(tx, *content, *now).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
            behind = last;
        }
    }

    /// Counts both sides, and compares every row of every table that was copied.
    async fn compare(&self, target: &Drive) -> Result<Vec<Copied>> {
        let mut counts = Vec::new();
        for table in &TABLES {
            let (from, to) = (self.digest(table).await?, target.digest(table).await?);
            if from != to {
                return Err(unequal(table.name));
            }
            counts.push(Copied { what: table.name, from: from.0, to: to.0 });
        }
        let (from, to) = (self.count_contents().await?, target.count_contents().await?);
        for (what, from, to) in [
            ("contents", from.0, to.0),
            ("of them inline", from.1, to.1),
            ("bytes of contents", from.2, to.2),
        ] {
            counts.push(Copied { what, from, to });
        }
        if from == to { Ok(counts) } else { Err(unequal("contents")) }
    }

    async fn count_contents(&self) -> Result<(u64, u64, u64)> {
        self.catalog().scan(&(), |tx, ()| Box::pin(copy::count_contents(tx))).await
    }

    /// How many rows a table has, and the SHA-256 of all of them.
    async fn digest(&self, table: &Table) -> Result<(u64, Vec<u8>)> {
        let mut digest = Context::new(&SHA256);
        let mut count = 0;
        let mut rows = Rows::Of(self.catalog());
        let mut page = rows.page(table, None).await?;
        while let Some(last) = page.last().cloned() {
            count += page.len() as u64;
            for row in &page {
                digest.update(format!("{row:?}\n").as_bytes());
            }
            page = rows.page(table, Some(&last)).await?;
        }
        Ok((count, digest.finish().as_ref().to_vec()))
    }
}

fn name_damaged(error: Error, version: &File) -> Error {
    match error {
        Error::Damaged { why } => Error::Refused(format!(
            "file {} {:?}, version {}, is damaged: {why}; remove it for good, and migrate again \
             (`bindery verify` names all that are damaged)",
            version.id.letters(),
            version.name,
            version.version
        )),
        error => error,
    }
}

fn unequal(what: &str) -> Error {
    Error::Refused(format!(
        "the two sides differ in their {what}: someone wrote to one of them meanwhile; stop every server \
         of both, and migrate again"
    ))
}

//! Backups: a copy of the catalog as it is at one moment, and the objects that it names, in a directory that needs
//! nothing else but the master keys to become this store again.
//!
//! First the backup is made known in the catalog, and with it a hold: until that is over, the sweep removes no
//! object. Then the catalog is copied without keeping anyone from writing; then the objects that the copy names
//! follow, but for those that an earlier backup brought. The copy is sealed under a key of its own, and the manifest,
//! which has that key wrapped, is written last. What was interrupted before it is no backup, and the next one clears it
//! away.

mod manifest;
mod sealed;
mod shelf;

pub(super) use sealed::open as open_sealed;
pub(super) use shelf::{Part, Shelf};

use super::carry::{carry, each_content};
use super::restore::restored_from;
use super::{Checked, Drive};
use crate::audit::{Act, Event, did};
use crate::catalog::backups::{self, Backup};
use crate::catalog::{Catalog, contents, keys, meta};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::vault::Vault;
use crate::vault::seal::{ContentId, DataKey};
use manifest::Manifest;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long objects are kept for a backup that gives no sign of life.
const HOLD_SECONDS: i64 = 900;
/// How long apart its signs of life are.
const HOLD_EVERY: Duration = Duration::from_secs(300);
/// Contents whose objects are listed at once.
const ROWS: i64 = 500;

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct BackedUp {
    /// What it is called.
    pub id: String,
    /// The ids of the master keys that it takes to read it.
    pub master_keys: Vec<String>,
    /// How many versions it has, and their bytes.
    pub holds: Checked,
    /// Contents whose objects were copied; the others were there, or lie in the catalog.
    pub copied: u64,
}

impl Drive {
    /// Makes a backup in a directory, which has earlier ones of this store or is new; tells `progress` how many
    /// versions were looked at, and of how many. Everything that was acknowledged before this call is in it.
    ///
    /// A content that does not verify is named, and then there is no backup: one is to be good.
    pub async fn backup(
        &self,
        target: &Path,
        mut progress: impl FnMut(Checked, Checked),
    ) -> Result<BackedUp> {
        let shelf = Shelf::open_or_make(target, &self.catalog_id().await?)?;
        let now = self.catalog().now(self.clock()).await?;
        let id = new_id(now)?;
        let row = (id.clone(), now, shelf.root());
        self.catalog()
            .write(row, |tx, (id, at, target)| {
                Box::pin(backups::begin(tx, id, *at, target, at.plus_seconds(HOLD_SECONDS)))
            })
            .await?;
        let made = self.holding(&id, self.copy_to(&shelf, (&id, now), &mut progress)).await;
        remove_snapshot(&self.snapshot_of(&id))?;
        if made.is_err()
            && let Err(error) = self.hold(&id, now).await
        {
            tracing::warn!(%error, "objects are kept a while for a backup that failed");
        }
        let made = made?;
        self.complete(id, made.master_keys.clone()).await?;
        self.clear_incomplete(&shelf).await?;
        Ok(made)
    }

    /// The backups that were made of this store, the oldest first.
    pub async fn backups(&self) -> Result<Vec<Backup>> {
        self.catalog().read(&(), |tx, ()| Box::pin(backups::all(tx))).await
    }

    /// Removes a backup, and the objects that no other one in its directory names. If it is `destroyed` already, it
    /// is only forgotten.
    pub async fn forget_backup(&self, id: &str, destroyed: bool) -> Result<()> {
        let known = self.backups().await?;
        let backup = known.into_iter().find(|backup| backup.id == id);
        let backup =
            backup.ok_or_else(|| Error::Refused(format!("no backup {id} is known here")))?;
        if !destroyed {
            let shelf = Shelf::open(Path::new(&backup.target))?;
            shelf.belongs_to(&self.catalog_id().await?)?;
            shelf.remove(id).await?;
        }
        self.administer(backup.id, |tx, id| {
            Box::pin(async move {
                backups::forget(tx, id).await?;
                Ok(did((), Event::by_command(Act::BackupForgotten).with("backup", id)))
            })
        })
        .await
    }

    async fn complete(&self, id: String, master_keys: Vec<String>) -> Result<()> {
        self.administer((id, master_keys), |tx, (id, keys)| {
            Box::pin(async move {
                backups::complete(tx, id, keys).await?;
                Ok(did((), Event::by_command(Act::BackupMade).with("backup", id)))
            })
        })
        .await
    }

    async fn forget_row(&self, id: String) -> Result<()> {
        self.catalog().write(id, |tx, id| Box::pin(backups::forget(tx, id))).await.map(drop)
    }

    /// Keeps objects from being removed for as long as `work` goes on.
    async fn holding<T>(&self, id: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(HOLD_EVERY) => {
                    let now = self.catalog().now(self.clock()).await?;
                    self.hold(id, now.plus_seconds(HOLD_SECONDS)).await?;
                }
            }
        }
    }

    pub(super) async fn hold(&self, id: &str, until: Time) -> Result<()> {
        let row = (id.to_owned(), until);
        self.catalog().write(row, |tx, (id, until)| Box::pin(backups::hold(tx, id, *until))).await
    }

    async fn copy_to(
        &self,
        shelf: &Shelf,
        (id, at): (&str, Time),
        progress: &mut impl FnMut(Checked, Checked),
    ) -> Result<BackedUp> {
        let folder = self.snapshot_of(id);
        std::fs::create_dir(&folder)?;
        let file = folder.join("catalog.db");
        self.catalog().snapshot(&file, self.clock()).await?;
        let copy = Catalog::open(&file, self.clock(), &self.0.disk)?;
        let (active, master_keys) = prepare(&copy, id).await?;
        shelf.begin(id)?;
        // The list comes before the objects, so that all which this brings are named, whatever becomes of it.
        let list = list_objects(&copy, shelf, id).await?;
        let copied = self.copy_objects(&copy, shelf, progress).await?;
        let (versions, bytes) =
            copy.read(&(), |tx, ()| Box::pin(crate::catalog::versions::totals(tx))).await?;
        let store = self.catalog_id().await?;
        // Closed, the file has all that is in its log.
        drop(copy);
        let (key, content) = (DataKey::generate(), ContentId::unique());
        let to = shelf.path(id, Part::Catalog);
        let with = key.clone();
        let sealing = tokio::task::spawn_blocking(move || sealed::seal(&file, &to, &with, content));
        let catalog = (content, sealing.await.map_err(Error::internal)??);
        let manifest = Manifest {
            store,
            id: id.to_owned(),
            at,
            catalog,
            list,
            master_keys: master_keys.clone(),
        };
        let row = (id.to_owned(), master_keys.clone());
        self.catalog()
            .write(row, |tx, (id, keys)| Box::pin(backups::note_keys(tx, id, keys)))
            .await?;
        shelf.finish(id, &manifest.encode(&self.vault().keys, &active, &key)?)?;
        let holds = Checked { versions, bytes };
        Ok(BackedUp { id: id.to_owned(), master_keys, holds, copied })
    }

    async fn copy_objects(
        &self,
        copy: &Catalog,
        shelf: &Shelf,
        progress: &mut impl FnMut(Checked, Checked),
    ) -> Result<u64> {
        let to = Vault::new(shelf.blobs.clone(), Arc::clone(&self.vault().keys));
        let to = Arc::new(to);
        let damaged = Arc::new(Mutex::new(Vec::new()));
        let copied = each_content(copy, progress, |version| {
            let (from, to, damaged) = (self.clone(), Arc::clone(&to), Arc::clone(&damaged));
            async move {
                match carry(from.vault(), &to, &version).await {
                    Err(Error::Damaged { why }) => {
                        let (file, number) = (version.id.letters(), version.version);
                        let line =
                            format!("file {file} {:?}, version {number}: {why}", version.name);
                        damaged.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                        Ok(false)
                    }
                    carried => carried,
                }
            }
        })
        .await?;
        let damaged = std::mem::take(&mut *damaged.lock().unwrap_or_else(PoisonError::into_inner));
        if damaged.is_empty() {
            return Ok(copied);
        }
        Err(Error::Refused(format!(
            "there is no backup, because these are damaged: put their objects back, or remove them for good\n{}",
            damaged.join("\n")
        )))
    }

    /// What other runs left in the directory goes, once there is a backup that has what of it is still needed; one
    /// that was interrupted behind its last file is a backup, and known as one from here on.
    async fn clear_incomplete(&self, shelf: &Shelf) -> Result<()> {
        for (id, complete) in shelf.all()? {
            if !complete {
                shelf.remove(&id).await?;
            }
        }
        let there = shelf.all()?;
        for backup in self.backups().await? {
            if backup.target != shelf.root() || backup.is_complete() {
                continue;
            }
            remove_snapshot(&self.snapshot_of(&backup.id))?;
            if !there.iter().any(|(id, _)| *id == backup.id) {
                self.forget_row(backup.id).await?;
                continue;
            }
            match shelf.manifest(&backup.id) {
                Ok(found) => {
                    shelf.sync(&backup.id)?;
                    self.complete(backup.id, found.manifest.master_keys).await?;
                }
                Err(error) => tracing::warn!(%error, "a backup is not known as completed"),
            }
        }
        Ok(())
    }

    /// Removes the copies of the catalog, which are in clear, of backups that came to no end on this machine.
    pub(crate) async fn drop_snapshots(&self, now: Time) -> Result<()> {
        for backup in self.backups().await? {
            if backup.hold.is_some_and(|hold| hold <= now) {
                remove_snapshot(&self.snapshot_of(&backup.id))?;
            }
        }
        Ok(())
    }

    /// Where the copy of the catalog is made: beside the catalog, and not in the backup, since it is in clear.
    fn snapshot_of(&self, id: &str) -> PathBuf {
        self.0.data.join(format!("backup-{id}.part"))
    }
}

fn remove_snapshot(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Ids are in the order in which the backups were made.
fn new_id(now: Time) -> Result<String> {
    let at = jiff::Timestamp::from_microsecond(now.0).map_err(Error::internal)?;
    let random = u32::from_be_bytes(super::account::random_bytes());
    Ok(format!("{}-{random:08x}", at.strftime("%Y%m%dT%H%M%S%.6f")))
}

/// Makes a copy of the catalog what it is to be where it is restored; the key that wraps, and all keys that are needed.
async fn prepare(copy: &Catalog, id: &str) -> Result<(String, Vec<String>)> {
    let prepared = copy.write(id.to_owned(), |tx, id| {
        Box::pin(async move {
            let unknown = || Error::internal("the catalog has no active master key");
            let active = keys::active(tx).await?.ok_or_else(unknown)?;
            let mut needed = keys::in_use(tx).await?;
            if !needed.contains(&active) {
                needed.push(active.clone());
            }
            contents::forget_unused(tx).await?;
            backups::complete(tx, id, &needed).await?;
            meta::set_moving(tx, &restored_from(id)).await?;
            Ok((active, needed))
        })
    });
    prepared.await
}

async fn list_objects(copy: &Catalog, shelf: &Shelf, id: &str) -> Result<[u8; 32]> {
    let mut list = shelf.list(id)?;
    let mut behind = ContentId([0; 16]);
    loop {
        let page =
            copy.read(&behind, |tx, behind| Box::pin(contents::objects(tx, *behind, ROWS))).await?;
        let Some((last, _)) = page.last() else { return list.finish() };
        behind = *last;
        for (_, objects) in &page {
            list.push(objects)?;
        }
    }
}

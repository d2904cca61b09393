//! Restoring a backup into a directory: its copy of the catalog is opened, then come the objects, each content opened
//! where it arrives. Until all of that is good the catalog says that it is incomplete, and no command opens the store.

use super::backup::{Part, Shelf, open_sealed};
use super::carry::{carry, each_content};
use super::inspect::verify_content;
use super::{Checked, Drive, Limits, Location};
use crate::catalog::files::File;
use crate::catalog::meta;
use crate::clock::{Clock, Time};
use crate::disk::{Disk, sync_directory};
use crate::error::{Error, Result};
use crate::vault::Vault;
use crate::vault::keys::Keyring;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What may lie in a directory before a store is restored into it: the key file, and what held the directory.
const LOCK: &str = "serve.lock";
const CATALOG_PART: &str = "catalog.db.part";

/// How the catalog calls where it is being restored from.
pub(super) fn restored_from(backup: &str) -> String {
    format!("backup {backup}")
}

/// Whether it is a backup that an incomplete catalog comes from.
pub(super) fn is_restored(from: &str) -> bool {
    from.starts_with("backup ")
}

/// What became of a restore.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Which backup it was.
    pub id: String,
    /// When that was begun: what was acknowledged before is there.
    pub at: Time,
    /// How many versions there are, and their bytes.
    pub holds: Checked,
    /// What is damaged in the backup, by the names of its files. Unless that was accepted, nothing opens the store.
    pub damaged: Vec<String>,
}

impl Drive {
    /// Restores a backup, the latest unless one is named, into a directory without a store; `progress` is told how
    /// many versions were looked at, and of how many. What was interrupted goes on where it was.
    pub async fn restore_backup(
        from: &Path,
        id: Option<&str>,
        to: &Location,
        clock: Clock,
        accept_damage: bool,
        mut progress: impl FnMut(Checked, Checked),
    ) -> Result<Restored> {
        if to.database.is_some() || to.blobs.is_some() {
            return Err(Error::Refused(
                "a backup is restored into a directory: name one, and then `bindery migrate` the store from there"
                    .into(),
            ));
        }
        let shelf = Shelf::open_to_read(from)?;
        let id = choose(&shelf, id)?;
        let read = shelf.manifest(&id)?;
        let keys = Arc::new(Keyring::load(&to.key_file())?);
        let key = read.open(&keys).map_err(|error| match error {
            Error::Damaged { why } => shelf.damaged(&id, Part::Manifest, &why),
            error => error,
        })?;
        let manifest = read.manifest;
        shelf.check(&manifest)?;
        check_empty(to)?;
        if !to.catalog().exists() {
            let (sealed, part) = (shelf.path(&id, Part::Catalog), to.data.join(CATALOG_PART));
            // What an interrupted run left of one.
            let _left = std::fs::remove_file(&part);
            let (opened, catalog) = (part.clone(), manifest.catalog);
            let opening =
                tokio::task::spawn_blocking(move || open_sealed(&sealed, &opened, &key, catalog));
            if let Err(error) = opening.await.map_err(Error::internal)? {
                let _left = std::fs::remove_file(&part);
                return Err(match error {
                    Error::Damaged { why } => shelf.damaged(&id, Part::Catalog, &why),
                    error => error,
                });
            }
            std::fs::rename(&part, to.catalog())?;
            sync_directory(&to.data)?;
        }
        let operated = (clock, Limits::default());
        let drive = Drive::assemble(Disk::default(), to, operated, Some(Arc::clone(&keys))).await?;
        drive.comes_from(&id).await?;
        let from = Arc::new(Vault::new(shelf.blobs.clone(), keys));
        let damaged = drive.bring_all(&from, &mut progress).await?;
        let holds = drive.totals().await?;
        if damaged.is_empty() || accept_damage {
            drive.check_keys().await?;
            drive.catalog().write((), |tx, ()| Box::pin(meta::moved(tx))).await?;
        }
        Ok(Restored { id, at: manifest.at, holds, damaged })
    }

    /// Refuses to go on with what is not an interrupted restore of this backup.
    async fn comes_from(&self, id: &str) -> Result<()> {
        let moving = self.catalog().read(&(), |tx, ()| Box::pin(meta::moving(tx))).await?;
        if moving.as_deref() != Some(&*restored_from(id)) {
            return Err(Error::Refused(format!(
                "there is a store in {} already: name an empty directory",
                self.0.data.display()
            )));
        }
        match self.catalog().faults().await?.first() {
            None => Ok(()),
            Some(fault) => Err(Error::Refused(format!("the catalog is damaged: {fault}"))),
        }
    }

    /// Brings the objects of all versions, and opens every content; what is damaged, in the words of the backup.
    async fn bring_all(
        &self,
        from: &Arc<Vault>,
        progress: &mut impl FnMut(Checked, Checked),
    ) -> Result<Vec<String>> {
        let damaged = Arc::new(Mutex::new(Vec::new()));
        each_content(self.catalog(), progress, |version| {
            let (drive, from, damaged) = (self.clone(), Arc::clone(from), Arc::clone(&damaged));
            async move {
                match drive.bring(&from, &version).await {
                    Err(Error::Damaged { why }) => {
                        damaged
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(describe(&version, &why));
                        Ok(false)
                    }
                    brought => brought,
                }
            }
        })
        .await?;
        Ok(std::mem::take(&mut *damaged.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn bring(&self, from: &Vault, version: &File) -> Result<bool> {
        let brought = carry(from, self.vault(), version).await?;
        if !brought {
            // It lies in the catalog, or an earlier attempt brought it: in neither case it was opened.
            verify_content(self.vault(), version, &self.stored(version).await?).await?;
        }
        Ok(brought)
    }
}

/// The objects of a content that does not verify, and whose it is.
fn describe(version: &File, why: &str) -> String {
    let listed = version.objects().into_iter().flat_map(|objects| &objects.0);
    let mut objects: Vec<_> = listed.map(|object| format!("objects/{}", object.blob)).collect();
    if objects.is_empty() {
        objects.push("catalog".into());
    }
    let (file, number) = (version.id.letters(), version.version);
    format!("{} (file {file} {:?}, version {number}): {why}", objects.join(", "), version.name)
}

/// The backup that is wanted, if it is there and was completed.
fn choose(shelf: &Shelf, wanted: Option<&str>) -> Result<String> {
    let all = shelf.all()?;
    let complete = all.iter().filter(|(_, complete)| *complete).map(|(id, _)| id);
    let found = match wanted {
        Some(wanted) => complete.into_iter().find(|id| *id == wanted),
        None => complete.into_iter().next_back(),
    };
    if let Some(found) = found {
        return Ok(found.clone());
    }
    let named = wanted.map(str::to_owned).or_else(|| all.last().map(|(id, _)| id.clone()));
    Err(match named.filter(|named| all.iter().any(|(id, _)| id == named)) {
        Some(id) => {
            shelf.damaged(&id, Part::Manifest, "it is not there, so this backup was not completed")
        }
        None => Error::Refused("there is no such backup".into()),
    })
}

/// Makes the directory, or sees that nothing is in it but the key file and what an interrupted restore left.
fn check_empty(to: &Location) -> Result<()> {
    if to.catalog().exists() {
        return Ok(());
    }
    if !to.data.is_dir() {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&to.data)?;
        sync_directory(to.data.parent().unwrap_or(Path::new(".")))?;
        return Ok(());
    }
    let known = [to.key_file(), to.data.join(LOCK), to.data.join(CATALOG_PART)];
    let known: Vec<_> = known.iter().filter_map(|path| path.canonicalize().ok()).collect();
    for entry in std::fs::read_dir(&to.data)? {
        if !known.contains(&entry?.path().canonicalize()?) {
            let shown = to.data.display();
            return Err(Error::Refused(format!("{shown} is not empty: name an empty directory")));
        }
    }
    Ok(())
}

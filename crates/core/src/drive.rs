//! The one handle that every front-end holds. Each operation of the domain is one method, in the
//! file of its kind: what it checks, in which transaction, and in which order things become durable.

mod account;
mod arrange;
mod browse;
mod download;
mod inspect;
mod upload;

#[cfg(test)]
mod tests;

pub use account::{NewToken, NewUser};
pub use arrange::Change;
pub use browse::{Beside, Cursor, List, ListPage, PageNumber};
pub use download::{Download, DownloadBody};
pub use inspect::{Checked, Damage, Inspection, StoredObject};
pub use upload::{Upload, UploadEnd};

use crate::access::Caller;
use crate::catalog::users::{self, User};
use crate::catalog::{Catalog, meta};
use crate::clock::{Clock, Time};
use crate::error::{Error, Result};
use crate::vault::Vault;
use crate::vault::blobs::{Blobs, sync_directory};
use crate::vault::keys::Keyring;
use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a store is.
#[derive(Clone, Debug)]
pub struct Location {
    /// The data directory: `catalog.db` and `objects/`.
    pub data: PathBuf,
    /// The master key file, if it is not `master.key` in the data directory.
    pub key_file: Option<PathBuf>,
}

impl Location {
    fn catalog(&self) -> PathBuf {
        self.data.join("catalog.db")
    }

    /// The master key file.
    pub fn key_file(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.data.join("master.key"))
    }
}

/// A store of users and files. Cheap to clone; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Drive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    catalog: Catalog,
    vault: Vault,
    clock: Clock,
    /// Tokens used since they were last written down, and when.
    tokens_used: Mutex<HashMap<[u8; 32], Time>>,
}

impl Drive {
    /// Opens a store, or makes one where there is neither a catalog nor a key.
    ///
    /// Refuses, with a sentence that says what to do: a catalog without its master key or with
    /// another one, a key file that others can read, a schema newer than this binary.
    pub async fn open(location: &Location, clock: Clock) -> Result<Self> {
        let (catalog_file, key_file) = (location.catalog(), location.key_file());
        let known = catalog_file.exists();
        if !location.data.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&location.data)?;
            sync_directory(location.data.parent().unwrap_or(Path::new(".")))?;
        }
        // The key is durable before the first thing that needs it.
        let keys = if known || key_file.exists() {
            Keyring::load(&key_file)?
        } else {
            Keyring::create(&key_file)?
        };
        let catalog = Catalog::open(&catalog_file, &clock)?;
        sync_directory(&location.data)?;
        let blobs = Blobs::open(&location.data.join("objects"))?;
        let vault = Vault::new(blobs, keys);
        let drive = Drive(Arc::new(Inner { catalog, vault, clock, tokens_used: Mutex::default() }));
        drive.check_keys().await?;
        Ok(drive)
    }

    /// Whose credentials these are.
    pub async fn identify(&self, caller: &Caller) -> Result<User> {
        let now = self.now();
        let input = (caller.clone(), now);
        let user = self
            .catalog()
            .read(&input, |tx, (caller, now)| Box::pin(crate::access::identify(tx, caller, *now)))
            .await?;
        self.note_use(caller, now);
        Ok(user)
    }

    /// Where this store takes the time from.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn now(&self) -> Time {
        self.0.clock.now()
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Whether there is any user yet.
    pub async fn has_users(&self) -> Result<bool> {
        self.catalog().read(&(), |tx, ()| Box::pin(users::exist(tx))).await
    }

    /// Every key that the catalog knows must be in the key file; a new store's key is made known.
    async fn check_keys(&self) -> Result<()> {
        let keys = Arc::clone(&self.vault().keys);
        let input = (keys, self.now());
        self.catalog()
            .write(input, |tx, (keys, now)| {
                Box::pin(async move {
                    let known = meta::master_keys(tx).await?;
                    if known.is_empty() {
                        let canary = keys.canary(keys.active())?;
                        return meta::insert_master_key(tx, keys.active(), &canary, *now).await;
                    }
                    for (id, canary) in known {
                        if !keys.knows(&id, &canary) {
                            return Err(Error::Refused(format!(
                                "the master key file does not hold key {id} of this catalog: put back \
                                 the key file that was made with it"
                            )));
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    fn note_use(&self, caller: &Caller, at: Time) {
        let mut used = self.0.tokens_used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(*caller.token_hash(), at);
    }
}

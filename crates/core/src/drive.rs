//! The one handle that every front-end holds. Each operation of the domain is one method, in the
//! file of its kind: what it checks, in which transaction, and in which order things become durable.

mod account;
mod across;
mod arrange;
mod audit;
mod backup;
mod browse;
mod buckets;
mod carry;
mod download;
mod entries;
mod figures;
mod folders;
mod inspect;
mod limits;
mod migrate;
mod names;
mod once;
mod restore;
mod rotate;
mod share;
mod sign_in;
mod trash;
mod underway;
mod upload;
mod versions;

#[cfg(test)]
mod tests;

pub use account::{Account, NewToken, NewUser};
pub use across::{Change as NodeChange, Changes, Search};
pub use arrange::Change;
pub use audit::{AuditRecord, AuditReport};
pub use backup::BackedUp;
pub use browse::{Beside, Cursor, List, ListPage, PageNumber};
pub use download::{Download, DownloadBody};
pub use figures::Figures;
pub use inspect::{Checked, Damage, Inspection, StoredObject};
pub use limits::{Limits, Rate};
pub use migrate::{Copied, Migration};
pub use restore::Restored;
pub use rotate::{OldKey, Rotated};
pub(crate) use trash::purge_file;
pub use trash::{DeleteFile, DeleteFolder};
pub(crate) use underway::Uploads;
pub use upload::{Base, OnTaken, Target, Upload, UploadEnd};

use crate::access::{Caller, Credential};
use crate::catalog::users::{self, User};
use crate::catalog::{Catalog, Database, keys, meta};
use crate::clock::{Clock, Time};
use crate::disk::{Disk, sync_directory};
use crate::error::{Error, Result};
use crate::vault::blobs::Blobs;
use crate::vault::keys::Keyring;
use crate::vault::{Service, Vault};
use limits::Admission;
use sign_in::{REMEMBERED_SECONDS, SignIns, lock};
use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use upload::active_key;

/// Where a store is.
#[derive(Clone, Debug)]
pub struct Location {
    /// The data directory: `catalog.db` and `objects/`.
    pub data: PathBuf,
    /// The master key file, if it is not `master.key` in the data directory.
    pub key_file: Option<PathBuf>,
    /// Where objects are stored, if not in the data directory: `s3://bucket/prefix`, `gs://…`, `az://…`.
    pub blobs: Option<String>,
    /// How the service that stores them is asked.
    pub service: Service,
    /// The catalog's database, if it is not embedded in the data directory.
    pub database: Option<Database>,
}

impl Location {
    /// Everything in one directory.
    pub fn directory(data: impl Into<PathBuf>) -> Self {
        Location {
            data: data.into(),
            key_file: None,
            blobs: None,
            service: Service::default(),
            database: None,
        }
    }

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
    disk: Disk,
    /// The data directory.
    data: PathBuf,
    clock: Clock,
    opened: Time,
    admission: Admission,
    /// Which of the nodes that share a catalog this is: drawn at each start.
    node: u64,
    /// Tokens used since they were last written down, and when.
    tokens_used: Mutex<HashMap<[u8; 32], Time>>,
    sign_ins: Arc<SignIns>,
    pending: audit::Pending,
    uploads: Uploads,
    /// Units that were written when names were last indexed.
    units_seen: AtomicU64,
}

impl Drive {
    /// Opens a store, or makes one where there is neither a catalog nor a key.
    ///
    /// Refuses, with a sentence that says what to do: a catalog without its master key or with
    /// another one, a key file that others can read, a schema newer than this binary.
    pub async fn open(location: &Location, clock: Clock) -> Result<Self> {
        Drive::open_limited(location, clock, Limits::default()).await
    }

    /// As [`Drive::open`], with limits.
    pub async fn open_limited(location: &Location, clock: Clock, limits: Limits) -> Result<Self> {
        Drive::open_on(Disk::default(), location, clock, limits).await
    }

    /// On a disk that a test may watch.
    async fn open_on(
        disk: Disk,
        location: &Location,
        clock: Clock,
        limits: Limits,
    ) -> Result<Self> {
        let drive = Drive::assemble(disk, location, (clock, limits), None).await?;
        drive.check_whole().await?;
        drive.check_keys().await?;
        drive.check_blobs().await?;
        Ok(drive)
    }

    /// A store of its parts, none of which is made to fit another yet; its keys are those in its key
    /// file, unless they are given.
    async fn assemble(
        disk: Disk,
        location: &Location,
        (clock, limits): (Clock, Limits),
        keys: Option<Arc<Keyring>>,
    ) -> Result<Self> {
        let (catalog_file, key_file) = (location.catalog(), location.key_file());
        if !location.data.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&location.data)?;
            sync_directory(location.data.parent().unwrap_or(Path::new(".")))?;
        }
        let server = match &location.database {
            Some(database) => Some(Catalog::open_server(database, &clock, &disk).await?),
            None => None,
        };
        let known = match &server {
            Some(catalog) => has_keys(catalog).await?,
            None => catalog_file.exists(),
        };
        // The key is durable before the first thing that needs it.
        let keys = match keys {
            Some(keys) => keys,
            None if known || key_file.exists() => Arc::new(Keyring::load(&key_file)?),
            None => Arc::new(Keyring::create(&key_file)?),
        };
        let catalog = match server {
            Some(catalog) => catalog,
            None => Catalog::open(&catalog_file, &clock, &disk)?,
        };
        sync_directory(&location.data)?;
        let blobs = match &location.blobs {
            Some(url) => Blobs::open_url(url, &location.service)?,
            None => Blobs::open(&location.data.join("objects"), disk.clone())?,
        };
        let vault = Vault::new(blobs, keys);
        Ok(Drive(Arc::new(Inner {
            catalog,
            vault,
            disk,
            data: location.data.clone(),
            opened: clock.now(),
            clock,
            admission: Admission::new(limits),
            node: u64::from_be_bytes(account::random_bytes()),
            tokens_used: Mutex::default(),
            sign_ins: Arc::default(),
            pending: audit::Pending::default(),
            uploads: Uploads::default(),
            units_seen: AtomicU64::new(0),
        })))
    }

    /// Whose credentials these are.
    pub async fn identify(&self, caller: &Caller) -> Result<User> {
        let now = self.now();
        let input = (caller.clone(), now);
        let user = self
            .catalog()
            .look_up(&input, |tx, (caller, now)| {
                Box::pin(crate::access::identify(tx, caller, *now))
            })
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

    pub(crate) fn node(&self) -> u64 {
        self.0.node
    }

    /// Whether the catalog and the store of objects can be reached now.
    pub async fn ready(&self) -> Result<()> {
        self.has_users().await?;
        self.vault().blobs.ready().await
    }

    /// Whether this process may still write: it does not once a sync has failed. It still reads, and is to
    /// end with an error.
    pub fn may_write(&self) -> Result<()> {
        self.0.disk.may_write()
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    /// Whether there is any user yet.
    pub async fn has_users(&self) -> Result<bool> {
        self.catalog().read(&(), |tx, ()| Box::pin(users::exist(tx))).await
    }

    /// Every key that the catalog knows must be in the key file; a new store's key is made known.
    async fn check_keys(&self) -> Result<()> {
        let ring = Arc::clone(&self.vault().keys);
        let input = (ring, self.now());
        self.catalog()
            .write(input, |tx, (ring, now)| {
                Box::pin(async move {
                    let known = keys::all(tx).await?;
                    if known.is_empty() {
                        let active = ring.active();
                        return keys::activate(tx, &active, &ring.canary(&active)?, *now).await;
                    }
                    for (id, canary) in known {
                        if !ring.knows(&id, &canary) {
                            return Err(Error::Refused(format!(
                                "the master key file does not hold key {id} of this catalog: put back \
                                 the key file that was made with it"
                            )));
                        }
                    }
                    active_key(tx, ring).await.map(drop)
                })
            })
            .await
    }

    /// Two catalogs must not share objects: each would remove what only the other one knows.
    async fn check_blobs(&self) -> Result<()> {
        self.vault().blobs.belong_to(&self.catalog_id().await?).await
    }

    /// What tells this store's catalog from every other one.
    async fn catalog_id(&self) -> Result<String> {
        let fresh = uuid::Uuid::new_v4().simple().to_string();
        match self.catalog().read(&(), |tx, ()| Box::pin(meta::id(tx))).await? {
            Some(id) => Ok(id),
            None => self.catalog().write(fresh, |tx, id| Box::pin(meta::set_id(tx, id))).await,
        }
    }

    /// A store that is only half here is not to be used.
    async fn check_whole(&self) -> Result<()> {
        match self.catalog().read(&(), |tx, ()| Box::pin(meta::moving(tx))).await? {
            None => Ok(()),
            Some(from) if restore::is_restored(&from) => Err(Error::Refused(
                "this store is being restored and is not complete: run `bindery restore` again"
                    .into(),
            )),
            Some(_) => Err(Error::Refused(
                "this store is being migrated to and is not complete: run `bindery migrate` again \
                 where it comes from"
                    .into(),
            )),
        }
    }

    /// Whether the caller's credentials were good within the last minute: more than that only the catalog knows.
    fn was_known(&self, caller: &Caller) -> bool {
        match &caller.shown {
            Credential::Token(hash) => {
                let used = lock(&self.0.tokens_used).get(hash).copied();
                let ago = used.map(|used| self.now().seconds() - used.seconds());
                ago.is_some_and(|ago| (0..REMEMBERED_SECONDS).contains(&ago))
            }
            // It was verified for no longer than that.
            Credential::Password { .. } => true,
            Credential::Link(_) => false,
        }
    }

    fn note_use(&self, caller: &Caller, at: Time) {
        let Credential::Token(hash) = &caller.shown else {
            return;
        };
        lock(&self.0.tokens_used).insert(*hash, at);
    }
}

async fn has_keys(catalog: &Catalog) -> Result<bool> {
    let known = catalog.read(&(), |tx, ()| Box::pin(keys::all(tx))).await?;
    Ok(!known.is_empty())
}

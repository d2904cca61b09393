//! The master keys: a file of the operator's. Whoever holds it and the store can read
//! everything, so it is readable by its owner alone, and losing it loses every content.

use super::attest::Attestor;
use super::seal::{DataKey, MasterKey, SealError};
use crate::disk::sync_directory;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use zeroize::Zeroizing;

const FIRST_LINE: &str = "bindery master keys v1";
const CANARY_CONTEXT: &[u8] = b"bindery-canary-v1\0";

/// The master keys by id. Which of them wraps is the catalog's to say; a key that it does not know yet is only
/// prepared. An id that is not among them is looked for in the file again, which may have got it since.
#[derive(Debug)]
pub(crate) struct Keyring {
    path: PathBuf,
    held: RwLock<Held>,
}

#[derive(Clone, Debug)]
struct Held {
    keys: Vec<(String, MasterKey)>,
    /// The one that wraps, as far as this process has heard.
    active: String,
}

impl Keyring {
    /// Makes a key file with one key. Durable when it returns; never replaces a file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let keys = vec![(random_id(), MasterKey::generate())];
        let mut file = new_file(path).map_err(|error| {
            Error::Refused(format!("cannot make the key file {}: {error}", path.display()))
        })?;
        file.write_all(encode(&keys).as_bytes())?;
        file.sync_all()?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Keyring::of(path, keys))
    }

    /// Reads a key file that its owner alone can read.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        Ok(Keyring::of(path, read(path)?))
    }

    fn of(path: &Path, keys: Vec<(String, MasterKey)>) -> Self {
        let active = keys.last().map(|(id, _)| id.clone()).unwrap_or_default();
        Keyring { path: path.to_owned(), held: RwLock::new(Held { keys, active }) }
    }

    /// The id of the key that wraps, as far as this process has heard.
    pub(crate) fn active(&self) -> String {
        self.held().active.clone()
    }

    /// Notes which key wraps, as the catalog says.
    pub(crate) fn set_active(&self, id: &str) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.active != id {
            id.clone_into(&mut held.active);
        }
    }

    /// The id of the last key of the file, which is the newest.
    pub(crate) fn newest(&self) -> Option<String> {
        self.held().keys.last().map(|(id, _)| id.clone())
    }

    /// What vouches under key `id`, if the file holds it.
    pub(crate) fn attestor(&self, id: &str) -> Option<Attestor> {
        self.find(id).map(|key| Attestor::of(&key))
    }

    /// The same of each key that this process holds, by the key's id.
    pub(crate) fn attestors(&self) -> Vec<(String, Attestor)> {
        self.held().keys.iter().map(|(id, key)| (id.clone(), Attestor::of(key))).collect()
    }

    /// Adds a new key to the file, behind the others. Durable when it returns; its id.
    pub(crate) fn add(&self) -> Result<String> {
        let id = random_id();
        self.rewrite(|keys| keys.push((id.clone(), MasterKey::generate())))?;
        Ok(id)
    }

    /// Removes a key from the file; durable when it returns.
    pub(crate) fn remove(&self, id: &str) -> Result<()> {
        self.rewrite(|keys| keys.retain(|(known, _)| known != id))
    }

    /// Reads the file anew, and puts it in place as it is to be.
    fn rewrite(&self, change: impl FnOnce(&mut Vec<(String, MasterKey)>)) -> Result<()> {
        let mut keys = read(&self.path)?;
        change(&mut keys);
        let part = self.path.with_added_extension("part");
        let at = self.path.display();
        let refuse = |error| Error::Refused(format!("cannot write the key file {at}: {error}"));
        // What an interrupted run left of one.
        let _left = std::fs::remove_file(&part);
        let mut file = new_file(&part).map_err(refuse)?;
        file.write_all(encode(&keys).as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)?;
        std::fs::rename(&part, &self.path).map_err(refuse)?;
        sync_directory(self.path.parent().unwrap_or(Path::new(".")))?;
        self.held.write().unwrap_or_else(PoisonError::into_inner).keys = keys;
        Ok(())
    }

    /// Wraps a data key under key `id`.
    pub(crate) fn wrap(
        &self,
        id: &str,
        context: &[u8],
        key: &DataKey,
    ) -> Result<[u8; super::seal::WRAPPED_KEY_LEN]> {
        Ok(self.find(id).ok_or_else(|| not_held(id))?.wrap_key(context, key))
    }

    /// Unwraps a data key that was wrapped under key `id`.
    pub(crate) fn unwrap(&self, id: &str, context: &[u8], wrapped: &[u8]) -> Result<DataKey> {
        let master = self.find(id).ok_or_else(|| Error::Damaged {
            why: format!("its key is wrapped under master key {id}, which is not in the key file"),
        })?;
        master.unwrap_key(context, wrapped).map_err(|error: SealError| Error::Damaged {
            why: format!("its wrapped key does not verify: {error}"),
        })
    }

    /// What the catalog keeps to know a key again.
    pub(crate) fn canary(&self, id: &str) -> Result<Vec<u8>> {
        let master = self.find(id).ok_or_else(|| Error::internal("a canary of an unknown key"))?;
        Ok(master.wrap_key(&canary_context(id), &DataKey::from_bytes([0; 32])).to_vec())
    }

    /// Whether there is a key `id`.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    /// Whether `canary` was made by this key file's key `id`.
    pub(crate) fn knows(&self, id: &str, canary: &[u8]) -> bool {
        self.find(id).is_some_and(|key| key.unwrap_key(&canary_context(id), canary).is_ok())
    }

    fn find(&self, id: &str) -> Option<MasterKey> {
        if let Some(key) = self.held().find(id) {
            return Some(key);
        }
        let keys = read(&self.path)
            .inspect_err(|error| tracing::warn!(%error, "a master key is unknown"))
            .ok()?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.keys = keys;
        held.find(id)
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn find(&self, id: &str) -> Option<MasterKey> {
        self.keys.iter().find(|(known, _)| known == id).map(|(_, key)| key.clone())
    }
}

/// Another process made a key the one that wraps, and this one's file was not brought up to date.
pub(crate) fn not_held(id: &str) -> Error {
    let why = format!(
        "the key file does not hold master key {id}: copy here that of the node where it was rotated, \
         no restart is needed"
    );
    Error::Unavailable(why.into())
}

fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn read(path: &Path) -> Result<Vec<(String, MasterKey)>> {
    let at = path.display();
    let refuse = |why: String| Error::Refused(format!("the master key file {at} {why}"));
    let metadata = std::fs::metadata(path).map_err(|error| {
        refuse(format!("cannot be read ({error}): put it back, nothing can be read without it"))
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(refuse(format!("can be read by others than its owner: chmod 600 {at}")));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path)?);
    decode(&text).ok_or_else(|| {
        refuse("is not in the form that Bindery writes: put the right one back".into())
    })
}

fn encode(keys: &[(String, MasterKey)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{FIRST_LINE}\n"));
    for (id, key) in keys {
        let key = Zeroizing::new(BASE64_STANDARD.encode(key.as_bytes()));
        for piece in [id, " ", &key, "\n"] {
            text.push_str(piece);
        }
    }
    text
}

fn decode(text: &str) -> Option<Vec<(String, MasterKey)>> {
    let mut lines = text.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let key = |line: &str| {
        let (id, key) = line.split_once(' ')?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(key).ok()?);
        Some((id.to_owned(), MasterKey::from_bytes(bytes.as_slice().try_into().ok()?)))
    };
    let keys: Vec<_> = lines.map(key).collect::<Option<_>>()?;
    (!keys.is_empty()).then_some(keys)
}

fn canary_context(id: &str) -> Vec<u8> {
    [CANARY_CONTEXT, id.as_bytes()].concat()
}

fn random_id() -> String {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system provides randomness");
    format!("{:08x}", u32::from_be_bytes(bytes))
}

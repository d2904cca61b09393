//! The master keys: a file of the operator's, read at start. Whoever holds it and the store can read
//! everything, so it is readable by its owner alone, and losing it loses every content.

use super::attest::Attestor;
use super::seal::{DataKey, MasterKey, SealError};
use crate::disk::sync_directory;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

const FIRST_LINE: &str = "bindery master keys v1";
const CANARY_CONTEXT: &[u8] = b"bindery-canary-v1\0";

/// The master keys by id; the last of the file is the one that wraps.
#[derive(Debug)]
pub(crate) struct Keyring {
    keys: Vec<(String, MasterKey)>,
}

impl Keyring {
    /// Makes a key file with one key. Durable when it returns; never replaces a file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let keyring = Keyring { keys: vec![(random_id(), MasterKey::generate())] };
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| {
                Error::Refused(format!("cannot make the key file {}: {error}", path.display()))
            })?;
        file.write_all(keyring.encode().as_bytes())?;
        file.sync_all()?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))?;
        Ok(keyring)
    }

    /// Reads a key file that its owner alone can read.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let at = path.display();
        let refuse = |why: String| Error::Refused(format!("the master key file {at} {why}"));
        let metadata = std::fs::metadata(path).map_err(|error| {
            refuse(format!("cannot be read ({error}): put it back, nothing can be read without it"))
        })?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(refuse(format!("can be read by others than its owner: chmod 600 {at}")));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        Self::decode(&text).ok_or_else(|| {
            refuse("is not in the form that Bindery writes: put the right one back".into())
        })
    }

    /// The id of the key that wraps.
    pub(crate) fn active(&self) -> &str {
        &self.keys[self.keys.len() - 1].0
    }

    /// What vouches under the active key.
    pub(crate) fn active_attestor(&self) -> Attestor {
        Attestor::of(&self.keys[self.keys.len() - 1].1)
    }

    /// What vouches under each key, by the key's id.
    pub(crate) fn attestors(&self) -> impl Iterator<Item = (&str, Attestor)> {
        self.keys.iter().map(|(id, key)| (id.as_str(), Attestor::of(key)))
    }

    /// Wraps a data key under the active key.
    pub(crate) fn wrap(&self, context: &[u8], key: &DataKey) -> [u8; super::seal::WRAPPED_KEY_LEN] {
        self.keys[self.keys.len() - 1].1.wrap_key(context, key)
    }

    /// Unwraps a data key that was wrapped under key `id`.
    pub(crate) fn unwrap(&self, id: &str, context: &[u8], wrapped: &[u8]) -> Result<DataKey> {
        let (_, master) =
            self.keys.iter().find(|(known, _)| known == id).ok_or_else(|| Error::Damaged {
                why: format!(
                    "its key is wrapped under master key {id}, which is not in the key file"
                ),
            })?;
        master.unwrap_key(context, wrapped).map_err(|error: SealError| Error::Damaged {
            why: format!("its wrapped key does not verify: {error}"),
        })
    }

    /// What the catalog keeps to know a key again.
    pub(crate) fn canary(&self, id: &str) -> Result<Vec<u8>> {
        let (_, master) = self
            .keys
            .iter()
            .find(|(known, _)| known == id)
            .ok_or_else(|| Error::internal("a canary of an unknown key"))?;
        Ok(master.wrap_key(&canary_context(id), &DataKey::from_bytes([0; 32])).to_vec())
    }

    /// Whether `canary` was made by this key file's key `id`.
    pub(crate) fn knows(&self, id: &str, canary: &[u8]) -> bool {
        self.keys
            .iter()
            .any(|(known, key)| known == id && key.unwrap_key(&canary_context(id), canary).is_ok())
    }

    fn encode(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{FIRST_LINE}\n"));
        for (id, key) in &self.keys {
            let key = Zeroizing::new(BASE64_STANDARD.encode(key.as_bytes()));
            for piece in [id, " ", &key, "\n"] {
                text.push_str(piece);
            }
        }
        text
    }

    fn decode(text: &str) -> Option<Self> {
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
        (!keys.is_empty()).then_some(Keyring { keys })
    }
}

fn canary_context(id: &str) -> Vec<u8> {
    [CANARY_CONTEXT, id.as_bytes()].concat()
}

fn random_id() -> String {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system provides randomness");
    format!("{:08x}", u32::from_be_bytes(bytes))
}

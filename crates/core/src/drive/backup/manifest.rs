//! What a backup says about itself: a text of a few lines. The last of them is the key of its copy of the catalog,
//! wrapped under a master key and bound to all lines before it, so none of them can be changed.

use crate::clock::Time;
use crate::error::{Error, Result};
use crate::vault::keys::Keyring;
use crate::vault::seal::{ContentId, DataKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt::Write as _;

const FIRST_LINE: &str = "bindery backup v1";
const CONTEXT: &[u8] = b"bindery-backup-v1\0";

/// A manifest, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::drive) struct Manifest {
    /// The id of the catalog.
    pub(in crate::drive) store: String,
    pub(in crate::drive) id: String,
    pub(in crate::drive) at: Time,
    /// The content as which the copy of the catalog is sealed, and its length in clear.
    pub(in crate::drive) catalog: (ContentId, u64),
    /// SHA-256 of the list of objects.
    pub(in crate::drive) list: [u8; 32],
    /// Every master key that something in the backup is wrapped under.
    pub(in crate::drive) master_keys: Vec<String>,
}

impl Manifest {
    /// As it is stored.
    pub(super) fn encode(&self, keys: &Keyring, master: &str, key: &DataKey) -> Result<String> {
        let mut text = self.bound();
        let wrapped = keys.wrap(master, &context(&text), key)?;
        let wrapped = BASE64_STANDARD.encode(wrapped);
        let _infallible = writeln!(text, "wrap {master} {wrapped}");
        Ok(text)
    }

    /// Reads [`Manifest::encode`]. Nothing in it is to be believed before [`Read::open`].
    pub(super) fn decode(text: &str) -> Option<Read> {
        let (bound, wrap) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let (master_key, wrapped) = wrap.strip_prefix("wrap ")?.split_once(' ')?;
        let bound = format!("{bound}\n");
        let mut lines = bound.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let (store, id) = (value("store")?.to_owned(), value("backup")?.to_owned());
        let at = Time(value("at")?.parse().ok()?);
        let (content, len) = value("catalog")?.split_once(' ')?;
        let catalog = (ContentId(unhex(content)?), len.parse().ok()?);
        let list = unhex(value("objects")?)?;
        let master_keys = value("keys")?.split(' ').map(str::to_owned).collect();
        let manifest = Manifest { store, id, at, catalog, list, master_keys };
        let wrapped = BASE64_STANDARD.decode(wrapped).ok()?;
        // What was not written so was not written by us.
        let same = manifest.bound() == bound;
        same.then(|| Read { manifest, master_key: master_key.to_owned(), wrapped, bound })
    }

    /// The lines that the wrapped key is bound to.
    fn bound(&self) -> String {
        let (content, len) = &self.catalog;
        format!(
            "{FIRST_LINE}\nstore {}\nbackup {}\nat {}\ncatalog {} {len}\nobjects {}\nkeys {}\n",
            self.store,
            self.id,
            self.at.0,
            hex(&content.0),
            hex(&self.list),
            self.master_keys.join(" ")
        )
    }
}

/// A manifest that was read, and how to open what it stands for.
#[derive(Debug)]
pub(in crate::drive) struct Read {
    pub(in crate::drive) manifest: Manifest,
    master_key: String,
    wrapped: Vec<u8>,
    bound: String,
}

impl Read {
    /// The key of the copy of the catalog. Fails if a character of the manifest was changed, or names a master key
    /// that is wanting.
    pub(in crate::drive) fn open(&self, keys: &Keyring) -> Result<DataKey> {
        let needed = self.manifest.master_keys.iter().chain([&self.master_key]);
        if let Some(wanting) = needed.into_iter().find(|id| !keys.holds(id)) {
            return Err(Error::Refused(format!(
                "backups/{}/manifest names master key {wanting}, which is not in the key file: put back the \
                 key file of that time",
                self.manifest.id
            )));
        }
        keys.unwrap(&self.master_key, &context(&self.bound), &self.wrapped)
    }
}

fn context(bound: &str) -> Vec<u8> {
    [CONTEXT, bound.as_bytes()].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

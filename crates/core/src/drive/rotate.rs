//! Changing the master key. A new key is added to the key file, made known as the one that wraps, and then every
//! version's and link's key is wrapped anew, in small units beside everything else; contents stay as they are. When
//! nothing needs the old key any more it is taken out of the file, and whatever was wrapped under it, in backups and
//! on old disks, can never be opened again.

use super::Drive;
use crate::audit::{Act, Event, did};
use crate::catalog::audit;
use crate::catalog::backups::{self, Backup};
use crate::catalog::conn::Tx;
use crate::catalog::keys::{self, Wrap};
use crate::catalog::meta::VersionMark;
use crate::error::{Error, Result};
use crate::id::{FileId, ShareId};
use crate::vault::seal::WRAPPED_KEY_LEN;
use std::sync::Arc;

/// Keys that are wrapped anew in one unit.
const ROWS: i64 = 200;

/// A key that wraps no more, and what still needs it.
#[derive(Clone, Debug)]
pub struct OldKey {
    /// Its id.
    pub id: String,
    /// Whether something in the store is still wrapped under it.
    pub in_use: bool,
    /// The backups that need it.
    pub backups: Vec<Backup>,
}

/// What a rotation did.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The key that wraps.
    pub active: String,
    /// Versions and links whose key this run wrapped anew.
    pub rewrapped: u64,
    /// What could not be, because it is damaged.
    pub damaged: Vec<String>,
}

type Rewrapped<P> = Vec<(Wrap<P>, [u8; WRAPPED_KEY_LEN])>;

impl Drive {
    /// Adds a key to the key file, unless the last one there is not in use yet; its id.
    pub async fn prepare_key(&self) -> Result<String> {
        match self.prepared_key().await? {
            Some(prepared) => Ok(prepared),
            None => self.vault().keys.add(),
        }
    }

    async fn prepared_key(&self) -> Result<Option<String>> {
        let known = self.catalog().read(&(), |tx, ()| Box::pin(keys::all(tx))).await?;
        let newest = self.vault().keys.newest();
        Ok(newest.filter(|newest| known.iter().all(|(id, _)| id != newest)))
    }

    /// Makes a new key the one that wraps, unless an earlier rotation is still to be finished, and wraps everything
    /// under it; tells `progress` how many versions and links were looked at. May be interrupted anywhere, and run again.
    ///
    /// Where several nodes may share the catalog the key is to be prepared first, and its file given to all of them.
    pub async fn rotate_key(&self, mut progress: impl FnMut(u64)) -> Result<Rotated> {
        let unfinished = self.old_keys().await?.iter().any(|old| old.in_use);
        if !unfinished {
            let prepared = match self.prepared_key().await? {
                Some(prepared) => prepared,
                None if self.catalog().is_shared() => {
                    return Err(Error::Refused(
                        "other nodes may use this catalog: add the key with --prepare, give the key file to all of \
                         them, and rotate then"
                            .into(),
                    ));
                }
                None => self.vault().keys.add()?,
            };
            self.activate(prepared).await?;
        }
        let rotated = self.wrap_all(&mut progress).await?;
        self.catalog().empty_log().await?;
        Ok(rotated)
    }

    /// The keys that wrap no more.
    pub async fn old_keys(&self) -> Result<Vec<OldKey>> {
        let (active, known, in_use) = self
            .catalog()
            .scan(&(), |tx, ()| {
                Box::pin(async move {
                    Ok((keys::active(tx).await?, keys::all(tx).await?, keys::in_use(tx).await?))
                })
            })
            .await?;
        let backups = self.backups().await?;
        let old = known.into_iter().map(|(id, _)| id).filter(|id| Some(id) != active.as_ref());
        let needing = |id: &String| {
            let needs = |backup: &&Backup| backup.master_keys.contains(id);
            backups.iter().filter(needs).cloned().collect()
        };
        let key = |id: String| OldKey { in_use: in_use.contains(&id), backups: needing(&id), id };
        Ok(old.map(key).collect())
    }

    /// Takes a key out of the catalog and the key file for good, if nothing needs it any more.
    pub async fn retire_key(&self, id: &str) -> Result<()> {
        let ring = &self.vault().keys;
        let known = self.catalog().read(&(), |tx, ()| Box::pin(keys::all(tx))).await?;
        if known.iter().any(|(known, _)| known == id) {
            let old = self.old_keys().await?.into_iter().find(|old| old.id == id);
            let old =
                old.ok_or_else(|| refuse(format!("master key {id} is the one that wraps")))?;
            if old.in_use {
                return Err(refuse(format!(
                    "something is still wrapped under master key {id}: run `bindery rotate-key` to its end"
                )));
            }
            // What is signed under it is vouched for by what follows, but nothing follows the end.
            self.link_events().await?;
            self.administer(id.to_owned(), |tx, id| {
                Box::pin(async move {
                    let mut known = backups::all(tx).await?;
                    known.retain(|backup| backup.master_keys.contains(id));
                    if !known.is_empty() {
                        let named: Vec<_> = known.into_iter().map(|backup| backup.id).collect();
                        return Err(refuse(format!(
                            "these backups need master key {id}: {}; destroy them first, with `bindery backup --forget`",
                            named.join(", ")
                        )));
                    }
                    if audit::head(tx).await?.is_some_and(|head| head.key == *id) {
                        let why = format!(
                            "the end of the audit log is still signed under master key {id}: try again in a moment"
                        );
                        return Err(refuse(why));
                    }
                    keys::forget(tx, id).await?;
                    Ok(did((), Event::by_command(Act::KeyRetired).with("key", id)))
                })
            })
            .await?;
        } else if !ring.holds(id) || ring.newest().as_deref() == Some(id) {
            return Err(refuse(format!("there is no old master key {id}")));
        }
        ring.remove(id)
    }

    async fn activate(&self, id: String) -> Result<()> {
        let ring = Arc::clone(&self.vault().keys);
        let canary = ring.canary(&id)?;
        self.administer((id.clone(), canary, self.now()), |tx, (id, canary, now)| {
            Box::pin(async move {
                keys::activate(tx, id, canary, *now).await?;
                Ok(did((), Event::by_command(Act::KeyActivated).with("key", id)))
            })
        })
        .await?;
        ring.set_active(&id);
        // From here on the end of the audit log is signed under it.
        self.link_events().await
    }

    async fn wrap_all(&self, progress: &mut impl FnMut(u64)) -> Result<Rotated> {
        let active = self.vault().keys.active();
        let mut rotated = Rotated { active, rewrapped: 0, damaged: Vec::new() };
        let mut seen = 0;
        let mut behind: VersionMark = (FileId(0), 0);
        loop {
            let page = self
                .catalog()
                .read(&behind, |tx, behind| Box::pin(keys::wraps(tx, *behind, ROWS)))
                .await?;
            let Some(last) = page.last() else { break };
            behind = last.place;
            seen += page.len() as u64;
            let name =
                |(file, number): VersionMark| format!("file {}, version {number}", file.letters());
            let rewrapped = self.wrap_page(page, &mut rotated, name)?;
            self.put_back(rewrapped, &rotated.active, |tx, was, active, wrapped| {
                Box::pin(keys::set_wrap(tx, was, active, wrapped))
            })
            .await?;
            progress(seen);
        }
        let mut behind = ShareId(0);
        loop {
            let page = self
                .catalog()
                .read(&behind, |tx, behind| Box::pin(keys::link_wraps(tx, *behind, ROWS)))
                .await?;
            let Some(last) = page.last() else { break };
            behind = last.place;
            seen += page.len() as u64;
            let rewrapped = self.wrap_page(page, &mut rotated, |id| format!("link {id}"))?;
            self.put_back(rewrapped, &rotated.active, |tx, was, active, wrapped| {
                Box::pin(keys::set_link_wrap(tx, was, active, wrapped))
            })
            .await?;
            progress(seen);
        }
        Ok(rotated)
    }

    /// Wraps what is not yet wrapped under the active key.
    fn wrap_page<P: Copy>(
        &self,
        page: Vec<Wrap<P>>,
        rotated: &mut Rotated,
        name: impl Fn(P) -> String,
    ) -> Result<Rewrapped<P>> {
        let ring = &self.vault().keys;
        let mut rewrapped = Vec::new();
        for wrap in page {
            if wrap.master_key == rotated.active {
                continue;
            }
            match ring.unwrap(&wrap.master_key, &wrap.context, &wrap.wrapped) {
                Ok(key) => {
                    let wrapped = ring.wrap(&rotated.active, &wrap.context, &key)?;
                    rewrapped.push((wrap, wrapped));
                }
                Err(Error::Damaged { why }) => {
                    rotated.damaged.push(format!("{}: {why}", name(wrap.place)));
                }
                Err(error) => return Err(error),
            }
        }
        rotated.rewrapped += rewrapped.len() as u64;
        Ok(rewrapped)
    }

    async fn put_back<P: Send + Sync + 'static>(
        &self,
        rewrapped: Rewrapped<P>,
        active: &str,
        set: impl for<'a, 'tx> Fn(
            &'a mut Tx<'tx>,
            &'a Wrap<P>,
            &'a str,
            &'a [u8; WRAPPED_KEY_LEN],
        ) -> crate::catalog::Unit<'a, ()>
        + Copy
        + Send
        + Sync
        + 'static,
    ) -> Result<()> {
        if rewrapped.is_empty() {
            return Ok(());
        }
        self.catalog()
            .write((rewrapped, active.to_owned()), move |tx, (rewrapped, active)| {
                Box::pin(async move {
                    for (was, wrapped) in rewrapped {
                        set(tx, was, active, wrapped).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn refuse(why: String) -> Error {
    Error::Refused(why)
}

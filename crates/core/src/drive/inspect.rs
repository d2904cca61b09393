//! Looking after the store: every content opened and checked, and a file's stored objects handed out
//! to be opened elsewhere. For administrators' commands, which ask for no credentials.

use super::{Drive, Uploads};
use crate::catalog::contents;
use crate::catalog::files::{self, File};
use crate::catalog::meta::{self, VersionMark};
use crate::catalog::versions::{self, Next};
use crate::clock::Time;
use crate::error::{Error, Result, Thing};
use crate::id::FileId;
use crate::vault::seal::{HEADER_LEN, Layout};
use crate::vault::{Digests, Sealed, StoredContent, Vault};
use aws_lc_rs::digest::{Context, SHA512};
use bytes::Bytes;
use std::time::Duration;

/// A file whose content does not verify.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The file.
    pub id: FileId,
    /// Its name.
    pub name: String,
    /// The version's number.
    pub version: u64,
    /// What is wrong.
    pub why: String,
}

/// How far an inspection is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checked {
    /// Versions checked.
    pub versions: u64,
    /// Bytes of content read.
    pub bytes: u64,
}

/// What an inspection found.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// How much was checked.
    pub checked: Checked,
    /// How much there is to check, as counted at the beginning.
    pub of: Checked,
    /// Damaged versions.
    pub damaged: Vec<Damage>,
    /// Faults that the engine finds in the catalog's own file.
    pub catalog: Vec<String>,
    /// Whether the time ran out before everything was checked.
    pub unfinished: bool,
    /// When the latest pass over everything began that came to its end. What was stored then has been read
    /// since: no byte of it is unverified for longer.
    pub whole: Option<Time>,
}

/// One stored object, as it lies in the store.
#[derive(Clone, Debug)]
pub struct StoredObject {
    /// Its place in the content, from 0.
    pub ordinal: usize,
    /// Its name in the store, or `inline`.
    pub name: String,
    sealed: Option<Bytes>,
    size: u64,
}

const FIRST: VersionMark = (FileId(0), 0);

/// All versions in order, from behind one of them around to that one.
struct Round {
    begin: VersionMark,
    behind: VersionMark,
    wrapped: bool,
    /// When what it goes on with began at the first version, and what has come to the last one.
    pass: Option<Time>,
    whole: Option<Time>,
}

impl Drive {
    /// Opens every version of every file, in the trash too: its wrapped key, every segment's tag,
    /// its length, its MD5. Tells `progress` of each file; ends early, and says so, when `budget` is
    /// spent. Runs with a budget begin where the last of them ended, so that a few of them come
    /// around to every file.
    pub async fn verify(
        &self,
        budget: Option<Duration>,
        mut progress: impl FnMut(&Inspection),
    ) -> Result<Inspection> {
        let until = budget.map(|budget| self.now().plus(budget));
        let of = self.totals().await?;
        let mut found =
            Inspection { of, catalog: self.catalog().faults().await?, ..Inspection::default() };
        let mut round = match until {
            Some(_) => self.go_on().await?,
            None => self.begin(),
        };
        while let Some(next) = self.next_of(&mut round).await? {
            if until.is_some_and(|until| self.now() >= until) {
                found.unfinished = true;
                break;
            }
            round.behind = next.mark;
            found.checked.versions += 1;
            found.checked.bytes += self.inspect(next, &mut found.damaged).await?;
            progress(&found);
        }
        found.whole = self.set_inspected(&round, until.is_some()).await?;
        Ok(found)
    }

    /// When the latest inspection began that came to every version: since then every byte that was stored
    /// has been read and verified. `None`: none ever did.
    pub async fn verified_since(&self) -> Result<Option<Time>> {
        self.catalog().read(&(), |tx, ()| Box::pin(meta::whole(tx))).await
    }

    /// How much there is to check.
    pub(super) async fn totals(&self) -> Result<Checked> {
        let (versions, bytes) =
            self.catalog().read(&(), |tx, ()| Box::pin(versions::totals(tx))).await?;
        Ok(Checked { versions, bytes })
    }

    fn begin(&self) -> Round {
        let pass = Some(self.now());
        Round { begin: FIRST, behind: FIRST, wrapped: false, pass, whole: None }
    }

    /// A round from where the last one with a budget ended.
    async fn go_on(&self) -> Result<Round> {
        let (mark, pass) = self
            .catalog()
            .read(&(), |tx, ()| {
                Box::pin(async move { Ok((meta::inspected(tx).await?, meta::pass(tx).await?)) })
            })
            .await?;
        Ok(match mark {
            None => self.begin(),
            Some(mark) => Round { begin: mark, behind: mark, pass, ..self.begin() },
        })
    }

    /// The version that a round comes to next; `None` when it has been everywhere.
    async fn next_of(&self, round: &mut Round) -> Result<Option<Next>> {
        loop {
            let next = self
                .catalog()
                .read(&round.behind, |tx, behind| Box::pin(versions::next_mark(tx, *behind)))
                .await?;
            let next = next.filter(|next| !round.wrapped || next.mark <= round.begin);
            if next.is_some() || round.wrapped {
                return Ok(next);
            }
            (round.wrapped, round.behind) = (true, FIRST);
            round.whole = round.pass.or(round.whole);
            round.pass = Some(self.now());
        }
    }

    /// Notes how far a round is; what was found must be told also where nothing can be written. When the
    /// latest pass over everything began.
    async fn set_inspected(&self, round: &Round, has_budget: bool) -> Result<Option<Time>> {
        let mark = has_budget.then_some(round.behind);
        let noted = (mark, round.pass.filter(|_| has_budget), round.whole);
        let set = self.catalog().write(noted, |tx, (mark, pass, whole)| {
            Box::pin(async move {
                if let Some(mark) = mark {
                    meta::set_inspected(tx, *mark).await?;
                }
                if let Some(pass) = pass {
                    meta::set_pass(tx, *pass).await?;
                }
                match whole {
                    Some(whole) => meta::set_whole(tx, *whole).await,
                    None => Ok(()),
                }
            })
        });
        if let Err(error) = set.await {
            tracing::warn!(%error, "the next inspection begins where this one began");
        }
        Ok(self.verified_since().await?.or(round.whole))
    }

    /// Looks at what an inspection comes to; how many bytes that were.
    async fn inspect(&self, next: Next, damaged: &mut Vec<Damage>) -> Result<u64> {
        let (id, number) = next.mark;
        let why = match next.found {
            Ok(Some(version)) => {
                damaged.extend(self.damage(&version).await?);
                return Ok(version.size);
            }
            Ok(None) => "rows that belong to it are missing".to_owned(),
            Err(Error::Internal(why)) => format!("its rows cannot be read: {why}"),
            Err(fault) => return Err(fault),
        };
        damaged.push(Damage { id, name: next.name.unwrap_or_default(), version: number, why });
        Ok(0)
    }

    /// What is wrong with a version. Nothing is with one that was removed for good meanwhile.
    pub(super) async fn damage(&self, version: &File) -> Result<Option<Damage>> {
        let why = match self.verify_version(version).await {
            Ok(()) => return Ok(None),
            Err(Error::Damaged { why }) => why,
            Err(fault) => return Err(fault),
        };
        let content = version.held()?.content;
        let used = self
            .catalog()
            .read(&content, |tx, content| Box::pin(contents::is_used(tx, *content)))
            .await?;
        let (id, name, number) = (version.id, version.name.clone(), version.version);
        Ok(used.then_some(Damage { id, name, version: number, why }))
    }

    async fn verify_version(&self, version: &File) -> Result<()> {
        self.check_held(&version.held()?.master_key).await?;
        let content = self.stored(version).await?;
        verify_content(self.vault(), version, &content).await
    }

    /// The SHA-512 of a file's content; it pauses while there are uploads that it comes behind.
    pub(crate) async fn sha512_of(
        &self,
        file: &File,
        behind: Option<&Uploads>,
    ) -> Result<[u8; 64]> {
        self.check_held(&file.held()?.master_key).await?;
        let content = self.stored(file).await?;
        let vault = self.vault();
        let mut reader = vault.read(content, &file.data_key(&vault.keys)?, 0..file.size)?;
        let mut context = Context::new(&SHA512);
        while let Some(bytes) = reader.next().await? {
            if let Some(uploads) = behind {
                uploads.none().await;
            }
            context = tokio::task::spawn_blocking(move || {
                context.update(&bytes);
                context
            })
            .await
            .map_err(Error::internal)?;
        }
        let sha512 = context.finish();
        Ok(sha512.as_ref().try_into().expect("SHA-512 has 64 bytes"))
    }

    pub(super) async fn stored(&self, file: &File) -> Result<StoredContent> {
        self.catalog().read(file, |tx, file| Box::pin(files::stored(tx, file))).await
    }

    /// A file by its id, in the trash or not.
    pub async fn find_file(&self, id: FileId) -> Result<File> {
        let found =
            self.catalog().read(&id, |tx, id| Box::pin(files::find(tx, (*id).into()))).await?;
        found.ok_or(Error::NotFound(Thing::File))
    }

    /// The stored objects of a file's current version, in order.
    pub async fn stored_objects(&self, file: &File) -> Result<Vec<StoredObject>> {
        Ok(match self.stored(file).await?.sealed {
            Sealed::Inline(sealed) => {
                let size = sealed.len() as u64;
                vec![StoredObject { ordinal: 0, name: "inline".into(), sealed: Some(sealed), size }]
            }
            Sealed::Objects(list) => {
                let object = |(ordinal, object): (usize, &crate::vault::ObjectRef)| {
                    let layout = Layout::of_plain(object.size).map_err(Error::internal)?;
                    let (name, size) = (object.blob.to_string(), layout.sealed_len());
                    Ok(StoredObject { ordinal, name, sealed: None, size })
                };
                list.0.iter().enumerate().map(object).collect::<Result<_>>()?
            }
        })
    }

    /// A piece of a stored object as it lies there, sealed, from `offset`; empty at its end.
    pub async fn read_stored(&self, object: &StoredObject, offset: u64) -> Result<Bytes> {
        const PIECE: u64 = 1 << 20;
        debug_assert!(object.size >= HEADER_LEN as u64);
        let end = object.size.min(offset.saturating_add(PIECE));
        if offset >= end {
            return Ok(Bytes::new());
        }
        if let Some(sealed) = &object.sealed {
            let at = |at| usize::try_from(at).map_err(Error::internal);
            return Ok(sealed.slice(at(offset)?..at(end)?));
        }
        let blob = crate::vault::BlobKey::parse(&object.name)
            .ok_or_else(|| Error::internal("a stored object has a bad name"))?;
        let piece = self.vault().blobs.read(&blob, offset..end).await?;
        piece
            .ok_or_else(|| Error::Damaged { why: format!("object {blob} is missing or cut short") })
    }
}

/// Opens a version's content as it lies in a vault.
pub(super) async fn verify_content(
    vault: &Vault,
    version: &File,
    content: &StoredContent,
) -> Result<()> {
    let key = version.data_key(&vault.keys)?;
    let mut reader = vault.read(content.clone(), &key, 0..version.size)?;
    let mut digests = Digests::new(version.size);
    let mut len = 0;
    while let Some(bytes) = reader.next().await? {
        len += bytes.len() as u64;
        digests.update(&bytes);
    }
    let damaged = |why: &str| Err(Error::Damaged { why: why.into() });
    if len != version.size {
        return damaged("its length is not what the catalog says");
    }
    let digested = digests.finish();
    if digested.md5 != version.md5 {
        return damaged("its MD5 is not what the catalog says");
    }
    if version.sha512().is_some_and(|known| digested.sha512.is_some_and(|now| now != known)) {
        return damaged("its SHA-512 is not what the catalog says");
    }
    Ok(())
}

impl StoredObject {
    /// Bytes as stored.
    pub fn size(&self) -> u64 {
        self.size
    }
}

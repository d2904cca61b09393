//! What is done in the background, by one function that a clock and a test call alike: expired
//! leases, objects that nothing needs, files past their time in the trash, digests still to be made.
//! Nothing is deleted by age or by listing: only what a committed row names.

use crate::audit::{Act, Actor, Event};
use crate::catalog::{answered, audit, backups, contents, files, folders, meta, trash, versions};
use crate::clock::Time;
use crate::drive::{Drive, Uploads, purge_file};
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId};

/// Rows of one unit: short enough to stand in no one's way.
const CHUNK: i64 = 200;

/// For how long it is known what changed in a folder.
pub(crate) const CHANGES_DAYS: i64 = 30;

/// For how long it is known what became of a write that was given a key.
const ANSWERED_SECONDS: i64 = 86_400;

/// For how long a node that sweeps keeps the others from it, if it does not come to its end.
const SWEEP_SECONDS: i64 = 600;

/// How long a copy of a tree may take before it counts as given up.
const COPY_SECONDS: i64 = 86_400;

/// What a sweep does.
#[derive(Clone, Copy, Debug)]
pub struct SweepSettings {
    /// How long a file stays in the trash.
    pub trash_days: u32,
}

impl Default for SweepSettings {
    fn default() -> Self {
        SweepSettings { trash_days: 30 }
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Leases of writers that are gone.
    pub leases: u64,
    /// Files and folders removed from the trash for good.
    pub purged: u64,
    /// Objects removed from the store.
    pub objects: u64,
    /// Digests made.
    pub digests: u64,
}

impl Drive {
    /// Does everything that is due now. Safe to run at any time, beside anything, and again after a
    /// crash. Of several nodes one does it at a time; to the others nothing is due.
    pub async fn sweep(&self, settings: SweepSettings) -> Result<Swept> {
        self.write_token_uses().await?;
        let now = self.catalog().now(self.clock()).await?;
        self.drop_snapshots(now).await?;
        if !self.hold_sweep(now, now.plus_seconds(SWEEP_SECONDS)).await? {
            return Ok(Swept::default());
        }
        let swept = self.sweep_alone(settings, now).await;
        self.hold_sweep(now, now).await?;
        self.empty_log().await;
        swept
    }

    /// What was deleted, the keys of purged versions above all, is gone from the catalog's log, too.
    async fn empty_log(&self) {
        if let Err(error) = self.catalog().empty_log().await {
            tracing::warn!(%error, "the catalog's log is emptied later");
        }
    }

    async fn hold_sweep(&self, now: Time, until: Time) -> Result<bool> {
        if !self.catalog().is_shared() {
            return Ok(true);
        }
        let input = (self.node(), now, until);
        self.catalog()
            .write(input, |tx, (node, now, until)| {
                Box::pin(meta::take(tx, meta::SWEEP, *node, (*now, *until)))
            })
            .await
    }

    async fn sweep_alone(&self, settings: SweepSettings, now: Time) -> Result<Swept> {
        let before = now.plus_seconds(-86_400 * i64::from(settings.trash_days));
        self.mark_files().await?;
        self.forget_changes(now).await?;
        self.forget_answers(now).await?;
        Ok(Swept {
            leases: self.expire_leases(now).await?,
            purged: self.purge_trash(before).await?,
            objects: self.remove_doomed(now).await?,
            digests: self.make_digests().await?,
        })
    }

    async fn expire_leases(&self, now: Time) -> Result<u64> {
        let mut expired = 0;
        loop {
            let chunk = self
                .catalog()
                .write(now, |tx, now| Box::pin(contents::expire_leases(tx, *now, CHUNK)))
                .await?;
            expired += chunk as u64;
            if chunk == 0 {
                return Ok(expired);
            }
        }
    }

    async fn purge_trash(&self, before: Time) -> Result<u64> {
        let mut purged = 0;
        loop {
            let (tops, folders) = self
                .catalog()
                .write((before, self.now()), |tx, (before, now)| {
                    Box::pin(async move {
                        let begun = now.plus_seconds(-COPY_SECONDS);
                        let due = trash::due(tx, (*before, begun), CHUNK).await?;
                        let mut folders = Vec::new();
                        let mut events = Vec::with_capacity(due.len());
                        for (id, file, seen) in &due {
                            if *file {
                                purge_file(tx, FileId(*id), *now).await?;
                                events.push(by_itself(Act::FilePurged).file(FileId(*id)));
                                continue;
                            }
                            trash::cut_off(tx, FolderId(*id)).await?;
                            folders.push(FolderId(*id));
                            // Whoever cut it off has told so; a copy was never there.
                            if *seen {
                                events.push(by_itself(Act::FolderPurged).folder(FolderId(*id)));
                            }
                        }
                        audit::record(tx, &events, *now).await?;
                        Ok((due.len() as u64, folders))
                    })
                })
                .await?;
            for folder in folders {
                self.take_apart(folder).await?;
            }
            purged += tops;
            if tops == 0 {
                return Ok(purged);
            }
        }
    }

    async fn forget_changes(&self, now: Time) -> Result<()> {
        let before = now.plus_seconds(-86_400 * CHANGES_DAYS);
        while self
            .catalog()
            .write(before, |tx, before| Box::pin(folders::forget_changes(tx, *before, CHUNK)))
            .await?
            > 0
        {}
        Ok(())
    }

    async fn forget_answers(&self, now: Time) -> Result<()> {
        let before = now.plus_seconds(-ANSWERED_SECONDS);
        while self
            .catalog()
            .write(before, |tx, before| Box::pin(answered::forget(tx, *before, CHUNK)))
            .await?
            > 0
        {}
        Ok(())
    }

    /// The object goes first, durably, then the row that names it. None goes that a backup may name: one which
    /// begins after this look cannot name what is doomed already.
    async fn remove_doomed(&self, since: Time) -> Result<u64> {
        let mut removed = 0;
        loop {
            let doomed = self
                .catalog()
                .read(&(since, self.now()), |tx, (since, now)| {
                    Box::pin(async move {
                        if backups::is_held(tx, *since).await? {
                            return Ok(Vec::new());
                        }
                        contents::doomed(tx, *now, CHUNK).await
                    })
                })
                .await?;
            if doomed.is_empty() {
                return Ok(removed);
            }
            for object in &doomed {
                self.vault().blobs.remove(&object.blob, object.upload.as_ref()).await?;
            }
            removed += doomed.len() as u64;
            self.catalog()
                .write(doomed, |tx, doomed| {
                    Box::pin(async move {
                        for object in doomed {
                            contents::forget_doomed(tx, &object.blob).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
    }

    async fn make_digests(&self) -> Result<u64> {
        let mut made = 0;
        let mut behind = FileId(0);
        while let Some(file) = self.without_sha512(behind).await? {
            behind = file.id;
            match self.make_sha512(&file, None).await {
                Ok(()) => made += 1,
                Err(error) => tracing::error!(file.id = %file.id, %error, "no SHA-512 was made"),
            }
        }
        Ok(made)
    }

    async fn without_sha512(&self, behind: FileId) -> Result<Option<files::File>> {
        self.catalog()
            .read(&behind, |tx, behind| Box::pin(versions::without_sha512(tx, *behind)))
            .await
    }

    /// Begins the SHA-512 of a content that was too large for it to be made on the way in, when no upload
    /// needs the processor more. What does not come to its end here, the sweep makes.
    pub(crate) fn digest_later(&self, file: &files::File) {
        if file.sha512().is_some() {
            return;
        }
        let (drive, file) = (self.clone(), file.clone());
        tokio::spawn(async move {
            if let Err(error) = drive.make_sha512_behind_uploads(&file).await {
                tracing::warn!(file.id = %file.id, %error, "the SHA-512 is left to the sweep");
            }
        });
    }

    async fn make_sha512_behind_uploads(&self, file: &files::File) -> Result<()> {
        let _turn = self.uploads().turn().await;
        self.uploads().none().await;
        match self.find_file(file.id).await {
            // The sweep may have been here, or whoever removes files.
            Ok(now) if now.content() == file.content() && now.sha512().is_some() => Ok(()),
            Err(Error::NotFound(_)) => Ok(()),
            Ok(_) => self.make_sha512(file, Some(self.uploads())).await,
            Err(error) => Err(error),
        }
    }

    async fn make_sha512(&self, file: &files::File, behind: Option<&Uploads>) -> Result<()> {
        let sha512 = self.sha512_of(file, behind).await?;
        self.catalog()
            .write((file.held()?.content, sha512), |tx, (content, sha512)| {
                Box::pin(contents::set_sha512(tx, *content, sha512))
            })
            .await
    }
}

fn by_itself(act: Act) -> Event {
    Event::new(Actor::System, act)
}

//! The directory that backups of one store go to, and what lies where in it:
//!
//! ```text
//! store                 the id of the catalog; locked by whoever uses the directory
//! objects/ab/cd…        objects as they are stored, shared by all backups
//! backups/ID/catalog    a copy of the catalog, sealed
//! backups/ID/objects    which objects it names: a line each, length in clear and name
//! backups/ID/manifest   written last: without it, it is no backup
//! ```

use super::manifest::{Manifest, Read};
use crate::disk::{Disk, sync_directory};
use crate::error::{Error, Result};
use crate::vault::ObjectList;
use crate::vault::blobs::Blobs;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A directory with backups, in use by this process.
#[derive(Debug)]
pub(in crate::drive) struct Shelf {
    root: PathBuf,
    pub(in crate::drive) blobs: Blobs,
    /// Locked until it is dropped.
    _store: File,
}

/// The parts of a backup.
#[derive(Clone, Copy, Debug)]
pub(in crate::drive) enum Part {
    Catalog,
    Objects,
    Manifest,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Catalog => "catalog",
            Part::Objects => "objects",
            Part::Manifest => "manifest",
        }
    }
}

impl Shelf {
    /// Comes to a directory for the backups of a store, and makes it if it is new or empty.
    pub(super) fn open_or_make(root: &Path, store: &str) -> Result<Self> {
        make(root, store).map_err(|error| {
            Error::Refused(format!("cannot use {} for backups: {error}", root.display()))
        })?;
        let shelf = Shelf::open(root)?;
        shelf.belongs_to(store)?;
        Ok(shelf)
    }

    /// Comes to a directory of backups, to change what is there.
    pub(super) fn open(root: &Path) -> Result<Self> {
        Shelf::with(root, OpenOptions::new().read(true).write(true), File::try_lock)
    }

    /// Comes to a directory of backups, which may lie on a medium that cannot be written to.
    pub(in crate::drive) fn open_to_read(root: &Path) -> Result<Self> {
        Shelf::with(root, OpenOptions::new().read(true), File::try_lock_shared)
    }

    fn with(
        root: &Path,
        options: &OpenOptions,
        lock: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> Result<Self> {
        let shown = root.display();
        let store = options.open(root.join("store")).map_err(|error| {
            Error::Refused(format!("{shown} is no directory of backups: store: {error}"))
        })?;
        match lock(&store) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = format!("another process uses the backups in {shown}: wait for it");
                return Err(Error::Refused(why));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let blobs = Blobs::open(&root.join("objects"), Disk::default())?;
        Ok(Shelf { root: root.canonicalize()?, blobs, _store: store })
    }

    /// Refuses the backups of another store.
    pub(in crate::drive) fn belongs_to(&self, store: &str) -> Result<()> {
        let found = std::fs::read(self.root.join("store"))?;
        if found == format!("{store}\n").as_bytes() {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "the backups in {} are of another store, or the file `store` there is damaged",
            self.root.display()
        )))
    }

    /// Where it is.
    pub(super) fn root(&self) -> String {
        self.root.display().to_string()
    }

    pub(in crate::drive) fn path(&self, id: &str, part: Part) -> PathBuf {
        self.folder(id).join(part.name())
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.root.join("backups").join(id)
    }

    /// What is damaged or wanting, in the words of this directory.
    pub(in crate::drive) fn damaged(&self, id: &str, part: Part, why: &str) -> Error {
        Error::Refused(format!("the backup is damaged: backups/{id}/{}: {why}", part.name()))
    }

    /// Begins a backup.
    pub(super) fn begin(&self, id: &str) -> Result<()> {
        let folder = self.folder(id);
        DirBuilder::new().mode(0o700).create(&folder)?;
        sync_directory(&self.root.join("backups"))?;
        Ok(())
    }

    /// Begins the list of a backup's objects.
    pub(super) fn list(&self, id: &str) -> Result<List> {
        let path = self.path(id, Part::Objects);
        let file = new_file(&path)?;
        Ok(List { file: BufWriter::new(file), digest: Context::new(&SHA256) })
    }

    /// Makes a backup one: its last file, durably, behind all the others.
    pub(super) fn finish(&self, id: &str, manifest: &str) -> Result<()> {
        let folder = self.folder(id);
        let part = folder.join("manifest.part");
        let mut file = new_file(&part)?;
        file.write_all(manifest.as_bytes())?;
        file.sync_all()?;
        sync_directory(&folder)?;
        std::fs::rename(&part, self.path(id, Part::Manifest))?;
        self.sync(id)
    }

    /// Makes sure of the names of a backup's files.
    pub(super) fn sync(&self, id: &str) -> Result<()> {
        Ok(sync_directory(&self.folder(id))?)
    }

    /// Every backup, the oldest first, and whether it was completed.
    pub(in crate::drive) fn all(&self) -> Result<Vec<(String, bool)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.root.join("backups"))? {
            let Ok(id) = entry?.file_name().into_string() else { continue };
            let complete = self.path(&id, Part::Manifest).exists();
            found.push((id, complete));
        }
        found.sort();
        Ok(found)
    }

    /// Reads a backup's manifest.
    pub(in crate::drive) fn manifest(&self, id: &str) -> Result<Read> {
        let damaged = |why: &str| self.damaged(id, Part::Manifest, why);
        let text = std::fs::read_to_string(self.path(id, Part::Manifest))
            .map_err(|error| damaged(&error.to_string()))?;
        let read = Manifest::decode(&text).ok_or_else(|| damaged("it cannot be read"))?;
        if read.manifest.id != id {
            return Err(damaged("it is that of another backup"));
        }
        Ok(read)
    }

    /// Compares the rest of a backup with its manifest, once that is to be believed.
    pub(in crate::drive) fn check(&self, manifest: &Manifest) -> Result<()> {
        self.belongs_to(&manifest.store)?;
        let id = &manifest.id;
        let mut digest = Context::new(&SHA256);
        self.objects(id, |line| {
            digest.update(line.as_bytes());
            Ok(())
        })?;
        if digest.finish().as_ref() != manifest.list {
            return Err(self.damaged(id, Part::Objects, "it is not what the manifest says"));
        }
        Ok(())
    }

    /// Goes through the list of a backup's objects, line by line.
    fn objects(&self, id: &str, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let damaged =
            |error: &dyn std::fmt::Display| self.damaged(id, Part::Objects, &error.to_string());
        let path = self.path(id, Part::Objects);
        let mut file = BufReader::new(File::open(path).map_err(|error| damaged(&error))?);
        let mut line = String::new();
        while file.read_line(&mut line).map_err(|error| damaged(&error))? > 0 {
            each(&line)?;
            line.clear();
        }
        Ok(())
    }

    /// Removes a backup, and of its objects those that no other one names. Its manifest goes first.
    pub(super) async fn remove(&self, id: &str) -> Result<()> {
        let folder = self.folder(id);
        if !folder.is_dir() {
            return Ok(());
        }
        for part in [Part::Manifest, Part::Catalog] {
            match std::fs::remove_file(self.path(id, part)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        sync_directory(&folder)?;
        if self.path(id, Part::Objects).exists() {
            let mut kept = HashSet::new();
            for (other, complete) in self.all()? {
                if complete {
                    self.objects(&other, |line| {
                        kept.insert(line.to_owned());
                        Ok(())
                    })?;
                }
            }
            let mut unneeded = Vec::new();
            self.objects(id, |line| {
                if !kept.contains(line) {
                    unneeded.extend(ObjectList::decode(line).unwrap_or_default().0);
                }
                Ok(())
            })?;
            for object in unneeded {
                self.blobs.remove(&object.blob, None).await?;
            }
        }
        std::fs::remove_dir_all(&folder)?;
        sync_directory(&self.root.join("backups"))?;
        Ok(())
    }
}

/// Makes a directory of backups where there is nothing yet.
fn make(root: &Path, store: &str) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let marker = root.join("store");
    if !marker.exists() {
        if std::fs::read_dir(root)?.next().is_some() {
            return Err(std::io::Error::other(
                "it is neither empty nor a directory of backups, so name another one",
            ));
        }
        let mut file = new_file(&marker)?;
        file.write_all(format!("{store}\n").as_bytes())?;
        file.sync_all()?;
    }
    let backups = root.join("backups");
    if !backups.is_dir() {
        DirBuilder::new().mode(0o700).create(backups)?;
        sync_directory(root)?;
        sync_directory(root.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A list of objects that is being written.
pub(super) struct List {
    file: BufWriter<File>,
    digest: Context,
}

impl List {
    pub(super) fn push(&mut self, objects: &ObjectList) -> Result<()> {
        let lines = objects.encode();
        self.digest.update(lines.as_bytes());
        self.file.write_all(lines.as_bytes())?;
        Ok(())
    }

    /// Its SHA-256, once it is on the disk.
    pub(super) fn finish(self) -> Result<[u8; 32]> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(self.digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

//! A small store on a disk whose steps are watched: laid down again for each case, worked on, and looked
//! at as its users see it.

use super::objects::limit_objects;
use super::power::Tape;
use super::world::{NOW, bytes, end, person, read};
use crate::access::Caller;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::disk::survivors::{Image, Numbers};
use crate::drive::{Base, DeleteFile, Drive, Limits, List, Location, OnTaken, PageNumber, Target};
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId};
use crate::name::Name;
use crate::node::FolderRef;
use crate::sweep::{SweepSettings, Swept};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// So that a content has several objects.
pub(super) const OBJECT_MAX: usize = 20_000;
/// One that is kept in the catalog, one of an object, and one of three.
const LENGTHS: [usize; 3] = [300, 17_000, 41_000];
const LEASE: i64 = 3600;

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Upload,
    Replace,
    Rename,
    Move,
    Copy,
    Delete,
    Restore,
    Purge,
}

pub(super) const ACTS: [Act; 8] = [
    Act::Upload,
    Act::Replace,
    Act::Rename,
    Act::Move,
    Act::Copy,
    Act::Delete,
    Act::Restore,
    Act::Purge,
];

/// A catalog as it lies on the disk: its file and its log.
#[derive(Clone, Debug)]
pub(super) struct Catalog {
    file: Vec<u8>,
    log: Vec<u8>,
}

impl Catalog {
    /// As it is now. Nobody may be writing to it.
    pub(super) fn of(data: &Path) -> Self {
        let log = fs::read(data.join("catalog.db-wal")).unwrap_or_default();
        Catalog { file: fs::read(data.join("catalog.db")).unwrap(), log }
    }
}

/// A store before anything happens to it.
pub(super) struct Ground {
    pub(super) caller: Caller,
    pub(super) catalog: Catalog,
    /// The catalog before there was any file.
    pub(super) emptied: Catalog,
    /// Its objects; paths begin at the data directory.
    pub(super) image: Image,
    key: Vec<u8>,
    folder: FolderId,
}

/// A directory in memory, where there is one: what matters here is the order of steps, not the disk.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

impl Ground {
    /// Two files, one of several objects and one in the catalog, another one in the trash, and a folder.
    pub(super) async fn new() -> Self {
        let place = Place::new();
        let drive = place.open(Disk::default()).await;
        let caller = person(&drive, "jane").await;
        let name = Name::parse("folder").unwrap();
        let folder = drive.create_folder(&caller, FolderRef::Home, &name).await.unwrap().id;
        let catalog = Catalog::of(&place.data);
        let key = fs::read(place.data.join("master.key")).unwrap();
        let (emptied, image) = (catalog.clone(), Image::new());
        let mut ground = Ground { caller, catalog, emptied, image, key, folder };
        let mut user = ground.user(&drive, 0);
        for len in [LENGTHS[2], LENGTHS[0], LENGTHS[1]] {
            user.upload(len).await.unwrap();
        }
        let last = user.live().await.pop().unwrap();
        drive.trash(&ground.caller, last).await.unwrap();
        drop(drive);
        ground.catalog = Catalog::of(&place.data);
        ground.image = place.image();
        ground
    }

    pub(super) fn user<'a>(&'a self, drive: &'a Drive, seed: u64) -> User<'a> {
        User { ground: self, drive, numbers: Numbers(seed), acts: 0 }
    }

    /// Everything that the user can see, byte by byte.
    pub(super) async fn seen(&self, drive: &Drive) -> Result<String> {
        let mut seen = vec![self.listed(drive).await?];
        for file in self.user(drive, 0).files().await {
            let content = read(drive, &self.caller, file.id, 0..file.size).await?;
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &content);
            seen.push(format!("{} {digest:?}", file.id));
        }
        Ok(seen.join("\n"))
    }

    /// The same but for the bytes.
    pub(super) async fn listed(&self, drive: &Drive) -> Result<String> {
        let mut seen = Vec::new();
        for file in self.user(drive, 0).files().await {
            let (_, versions) = drive.versions(&self.caller, file.id.into()).await?;
            seen.push(format!("{file:?} {versions:?}"));
        }
        for trashed in drive.trash_list(None).await? {
            let file = drive.find_file(FileId(trashed.id)).await?;
            seen.push(format!("{trashed:?} {file:?}"));
        }
        Ok(seen.join("\n"))
    }

    /// That every content is whole; and that the sweep, once all leases are over, leaves the objects that
    /// files have and no other.
    pub(super) async fn check(&self, drive: &Drive, place: &Place, tape: &Tape) -> Result<()> {
        let listed = self.listed(drive).await?;
        self.sweep(drive).await?;
        let found = drive.verify(None, |_| ()).await?;
        let whole = found.damaged.is_empty() && found.catalog.is_empty();
        fault(whole && found.checked.versions == found.of.versions, || format!("{found:?}"))?;
        let (here, named) = (files(&tape.image()), place.named());
        fault(here == named, || format!("objects {here:?}, of files {named:?}"))?;
        let swept = self.listed(drive).await?;
        fault(swept == listed, || format!("the sweep changed something:\n{listed}\n{swept}"))
    }

    pub(super) async fn sweep(&self, drive: &Drive) -> Result<()> {
        drive.clock().advance_seconds(LEASE + 1);
        while drive.sweep(SweepSettings::default()).await? != Swept::default() {}
        Ok(())
    }
}

/// What a check says that failed.
pub(super) fn fault(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::internal(otherwise())) }
}

/// The files below `objects`, whatever they are.
pub(super) fn files(image: &Image) -> BTreeSet<String> {
    let files = image.iter().filter(|(_, content)| content.is_some());
    files.map(|(path, _)| path.strip_prefix("objects").unwrap().display().to_string()).collect()
}

/// As a key file must be.
fn write_private(path: &Path, bytes: &[u8]) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Where a store is laid down.
pub(super) struct Place {
    _directory: TempDir,
    pub(super) data: PathBuf,
    /// What is there, so that only what differs is written.
    there: RefCell<Image>,
}

impl Place {
    pub(super) fn new() -> Self {
        let directory = directory();
        let data = directory.path().canonicalize().unwrap().join("data");
        fs::create_dir(&data).unwrap();
        Place { _directory: directory, data, there: RefCell::default() }
    }

    /// Puts a store here instead of the one that is.
    pub(super) fn lay(&self, ground: &Ground, catalog: &Catalog, image: &Image) {
        let _none = fs::remove_file(self.data.join("catalog.db-shm"));
        fs::write(self.data.join("catalog.db"), &catalog.file).unwrap();
        fs::write(self.data.join("catalog.db-wal"), &catalog.log).unwrap();
        let key = self.data.join("master.key");
        if !key.exists() {
            write_private(&key, &ground.key);
        }
        let mut there = self.there.borrow_mut();
        for (path, content) in there.iter().rev() {
            if image.get(path).is_none_or(|wanted| wanted.is_none() != content.is_none()) {
                let path = self.data.join(path);
                if content.is_some() { fs::remove_file(path) } else { fs::remove_dir(path) }
                    .unwrap();
            }
        }
        for (path, content) in
            image.iter().filter(|(path, content)| there.get(*path) != Some(content))
        {
            let path = self.data.join(path);
            content
                .as_ref()
                .map_or_else(|| fs::create_dir(&path), |bytes| fs::write(&path, bytes))
                .unwrap();
        }
        there.clone_from(image);
    }

    /// Notes what is there after a store was at work.
    pub(super) fn left(&self, image: Image) {
        *self.there.borrow_mut() = image;
    }

    pub(super) async fn open(&self, disk: Disk) -> Drive {
        self.open_at(disk, &Clock::fixed(NOW), OBJECT_MAX).await
    }

    pub(super) async fn try_open(&self, disk: Disk) -> Result<Drive> {
        let location = Location::directory(&self.data);
        Drive::open_on(disk, &location, Clock::fixed(NOW), Limits::default()).await
    }

    pub(super) async fn open_at(&self, disk: Disk, clock: &Clock, object_max: usize) -> Drive {
        let (location, clock) = (Location::directory(&self.data), clock.clone());
        let mut drive = Drive::open_on(disk, &location, clock, Limits::default()).await.unwrap();
        limit_objects(&mut drive, object_max);
        drive
    }

    /// The directory of objects, and what is really in it.
    pub(super) fn image(&self) -> Image {
        let (mut image, mut left) = (Image::new(), vec![self.data.join("objects")]);
        while let Some(folder) = left.pop().filter(|folder| folder.exists()) {
            for entry in fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    left.push(entry.path());
                } else {
                    let path = entry.path().strip_prefix(&self.data).unwrap().to_owned();
                    image.insert(path, Some(fs::read(entry.path()).unwrap()));
                }
            }
            image.insert(folder.strip_prefix(&self.data).unwrap().to_owned(), None);
        }
        image
    }

    /// The objects of files, and what else the catalog names.
    pub(super) fn named(&self) -> BTreeSet<String> {
        let catalog = rusqlite::Connection::open(self.data.join("catalog.db")).unwrap();
        let all = "select objects from contents union all select '0 left over: ' || blob from \
                   (select blob from pending union all select blob from doomed)";
        let mut rows = catalog.prepare(all).unwrap();
        let lists = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let names = lists.map(|list| {
            let list = list.unwrap();
            list.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
        });
        names.flatten().collect()
    }
}

/// Jane, who does one thing after the other.
pub(super) struct User<'a> {
    ground: &'a Ground,
    drive: &'a Drive,
    numbers: Numbers,
    acts: usize,
}

impl User<'_> {
    async fn files(&self) -> Vec<crate::File> {
        let list = List {
            set: crate::FileSet::Owned,
            by: crate::OrderBy::Uploaded,
            descending: false,
            search: None,
            page: PageNumber::Number(1),
            beside: None,
            size: 1000,
        };
        self.drive.list(&self.ground.caller, list).await.unwrap().files
    }

    /// Files that are not in the trash.
    pub(super) async fn live(&self) -> Vec<FileId> {
        self.files().await.iter().map(|file| file.id).collect()
    }

    async fn any_live(&mut self) -> Result<FileId> {
        let live = self.live().await;
        let at = self.numbers.below(live.len().max(1));
        live.get(at).copied().ok_or(Error::NotFound(crate::Thing::File))
    }

    async fn any_trashed(&mut self) -> Result<i64> {
        let trashed = self.drive.trash_list(None).await.unwrap();
        let at = self.numbers.below(trashed.len().max(1));
        trashed.get(at).map(|trashed| trashed.id).ok_or(Error::NotFound(crate::Thing::File))
    }

    fn length(&mut self) -> usize {
        let at = self.numbers.below(LENGTHS.len() + 1);
        // Of several objects, or of several writes.
        let longest =
            if self.drive.vault().object_max > OBJECT_MAX as u64 { 700_000 } else { 150_000 };
        LENGTHS.get(at).copied().unwrap_or_else(|| 1 + self.numbers.below(longest))
    }

    fn name(&mut self) -> Name {
        self.acts += 1;
        Name::parse(&format!("{} {}", self.acts, self.numbers.below(1 << 30))).unwrap()
    }

    fn folder(&mut self) -> FolderRef {
        if self.numbers.below(2) == 0 { FolderRef::Home } else { self.ground.folder.into() }
    }

    async fn send(&mut self, target: Target, len: usize) -> Result<()> {
        let announced = (self.numbers.below(2) == 0).then_some(len as u64);
        let mut upload = self.drive.upload(&self.ground.caller, target, announced).await?;
        let mut content = bytes(len);
        content[0] = u8::try_from(self.numbers.below(256)).unwrap();
        if let Err(error) = upload.write(content.clone().into()).await {
            upload.discard().await;
            return Err(error);
        }
        let file = upload.finish(end(self.name().as_str())).await?;
        let stored = read(self.drive, &self.ground.caller, file.id, 0..len as u64).await?;
        assert!(stored == content, "{} reads otherwise than it was sent", file.name);
        Ok(())
    }

    pub(super) async fn upload(&mut self, len: usize) -> Result<()> {
        let folder = self.folder();
        let target = Target::Folder { folder, name: None, on_taken: OnTaken::Number };
        self.send(target, len).await
    }

    /// As [`User::act`]; without a file to do it to, nothing.
    pub(super) async fn try_act(&mut self, act: Act) -> Result<()> {
        match self.act(act).await {
            Err(Error::NotFound(_)) => Ok(()),
            done => done,
        }
    }

    /// Does something to some file. Without one to do it to, it is not found.
    pub(super) async fn act(&mut self, act: Act) -> Result<()> {
        let (ground, drive) = (self.ground, self.drive);
        let caller = &ground.caller;
        match act {
            Act::Upload => {
                let len = self.length();
                self.upload(len).await
            }
            Act::Replace => {
                let (file, len) = (self.any_live().await?, self.length());
                self.send(Target::File { file: file.into(), base: Base::Any }, len).await
            }
            Act::Rename => {
                let file = self.any_live().await?;
                drive.rename_file(caller, file.into(), &self.name()).await.map(drop)
            }
            Act::Move => {
                let (file, to) = (self.any_live().await?, self.folder());
                drive.move_file(caller, file.into(), to, Some(&self.name())).await.map(drop)
            }
            Act::Copy => {
                let (file, to) = (self.any_live().await?, self.folder());
                drive.copy_file(caller, file.into(), to, &self.name()).await.map(drop)
            }
            Act::Delete => drive.trash(caller, self.any_live().await?).await,
            Act::Restore => drive.restore_node(self.any_trashed().await?).await,
            Act::Purge => {
                let purge = DeleteFile { purge: true, version: None };
                match self.any_live().await {
                    Ok(file) if self.numbers.below(2) == 0 => {
                        drive.delete_file(caller, file.into(), purge).await
                    }
                    _ => drive.purge_node(self.any_trashed().await?).await,
                }?;
                drive.sweep(SweepSettings::default()).await.map(drop)
            }
        }
    }
}

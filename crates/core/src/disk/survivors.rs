//! What a power cut may leave of what a store wrote to its directory: a file's content is sure once it was
//! synced, a name once its folder was. All else stays, is lost or is torn, each for itself and in no order;
//! so harsh is no one file system, and each is a little.

use super::Step;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that reach a disk together, or do not.
const PAGE: usize = 4096;

/// Numbers that are the same on each run (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// Whether something unsure stays: all of it, none, or each by chance.
    fn keep(&mut self, mode: usize) -> bool {
        match mode {
            0 => true,
            1 => false,
            _ => self.below(2) == 0,
        }
    }
}

/// A sync that a control leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// Of what is in a file.
    Content,
    /// Of a folder in which a file got its name.
    Named,
    /// Of a folder from which a file was removed.
    Removed,
    /// Of the directory in which the folders were made.
    Folders,
    /// Of the directory in which that one was made.
    Root,
}

/// Files, and folders without content, by their paths in a directory.
pub(crate) type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// A directory as it is, and as much of it as is sure.
#[derive(Clone, Debug)]
pub(crate) struct Survivors {
    top: PathBuf,
    left_out: Option<LeftOut>,
    files: Vec<Content>,
    folders: BTreeMap<PathBuf, Folder>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    sure: Arc<Vec<u8>>,
    unsure: Vec<(usize, Arc<[u8]>)>,
}

#[derive(Clone, Debug, Default)]
struct Folder {
    sure: BTreeMap<OsString, Entry>,
    unsure: Vec<Change>,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    File(usize),
    Folder,
}

/// A name that came, or went.
#[derive(Clone, Debug)]
struct Change {
    name: OsString,
    to: Option<Entry>,
    synced_by: Option<LeftOut>,
}

impl Survivors {
    /// A directory in which there is `image`, all of it sure.
    pub(crate) fn new(top: &Path, image: &Image) -> Self {
        let (files, folders) = (Vec::new(), BTreeMap::new());
        let mut new = Survivors { top: top.to_owned(), left_out: None, files, folders };
        new.folders.insert(new.top.clone(), Folder::default());
        for (path, content) in image {
            let path = top.join(path);
            let entry = new.add(&path, content.clone());
            new.above(&path).sure.insert(name(&path), entry);
        }
        new
    }

    /// The same, on a disk that does not do one of its syncs.
    pub(crate) fn without(self, left_out: Option<LeftOut>) -> Self {
        Survivors { left_out, ..self }
    }

    fn add(&mut self, path: &Path, content: Option<Vec<u8>>) -> Entry {
        match content {
            Some(bytes) => {
                self.files.push(Content { sure: Arc::new(bytes), unsure: Vec::new() });
                Entry::File(self.files.len() - 1)
            }
            None => {
                self.folders.insert(path.to_owned(), Folder::default());
                Entry::Folder
            }
        }
    }

    fn above(&mut self, path: &Path) -> &mut Folder {
        self.folders.get_mut(path.parent().unwrap()).unwrap()
    }

    fn entry(&self, path: &Path) -> Option<Entry> {
        let (folder, name) = (self.folders.get(path.parent().unwrap())?, name(path));
        match folder.unsure.iter().rfind(|change| change.name == name) {
            Some(last) => last.to,
            None => folder.sure.get(&name).copied(),
        }
    }

    fn file(&mut self, path: &Path) -> &mut Content {
        match self.entry(path) {
            Some(Entry::File(file)) => &mut self.files[file],
            other => panic!("{} is {other:?}", path.display()),
        }
    }

    fn change(&mut self, path: &Path, to: Option<Entry>, synced_by: Option<LeftOut>) {
        self.above(path).unsure.push(Change { name: name(path), to, synced_by });
    }

    /// Makes a step, which is then in doubt until it is synced.
    pub(crate) fn make(&mut self, step: Step<'_>) {
        match step {
            Step::MakeDirectory(path) => {
                if self.entry(path).is_none() {
                    let is_root = path.parent() == Some(&self.top);
                    let entry = self.add(path, None);
                    let synced_by = if is_root { LeftOut::Root } else { LeftOut::Folders };
                    self.change(path, Some(entry), Some(synced_by));
                }
            }
            Step::Create(path) => {
                if self.folders.contains_key(path.parent().unwrap()) {
                    let entry = self.add(path, Some(Vec::new()));
                    self.change(path, Some(entry), None);
                }
            }
            Step::Write(path, at, bytes) => {
                let at = usize::try_from(at).unwrap();
                self.file(path).unsure.push((at, bytes.into()));
            }
            Step::Sync(path) => {
                if self.left_out != Some(LeftOut::Content) {
                    let content = self.file(path);
                    content.sure = Arc::new(content.now());
                    content.unsure.clear();
                }
            }
            // Not even that a name goes where the other comes is sure.
            Step::Rename(from, to) => {
                let entry = self.entry(from);
                self.change(from, None, Some(LeftOut::Named));
                self.change(to, entry, Some(LeftOut::Named));
            }
            Step::Remove(path) => {
                if self.entry(path).is_some() {
                    self.change(path, None, Some(LeftOut::Removed));
                }
            }
            Step::SyncDirectory(path) => {
                let left_out = self.left_out;
                let folder = self.folders.get_mut(path).unwrap();
                for change in std::mem::take(&mut folder.unsure) {
                    if left_out.is_some() && change.synced_by == left_out {
                        folder.unsure.push(change);
                    } else {
                        apply(&mut folder.sure, &change);
                    }
                }
            }
            Step::Close(_) | Step::Statement(_) | Step::Committed => {}
        }
    }

    /// The directory as it is.
    pub(crate) fn now(&self) -> Image {
        self.image(Folder::now, Content::now)
    }

    /// The directory as it may be after a power cut.
    pub(crate) fn cut(&self, seed: u64) -> Image {
        let (mut names, mut torn) = (Numbers(seed), Numbers(!seed));
        // A cut that takes all of the names or none is as likely as any.
        let mode = names.below(4);
        self.image(
            |folder| {
                let mut sure = folder.sure.clone();
                for change in &folder.unsure {
                    if names.keep(mode) {
                        apply(&mut sure, change);
                    }
                }
                sure
            },
            |content| content.torn(&mut torn),
        )
    }

    fn image(
        &self,
        mut names: impl FnMut(&Folder) -> BTreeMap<OsString, Entry>,
        mut bytes: impl FnMut(&Content) -> Vec<u8>,
    ) -> Image {
        let (mut image, mut left) = (Image::new(), vec![self.top.clone()]);
        while let Some(folder) = left.pop() {
            for (name, entry) in names(&self.folders[&folder]) {
                let path = folder.join(name);
                let content = match entry {
                    Entry::File(file) => Some(bytes(&self.files[file])),
                    Entry::Folder => {
                        left.push(path.clone());
                        None
                    }
                };
                image.insert(path.strip_prefix(&self.top).unwrap().to_owned(), content);
            }
        }
        image
    }
}

impl Folder {
    fn now(&self) -> BTreeMap<OsString, Entry> {
        let mut now = self.sure.clone();
        self.unsure.iter().for_each(|change| apply(&mut now, change));
        now
    }
}

impl Content {
    fn now(&self) -> Vec<u8> {
        let mut now = self.sure.to_vec();
        self.unsure.iter().for_each(|(at, bytes)| put(&mut now, *at, bytes));
        now
    }

    /// Each page that was written is there or not; a file may have grown and have nothing there.
    fn torn(&self, numbers: &mut Numbers) -> Vec<u8> {
        let (mut torn, mode) = (self.sure.to_vec(), numbers.below(4));
        for (at, bytes) in &self.unsure {
            for (page, bytes) in bytes.chunks(PAGE).enumerate() {
                if numbers.keep(mode) {
                    let torn_at = if numbers.below(8) == 0 {
                        numbers.below(bytes.len())
                    } else {
                        bytes.len()
                    };
                    put(&mut torn, at + page * PAGE, &bytes[..torn_at]);
                }
            }
        }
        if mode == 3 {
            let grown = self.now().len();
            torn.resize(torn.len().max(grown), 0);
        }
        torn
    }
}

fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    to.resize(to.len().max(at + bytes.len()), 0);
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

fn apply(names: &mut BTreeMap<OsString, Entry>, change: &Change) {
    match change.to {
        Some(entry) => names.insert(change.name.clone(), entry),
        None => names.remove(&change.name),
    };
}

fn name(path: &Path) -> OsString {
    path.file_name().unwrap().to_owned()
}

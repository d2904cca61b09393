//! What a tree is made of, as plain data: folders and files, who made them when, and how one caller
//! sees them.

use crate::access::Role;
use crate::catalog::files::File;
use crate::clock::Time;
use crate::id::{FileId, FolderId, UserId};
use std::fmt;
use std::ops::Deref;

/// Who did something, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at: Time,
    /// Who.
    pub by: UserId,
}

/// A folder, with what is kept about its direct children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The id.
    pub id: FolderId,
    /// Whose tree it is in.
    pub owner: UserId,
    /// The folder that it lies in; a user's root, My Files, has none.
    pub parent: Option<FolderId>,
    /// What it is called among its siblings.
    pub title: String,
    /// Who made it, and when.
    pub created: Stamp,
    /// Who changed it itself last, and when; what happens inside does not count.
    pub modified: Stamp,
    /// When it was put in the trash, if it is there.
    pub trashed: Option<Time>,
    /// Live files directly inside.
    pub files: u64,
    /// Live folders directly inside.
    pub folders: u64,
    /// Bytes of the current versions of the live files directly inside.
    pub bytes: u64,
    /// Whole seconds: moves forward by one at least with each child that is added, changed or removed,
    /// so that it tells apart what HTTP dates would not.
    pub changed: Time,
    /// Whether it lies directly in its owner's root.
    pub(crate) in_root: bool,
}

/// A child of a folder.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "lists hold files above all")]
pub enum Entry {
    /// A folder.
    Folder(Folder),
    /// A file, with its current version.
    File(File),
}

/// Something as one caller sees it.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    /// What is seen.
    pub node: T,
    /// Where it lies, for this caller.
    pub above: Above,
    /// The role that shares give the caller; `None` for the owner.
    pub role: Option<Role>,
}

impl<T> Seen<T> {
    /// The same view of something made of it.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Seen<U> {
        Seen { node: make(self.node), above: self.above, role: self.role }
    }
}

impl<T> Deref for Seen<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.node
    }
}

/// Where something lies, for one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Above {
    /// Directly in the caller's My Files.
    Home,
    /// In a folder that the caller may see.
    Folder(FolderId),
    /// In a folder that the caller may not see: it stands for itself among what others share.
    Shared,
    /// Nowhere: it is a root.
    Nothing,
}

/// Names a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderRef {
    /// The caller's My Files.
    Home,
    /// Any folder, by its id.
    Id(FolderId),
}

impl From<FolderId> for FolderRef {
    fn from(id: FolderId) -> Self {
        FolderRef::Id(id)
    }
}

/// A file's second name: a UUID, 32 lower-case hex digits. Never given to another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileHex(u128);

impl FileHex {
    /// Reads exactly 32 hex digits, in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 32 || !text.bytes().all(digits) {
            return None;
        }
        uuid::Uuid::try_parse(text).ok().map(|uuid| FileHex(uuid.as_u128()))
    }

    /// A new one, ordered by time.
    pub(crate) fn new() -> Self {
        FileHex(uuid::Uuid::now_v7().as_u128())
    }

    pub(crate) fn uuid(self) -> uuid::Uuid {
        uuid::Uuid::from_u128(self.0)
    }
}

impl fmt::Display for FileHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uuid().simple().encode_lower(&mut uuid::Uuid::encode_buffer()))
    }
}

/// Names a file by either of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRef {
    /// By its number.
    Id(FileId),
    /// By its UUID.
    Hex(FileHex),
}

impl From<FileId> for FileRef {
    fn from(id: FileId) -> Self {
        FileRef::Id(id)
    }
}

impl From<FileHex> for FileRef {
    fn from(hex: FileHex) -> Self {
        FileRef::Hex(hex)
    }
}

/// Names a file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeRef {
    /// A file.
    File(FileRef),
    /// A folder.
    Folder(FolderRef),
}

/// Names one version of a file, as 32 hex digits: the file's number and the version's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionId {
    /// The file.
    pub file: FileId,
    /// The version's number, from 1.
    pub number: u64,
}

impl VersionId {
    /// Reads what [`VersionId`] displays.
    pub fn parse(text: &str) -> Option<Self> {
        let FileHex(both) = FileHex::parse(text)?;
        let file = i64::try_from(both >> 64).ok().filter(|file| (1..1 << 53).contains(file))?;
        let number = u64::try_from(both & u128::from(u64::MAX)).ok()?;
        (1..1 << 53).contains(&number).then_some(VersionId { file: FileId(file), number })
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.file.0, self.number)
    }
}

/// One version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The id.
    pub id: VersionId,
    /// Bytes of content.
    pub size: u64,
    /// MD5 of the content.
    pub md5: [u8; 16],
    /// Who sent it, and when.
    pub created: Stamp,
    /// When its content was last changed, by its sender's word.
    pub modified: Time,
}

/// Which children a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Folders, then files.
    Both,
    /// Folders alone.
    Folders,
    /// Files alone.
    Files,
}

/// The place of a child among its siblings: folders first, then by label, without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryKey {
    /// Whether it is a file.
    pub file: bool,
    /// Its folded label.
    pub label_key: String,
    /// Its number.
    pub id: i64,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Window {
    /// How many entries come before it.
    pub first: u64,
    /// At most so many; `None` is all of them.
    pub count: Option<u64>,
    /// The entry that it follows, if the part before told.
    pub behind: Option<EntryKey>,
}

/// A part of a list of children, or of what was found.
#[derive(Clone, Debug)]
pub struct Listing {
    /// How many entries the whole list holds.
    pub total: u64,
    /// The entries of this part.
    pub entries: Vec<Seen<Entry>>,
    /// Where the next part begins: behind this one. `None` at the end.
    pub next: Option<EntryKey>,
    /// When anything in the list changed last, if that is kept.
    pub changed: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_nothing_else_is_one() {
        let hex = FileHex::new();
        assert_eq!(FileHex::parse(&hex.to_string()), Some(hex));
        let version = VersionId { file: FileId(61), number: 4 };
        assert_eq!(version.to_string(), "000000000000003d0000000000000004");
        assert_eq!(VersionId::parse(&version.to_string()), Some(version));
        for text in
            ["", "3d", "000000000000003D0000000000000004", "+00000000000003d0000000000000004"]
        {
            assert_eq!((FileHex::parse(text), VersionId::parse(text)), (None, None), "{text}");
        }
        for text in [
            "00000000000000000000000000000001",
            "00000000000000010000000000000000",
            "ffffffffffffffff0000000000000001",
        ] {
            assert_eq!(VersionId::parse(text), None, "{text}");
        }
    }
}

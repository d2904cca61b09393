//! What is stored for a content, and under which names.

use super::seal::{ContentId, SealError, WrapObject};
use aws_lc_rs::rand;
use bytes::Bytes;
use std::fmt;

/// The name of a stored object: random, so that nothing about a file shows in it, and never used
/// twice. Only this type can name an object, so no client's text ever becomes a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlobKey(String);

impl BlobKey {
    /// A new name: two hex digits for the folder, thirty for the file.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).expect("the operating system provides randomness");
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        BlobKey(format!("{}/{}", &hex[..2], &hex[2..]))
    }

    /// Reads back what the catalog holds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (folder, rest) = text.split_once('/')?;
        let hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (folder.len() == 2 && rest.len() == 30 && hex(folder) && hex(rest))
            .then(|| BlobKey(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stored object and how much plaintext it holds, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectRef {
    pub(crate) blob: BlobKey,
    pub(crate) size: u64,
}

/// The objects of a content, in order. None: the content is inline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectList(pub(crate) Vec<ObjectRef>);

impl ObjectList {
    /// As the catalog keeps it: a line an object, its size and its name.
    pub(crate) fn encode(&self) -> String {
        self.0.iter().map(|object| format!("{} {}\n", object.size, object.blob)).collect()
    }

    /// Reads [`ObjectList::encode`].
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let object = |line: &str| {
            let (size, blob) = line.split_once(' ')?;
            Some(ObjectRef { blob: BlobKey::parse(blob)?, size: size.parse().ok()? })
        };
        text.lines().map(object).collect::<Option<_>>().map(ObjectList)
    }

    /// As a wrapped key authenticates it.
    pub(crate) fn wrap_objects(&self) -> Vec<WrapObject<'_>> {
        let objects = self.0.iter();
        objects.map(|o| WrapObject { key: o.blob.as_str(), plain_len: o.size }).collect()
    }
}

/// Where the sealed bytes of a content are.
#[derive(Clone, Debug)]
pub(crate) enum Sealed {
    /// In the catalog: one sealed object, ordinal 0.
    Inline(Bytes),
    /// In the store.
    Objects(ObjectList),
}

/// A content as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredContent {
    pub(crate) id: ContentId,
    /// Plaintext bytes.
    pub(crate) size: u64,
    pub(crate) sealed: Sealed,
}

impl StoredContent {
    pub(crate) fn objects(&self) -> &ObjectList {
        static NONE: ObjectList = ObjectList(Vec::new());
        match &self.sealed {
            Sealed::Inline(_) => &NONE,
            Sealed::Objects(list) => list,
        }
    }
}

/// A content that does not verify, in the domain's words.
pub(crate) fn damaged(content: ContentId, error: &SealError) -> crate::Error {
    crate::Error::Damaged { why: format!("content {content:?}: {error}") }
}

//! The content of a version: what is known of it, and what it takes to read it.

use super::row::{FromRow, Row};
use crate::error::{Error, Result};
use crate::id::FileId;
use crate::vault::keys::Keyring;
use crate::vault::seal::{ContentId, DataKey, WRAPPED_KEY_LEN, WrapContext};
use crate::vault::{ObjectList, Sealed, StoredContent};
use bytes::Bytes;

/// The columns of a version and of its content that [`files`](super::files) and [`readable`](super::readable) ask for last.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) content: ContentId,
    pub(crate) plain: bool,
    pub(crate) master_key: String,
    pub(crate) wrapped_key: [u8; WRAPPED_KEY_LEN],
    /// `None`: the row's list cannot be read. The file is listed all the same.
    pub(crate) objects: Option<ObjectList>,
    /// `None` until a large content's is known.
    pub(crate) sha512: Option<[u8; 64]>,
}

impl Held {
    /// The objects of the content.
    pub(crate) fn objects(&self) -> Result<&ObjectList> {
        let unreadable = || Error::Damaged { why: "its list of objects cannot be read".into() };
        self.objects.as_ref().ok_or_else(unreadable)
    }

    /// The key that the content is sealed under, wrapped for one version.
    pub(super) fn data_key(
        &self,
        keys: &Keyring,
        (file, version): (FileId, u64),
        size: u64,
        md5: &[u8; 16],
    ) -> Result<DataKey> {
        let context = wrap_context(file, version, (self.content, size), md5, self.objects()?)?;
        keys.unwrap(&self.master_key, &context, &self.wrapped_key)
    }

    /// Where the sealed bytes are, which are those that were found inline if they are not in objects.
    pub(super) fn stored(&self, size: u64, inline: Option<Vec<u8>>) -> Result<StoredContent> {
        let objects = self.objects()?;
        let sealed = if objects.0.is_empty() {
            let missing = || Error::Damaged { why: "its inline content is missing".into() };
            Sealed::Inline(Bytes::from(inline.ok_or_else(missing)?))
        } else {
            Sealed::Objects(objects.clone())
        };
        Ok(StoredContent { id: self.content, size, sealed })
    }
}

/// `None` for what shows no content.
impl FromRow for Option<Held> {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let Some(content) = row.take()? else { return Ok(None) };
        Ok(Some(Held {
            content: ContentId(content),
            plain: row.take()?,
            master_key: row.take()?,
            wrapped_key: row.take()?,
            objects: row.take::<String>().ok().and_then(|list| ObjectList::decode(&list)),
            sha512: row.take()?,
        }))
    }
}

/// What a version's wrapped key is bound to.
pub(crate) fn wrap_context(
    file: FileId,
    version: u64,
    (content, plain_len): (ContentId, u64),
    md5: &[u8; 16],
    objects: &ObjectList,
) -> Result<Vec<u8>> {
    let file = file.0.cast_unsigned();
    let objects = objects.wrap_objects();
    WrapContext { file, version, content, plain_len, md5: *md5, objects: &objects }
        .encode()
        .map_err(Error::internal)
}

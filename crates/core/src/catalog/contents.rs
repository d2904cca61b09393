//! Contents: which sealed bytes they are, and the objects that wait to become or cease to be part
//! of one.

use super::conn::Tx;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::vault::seal::ContentId;
use crate::vault::{BlobKey, ObjectList, Sealed, StoredContent, UploadId};

statements! {
    CONTENT_INSERT = "insert into contents (id, size, objects, sha512, sealed) values ($1, $2, $3, $4, $5)";
    CONTENT_IS_USED = "select 1 from versions where content = $1 limit 1";
    CONTENT_DELETE = "delete from contents where id = $1 returning objects";
    SET_SHA512 = "update contents set sha512 = $2 where id = $1";
    PENDING_INSERT = "insert into pending (blob, owner, lease) values ($1, $2, $3)";
    PENDING_UPLOAD_SET = "update pending set upload = $2 where blob = $1";
    PENDING_UPLOAD = "select upload from pending where blob = $1";
    PENDING_EXTEND = "update pending set lease = $2 where blob = $1";
    PENDING = "select 1 from pending where blob = $1";
    PENDING_DELETE = "delete from pending where blob = $1";
    PENDING_EXPIRED = "select blob from pending where lease < $1 order by lease limit $2";
    DOOM = "insert into doomed (blob, since) values ($1, $2) on conflict (blob) do nothing";
    DOOM_PENDING = "insert into doomed (blob, since, upload) \
        select blob, cast($2 as bigint), upload from pending where blob = $1 on conflict (blob) do nothing";
    DOOMED = "select blob, upload from doomed where since <= $1 order by since limit $2";
    CONTENT_OBJECTS = "select id, objects from contents where id > $1 order by id limit $2";
    PENDING_CLEAR = "delete from pending";
    DOOMED_CLEAR = "delete from doomed";
    DOOMED_DELETE = "delete from doomed where blob = $1";
}

/// Records a content whose objects are durable and leased: they cease to be pending.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    content: &StoredContent,
    sha512: Option<&[u8; 64]>,
) -> Result<()> {
    let (size, objects) = (content.size.cast_signed(), content.objects());
    let sealed = match &content.sealed {
        Sealed::Inline(sealed) => Some(sealed.as_ref()),
        Sealed::Objects(_) => None,
    };
    let encoded = objects.encode();
    tx.exec(&CONTENT_INSERT, params![&content.id.0, size, &encoded, sha512, sealed]).await?;
    for object in &objects.0 {
        forget_pending(tx, &object.blob).await?;
    }
    Ok(())
}

/// Whether a version has this content.
pub(crate) async fn is_used(tx: &mut Tx<'_>, content: ContentId) -> Result<bool> {
    Ok(tx.opt::<i64>(&CONTENT_IS_USED, params![&content.0]).await?.is_some())
}

/// Forgets a content if no version has it any more, and dooms its objects. One that is forgotten
/// already, because several versions that had it went at once, is left at that.
pub(crate) async fn release(tx: &mut Tx<'_>, content: ContentId, now: Time) -> Result<()> {
    if is_used(tx, content).await? {
        return Ok(());
    }
    let Some(objects) = tx.opt::<String>(&CONTENT_DELETE, params![&content.0]).await? else {
        return Ok(());
    };
    let objects = ObjectList::decode(&objects)
        .ok_or_else(|| Error::internal("a content's list of objects cannot be read"))?;
    for object in &objects.0 {
        tx.exec(&DOOM, params![object.blob.as_str(), now]).await?;
    }
    Ok(())
}

pub(crate) async fn set_sha512(
    tx: &mut Tx<'_>,
    content: ContentId,
    sha512: &[u8; 64],
) -> Result<()> {
    tx.exec(&SET_SHA512, params![&content.0, sha512]).await.map(drop)
}

/// Names an object that is about to be written, until `lease`.
pub(crate) async fn lease(
    tx: &mut Tx<'_>,
    blob: &BlobKey,
    owner: UserId,
    lease: Time,
) -> Result<()> {
    tx.exec(&PENDING_INSERT, params![blob.as_str(), owner.0, lease]).await.map(drop)
}

/// Notes what the service calls an object that is about to be sent in parts. False: the lease is lost.
pub(crate) async fn set_upload(tx: &mut Tx<'_>, blob: &BlobKey, upload: &UploadId) -> Result<bool> {
    Ok(tx.exec(&PENDING_UPLOAD_SET, params![blob.as_str(), &upload.0]).await? == 1)
}

/// What the service calls a leased object, if it is sent in parts.
pub(crate) async fn upload(tx: &mut Tx<'_>, blob: &BlobKey) -> Result<Option<UploadId>> {
    let upload: Option<Option<String>> = tx.opt(&PENDING_UPLOAD, params![blob.as_str()]).await?;
    Ok(upload.flatten().map(UploadId))
}

/// Gives a writer more time. False: it has lost its lease.
pub(crate) async fn extend_lease(tx: &mut Tx<'_>, blob: &BlobKey, lease: Time) -> Result<bool> {
    Ok(tx.exec(&PENDING_EXTEND, params![blob.as_str(), lease]).await? == 1)
}

/// Whether the writer of these objects still has its leases: the sweep takes back what is over.
pub(crate) async fn are_leased(tx: &mut Tx<'_>, objects: &ObjectList) -> Result<bool> {
    for object in &objects.0 {
        if tx.opt::<i64>(&PENDING, params![object.blob.as_str()]).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Dooms the objects of a content that is not to be.
pub(crate) async fn give_up(tx: &mut Tx<'_>, objects: &ObjectList, now: Time) -> Result<()> {
    for object in &objects.0 {
        doom_pending(tx, object.blob.as_str(), now).await?;
        // Its lease may be gone already.
        tx.exec(&DOOM, params![object.blob.as_str(), now]).await?;
    }
    Ok(())
}

async fn doom_pending(tx: &mut Tx<'_>, blob: &str, now: Time) -> Result<()> {
    tx.exec(&DOOM_PENDING, params![blob, now]).await?;
    tx.exec(&PENDING_DELETE, params![blob]).await.map(drop)
}

/// Forgets an object that was given up and removed, or that has become part of a content.
pub(crate) async fn forget_pending(tx: &mut Tx<'_>, blob: &BlobKey) -> Result<()> {
    tx.exec(&PENDING_DELETE, params![blob.as_str()]).await.map(drop)
}

/// Dooms up to `limit` objects whose lease has expired; how many.
pub(crate) async fn expire_leases(tx: &mut Tx<'_>, now: Time, limit: i64) -> Result<usize> {
    let expired: Vec<String> = tx.all(&PENDING_EXPIRED, params![now, limit]).await?;
    for blob in &expired {
        doom_pending(tx, blob, now).await?;
    }
    Ok(expired.len())
}

/// The objects of up to `limit` contents behind one.
pub(crate) async fn objects(
    tx: &mut Tx<'_>,
    behind: ContentId,
    limit: i64,
) -> Result<Vec<(ContentId, ObjectList)>> {
    let found: Vec<([u8; 16], String)> =
        tx.all(&CONTENT_OBJECTS, params![&behind.0, limit]).await?;
    let decoded = found.into_iter().map(|(id, objects)| {
        let unreadable = || Error::internal("a content's list of objects cannot be read");
        Ok((ContentId(id), ObjectList::decode(&objects).ok_or_else(unreadable)?))
    });
    decoded.collect()
}

/// Forgets what is being written and removed: of a copy, whose objects those are not.
pub(crate) async fn forget_unused(tx: &mut Tx<'_>) -> Result<()> {
    for statement in [&PENDING_CLEAR, &DOOMED_CLEAR] {
        tx.exec(statement, params![]).await?;
    }
    Ok(())
}

/// An object that nothing needs, and what the service calls it if it was sent in parts.
#[derive(Clone, Debug)]
pub(crate) struct Doomed {
    pub(crate) blob: BlobKey,
    pub(crate) upload: Option<UploadId>,
}

impl FromRow for Doomed {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let blob = BlobKey::parse(&row.take::<String>()?)
            .ok_or_else(|| Error::internal("a doomed object has a bad name"))?;
        Ok(Doomed { blob, upload: row.take::<Option<String>>()?.map(UploadId) })
    }
}

/// Up to `limit` objects that have been doomed since `before`.
pub(crate) async fn doomed(tx: &mut Tx<'_>, before: Time, limit: i64) -> Result<Vec<Doomed>> {
    tx.all(&DOOMED, params![before, limit]).await
}

pub(crate) async fn forget_doomed(tx: &mut Tx<'_>, blob: &BlobKey) -> Result<()> {
    tx.exec(&DOOMED_DELETE, params![blob.as_str()]).await.map(drop)
}

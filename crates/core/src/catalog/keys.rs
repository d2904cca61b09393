//! Master keys, as the catalog knows them: which there are, which one wraps, and what is wrapped under which.

use super::conn::Tx;
use super::held::wrap_context;
use super::meta::VersionMark;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, ShareId};
use crate::vault::ObjectList;
use crate::vault::seal::{ContentId, WRAPPED_KEY_LEN};

statements! {
    KEYS = "select id, canary from master_keys order by created, id";
    ACTIVE_KEY = "select id from master_keys where replaced is null";
    KEY_INSERT = "insert into master_keys (id, canary, created) values ($1, $2, $3)";
    KEY_REPLACED = "update master_keys set replaced = $1 where replaced is null";
    KEY_DELETE = "delete from master_keys where id = $1 and replaced is not null";
    /// One row for each key that versions or links are wrapped under.
    KEYS_IN_USE = "select id from master_keys k \
        where exists (select 1 from versions where master_key = k.id) \
        or exists (select 1 from shares where link_master_key = k.id) order by id";
    WRAPS = "select v.file, v.number, v.content, v.size, v.md5, v.master_key, v.wrapped_key, c.objects \
        from versions v join contents c on c.id = v.content \
        where (v.file, v.number) > ($1, $2) order by v.file, v.number limit $3";
    WRAP_SET = "update versions set master_key = $4, wrapped_key = $5 \
        where file = $1 and number = $2 and wrapped_key = $3";
    LINK_WRAPS = "select id, link_hash, link_master_key, link_wrapped from shares \
        where id > $1 and link_wrapped is not null order by id limit $2";
    LINK_WRAP_SET = "update shares set link_master_key = $3, link_wrapped = $4 \
        where id = $1 and link_wrapped = $2";
}

/// Every master key that anything may be wrapped under: its id and its canary.
pub(crate) async fn all(tx: &mut Tx<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    tx.all(&KEYS, params![]).await
}

/// Whether there is a master key of this id.
pub(crate) async fn is_known(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    Ok(all(tx).await?.iter().any(|(known, _)| known == id))
}

/// The key that wraps. `None`: the catalog is new.
pub(crate) async fn active(tx: &mut Tx<'_>) -> Result<Option<String>> {
    tx.opt(&ACTIVE_KEY, params![]).await
}

/// Makes a key known: from now on it is the one that wraps.
pub(crate) async fn activate(tx: &mut Tx<'_>, id: &str, canary: &[u8], now: Time) -> Result<()> {
    tx.exec(&KEY_REPLACED, params![now]).await?;
    tx.exec(&KEY_INSERT, params![id, canary, now]).await.map(drop)
}

/// Forgets a key. False: there is none of this id that was replaced.
pub(crate) async fn forget(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    Ok(tx.exec(&KEY_DELETE, params![id]).await? == 1)
}

/// The keys that versions or links are wrapped under.
pub(crate) async fn in_use(tx: &mut Tx<'_>) -> Result<Vec<String>> {
    tx.all(&KEYS_IN_USE, params![]).await
}

/// A wrapped key, and what it takes to wrap it again.
#[derive(Clone, Debug)]
pub(crate) struct Wrap<P> {
    /// Where it is in the order of all of its kind.
    pub(crate) place: P,
    pub(crate) master_key: String,
    pub(crate) context: Vec<u8>,
    pub(crate) wrapped: [u8; WRAPPED_KEY_LEN],
}

impl FromRow for Wrap<VersionMark> {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let place: VersionMark = (FileId(row.take()?), row.take()?);
        let of = (ContentId(row.take()?), row.take()?);
        let md5 = row.take()?;
        let (master_key, wrapped) = (row.take()?, row.take()?);
        let objects = ObjectList::decode(&row.take::<String>()?)
            .ok_or_else(|| Error::internal("a content's list of objects cannot be read"))?;
        let context = wrap_context(place.0, place.1, of, &md5, &objects)?;
        Ok(Wrap { place, master_key, context, wrapped })
    }
}

impl FromRow for Wrap<ShareId> {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let place = ShareId(row.take()?);
        let context = crate::share::link_context(&row.take()?);
        Ok(Wrap { place, master_key: row.take()?, context, wrapped: row.take()? })
    }
}

/// Up to `limit` versions' keys behind one.
pub(crate) async fn wraps(
    tx: &mut Tx<'_>,
    (file, number): VersionMark,
    limit: i64,
) -> Result<Vec<Wrap<VersionMark>>> {
    tx.all(&WRAPS, params![file.0, number.cast_signed(), limit]).await
}

/// Up to `limit` links' keys behind one.
pub(crate) async fn link_wraps(
    tx: &mut Tx<'_>,
    behind: ShareId,
    limit: i64,
) -> Result<Vec<Wrap<ShareId>>> {
    tx.all(&LINK_WRAPS, params![behind.0, limit]).await
}

/// Puts a version's key, wrapped under another master key, in the place of what it was, if that is still there.
pub(crate) async fn set_wrap(
    tx: &mut Tx<'_>,
    was: &Wrap<VersionMark>,
    master_key: &str,
    wrapped: &[u8; WRAPPED_KEY_LEN],
) -> Result<()> {
    let (file, number) = was.place;
    let params = params![file.0, number.cast_signed(), &was.wrapped, master_key, wrapped];
    tx.exec(&WRAP_SET, params).await.map(drop)
}

/// As [`set_wrap`], of a link.
pub(crate) async fn set_link_wrap(
    tx: &mut Tx<'_>,
    was: &Wrap<ShareId>,
    master_key: &str,
    wrapped: &[u8; WRAPPED_KEY_LEN],
) -> Result<()> {
    let params = params![was.place.0, &was.wrapped, master_key, wrapped];
    tx.exec(&LINK_WRAP_SET, params).await.map(drop)
}

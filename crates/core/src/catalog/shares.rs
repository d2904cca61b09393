//! Shares: who else may do what with a file or a folder. A share that someone was able to give because
//! of another share hangs on that one, and never gives more or longer than it.

use super::conn::Tx;
use super::folders::{self, up, whole};
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::access::{Granted, Role, Roles};
use crate::catalog::files::File;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{ShareId, UserId};
use crate::share::{Recipient, Share, Sharing};
use crate::vault::seal::WRAPPED_KEY_LEN;

macro_rules! share_columns {
    () => {
        "select s.id, s.node, n.kind, n.hex, s.sharer, s.kind, s.user_id, coalesce(u.email, s.email), \
         s.role, s.sharing, s.via, s.comment, s.created, s.expires, s.link_master_key, \
         s.link_wrapped, s.link_hash, n.label \
         from shares s join nodes n on n.id = s.node left join users u on u.id = s.user_id "
    };
}

statements! {
    ROLES = concat!(up!(), "select max(s.role), \
        max(case when up.height > 0 then s.role end) \
        from up cross join shares s \
        where s.node = up.id and (s.user_id = $2 or s.kind = 2) and (s.expires is null or s.expires > $3)");
    SHARINGS = concat!(up!(), "select s.sharing from up cross join shares s \
        where s.node = up.id and (s.user_id = $2 or s.kind = 2) \
        and (s.expires is null or s.expires > $3)");
    READERS = "select u.email_key, u.email from shares s join users u on u.id = s.user_id \
        where s.node = $1";
    SHARE = concat!(share_columns!(), "where s.id = $1");
    SHARES_OF_NODE = concat!(share_columns!(), "where s.node = $1 order by s.id");
    SHARES_BY = concat!(share_columns!(), "where s.sharer = $1 order by s.id");
    SHARES_WITH = concat!(share_columns!(), "where s.user_id = $1 order by s.id");
    SHARES_PUBLIC = concat!(share_columns!(), "where s.kind = 2 order by s.node, s.id");
    SHARES_ALL = concat!(share_columns!(), "where s.id > $1 order by s.id limit $2");
    SHARE_VIA = concat!(up!(), "select s.id from up cross join shares s \
        where s.node = up.id and (s.user_id = $2 or s.kind = 2) and (s.expires is null or s.expires > $3) \
        and (s.sharing & $5) = $5 and s.role >= $4 \
        order by case when s.expires is null then 0 else 1 end, s.expires desc, s.role desc, s.id");
    SHARE_HANGS_ON = "with recursive up (id, via) as (\
            select s.id, s.via from shares s where s.id = $1 \
            union all select s.id, s.via from up cross join shares s where s.id = up.via) \
        select 1 from up where id = $2";
    SHARE_HANG = "update shares set via = $2 where id = $1";
    SHARE_SAME = "select id from shares where node = $1 and sharer = $2 and kind = $3 \
        and (user_id = $4 or email_key = $5 or kind >= 2)";
    SHARE_INSERT = "insert into shares (node, sharer, kind, user_id, email, email_key, role, sharing, \
        via, comment, created, expires, link_hash, link_master_key, link_wrapped) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) returning id";
    SHARE_UPDATE = "update shares set role = $2, sharing = $3, comment = $4, expires = $5 where id = $1";
    SHARES_BELOW = "select id, kind, role, sharing, expires from shares where via = $1";
    SHARE_DELETE = "delete from shares where id = $1";
    SHARE_CLEAR = "delete from shares where node = $1";
    SHARES_CLEAR_TREE = concat!(whole!(), "delete from shares where node in (select id from whole) \
        or node in (select n.id from whole cross join nodes n where n.parent = whole.id)");
    SHARES_ABOVE = concat!(up!(), "select s.id from up cross join shares s \
        where s.node = up.id and up.height > 0");
    SHARE_HANGING = "select id, node from shares where via = $1";
    SHARE_USERS = "select id, user_id, expires from shares where node = $1 and user_id is not null";
    SHARE_CLAIM = "update shares set user_id = $1 where email_key = $2 and user_id is null";
}

impl FromRow for Share {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let bad = |what| move || Error::internal(format!("a share's {what} cannot be read"));
        let id = ShareId(row.take()?);
        let (node, kind, hex): (i64, i64, Option<String>) = (row.take()?, row.take()?, row.take()?);
        let sharer = UserId(row.take()?);
        let (recipient, user, email): (i64, Option<i64>, Option<String>) =
            (row.take()?, row.take()?, row.take()?);
        let role = Role::from_number(row.take()?).ok_or_else(bad("role"))?;
        let sharing = Sharing::from_bits(row.take()?);
        let via = row.take::<Option<i64>>()?.map(ShareId);
        let (comment, created, expires) = (row.take()?, row.take()?, row.take()?);
        let link_key =
            (row.take::<Option<String>>()?, row.take::<Option<[u8; WRAPPED_KEY_LEN]>>()?);
        let link_hash = row.take::<Option<[u8; 32]>>()?;
        let email = email.unwrap_or_default();
        let recipient = match (recipient, user) {
            (0, Some(id)) => Recipient::User { id: UserId(id), email },
            (1, user) => Recipient::External { id: user.map(UserId), email },
            (2, _) => Recipient::Everyone,
            (3, _) => Recipient::Link,
            _ => return Err(bad("recipient")()),
        };
        Ok(Share {
            id,
            node: crate::share::SharedNode::from_row(node, kind, hex).ok_or_else(bad("node"))?,
            name: row.take()?,
            sharer,
            recipient,
            role,
            sharing,
            via,
            comment,
            created,
            expires,
            link: None,
            sealed_link: match (link_key, link_hash) {
                ((Some(key), Some(wrapped)), Some(hash)) => Some((key, wrapped, hash)),
                _ => None,
            },
        })
    }
}

/// The strongest roles that shares give a user on a node, by shares on it and on what it lies in.
pub(crate) async fn roles(tx: &mut Tx<'_>, node: i64, user: UserId, now: Time) -> Result<Roles> {
    let (here, above): (Option<i64>, Option<i64>) =
        tx.one(&ROLES, params![node, user.0, now]).await?;
    Ok(Roles { here: here.and_then(Role::from_number), above: above.and_then(Role::from_number) })
}

/// With whom shares together let a user share a node on.
pub(crate) async fn sharing(
    tx: &mut Tx<'_>,
    node: i64,
    user: UserId,
    now: Time,
) -> Result<Sharing> {
    let all: Vec<i64> = tx.all(&SHARINGS, params![node, user.0, now]).await?;
    Ok(Sharing::from_bits(all.into_iter().fold(0, |all, bits| all | bits)))
}

/// E-mails of the users that a node itself is shared with, in order.
pub(crate) async fn readers(tx: &mut Tx<'_>, node: i64) -> Result<Vec<String>> {
    let mut rows: Vec<(String, String)> = tx.all(&READERS, params![node]).await?;
    // Mostly there is none, for whom the engine need not make a table to sort in.
    rows.sort_unstable();
    rows.dedup();
    Ok(rows.into_iter().map(|(_, email)| email).collect())
}

pub(crate) async fn find(tx: &mut Tx<'_>, id: ShareId) -> Result<Option<Share>> {
    tx.opt(&SHARE, params![id.0]).await
}

/// The shares of a node itself.
pub(crate) async fn of_node(tx: &mut Tx<'_>, node: i64) -> Result<Vec<Share>> {
    tx.all(&SHARES_OF_NODE, params![node]).await
}

/// The shares that a user made.
pub(crate) async fn by_sharer(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Share>> {
    tx.all(&SHARES_BY, params![user.0]).await
}

/// The shares that a user has.
pub(crate) async fn with_user(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Share>> {
    tx.all(&SHARES_WITH, params![user.0]).await
}

/// The shares with everyone.
pub(crate) async fn with_everyone(tx: &mut Tx<'_>) -> Result<Vec<Share>> {
    tx.all(&SHARES_PUBLIC, params![]).await
}

/// Every share, by number, behind one.
pub(crate) async fn all(tx: &mut Tx<'_>, behind: ShareId, limit: u64) -> Result<Vec<Share>> {
    tx.all(&SHARES_ALL, params![behind.0, limit.cast_signed()]).await
}

/// The shares by which a user may share a node on with `role` and a kind of recipient, the one that
/// lasts longest first.
pub(crate) async fn vias(
    tx: &mut Tx<'_>,
    node: i64,
    user: UserId,
    (role, kind): (Role, i64),
    now: Time,
) -> Result<Vec<ShareId>> {
    let needed = Sharing::needed_for(kind).bits();
    let ids: Vec<i64> = tx.all(&SHARE_VIA, params![node, user.0, now, role as i64, needed]).await?;
    Ok(ids.into_iter().map(ShareId).collect())
}

/// Whether a share is `other`, or hangs on it.
pub(crate) async fn hangs_on(tx: &mut Tx<'_>, share: ShareId, other: ShareId) -> Result<bool> {
    Ok(tx.opt::<i64>(&SHARE_HANGS_ON, params![share.0, other.0]).await?.is_some())
}

/// Hangs a share on the one that permits it now, which must not hang on it.
pub(crate) async fn hang(tx: &mut Tx<'_>, share: ShareId, via: Option<ShareId>) -> Result<()> {
    tx.exec(&SHARE_HANG, params![share.0, via.map(|via| via.0)]).await.map(drop)
}

/// A share to be made.
#[derive(Debug)]
pub(crate) struct ShareRow<'a> {
    pub(crate) node: i64,
    pub(crate) sharer: UserId,
    /// 0 a user, 1 an e-mail, 2 everyone, 3 a link.
    pub(crate) kind: i64,
    pub(crate) user: Option<UserId>,
    pub(crate) email: Option<&'a str>,
    pub(crate) email_key: Option<&'a str>,
    pub(crate) role: Role,
    pub(crate) sharing: Sharing,
    pub(crate) via: Option<ShareId>,
    pub(crate) comment: &'a str,
    pub(crate) created: Time,
    pub(crate) expires: Option<Time>,
    pub(crate) link: Option<(&'a [u8; 32], &'a str, &'a [u8; WRAPPED_KEY_LEN])>,
}

/// The same sharer's share of the same node with the same recipient. Links are never the same.
pub(crate) async fn same(tx: &mut Tx<'_>, row: &ShareRow<'_>) -> Result<Option<ShareId>> {
    if row.kind == 3 {
        return Ok(None);
    }
    let (user, key) = (row.user.map(|user| user.0), row.email_key);
    let params = params![row.node, row.sharer.0, row.kind, user, key];
    Ok(tx.opt::<i64>(&SHARE_SAME, params).await?.map(ShareId))
}

pub(crate) async fn insert(tx: &mut Tx<'_>, row: &ShareRow<'_>) -> Result<ShareId> {
    let (user, via) = (row.user.map(|user| user.0), row.via.map(|via| via.0));
    let (hash, key) = (row.link.map(|link| link.0), row.link.map(|link| link.1));
    let params = params![
        row.node,
        row.sharer.0,
        row.kind,
        user,
        row.email,
        row.email_key,
        row.role as i64,
        row.sharing.bits(),
        via,
        row.comment,
        row.created,
        row.expires,
        hash,
        key,
        row.link.map(|link| link.2)
    ];
    Ok(ShareId(tx.insert(&SHARE_INSERT, params).await?))
}

/// Changes what a share gives, and takes from those that hang on it what it no longer gives.
pub(crate) async fn update(
    tx: &mut Tx<'_>,
    id: ShareId,
    (role, sharing): (Role, Sharing),
    comment: &str,
    expires: Option<Time>,
) -> Result<()> {
    tx.exec(&SHARE_UPDATE, params![id.0, role as i64, sharing.bits(), comment, expires]).await?;
    let mut above = vec![(id, role, sharing, expires)];
    while let Some((id, role, sharing, expires)) = above.pop() {
        let below: Vec<Below> = tx.all(&SHARES_BELOW, params![id.0]).await?;
        for Below(share, kind, its_role, its_sharing, its_expiry) in below {
            if !sharing.permits(kind) {
                delete(tx, share).await?;
                continue;
            }
            let role = its_role.min(role);
            let sharing = its_sharing.within(sharing);
            let expires = sooner(its_expiry, expires);
            let found = find(tx, share).await?.map(|share| share.comment).unwrap_or_default();
            let params = params![share.0, role as i64, sharing.bits(), &found, expires];
            tx.exec(&SHARE_UPDATE, params).await?;
            above.push((share, role, sharing, expires));
        }
    }
    Ok(())
}

struct Below(ShareId, i64, Role, Sharing, Option<Time>);

impl FromRow for Below {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (id, kind) = (ShareId(row.take()?), row.take()?);
        let role = Role::from_number(row.take()?).unwrap_or(Role::Viewer);
        Ok(Below(id, kind, role, Sharing::from_bits(row.take()?), row.take()?))
    }
}

/// The end that comes first; no end is the last.
pub(crate) fn sooner(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Ends a share and all that hang on it.
pub(crate) async fn delete(tx: &mut Tx<'_>, id: ShareId) -> Result<()> {
    let mut doomed = vec![id];
    while let Some(id) = doomed.pop() {
        let below: Vec<Below> = tx.all(&SHARES_BELOW, params![id.0]).await?;
        doomed.extend(below.into_iter().map(|Below(id, ..)| id));
        tx.exec(&SHARE_DELETE, params![id.0]).await?;
    }
    Ok(())
}

/// Ends all shares of a node itself.
pub(crate) async fn clear(tx: &mut Tx<'_>, node: i64) -> Result<()> {
    tx.exec(&SHARE_CLEAR, params![node]).await.map(drop)
}

/// Ends all shares in a tree, also of what of it is in the trash.
pub(crate) async fn clear_tree(tx: &mut Tx<'_>, node: i64) -> Result<()> {
    tx.exec(&SHARES_CLEAR_TREE, params![node]).await.map(drop)
}

/// The shares on what lies above a node.
pub(crate) async fn above(tx: &mut Tx<'_>, node: i64) -> Result<Vec<ShareId>> {
    let ids: Vec<i64> = tx.all(&SHARES_ABOVE, params![node]).await?;
    Ok(ids.into_iter().map(ShareId).collect())
}

/// After a move: what was shared on in a tree because of a share above it ends, unless that share is
/// above it still.
pub(crate) async fn drop_lost(tx: &mut Tx<'_>, node: i64, were_above: Vec<ShareId>) -> Result<()> {
    let still = above(tx, node).await?;
    for lost in were_above.into_iter().filter(|share| !still.contains(share)) {
        let hanging: Vec<(i64, i64)> = tx.all(&SHARE_HANGING, params![lost.0]).await?;
        for (share, on) in hanging {
            if folders::is_in(tx, on, node).await? {
                delete(tx, ShareId(share)).await?;
            }
        }
    }
    Ok(())
}

/// Shares a file with exactly these users: who is new may read it, who has it keeps the role, and who
/// is not named loses it. What everyone or a link has stays.
pub(crate) async fn set_readers<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    users: &[UserId],
    at: Time,
) -> Result<()> {
    let shares: Vec<(i64, i64, Option<Time>)> = tx.all(&SHARE_USERS, params![file.id.0]).await?;
    let mut known = Vec::new();
    for (share, user, expires) in shares {
        let over = expires.is_some_and(|expires| expires <= at);
        if over || !users.contains(&UserId(user)) {
            delete(tx, ShareId(share)).await?;
        } else {
            known.push(UserId(user));
        }
    }
    for user in users {
        if known.contains(user) {
            continue;
        }
        let row = ShareRow {
            node: file.id.0,
            sharer: file.caller(),
            kind: 0,
            user: Some(*user),
            email: None,
            email_key: None,
            role: Role::Viewer,
            sharing: Sharing::default(),
            via: None,
            comment: "",
            created: at,
            expires: None,
            link: None,
        };
        insert(tx, &row).await?;
    }
    Ok(())
}

/// A user who is new has what was shared with their e-mail.
pub(crate) async fn claim(tx: &mut Tx<'_>, user: UserId, email_key: &str) -> Result<()> {
    tx.exec(&SHARE_CLAIM, params![user.0, email_key]).await.map(drop)
}

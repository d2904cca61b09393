//! The tables of the audit log. What is in one is never changed; what vouches for it is made in
//! `drive/audit.rs`.

use super::conn::Tx;
use super::row::{FromRow, Row, Value, params};
use super::sql::{Sql, insert_rows, statements};
use crate::audit::chain::{AuditCheckpoint, AuditEvent, Head};
use crate::audit::{Act, Actor, Event};
use crate::clock::Time;
use crate::error::Result;
use crate::id::UserId;
use std::sync::LazyLock;

statements! {
    EVENT_INSERT = "insert into audit (at, actor, user_id, act, details, single) \
        values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
    EVENTS_BEHIND = "select id, at, actor, user_id, act, details from audit \
        where id > $1 order by id limit $2";
    EVENTS_UNLINKED = "select count(*) from audit where id > $1";
    TOKEN_USER = "select user_id from tokens where hash = $1";
    LINKS_DUE = "select 1 where \
        exists (select 1 from audit \
            where id > coalesce((select event from audit_head where head = 1), 0)) \
        or exists (select 1 from audit_failures where minute < $1)";
    LINK_INSERT = "insert into audit_links (seq, event, master_key, proof) values ($1, $2, $3, $4)";
    LINES_BEHIND = "select l.seq, l.event, l.master_key, l.proof, e.id, e.at, e.actor, e.user_id, \
        e.act, e.details from audit_links l left join audit e on e.id = l.event \
        where l.seq > $1 and l.seq <= $2 order by l.seq limit $3";
    LINE_LAST = "select max(seq) from audit_links";
    HEAD = "select seq, event, at, link, master_key, signature from audit_head where head = 1";
    HEAD_SET = "insert into audit_head (head, seq, event, at, link, master_key, signature) \
        values (1, $1, $2, $3, $4, $5, $6) on conflict (head) do update set seq = excluded.seq, \
        event = excluded.event, at = excluded.at, link = excluded.link, \
        master_key = excluded.master_key, signature = excluded.signature";
    CHECKPOINT_INSERT = "insert into audit_checkpoints (seq, at, link, master_key, signature) \
        values ($1, $2, $3, $4, $5)";
    CHECKPOINT_LAST = "select seq, at, link, master_key, signature from audit_checkpoints \
        where seq = (select max(seq) from audit_checkpoints)";
    /// The times of checkpoints go up with their lines.
    CHECKPOINT_BEFORE = "select seq, at, link, master_key, signature from audit_checkpoints \
        where at <= $1 order by seq desc limit 1";
    CHECKPOINTS_BEHIND = "select seq, at, link, master_key, signature from audit_checkpoints \
        where seq > $1 order by seq limit $2";
    FAILURES_ADD = "insert into audit_failures (minute, user_id, address, failures) \
        values ($1, $2, $3, $4) on conflict (minute, user_id, address) \
        do update set failures = audit_failures.failures + excluded.failures";
    FAILURES_DUE = "select minute, user_id, address, failures from audit_failures \
        where minute < $1 order by minute, user_id, address limit $2";
    FAILURES_REMOVE = "delete from audit_failures \
        where minute = $1 and user_id = $2 and address = $3";
}

/// How many rows one statement inserts.
const ROWS_AT_ONCE: usize = 50;

static EVENT_INSERT_MANY: LazyLock<Sql> = LazyLock::new(|| {
    let columns = ["at", "actor", "user_id", "act", "details", "single"];
    Sql::assembled(insert_rows("audit", &columns, ROWS_AT_ONCE) + " on conflict do nothing")
});
static LINK_INSERT_MANY: LazyLock<Sql> = LazyLock::new(|| {
    let columns = ["seq", "event", "master_key", "proof"];
    Sql::assembled(insert_rows("audit_links", &columns, ROWS_AT_ONCE))
});

/// Records what was done, in the unit that does it.
pub(crate) async fn record(tx: &mut Tx<'_>, events: &[Event], at: Time) -> Result<()> {
    for event in events {
        let details = event.details();
        tx.exec(&EVENT_INSERT, &event_row(event, at, &details, None)).await?;
    }
    Ok(())
}

fn event_row<'a>(
    event: &Event,
    at: Time,
    details: &'a str,
    single: Option<&'a str>,
) -> [Value<'a>; 6] {
    let (actor, user) = (event.actor.as_str(), event.actor.user().map(|user| user.0));
    [at.into(), actor.into(), user.into(), event.act.as_str().into(), details.into(), single.into()]
}

/// Records events that are told once each, however often they come: each with its time, and what names it.
pub(crate) async fn record_single(tx: &mut Tx<'_>, events: &[(Event, Time, String)]) -> Result<()> {
    let details: Vec<_> = events.iter().map(|(event, ..)| event.details()).collect();
    let rows: Vec<_> = events
        .iter()
        .zip(&details)
        .map(|((event, at, single), details)| event_row(event, *at, details, Some(single)))
        .collect();
    insert(tx, &rows, &EVENT_INSERT, &EVENT_INSERT_MANY).await
}

async fn insert<const N: usize>(
    tx: &mut Tx<'_>,
    rows: &[[Value<'_>; N]],
    one: &Sql,
    many: &Sql,
) -> Result<()> {
    let mut chunks = rows.chunks_exact(ROWS_AT_ONCE);
    for rows in &mut chunks {
        tx.exec(many, rows.as_flattened()).await?;
    }
    for row in chunks.remainder() {
        tx.exec(one, row).await?;
    }
    Ok(())
}

/// Whose a token is, whether or not it is still good.
pub(crate) async fn token_user(tx: &mut Tx<'_>, hash: &[u8; 32]) -> Result<Option<UserId>> {
    Ok(tx.opt(&TOKEN_USER, params![hash]).await?.map(UserId))
}

impl FromRow for AuditEvent {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(AuditEvent {
            at: row.take()?,
            actor: row.take()?,
            user: row.take::<Option<i64>>()?.map(UserId),
            act: row.take()?,
            details: row.take()?,
        })
    }
}

/// An event with its number in the catalog.
pub(crate) struct Numbered(pub(crate) i64, pub(crate) AuditEvent);

impl FromRow for Numbered {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(Numbered(row.take()?, AuditEvent::from_row(row)?))
    }
}

/// Up to `limit` events behind one, in order.
pub(crate) async fn behind(tx: &mut Tx<'_>, event: i64, limit: i64) -> Result<Vec<Numbered>> {
    tx.all(&EVENTS_BEHIND, params![event, limit]).await
}

/// How many events are behind one.
pub(crate) async fn count_behind(tx: &mut Tx<'_>, event: i64) -> Result<u64> {
    tx.one(&EVENTS_UNLINKED, params![event]).await
}

/// Whether there is something to be linked: an event, or failures of a minute before this one.
pub(crate) async fn is_due(tx: &mut Tx<'_>, minute: i64) -> Result<bool> {
    Ok(tx.opt::<i64>(&LINKS_DUE, params![minute]).await?.is_some())
}

/// What vouches for a line, and the event, if it is there. What cannot be read, because someone wrote there
/// what does not belong there, is read as nothing that anything vouches for.
pub(crate) struct LineRow {
    pub(crate) line: u64,
    pub(crate) number: i64,
    pub(crate) key: String,
    pub(crate) proof: Vec<u8>,
    pub(crate) event: Option<AuditEvent>,
}

impl FromRow for LineRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (line, number) = (row.take()?, row.take().unwrap_or_default());
        let (key, proof) = (row.take().unwrap_or_default(), row.take().unwrap_or_default());
        let found: Option<i64> = row.take()?;
        let event = found.map(|_| AuditEvent::from_row(row).unwrap_or_else(|_| nothing()));
        Ok(LineRow { line, number, key, proof, event })
    }
}

fn nothing() -> AuditEvent {
    let (actor, act, details) = Default::default();
    AuditEvent { at: Time(0), user: None, actor, act, details }
}

/// A line to be made: its number, its event's, and the proof of both and of the link.
pub(crate) type NewLine = (u64, i64, [u8; 32]);

pub(crate) async fn insert_links(tx: &mut Tx<'_>, key: &str, lines: &[NewLine]) -> Result<()> {
    let rows: Vec<[Value<'_>; 4]> = lines
        .iter()
        .map(|(line, event, proof)| {
            [line.cast_signed().into(), (*event).into(), key.into(), proof.into()]
        })
        .collect();
    insert(tx, &rows, &LINK_INSERT, &LINK_INSERT_MANY).await
}

/// Up to `limit` lines behind one and up to one, in order.
pub(crate) async fn lines(
    tx: &mut Tx<'_>,
    (behind, to): (u64, u64),
    limit: i64,
) -> Result<Vec<LineRow>> {
    tx.all(&LINES_BEHIND, params![behind.cast_signed(), to.cast_signed(), limit]).await
}

/// The number of the last line.
pub(crate) async fn last_line(tx: &mut Tx<'_>) -> Result<Option<u64>> {
    tx.one(&LINE_LAST, params![]).await
}

/// A head, the master key that it is signed under, and the signature.
pub(crate) struct SignedHead {
    pub(crate) head: Head,
    pub(crate) key: String,
    pub(crate) signature: Vec<u8>,
}

impl FromRow for SignedHead {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (line, event) = (row.take().unwrap_or_default(), row.take().unwrap_or_default());
        let (at, link) = (row.take().unwrap_or(Time(0)), row.take().unwrap_or_default());
        let (key, signature) = (row.take().unwrap_or_default(), row.take().unwrap_or_default());
        Ok(SignedHead { head: Head { line, event, at, link }, key, signature })
    }
}

pub(crate) async fn head(tx: &mut Tx<'_>) -> Result<Option<SignedHead>> {
    tx.opt(&HEAD, params![]).await
}

pub(crate) async fn set_head(tx: &mut Tx<'_>, signed: &SignedHead) -> Result<()> {
    let SignedHead { head: Head { line, event, at, link }, key, signature } = signed;
    let params = params![line.cast_signed(), *event, *at, link, key, signature.as_slice()];
    tx.exec(&HEAD_SET, params).await.map(drop)
}

impl FromRow for AuditCheckpoint {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (line, at): (u64, Time) = (row.take()?, row.take().unwrap_or(Time(0)));
        let (link, key) = (row.take().unwrap_or_default(), row.take().unwrap_or_default());
        let signature = row.take().unwrap_or_default();
        Ok(AuditCheckpoint { line, is_end: false, at, link, key, signature })
    }
}

pub(crate) async fn insert_checkpoint(tx: &mut Tx<'_>, made: &AuditCheckpoint) -> Result<()> {
    let AuditCheckpoint { line, at, link, key, signature, .. } = made;
    let params = params![line.cast_signed(), *at, link, key, signature.as_slice()];
    tx.exec(&CHECKPOINT_INSERT, params).await.map(drop)
}

pub(crate) async fn last_checkpoint(tx: &mut Tx<'_>) -> Result<Option<AuditCheckpoint>> {
    tx.opt(&CHECKPOINT_LAST, params![]).await
}

/// The last checkpoint that was made by a time.
pub(crate) async fn checkpoint_before(
    tx: &mut Tx<'_>,
    time: Time,
) -> Result<Option<AuditCheckpoint>> {
    tx.opt(&CHECKPOINT_BEFORE, params![time]).await
}

/// Up to `limit` checkpoints behind a line, in order.
pub(crate) async fn checkpoints(
    tx: &mut Tx<'_>,
    behind: u64,
    limit: i64,
) -> Result<Vec<AuditCheckpoint>> {
    tx.all(&CHECKPOINTS_BEHIND, params![behind.cast_signed(), limit]).await
}

/// Sign-ins that failed within a minute, counted from the Unix epoch: for an account, if it is known, from
/// an address, if it is told apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Failure {
    pub(crate) minute: i64,
    pub(crate) account: Option<UserId>,
    pub(crate) address: String,
}

/// Counts sign-ins that failed.
pub(crate) async fn add_failures(tx: &mut Tx<'_>, what: &Failure, count: i64) -> Result<()> {
    let account = what.account.map_or(0, |user| user.0);
    let params = params![what.minute, account, &what.address, count];
    tx.exec(&FAILURES_ADD, params).await.map(drop)
}

/// Makes events of up to `limit` rows of failures from before a minute.
pub(crate) async fn record_failures(tx: &mut Tx<'_>, minute: i64, limit: i64) -> Result<()> {
    let due: Vec<FailureRow> = tx.all(&FAILURES_DUE, params![minute, limit]).await?;
    for FailureRow(Failure { minute, account, address }, count) in due {
        let mut event = Event::new(Actor::Unknown, Act::SignInFailed).with("count", count);
        if let Some(account) = account {
            event = event.with("account", account);
        }
        if !address.is_empty() {
            event = event.with("address", &address);
        }
        record(tx, &[event], Time(0).plus_seconds(minute * 60)).await?;
        let account = account.map_or(0, |user| user.0);
        tx.exec(&FAILURES_REMOVE, params![minute, account, &address]).await?;
    }
    Ok(())
}

struct FailureRow(Failure, i64);

impl FromRow for FailureRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (minute, user, address): (i64, i64, String) = (row.take()?, row.take()?, row.take()?);
        let account = (user != 0).then_some(UserId(user));
        Ok(FailureRow(Failure { minute, account, address }, row.take()?))
    }
}

/// What is put together at run time, for the test that prepares every statement.
#[cfg(test)]
pub(crate) fn assembled() -> Vec<(String, Sql)> {
    [("audit many", &*EVENT_INSERT_MANY), ("audit_links many", &*LINK_INSERT_MANY)]
        .map(|(name, Sql { text, sqlite })| (name.to_owned(), Sql { text, sqlite }))
        .into()
}

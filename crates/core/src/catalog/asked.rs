//! What a request begins with, in one statement: who asks, what is asked for, and what shares give the
//! one on the other. On a server a statement is a journey there and back.

use super::conn::Tx;
use super::files::{File, FileAndReader, file_columns, file_joins, gather};
use super::folders::{self, folder_columns, folder_joins};
use super::readable::{Readable, readable_columns, readable_joins};
use super::row::{FromRow, Row, Value, params};
use super::sql::{Sql, statements};
use super::users::{User, user_columns};
use crate::access::{Caller, Credential, Role, Roles};
use crate::clock::Time;
use crate::error::Result;
use crate::id::UserId;
use crate::node::{Entry, EntryKey, FileRef, Folder, FolderRef, Kinds};

/// The id of the one who asks: no row if the credentials are not good now. `$1` is a token's hash, or `$2`
/// a user whose password was verified against the hash `$3`; `$4` is the time.
// Not a union of the two: the embedded engine would make all that is joined with it twice, once for each. A server
// takes the type of `$2` from where it stands first.
macro_rules! me {
    () => {
        concat!("select u.id as id from users u where ", is_me!())
    };
}

/// The same, of a user `u`.
macro_rules! is_me {
    () => {
        "u.id = coalesce($2, (select t.user_id from tokens t \
            where t.hash = $1 and (t.expires is null or t.expires > $4))) \
         and u.disabled = 0 and ($2 is null or u.password = $3)"
    };
}

/// Nobody, with a link whose secret has the hash `$1`; `$2` is the time.
macro_rules! nobody {
    () => {
        "select 0 as id from shares s where s.link_hash = $1 and (s.expires is null or s.expires > $2)"
    };
}

/// The strongest roles that shares give `me` on node `n`, by a share on it and by one on what it lies in,
/// as one number: four times the first, and the second. Nobody walks up from what is theirs.
// `cross join` tells the embedded engine, which knows no statistics, to walk first and look up then. A
// common table expression that is used twice would be a table of its own there, which takes long.
macro_rules! roles {
    ($when:literal) => {
        roles!($when, "$4", "s.user_id = me.id or s.kind = 2")
    };
    ($when:literal, $now:literal, $applies:literal) => {
        concat!(
            "case when ",
            $when,
            "n.owner <> me.id then (with recursive up (id, parent, height) as (\
                select n.id, n.parent, 0 \
                union all select a.id, a.parent, up.height + 1 from up cross join nodes a \
                    where a.id = up.parent) \
             select 4 * max(s.role) + coalesce(max(case when up.height > 0 then s.role end), 0) \
                from up cross join shares s \
                where s.node = up.id and (s.expires is null or s.expires > ",
            $now,
            ") and (",
            $applies,
            ")) end"
        )
    };
}

/// A file by its number or its UUID, whichever is given; with a link, also by the hash of its secret.
macro_rules! file_asked {
    (user $columns:expr, $joins:expr) => {
        file_asked!(
            me!(),
            roles!(""),
            "coalesce($5, (select h.id from nodes h where h.hex = $6))",
            $columns,
            $joins
        )
    };
    (link $columns:expr, $joins:expr) => {
        file_asked!(
            nobody!(),
            roles!("", "$2", "s.link_hash = $1 and up.height = 0"),
            "coalesce($3, (select h.id from nodes h where h.hex = $4), \
             (select l.node from shares l where l.link_hash = $5))",
            $columns,
            $joins
        )
    };
    ($who:expr, $roles:expr, $file:literal, $columns:expr, $joins:expr) => {
        concat!(
            "select me.id, ",
            $roles,
            ", c.id is not null, ",
            $columns,
            " from (",
            $who,
            ") me left join nodes n on n.kind = 1 and n.id = ",
            $file,
            " ",
            $joins
        )
    };
}

/// The number of a folder: `$5`, or that of the root of the one who asks.
macro_rules! folder {
    () => {
        concat!("coalesce($5, (select t.root from trees t where t.owner = (", me!(), ")))")
    };
}

/// A folder and up to `$7` of its children, of kinds up to `$6`, each with its place; in no order, for the
/// embedded engine would copy each row to sort it.
macro_rules! children_asked {
    ($from:literal, $way:literal, $limit:literal) => {
        concat!(
            "select k.place, n.label_key, me.id, ",
            roles!("k.place = 0 and "),
            ", (n.id is not null and n.kind = 1) or f.id is not null, n.kind, ",
            folder_columns!(),
            ", ",
            file_columns!(shown),
            " from (",
            me!(),
            ") me left join (select ",
            folder!(),
            " as id, 0 as place union all select id, place from (select n.id, 1 + n.kind as place from nodes n \
             where n.parent = ",
            folder!(),
            " and n.kind <= $6 and n.trashed is null and ",
            $from,
            " order by n.kind ",
            $way,
            ", n.label_key ",
            $way,
            ", n.id ",
            $way,
            " ",
            $limit,
            ") shown) k on 0 = 0 left join nodes n on n.id = k.id ",
            file_joins!(shown "left "),
            " left join folders f on f.id = n.id"
        )
    };
}

statements! {
    ME = concat!("select ", user_columns!(), " from users u where ", is_me!());
    FILE = file_asked!(user file_columns!(), file_joins!("left ", "n.version"));
    FILE_AND_READERS = file_asked!(user concat!(file_columns!(), ", r.email"),
        concat!(file_joins!("left ", "n.version"), " left join shares g on g.node = n.id \
            left join users r on r.id = g.user_id order by r.email_key"));
    READABLE = file_asked!(user readable_columns!(), readable_joins!("coalesce($7, n.version)"));
    LINKED = file_asked!(link file_columns!(), file_joins!("left ", "n.version"));
    LINKED_READABLE = file_asked!(link readable_columns!(), readable_joins!("coalesce($6, n.version)"));
    FOLDER = concat!("select me.id, ", roles!(""),
        ", f.id is not null, ", folder_columns!(), " from (", me!(), ") me \
        left join nodes n on n.kind = 0 \
        and n.id = coalesce($5, (select t.root from trees t where t.owner = me.id)) ", folder_joins!("left "));
    CHILDREN_AT = children_asked!("n.kind >= $8", "asc", "limit $7 offset $9");
    CHILDREN_TO = children_asked!("n.kind >= $8", "desc", "limit $7 offset $9");
    CHILDREN_BEHIND = children_asked!("(n.kind, n.label_key, n.id) > ($8, $9, $10)", "asc", "limit $7");
}

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Asked<T> {
    /// Who asks; 0 is nobody, with a link.
    pub(crate) user: UserId,
    /// What shares give the one who asks there.
    pub(crate) roles: Roles,
    /// That, if there is such a thing.
    pub(crate) node: Option<T>,
}

impl<T: FromRow> FromRow for Asked<T> {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let user = UserId(row.take()?);
        let roles: i64 = row.take::<Option<i64>>()?.unwrap_or(0);
        let roles =
            Roles { here: Role::from_number(roles / 4), above: Role::from_number(roles % 4) };
        let node = if row.take()? { Some(T::from_row(row)?) } else { None };
        Ok(Asked { user, roles, node })
    }
}

/// Whose credentials these are; a link is nobody's.
pub(crate) async fn user(tx: &mut Tx<'_>, caller: &Caller, now: Time) -> Result<Option<User>> {
    tx.opt(&ME, &credentials(caller, now)).await
}

/// A file, in the trash or not; without a name, the one that the caller's link leads to. `None`: the
/// credentials are not good.
pub(crate) async fn file(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    file: Option<FileRef>,
) -> Result<Option<Asked<File>>> {
    let (hex, statement) = (hex_of(file), by(caller, &FILE, &LINKED));
    tx.opt(statement, &with_file(caller, now, file, hex.as_ref())).await
}

/// The same, with whom it is shared, which a link does not tell.
pub(crate) async fn file_and_readers(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    file: FileRef,
) -> Result<Option<Asked<File>>> {
    if let Credential::Link(_) = caller.shown {
        return self::file(tx, caller, now, Some(file)).await;
    }
    let hex = hex_of(Some(file));
    let params = with_file(caller, now, Some(file), hex.as_ref());
    let rows: Vec<Asked<FileAndReader>> = tx.all(&FILE_AND_READERS, &params).await?;
    let mut asked = None;
    let mut found = Vec::new();
    for Asked { user, roles, node } in rows {
        asked = Some((user, roles));
        found.extend(node);
    }
    let node = gather(found).pop();
    Ok(asked.map(|(user, roles)| Asked { user, roles, node }))
}

/// The same, to read its content or that of one of its versions in its place.
pub(crate) async fn readable(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    file: FileRef,
    version: Option<u64>,
) -> Result<Option<Asked<Readable>>> {
    let hex = hex_of(Some(file));
    let mut params = with_file(caller, now, Some(file), hex.as_ref());
    params.push(version.map(u64::cast_signed).into());
    tx.opt(by(caller, &READABLE, &LINKED_READABLE), &params).await
}

/// A folder, in the trash or not. `None`: the credentials are not good.
pub(crate) async fn folder(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    folder: FolderRef,
) -> Result<Option<Asked<Folder>>> {
    tx.opt(&FOLDER, &with_folder(caller, now, folder)).await
}

/// Where a part of a folder's children lies.
pub(crate) enum Part<'a> {
    /// Behind so many.
    At(u64),
    /// Before so many.
    To(u64),
    /// Behind this one.
    Behind(&'a EntryKey),
}

/// The same, with a part of its children.
pub(crate) async fn children(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    folder: FolderRef,
    (kinds, part, limit): (Kinds, &Part<'_>, u64),
) -> Result<Option<(Asked<Folder>, Vec<Entry>)>> {
    let (least, most) = kinds.numbers();
    let mut params = with_folder(caller, now, folder).to_vec();
    params.extend([most, limit.cast_signed()].map(Value::Int));
    let (statement, skipped) = match part {
        Part::Behind(key) if i64::from(key.file) >= least => {
            params.extend(params![key.file, &key.label_key, key.id]);
            (&CHILDREN_BEHIND, None)
        }
        // All of these lie behind a folder.
        Part::Behind(_) => (&CHILDREN_AT, Some(0)),
        Part::At(skipped) => (&CHILDREN_AT, Some(*skipped)),
        Part::To(skipped) => (&CHILDREN_TO, Some(*skipped)),
    };
    if let Some(skipped) = skipped {
        params.extend(params![least, i64::try_from(skipped).unwrap_or(i64::MAX)]);
    }
    let mut rows: Vec<Placed> = tx.all(statement, &params).await?;
    rows.sort_by(|one, other| one.place.cmp(&other.place));
    let mut rows = rows.into_iter().map(|row| row.asked);
    let Some(Asked { user, roles, node }) = rows.next() else {
        return Ok(None);
    };
    let node = match node {
        Some(Entry::Folder(folder)) => Some(folder),
        _ => None,
    };
    Ok(Some((Asked { user, roles, node }, rows.filter_map(|row| row.node).collect())))
}

/// A folder, or a child with its place behind it: by kind, and then by its folded label, which no other has.
struct Placed {
    place: (i64, Option<String>),
    asked: Asked<Entry>,
}

impl FromRow for Placed {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(Placed { place: (row.take()?, row.take()?), asked: Asked::from_row(row)? })
    }
}

impl FromRow for Entry {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        if row.take()? {
            row.skip(folders::COLUMNS);
            File::from_row(row).map(Entry::File)
        } else {
            Folder::from_row(row).map(Entry::Folder)
        }
    }
}

/// What [`me!`] begins with. A link is nobody's credentials.
pub(super) fn credentials(caller: &Caller, now: Time) -> [Value<'_>; 4] {
    let [token, user, password] = match &caller.shown {
        Credential::Token(hash) => [hash.into(), Value::Null, Value::Null],
        Credential::Password { user, verified } => [Value::Null, user.0.into(), verified.into()],
        Credential::Link(_) => [Value::Null; 3],
    };
    [token, user, password, now.into()]
}

fn with_folder(caller: &Caller, now: Time, folder: FolderRef) -> [Value<'_>; 5] {
    let [token, user, password, now] = credentials(caller, now);
    let id = match folder {
        FolderRef::Home => Value::Null,
        FolderRef::Id(id) => Value::Int(id.0),
    };
    [token, user, password, now, id]
}

/// The statement for who has signed in, or the one for who comes with a link.
fn by<'s>(caller: &Caller, user: &'s Sql, link: &'s Sql) -> &'s Sql {
    if matches!(caller.shown, Credential::Link(_)) { link } else { user }
}

fn hex_of(file: Option<FileRef>) -> Option<String> {
    match file {
        Some(FileRef::Hex(hex)) => Some(hex.to_string()),
        _ => None,
    }
}

/// What [`file_asked!`] begins with.
fn with_file<'a>(
    caller: &'a Caller,
    now: Time,
    file: Option<FileRef>,
    hex: Option<&'a String>,
) -> Vec<Value<'a>> {
    let id = match file {
        Some(FileRef::Id(id)) => Some(id.0),
        _ => None,
    };
    let named = [id.into(), hex.into()];
    match &caller.shown {
        Credential::Link(hash) => {
            let linked = file.is_none().then_some(hash);
            [&[hash.into(), now.into()][..], &named, &[linked.into()]].concat()
        }
        _ => [&credentials(caller, now)[..], &named].concat(),
    }
}

pub(super) use {is_me, me};

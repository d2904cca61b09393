//! Pages of files. A page is found by the key of its neighbour (value, id) on an index, or by
//! counting from the nearer end; never by counting all. Only a search looks at every name, and only where the
//! index of names has too many candidates or none to give.

use super::asked::{credentials, is_me, me};
use super::conn::Tx;
use super::files::{File, FileAndReader, file_columns, file_joins, gather};
use super::names::listed;
use super::row::{FromRow, Row, Value};
use super::sql::{Sql, sql};
use crate::access::Caller;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::FileId;

/// Live files that the one who asks owns. The order of an index holds only if its rows come first, and then
/// each one's folder, which says whether a file lies in a tree that is in the trash.
macro_rules! owned {
    ($more:expr) => {
        owned!("", "", $more)
    };
    ($from:expr, $among:literal, $more:expr) => {
        concat!(
            $from,
            "nodes n cross join nodes p where ",
            $among,
            "p.id = n.parent and n.owner = (",
            me!(),
            ") and n.kind = 1 and n.trashed is null and p.trashed is null ",
            $more
        )
    };
}

/// Live files that others share with the one who asks, by themselves or by a folder above them.
macro_rules! shared {
    ($more:expr) => {
        concat!(
            "nodes n join nodes p on p.id = n.parent where n.id in (\
             with recursive down (id) as (select s.node from shares s where s.user_id = (",
            me!(),
            ") and (s.expires is null or s.expires > $4) union select c.id from down cross join nodes c \
             where c.parent = down.id and c.kind = 0 and c.trashed is null) \
             select id from down union all select c.id from down cross join nodes c \
             where c.parent = down.id and c.kind = 1) \
             and n.owner <> (",
            me!(),
            ") and n.kind = 1 and n.trashed is null and p.trashed is null ",
            $more
        )
    };
}

/// The same of the two, out of candidates `c`. Where shares are many, what they reach is more than there are
/// candidates: so each of these is followed up to a share.
macro_rules! among {
    (owned, $candidates:expr, $more:expr) => {
        owned!($candidates, "n.id = c.value and ", $more)
    };
    (shared, $candidates:expr, $more:expr) => {
        concat!(
            $candidates,
            "nodes n cross join nodes p where n.id = c.value and p.id = n.parent and n.owner <> (",
            me!(),
            ") and n.kind = 1 and n.trashed is null and p.trashed is null ",
            $more,
            " and exists (with recursive up (id, parent, trashed) as (\
                select n.id, n.parent, n.trashed \
                union all select a.id, a.parent, a.trashed from up cross join nodes a \
                    where a.id = up.parent and up.trashed is null) \
             select 1 from up cross join shares s where s.node = up.id and s.user_id = (",
            me!(),
            ") and (s.expires is null or s.expires > $4))"
        )
    };
}

/// How many files a whole set holds: what is kept is read, the rest must be counted.
macro_rules! total {
    (owned) => {
        concat!("select t.files from trees t where t.owner = (", me!(), ")")
    };
    (shared) => {
        counted!(shared, "")
    };
}

macro_rules! counted {
    ($set:ident, $search:expr) => {
        concat!("select count(*) from ", $set!($search))
    };
}

/// One page: who asks, the count, and the files with their readers. The ids are found first, and only for
/// them the rest.
macro_rules! page_text {
    ($count:expr, $set:expr, $column:literal, $way:literal, $limit:literal) => {
        concat!(
            "select (",
            me!(),
            "), (",
            $count,
            "), k.id is not null, ",
            file_columns!(),
            ", u.email from (select 1 as one) one left join (select n.id, n.",
            $column,
            " as key from ",
            $set,
            " order by n.",
            $column,
            " ",
            $way,
            ", n.id ",
            $way,
            " ",
            $limit,
            ") k on 0 = 0 left join nodes n on n.id = k.id ",
            file_joins!("left ", "n.version"),
            " left join shares s on s.node = n.id left join users u on u.id = s.user_id \
             order by k.key ",
            $way,
            ", n.id ",
            $way,
            ", u.email_key"
        )
    };
}

/// The same by a walk over a set.
macro_rules! page {
    ($set:ident, $count:expr, $more:expr, $column:literal, $way:literal, $limit:literal) => {
        sql!(page_text!($count, $set!($more), $column, $way, $limit))
    };
}

/// The same out of candidates, which each engine lists in its own way; `$search` counts, `$more` is shown.
macro_rules! page_among {
    ($set:ident, $list:literal, $search:expr, $more:expr, $column:literal, $way:literal, $limit:literal) => {
        sql!(
            page_text!(
                concat!("select count(*) from ", among!($set, listed!(postgres $list), $search)),
                among!($set, listed!(postgres $list), $more),
                $column,
                $way,
                $limit
            ),
            page_text!(
                concat!("select count(*) from ", among!($set, listed!(sqlite $list), $search)),
                among!($set, listed!(sqlite $list), $more),
                $column,
                $way,
                $limit
            )
        )
    };
}

/// A page of one set of files in one order: at an offset or behind a key; all, by search, or by search among
/// candidates.
struct Statements {
    at: Sql,
    behind: Sql,
    search_at: Sql,
    search_behind: Sql,
    among_at: Sql,
    among_behind: Sql,
}

/// That the name fits a pattern.
macro_rules! fits {
    ($pattern:literal) => {
        concat!("and n.name_key like ", $pattern, " escape '!'")
    };
}

/// That it comes behind a key.
macro_rules! behind {
    ($column:literal, $behind:literal) => {
        concat!("and (n.", $column, ", n.id) ", $behind, " ($6, $7)")
    };
}

macro_rules! ordered {
    ($set:ident, $column:literal, $way:literal, $behind:literal) => {
        Statements {
            at: page!($set, total!($set), "", $column, $way, "limit $5 offset $6"),
            behind: page!($set, total!($set), behind!($column, $behind), $column, $way, "limit $5"),
            search_at: page!(
                $set,
                counted!($set, fits!("$7")),
                fits!("$7"),
                $column,
                $way,
                "limit $5 offset $6"
            ),
            search_behind: page!(
                $set,
                counted!($set, fits!("$8")),
                concat!(fits!("$8"), " ", behind!($column, $behind)),
                $column,
                $way,
                "limit $5"
            ),
            among_at: page_among!(
                $set,
                "$8",
                fits!("$7"),
                fits!("$7"),
                $column,
                $way,
                "limit $5 offset $6"
            ),
            among_behind: page_among!(
                $set,
                "$9",
                fits!("$8"),
                concat!(fits!("$8"), " ", behind!($column, $behind)),
                $column,
                $way,
                "limit $5"
            ),
        }
    };
}

macro_rules! orders {
    ($name:ident, $set:ident) => {
        const $name: [[Statements; 2]; 3] = [
            [ordered!($set, "uploaded", "asc", ">"), ordered!($set, "uploaded", "desc", "<")],
            [ordered!($set, "name", "asc", ">"), ordered!($set, "name", "desc", "<")],
            [ordered!($set, "size", "asc", ">"), ordered!($set, "size", "desc", "<")],
        ];
    };
}

orders!(OWNED, owned);
orders!(SHARED, shared);

/// Which files a list is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileSet {
    /// What the caller owns, in any folder.
    #[default]
    Owned,
    /// What others share with the caller.
    Shared,
}

/// What a list is ordered by; equal values by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBy {
    /// When the current version was sent.
    #[default]
    Uploaded,
    /// The name, byte by byte.
    Name,
    /// Bytes of content.
    Size,
}

/// The place of a file in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The value that the list is ordered by.
    pub value: KeyValue,
    /// The file.
    pub id: FileId,
}

/// A value that a list is ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValue {
    /// A time in microseconds, or a size in bytes.
    Number(i64),
    /// A name.
    Text(String),
}

impl KeyValue {
    fn value(&self) -> Value<'_> {
        match self {
            KeyValue::Number(number) => Value::Int(*number),
            KeyValue::Text(text) => Value::Text(text),
        }
    }
}

/// Where a page begins.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    At(u64),
    Behind(Key),
}

/// A run of files in one order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) now: Time,
    pub(crate) set: FileSet,
    pub(crate) by: OrderBy,
    pub(crate) descending: bool,
    /// A pattern for `like`, made by [`pattern`].
    pub(crate) pattern: Option<&'a str>,
    /// The only files that the pattern may fit, if that is known.
    pub(crate) candidates: Option<&'a str>,
}

/// No folded name is so long; the engine refuses patterns of more than 50 000 bytes.
pub(crate) const PATTERN_MAX: usize = 1_000;

/// A pattern that finds `folded` anywhere in a folded name.
pub(crate) fn pattern(folded: &str) -> String {
    let mut pattern = String::from("%");
    for c in folded.chars().take(PATTERN_MAX) {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Up to `limit` files, and how many the whole list holds. `None`: the credentials are not good.
pub(crate) async fn page(
    tx: &mut Tx<'_>,
    run: &Run<'_>,
    start: &Start,
    limit: u64,
) -> Result<Option<(u64, Vec<File>)>> {
    let orders = if run.set == FileSet::Owned { &OWNED } else { &SHARED };
    let statements = &orders[run.by as usize][usize::from(run.descending)];
    let statement = match (start, run.pattern, run.candidates) {
        (Start::At(_), None, _) => &statements.at,
        (Start::At(_), Some(_), None) => &statements.search_at,
        (Start::At(_), Some(_), Some(_)) => &statements.among_at,
        (Start::Behind(_), None, _) => &statements.behind,
        (Start::Behind(_), Some(_), None) => &statements.search_behind,
        (Start::Behind(_), Some(_), Some(_)) => &statements.among_behind,
    };
    let mut params = credentials(run.caller, run.now).to_vec();
    params.push(Value::Int(limit.cast_signed()));
    match start {
        Start::At(offset) => {
            params.push(Value::Int(i64::try_from(*offset).unwrap_or(i64::MAX)));
        }
        Start::Behind(key) => params.extend([key.value.value(), Value::Int(key.id.0)]),
    }
    params.extend(run.pattern.map(Value::Text));
    params.extend(run.candidates.map(Value::Text));
    let rows: Vec<Shown> = tx.all(statement, &params).await?;
    let Some(Shown { user: Some(_), count, .. }) = rows.first() else {
        return Ok(None);
    };
    let count = count.unwrap_or(0);
    Ok(Some((count, gather(rows.into_iter().filter_map(|row| row.file)))))
}

/// A row of a page.
struct Shown {
    user: Option<i64>,
    count: Option<u64>,
    file: Option<FileAndReader>,
}

impl FromRow for Shown {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (user, count) = (row.take()?, row.take()?);
        let file = if row.take()? { Some(FileAndReader::from_row(row)?) } else { None };
        Ok(Shown { user, count, file })
    }
}

/// The place of a file in an order.
pub(crate) fn key(file: &File, by: OrderBy) -> Key {
    let value = match by {
        OrderBy::Uploaded => KeyValue::Number(file.uploaded.0),
        OrderBy::Name => KeyValue::Text(file.name.clone()),
        OrderBy::Size => KeyValue::Number(file.size.cast_signed()),
    };
    Key { value, id: file.id }
}

/// Whether a key can be of this order: it comes back from a client.
pub(crate) fn check_key(key: &Key, by: OrderBy) -> Result<()> {
    match (&key.value, by) {
        (KeyValue::Text(_), OrderBy::Name)
        | (KeyValue::Number(_), OrderBy::Uploaded | OrderBy::Size) => Ok(()),
        _ => Err(Error::NoSuchPage),
    }
}

/// Every statement of a page, for the test that prepares them.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = (String, Sql)> {
    let sets = [("OWNED", OWNED), ("SHARED", SHARED)];
    sets.into_iter().flat_map(|(set, orders)| {
        orders.into_iter().flatten().enumerate().flat_map(move |(order, statements)| {
            let Statements { at, behind, search_at, search_behind, among_at, among_behind } =
                statements;
            let named = [
                ("at", at),
                ("behind", behind),
                ("search_at", search_at),
                ("search_behind", search_behind),
                ("among_at", among_at),
                ("among_behind", among_behind),
            ];
            named.map(|(name, sql)| (format!("{set} {order} {name}"), sql))
        })
    })
}

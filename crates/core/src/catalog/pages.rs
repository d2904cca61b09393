//! Pages of files. A page is found by the key of its neighbour (value, id) on an index, or by
//! counting from the nearer end; never by counting all. Only a search looks at every name.

use super::conn::Tx;
use super::files::{File, file_columns, file_joins};
use super::row::{FromRow, Row, Value, params};
use super::sql::{Sql, sql, statements};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, UserId};

/// Live files that `$1` owns. The order of an index holds only if its rows come first, and then each
/// one's folder, which says whether a file lies in a tree that is in the trash.
macro_rules! owned {
    ($now:literal, $more:expr) => {
        concat!(
            "nodes n cross join nodes p where p.id = n.parent and n.owner = $1 and n.kind = 1 \
             and n.trashed is null and p.trashed is null ",
            $more
        )
    };
}

/// Live files that others share with `$1`, by themselves or by a folder above them.
macro_rules! shared {
    ($now:literal, $more:expr) => {
        concat!(
            "nodes n join nodes p on p.id = n.parent where n.id in (\
             with recursive down (id) as (\
             select s.node from shares s where s.user_id = $1 and (s.expires is null or s.expires > ",
            $now,
            ") union select c.id from down cross join nodes c where c.parent = down.id and c.kind = 0 \
             and c.trashed is null) \
             select id from down union all select c.id from down cross join nodes c \
             where c.parent = down.id and c.kind = 1) \
             and n.owner <> $1 and n.kind = 1 and n.trashed is null and p.trashed is null ",
            $more
        )
    };
}

statements! {
    SEARCH_COUNT = concat!("select count(*) from ", owned!("", "and n.name_key like $2 escape '!'"));
    SHARED_COUNT = concat!("select count(*) from ",
        shared!("$3", "and n.name_key like $2 escape '!'"));
}

/// One page: the ids are found first, and only for them the rest.
macro_rules! page {
    ($source:expr, $column:literal, $way:literal, $limit:literal) => {
        sql!(concat!(
            "select ",
            file_columns!(),
            ", u.email, k.key from (select n.id, n.",
            $column,
            " as key from ",
            $source,
            " order by n.",
            $column,
            " ",
            $way,
            ", n.id ",
            $way,
            " ",
            $limit,
            ") k join nodes n on n.id = k.id ",
            file_joins!(),
            " left join shares s on s.node = n.id left join users u on u.id = s.user_id \
             order by k.key ",
            $way,
            ", n.id ",
            $way,
            ", u.email_key"
        ))
    };
}

/// A page of one set of files in one order: at an offset or behind a key, all or by search.
struct Statements {
    at: Sql,
    behind: Sql,
    search_at: Sql,
    search_behind: Sql,
}

macro_rules! ordered {
    ($set:ident, $column:literal, $way:literal, $behind:literal) => {
        Statements {
            at: page!($set!("$4", ""), $column, $way, "limit $2 offset $3"),
            behind: page!(
                $set!("$5", concat!("and (n.", $column, ", n.id) ", $behind, " ($3, $4)")),
                $column,
                $way,
                "limit $2"
            ),
            search_at: page!(
                $set!("$5", "and n.name_key like $4 escape '!'"),
                $column,
                $way,
                "limit $2 offset $3"
            ),
            search_behind: page!(
                $set!(
                    "$6",
                    concat!(
                        "and (n.",
                        $column,
                        ", n.id) ",
                        $behind,
                        " ($3, $4) and n.name_key like $5 escape '!'"
                    )
                ),
                $column,
                $way,
                "limit $2"
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
#[derive(Clone, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) user: UserId,
    pub(crate) now: Time,
    pub(crate) set: FileSet,
    pub(crate) by: OrderBy,
    pub(crate) descending: bool,
    /// A pattern for `like`, made by [`pattern`].
    pub(crate) pattern: Option<&'a str>,
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

/// How many files a set holds that is not counted as it changes.
pub(crate) async fn count(tx: &mut Tx<'_>, run: &Run<'_>) -> Result<u64> {
    let pattern = run.pattern.unwrap_or("%");
    match run.set {
        FileSet::Owned => tx.one(&SEARCH_COUNT, params![run.user.0, pattern]).await,
        FileSet::Shared => tx.one(&SHARED_COUNT, params![run.user.0, pattern, run.now]).await,
    }
}

/// Up to `limit` files.
pub(crate) async fn page(
    tx: &mut Tx<'_>,
    run: &Run<'_>,
    start: &Start,
    limit: u64,
) -> Result<Vec<File>> {
    let orders = if run.set == FileSet::Owned { &OWNED } else { &SHARED };
    let statements = &orders[run.by as usize][usize::from(run.descending)];
    let mut params = vec![Value::Int(run.user.0), Value::Int(limit.cast_signed())];
    let statement = match (start, run.pattern) {
        (Start::At(_), None) => &statements.at,
        (Start::At(_), Some(_)) => &statements.search_at,
        (Start::Behind(_), None) => &statements.behind,
        (Start::Behind(_), Some(_)) => &statements.search_behind,
    };
    match start {
        Start::At(offset) => params.push(Value::Int(offset.cast_signed())),
        Start::Behind(key) => params.extend([key.value.value(), Value::Int(key.id.0)]),
    }
    params.extend(run.pattern.map(Value::Text));
    if run.set == FileSet::Shared {
        params.push(run.now.into());
    }
    let rows: Vec<FileAndReader> = tx.all(statement, &params).await?;
    Ok(gather(rows))
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

/// A file, and one of those that it is shared with.
struct FileAndReader(File, Option<String>);

impl FromRow for FileAndReader {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(FileAndReader(File::from_row(row)?, row.take()?))
    }
}

fn gather(rows: Vec<FileAndReader>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for FileAndReader(file, reader) in rows {
        if files.last().is_none_or(|last| last.id != file.id) {
            files.push(file);
        }
        if let Some(last) = files.last_mut() {
            last.shared_with.extend(reader);
        }
    }
    files
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
            let Statements { at, behind, search_at, search_behind } = statements;
            let named = [
                ("at", at),
                ("behind", behind),
                ("search_at", search_at),
                ("search_behind", search_behind),
            ];
            named.map(|(name, sql)| (format!("{set} {order} {name}"), sql))
        })
    })
}

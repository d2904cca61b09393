//! Whole tables, to be copied from one catalog to another: their rows in the order of their keys, put in
//! place as they are. What the columns mean is no concern here.
//!
//! Some stand apart: a content's row follows its objects, in `meta` and `batches` each catalog speaks of
//! itself, and each fills its own index of names.

use super::conn::Tx;
use super::row::{OwnedValue, Value, params};
use super::sql::{Sql, insert_rows, marks, sql, statements};
use crate::error::Result;
use crate::vault::seal::ContentId;
use std::sync::LazyLock;

statements! {
    CONTENT_EXISTS = "select 1 from contents where id = $1";
    /// The contents behind one, in the order of their ids.
    CONTENTS = "select id from contents where id > $1 order by id limit $2";
    CONTENTS_COUNT = "select count(*), cast(coalesce(sum(size), 0) as bigint) from contents";
    INLINE_COUNT = "select count(*) from contents where sealed is not null";
    /// A folder that was moved below one that is younger refers to a row that comes behind its own.
    PARENT_SET = "update nodes set parent = $2 where id = $1";
    PARENTS_CLEAR = "update nodes set parent = null where id in \
        (select id from nodes where parent is not null limit $1)";
}

// Each engine counts ids in its own way.
const SQLITE_LAST_ID: Sql = sql!("select seq from sqlite_sequence where name = $1");
const SQLITE_LAST_ID_SET: Sql = sql!("update sqlite_sequence set seq = $2 where name = $1");
const SQLITE_LAST_ID_INSERT: Sql = sql!("insert into sqlite_sequence (name, seq) values ($1, $2)");
const POSTGRES_LAST_ID: Sql = sql!(
    "select coalesce(last_value, 0) from pg_sequences where \
     to_regclass(quote_ident(schemaname) || '.' || quote_ident(sequencename)) = \
     to_regclass(pg_get_serial_sequence($1, 'id'))"
);
const POSTGRES_LAST_ID_SET: Sql = sql!("select setval(pg_get_serial_sequence($1, 'id'), $2)");

/// The tables that are not copied row by row.
#[cfg(test)]
pub(crate) const APART: [&str; 6] =
    ["contents", "pending", "doomed", "meta", "batches", "names_due"];

/// A row, in the order of its table's columns.
pub(crate) type CopiedRow = Vec<OwnedValue>;

/// How many rows one statement inserts: PostgreSQL takes 65,535 parameters, SQLite 32,766.
const ROWS_AT_ONCE: usize = 100;

/// The one table whose rows refer to each other.
const NODES: &str = "nodes";

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(super) columns: &'static [&'static str],
    /// How many columns, from the first on, are the key.
    key: usize,
    /// Whether ids are counted, so that none is ever given twice.
    counts_ids: bool,
    statements: LazyLock<TableStatements>,
}

#[derive(Debug)]
struct TableStatements {
    first: Sql,
    behind: Sql,
    insert: Sql,
    insert_many: Sql,
    remove: Sql,
}

macro_rules! tables {
    ($(#[$doc:meta])* $all:ident $count:literal; $($(#[$meta:meta])* $name:ident, key $key:literal, counts $counts:literal: $($column:ident)+;)*) => {
        $(#[$doc])*
        pub(crate) static $all: [Table; $count] = [$({
            static COLUMNS: &[&str] = &[$(stringify!($column)),+];
            Table {
                name: stringify!($name),
                columns: COLUMNS,
                key: $key,
                counts_ids: $counts,
                statements: LazyLock::new(|| TableStatements::new(stringify!($name), COLUMNS, $key)),
            }
        }),*];
    };
}

tables! {
    /// What a snapshot takes row by row, too: the others do not refer to less.
    CONTENTS_TABLE 1;
    contents, key 1, counts false: id size objects sha512 sealed;
}

tables! {
    /// All tables that are copied row by row, each behind those that it refers to.
    TABLES 18;
    master_keys, key 1, counts false: id canary created replaced;
    users, key 1, counts true:
        id login login_key email email_key name password admin disabled created quota quota_files;
    tokens, key 1, counts true: id user_id hash label created expires last_used;
    trees, key 1, counts false: owner root files bytes change clock;
    nodes, key 1, counts true:
        id parent owner kind name name_key label label_key created modified trashed hex path type_id
        version size uploaded created_by modified_by trashed_with last_version md5;
    label_numbers, key 2, counts false: parent label_key next;
    folders, key 1, counts false: id files folders bytes changed;
    unmarked, key 1, counts false: folder;
    versions, key 2, counts false:
        file number content size md5 plain created created_by master_key wrapped_key modified;
    changes, key 1, counts true: id folder at node kind hex action;
    shares, key 1, counts true:
        id node sharer kind user_id email email_key role sharing via comment created expires
        link_hash link_master_key link_wrapped;
    answered, key 2, counts false: user_id key request outcome at;
    audit, key 1, counts true: id at actor user_id act details single;
    audit_links, key 1, counts false: seq event master_key proof;
    audit_checkpoints, key 1, counts false: seq at link master_key signature;
    audit_head, key 1, counts false: head seq event at link master_key signature;
    audit_failures, key 3, counts false: minute user_id address failures;
    backups, key 1, counts false: id at target master_keys hold;
}

impl TableStatements {
    fn new(table: &str, columns: &[&str], key: usize) -> Self {
        let all = columns.join(", ");
        let keys = columns[..key].join(", ");
        let order = format!("order by {keys} limit ${}", key + 1);
        TableStatements {
            first: Sql::assembled(format!("select {all} from {table} order by {keys} limit $1")),
            behind: Sql::assembled(format!(
                "select {all} from {table} where ({keys}) > ({}) {order}",
                marks(1, key)
            )),
            insert: Sql::assembled(insert_rows(table, columns, 1)),
            insert_many: Sql::assembled(insert_rows(table, columns, ROWS_AT_ONCE)),
            remove: Sql::assembled(format!(
                "delete from {table} where ({keys}) in (select {keys} from {table} limit $1)"
            )),
        }
    }
}

impl Table {
    /// Up to `limit` rows behind one, in the order of their keys.
    pub(crate) async fn page(
        &self,
        tx: &mut Tx<'_>,
        behind: Option<&CopiedRow>,
        limit: i64,
    ) -> Result<Vec<CopiedRow>> {
        let Some(behind) = behind else {
            return tx.all(&self.statements.first, params![limit]).await;
        };
        let mut key: Vec<Value<'_>> = behind[..self.key].iter().map(Value::from).collect();
        key.push(limit.into());
        tx.all(&self.statements.behind, &key).await
    }

    /// Puts rows in place. A row of `nodes` whose parent comes behind it gets that by [`set_parents`].
    pub(crate) async fn insert(&self, tx: &mut Tx<'_>, rows: &[CopiedRow]) -> Result<()> {
        let values = |row| (0..self.columns.len()).map(move |column| self.value(row, column));
        let mut many = rows.chunks_exact(ROWS_AT_ONCE);
        for rows in &mut many {
            let all: Vec<_> = rows.iter().flat_map(values).collect();
            tx.exec(&self.statements.insert_many, &all).await?;
        }
        for row in many.remainder() {
            tx.exec(&self.statements.insert, &values(row).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Whether some of these rows want [`set_parents`] when all are in place.
    pub(crate) fn has_late_parents(&self, rows: &[CopiedRow]) -> bool {
        self.name == NODES && rows.iter().any(|row| late_parent(row).is_some())
    }

    fn value<'a>(&self, row: &'a CopiedRow, column: usize) -> Value<'a> {
        if self.name == NODES && column == 1 && late_parent(row).is_some() {
            return Value::Null;
        }
        Value::from(&row[column])
    }

    /// Removes up to `limit` rows; how many.
    pub(crate) async fn remove(&self, tx: &mut Tx<'_>, limit: i64) -> Result<usize> {
        if self.name == NODES {
            let cleared = tx.exec(&PARENTS_CLEAR, params![limit]).await?;
            if cleared > 0 {
                return Ok(cleared);
            }
        }
        tx.exec(&self.statements.remove, params![limit]).await
    }

    /// The last id that was given, if ids are counted and one was.
    pub(crate) async fn last_id(&self, tx: &mut Tx<'_>) -> Result<Option<i64>> {
        if !self.counts_ids {
            return Ok(None);
        }
        let statement = if tx.embedded().is_some() { &SQLITE_LAST_ID } else { &POSTGRES_LAST_ID };
        let last: Option<i64> = tx.opt(statement, params![self.name]).await?;
        Ok(last.filter(|last| *last > 0))
    }

    /// Has ids given from behind this one on.
    pub(crate) async fn set_last_id(&self, tx: &mut Tx<'_>, last: i64) -> Result<()> {
        if tx.embedded().is_none() {
            return tx.one::<i64>(&POSTGRES_LAST_ID_SET, params![self.name, last]).await.map(drop);
        }
        if tx.exec(&SQLITE_LAST_ID_SET, params![self.name, last]).await? == 0 {
            // Nothing was ever put into the table here.
            tx.exec(&SQLITE_LAST_ID_INSERT, params![self.name, last]).await?;
        }
        Ok(())
    }
}

/// The id and the parent of a row of `nodes` whose parent comes behind it.
fn late_parent(row: &CopiedRow) -> Option<(i64, i64)> {
    match row[..] {
        [OwnedValue::Int(id), OwnedValue::Int(parent), ..] if parent > id => Some((id, parent)),
        _ => None,
    }
}

/// Gives rows of `nodes` the parents that were not there before.
pub(crate) async fn set_parents(tx: &mut Tx<'_>, rows: &[CopiedRow]) -> Result<()> {
    for (id, parent) in rows.iter().filter_map(late_parent) {
        tx.exec(&PARENT_SET, params![id, parent]).await?;
    }
    Ok(())
}

pub(crate) async fn has_content(tx: &mut Tx<'_>, content: ContentId) -> Result<bool> {
    Ok(tx.opt::<i64>(&CONTENT_EXISTS, params![&content.0]).await?.is_some())
}

/// Up to `limit` contents behind one, in the order of their ids.
pub(crate) async fn contents(
    tx: &mut Tx<'_>,
    behind: ContentId,
    limit: i64,
) -> Result<Vec<ContentId>> {
    let ids: Vec<[u8; 16]> = tx.all(&CONTENTS, params![&behind.0, limit]).await?;
    Ok(ids.into_iter().map(ContentId).collect())
}

/// How many contents there are, how many of them are inline, and their bytes.
pub(crate) async fn count_contents(tx: &mut Tx<'_>) -> Result<(u64, u64, u64)> {
    let (contents, bytes) = tx.one(&CONTENTS_COUNT, params![]).await?;
    Ok((contents, tx.one(&INLINE_COUNT, params![]).await?, bytes))
}

#[cfg(test)]
pub(crate) fn all() -> Vec<(String, Sql)> {
    let of = |table: &Table| {
        let made = TableStatements::new(table.name, table.columns, table.key);
        let name = table.name;
        [made.first, made.behind, made.insert, made.insert_many, made.remove]
            .map(|sql| (format!("copy {name}"), sql))
    };
    TABLES.iter().chain(&CONTENTS_TABLE).flat_map(of).collect()
}

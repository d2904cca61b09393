//! The catalog from inside: every statement on both engines, the plans of those that must not scan,
//! and the group-commit writer under units that fail, panic or wait.

mod migrate;
mod names;
mod plans;
mod postgres;
mod read_lock;
mod writer;

use super::conn::Tx;
use super::sql::Sql;
use super::{
    Catalog, answered, asked, audit, backups, contents, copy, entries, files, folders, integrity,
    keys, meta, pages, shares, trash, users, versions,
};
use crate::clock::{Clock, Time};
use crate::disk::Disk;
use tempfile::TempDir;

/// Every statement, by name.
fn statements() -> Vec<(String, Sql)> {
    let modules = [
        answered::ALL,
        asked::ALL,
        audit::ALL,
        backups::ALL,
        contents::ALL,
        copy::ALL,
        entries::ALL,
        files::ALL,
        files::change::ALL,
        folders::ALL,
        integrity::ALL,
        keys::ALL,
        meta::ALL,
        super::names::ALL,
        shares::ALL,
        trash::ALL,
        users::ALL,
        versions::ALL,
    ];
    let named = modules
        .into_iter()
        .flatten()
        .map(|(name, Sql { text, sqlite })| (String::from(*name), Sql { text, sqlite }));
    let found = [(String::from("FOUND_AMONG"), entries::FOUND_AMONG)];
    named.chain(found).chain(pages::all()).chain(copy::all()).chain(audit::assembled()).collect()
}

/// Every statement of the embedded engine, by name.
fn embedded_statements() -> Vec<(String, Sql)> {
    let own = super::names::EMBEDDED
        .iter()
        .map(|(name, Sql { text, sqlite })| (String::from(*name), Sql { text, sqlite }));
    statements().into_iter().chain(own).collect()
}

fn catalog() -> (TempDir, Catalog) {
    catalog_on(&Disk::default())
}

fn catalog_on(disk: &Disk) -> (TempDir, Catalog) {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(Time(1_000_000));
    let path = directory.path().join("catalog.db");
    let catalog = Catalog::open(&path, &clock, disk).unwrap();
    (directory, catalog)
}

/// What the engine says when the disk below it fails so.
pub(super) fn engine_error(error: &std::io::Error) -> rusqlite::Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull => rusqlite::ffi::SQLITE_FULL,
        _ => rusqlite::ffi::SQLITE_IOERR_FSYNC,
    };
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}

impl Catalog {
    /// Lets the catalog grow by so many pages and no more, as a disk does that is nearly full.
    pub(crate) async fn allow_pages(&self, more: i64) {
        let allowed = self.write(more, |tx, more| {
            Box::pin(async move {
                let engine = tx.embedded().unwrap();
                let pages: i64 = engine.pragma_query_value(None, "page_count", |row| row.get(0))?;
                Ok(engine.pragma_update(None, "max_page_count", pages + more)?)
            })
        });
        allowed.await.unwrap();
    }
}

#[tokio::test]
async fn sqlite_prepares_every_statement() {
    let (_directory, catalog) = catalog();
    let prepare = |tx: &mut Tx<'_>| {
        for (name, sql) in embedded_statements() {
            let prepared = tx.embedded().unwrap().prepare(sql.sqlite);
            assert!(prepared.is_ok(), "{name}: {prepared:?}");
        }
    };
    catalog
        .read(&(), |tx, ()| {
            prepare(tx);
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (directory, catalog) = catalog();
    drop(catalog);
    let path = directory.path().join("catalog.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Catalog::open(&path, &Clock::System, &Disk::default()).unwrap_err();
    assert!(refused.to_string().contains("schema version 99"), "{refused}");
}

/// A column that a migration adds must be copied, too.
#[tokio::test]
async fn what_is_copied_is_every_column_of_every_table() {
    let (directory, catalog) = catalog();
    drop(catalog);
    let engine = rusqlite::Connection::open(directory.path().join("catalog.db")).unwrap();
    let sorted = |statement: &str| {
        let mut statement = engine.prepare(statement).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut names: Vec<_> = names.map(Result::unwrap).collect();
        names.sort();
        names
    };
    let mut copied: Vec<_> = copy::TABLES.iter().map(|table| table.name.to_owned()).collect();
    copied.extend(copy::APART.map(str::to_owned));
    copied.sort();
    let tables = "select name from pragma_table_list where schema = 'main' and type = 'table' \
        and name not like 'sqlite_%'";
    assert_eq!(sorted(tables), copied);
    // What the engine keeps for an index is made anew from the names.
    let others = "select name from pragma_table_list where type in ('virtual', 'shadow')";
    assert!(sorted(others).iter().all(|name| name.starts_with("names")));
    for table in &copy::TABLES {
        let mut columns: Vec<_> =
            table.columns.iter().map(|column| String::from(*column)).collect();
        columns.sort();
        assert_eq!(
            sorted(&format!("select name from pragma_table_info('{}')", table.name)),
            columns
        );
    }
}

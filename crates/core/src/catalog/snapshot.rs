//! The whole catalog as it is at one moment, in a file of the embedded engine, whatever engine holds it here;
//! and whole tables on their way from one catalog to another.

use super::copy::{self, CONTENTS_TABLE, CopiedRow, TABLES, Table};
use super::{Catalog, Reading, Tx, meta, postgres};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::{Error, Result};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Rows that are read, and written in one unit, at once.
const ROWS: i64 = 500;

impl Catalog {
    /// Writes the catalog as it is now to a new file. Writers do not wait for it.
    ///
    /// The embedded engine's own copy has all tables; from a server come those that make a store, and not what
    /// is being written or removed there.
    pub(crate) async fn snapshot(&self, file: &Path, clock: &Clock) -> Result<()> {
        match &self.readers {
            Reading::Embedded(readers) => {
                let (from, to) = (readers.path().to_owned(), file.to_owned());
                let copied = tokio::task::spawn_blocking(move || vacuum_into(&from, &to));
                copied.await.map_err(Error::internal)?
            }
            Reading::Server(pool) => {
                let copy = Catalog::open(file, clock, &Disk::default())?;
                postgres::read(pool, &copy, |tx, copy| Box::pin(copy_all(tx, copy))).await
            }
        }
    }
}

/// The engine takes an empty file for none, and would let others read a new one.
fn vacuum_into(from: &Path, to: &Path) -> Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let name = to.to_str().ok_or_else(|| Error::Refused("a path is not UTF-8".into()))?;
    super::conn::open_reader(from)?.execute("vacuum into ?1", [name])?;
    Ok(())
}

async fn copy_all(tx: &mut Tx<'_>, to: &Catalog) -> Result<()> {
    let id = meta::id(tx).await?.unwrap_or_default();
    to.write(id, |tx, id| Box::pin(async move { meta::set_id(tx, id).await.map(drop) })).await?;
    let mut rows = Rows::In(tx);
    for table in CONTENTS_TABLE.iter().chain(&TABLES) {
        rows.copy(table, to).await?;
    }
    Ok(())
}

/// Where rows are read from.
pub(crate) enum Rows<'a, 'tx> {
    /// A catalog, each page in a unit of its own.
    Of(&'a Catalog),
    /// One snapshot of a server.
    In(&'a mut Tx<'tx>),
}

impl Rows<'_, '_> {
    /// The rows of a table behind one, in the order of their keys.
    pub(crate) async fn page(
        &mut self,
        table: &Table,
        behind: Option<&CopiedRow>,
    ) -> Result<Vec<CopiedRow>> {
        match self {
            Rows::In(tx) => table.page(tx, behind, ROWS).await,
            Rows::Of(catalog) => {
                let input = (table, behind);
                let page = catalog
                    .scan(&input, |tx, (table, behind)| Box::pin(table.page(tx, *behind, ROWS)));
                page.await
            }
        }
    }

    async fn last_id(&mut self, table: &Table) -> Result<Option<i64>> {
        match self {
            Rows::In(tx) => table.last_id(tx).await,
            Rows::Of(catalog) => {
                catalog.read(&table, |tx, table| Box::pin(table.last_id(tx))).await
            }
        }
    }

    /// Copies a table to where it is empty.
    pub(crate) async fn copy(&mut self, table: &'static Table, to: &Catalog) -> Result<()> {
        let mut late = false;
        let mut page = self.page(table, None).await?;
        while let Some(last) = page.last().cloned() {
            late |= table.has_late_parents(&page);
            to.write(page, move |tx, page| Box::pin(table.insert(tx, page))).await?;
            page = self.page(table, Some(&last)).await?;
        }
        if late {
            self.copy_parents(table, to).await?;
        }
        let Some(last) = self.last_id(table).await? else { return Ok(()) };
        to.write(last, move |tx, last| Box::pin(table.set_last_id(tx, *last))).await
    }

    async fn copy_parents(&mut self, table: &'static Table, to: &Catalog) -> Result<()> {
        let mut page = self.page(table, None).await?;
        while let Some(last) = page.last().cloned() {
            if table.has_late_parents(&page) {
                to.write(page, |tx, page| Box::pin(copy::set_parents(tx, page))).await?;
            }
            page = self.page(table, Some(&last)).await?;
        }
        Ok(())
    }
}

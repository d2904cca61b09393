//! The embedded engine's log, which holds pages as they were: what is deleted is gone from the disk when it is
//! empty. A server looks after its own.

use super::conn::open_writer;
use super::read_lock::ReadLock;
use super::writer::copy_back;
use super::{Catalog, Reading};
use crate::disk::Disk;
use crate::error::{Error, Result};
use std::path::Path;
use std::time::Duration;

/// How long writers may wait for readers so that the log can be emptied.
const PATIENCE: Duration = Duration::from_millis(200);

impl Catalog {
    /// Empties the log. Puts it off when a reader is in the way.
    pub(crate) async fn empty_log(&self) -> Result<()> {
        let Reading::Embedded(readers) = &self.readers else { return Ok(()) };
        let (path, disk, lock) = (readers.path().to_owned(), self.disk.clone(), readers.lock());
        let empty = move || empty(&path, &disk, &lock);
        tokio::task::spawn_blocking(empty).await.map_err(Error::internal)?
    }
}

fn empty(path: &Path, disk: &Disk, lock: &ReadLock) -> Result<()> {
    disk.may_write()?;
    let log = path.with_extension("db-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() == 0) {
        return Ok(());
    }
    let conn = open_writer(path)?;
    conn.busy_timeout(PATIENCE)?;
    let _released = lock.release();
    // The first step copies most of the log without keeping anyone from writing.
    if copy_back(&conn, disk, "passive") {
        copy_back(&conn, disk, "truncate");
    }
    disk.may_write()
}

//! The engine's own check.

use super::Tx;
use crate::error::Result;

/// What SQLite's integrity check finds wrong.
pub(super) fn faults(tx: &mut Tx<'_>) -> Result<Vec<String>> {
    // A server looks after its own files.
    let Some(engine) = tx.embedded() else {
        return Ok(Vec::new());
    };
    let mut statement = engine.prepare("pragma integrity_check(20)")?;
    let lines: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

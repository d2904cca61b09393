//! The index of names that a search looks into, which is filled behind the writes.

use super::Drive;
use crate::catalog::names;
use crate::error::Result;
use std::sync::atomic::Ordering;

/// Names that are indexed in one unit: as many as a write that comes meanwhile waits for.
const CHUNK: i64 = 250;
/// Chunks of one second in which others write too.
const CHUNKS_BESIDE_WRITES: u64 = 4;

impl Drive {
    /// Takes into the index of names what it lacks, in chunks: all of it, until something else is written; or
    /// about a thousand names, if something was since the last call. `serve` calls it each second. True:
    /// the index lacks more. Until then a search finds the same, and takes longer.
    pub async fn index_names(&self) -> Result<bool> {
        let catalog = self.catalog();
        let begun = catalog.units();
        let quiet = self.0.units_seen.load(Ordering::Relaxed) == begun;
        let mut chunks = 0;
        let mut behind = self.names_are_behind().await?;
        while behind {
            catalog.write((), |tx, ()| Box::pin(names::index(tx, CHUNK))).await?;
            chunks += 1;
            behind = self.names_are_behind().await?;
            if (quiet && catalog.units() != begun + chunks)
                || (!quiet && chunks == CHUNKS_BESIDE_WRITES)
            {
                break;
            }
        }
        // What others wrote meanwhile counts for the next call.
        self.0.units_seen.store(begun + chunks, Ordering::Relaxed);
        Ok(behind)
    }

    async fn names_are_behind(&self) -> Result<bool> {
        // A server keeps its own index with each write.
        if self.catalog().is_shared() {
            return Ok(false);
        }
        self.catalog().look_up(&(), |tx, ()| Box::pin(names::is_behind(tx))).await
    }
}

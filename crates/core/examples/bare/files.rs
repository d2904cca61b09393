//! Bytes that come in, as files: not hashed, not sealed, not named.

use crate::Outcome;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;

/// Written at once, and synced beside what comes next.
const PART: usize = 256 << 10;
const SYNC_EVERY: u64 = 16 << 20;

pub(crate) struct Files {
    directory: PathBuf,
    named: AtomicU64,
}

impl Files {
    pub(crate) fn new(directory: &Path) -> Self {
        Files { directory: directory.to_path_buf(), named: AtomicU64::new(0) }
    }

    /// Returns once they are synced.
    pub(crate) fn write(&self, from: &mut impl Read, len: u64) -> Outcome<()> {
        let name = format!("file-{}", self.named.fetch_add(1, Relaxed));
        let mut file = File::create(self.directory.join(name))?;
        std::thread::scope(|scope| {
            let (written, some) = channel();
            let syncing = file.try_clone()?;
            let synced = scope.spawn(move || some.iter().try_for_each(|()| syncing.sync_all()));
            let (mut part, mut left) = (vec![0; PART], len);
            while left > 0 {
                let wanted = PART.min(usize::try_from(left)?);
                from.read_exact(&mut part[..wanted])?;
                file.write_all(&part[..wanted])?;
                left -= wanted as u64;
                if left % SYNC_EVERY < PART as u64 {
                    written.send(())?;
                }
            }
            drop(written);
            synced.join().map_err(|_| "a sync panicked")??;
            Ok(file.sync_all()?)
        })
    }
}

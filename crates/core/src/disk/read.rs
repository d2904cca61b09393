//! Reading a file, and what the system has of it in memory without a wait for the disk.

use crate::error::{Error, Result};
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::fs::File;
use std::io::ErrorKind::{NotFound, UnexpectedEof};
use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Reads a range of a file, whole or not at all. `None`: there is no such file, or it is shorter. The system is
/// told that `next` bytes behind it are wanted soon.
pub(crate) fn read(path: &Path, range: Range<u64>, next: u64) -> Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    if next > 0 {
        // Where it is not known, or not followed, reading is slower and no less right.
        let _advised = fadvise(&file, range.end, NonZeroU64::new(next), Advice::WillNeed);
    }
    let mut bytes = room_for(&range)?;
    match file.read_exact_at(&mut bytes, range.start) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The same if no disk has to be waited for, as far as the system tells. `None` also where it would be.
pub(crate) fn read_cached(path: &Path, range: Range<u64>) -> Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = room_for(&range)?;
    let mut into = [IoSliceMut::new(&mut bytes)];
    match preadv2(&file, &mut into, range.start, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok((read == bytes.len()).then_some(bytes)),
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR) => Ok(None),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == NotFound => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

fn room_for(range: &Range<u64>) -> Result<Vec<u8>> {
    let len = range.end.saturating_sub(range.start);
    Ok(vec![0; usize::try_from(len).map_err(Error::internal)?])
}

/// Whether all that is in a directory is in memory.
pub(crate) fn is_memory(path: &Path) -> Result<bool> {
    /// What Linux's `statfs` calls it.
    const TMPFS: u64 = 0x0102_1994;
    let found = rustix::fs::statfs(path).map_err(std::io::Error::from)?;
    Ok(u64::try_from(found.f_type).is_ok_and(|kind| kind == TMPFS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let bytes: Vec<u8> = (0..300_000).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        for forgotten in [false, true] {
            for range in [0..0, 0..1, 0..300_000, 299_999..300_000, 4095..200_001] {
                if forgotten {
                    file.sync_all().unwrap();
                    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
                }
                let wanted = &bytes[range.start as usize..range.end as usize];
                // What had to be waited for is not in memory before it was read.
                let found = read_cached(&path, range.clone()).unwrap();
                assert!(found.is_none_or(|found| found == wanted), "{range:?}");
                let found = read(&path, range.clone(), 1 << 20).unwrap();
                assert_eq!(found.as_deref(), Some(wanted), "{range:?}");
            }
        }
        for (path, range) in [(&path, 299_999..300_001), (&path.with_extension("gone"), 0..1)] {
            assert_eq!(read(path, range.clone(), 0).unwrap(), None);
            assert_eq!(read_cached(path, range).unwrap(), None);
        }
    }

    #[test]
    fn a_file_system_in_memory_is_known() {
        let shared = Path::new("/dev/shm");
        if shared.is_dir() {
            assert!(is_memory(shared).unwrap());
        }
        assert!(!is_memory(Path::new("/proc")).unwrap());
    }
}

//! Writing past the system's cache (`O_DIRECT`, open(2)). The system copies nothing and keeps nothing, and the disk has the
//! bytes when it returns, though a sync is still what makes them sure.

use super::{Disk, DiskFile};
use rustix::fs::{OFlags, fcntl_setfl};
use std::io::{self, ErrorKind::InvalidInput};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering;

/// What disks want addresses, places and lengths to be multiples of, at most, in bytes.
pub(crate) const ALIGNED_TO: usize = 4096;

/// How many bytes the next such address is behind the beginning of `room`.
pub(crate) fn unaligned(room: &[u8]) -> usize {
    room.as_ptr().addr().wrapping_neg() % ALIGNED_TO
}

impl Disk {
    pub(super) fn write_all(&self, file: &DiskFile, at: u64, bytes: &[u8]) -> io::Result<()> {
        let fits = unaligned(bytes) == 0
            && bytes.len().is_multiple_of(ALIGNED_TO)
            && at.is_multiple_of(ALIGNED_TO as u64);
        let directly = fits && !bytes.is_empty() && !self.0.is_indirect.load(Ordering::Relaxed);
        self.write_all_as(directly, file, at, bytes)
    }

    fn write_all_as(
        &self,
        directly: bool,
        file: &DiskFile,
        at: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        match file.set_direct(directly).and_then(|()| file.file.write_all_at(bytes, at)) {
            // A file system that cannot, or wants larger multiples.
            Err(error) if directly && error.kind() == InvalidInput => {
                self.0.is_indirect.store(true, Ordering::Relaxed);
                file.set_direct(false)?;
                file.file.write_all_at(bytes, at)
            }
            written => written,
        }
    }
}

impl DiskFile {
    fn set_direct(&self, is_direct: bool) -> io::Result<()> {
        if self.is_direct.load(Ordering::Relaxed) != is_direct {
            fcntl_setfl(&self.file, if is_direct { OFlags::DIRECT } else { OFlags::empty() })?;
            self.is_direct.store(is_direct, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes at such an address.
    fn aligned(len: usize) -> (Vec<u8>, usize) {
        let room = vec![0; ALIGNED_TO + len];
        let start = unaligned(&room);
        assert_eq!(unaligned(&room[start..]), 0);
        (room, start)
    }

    #[test]
    fn what_fits_and_what_does_not_are_written_to_one_file() {
        let directory = tempfile::tempdir().unwrap();
        let (path, disk) = (directory.path().join("file"), Disk::default());
        let file = disk.create(&path).unwrap().unwrap();
        let (mut room, start) = aligned(3 * ALIGNED_TO);
        room[start..].iter_mut().enumerate().for_each(|(n, byte)| *byte = (n % 251) as u8);
        let bytes = &room[start..];
        for (from, to) in [(0, ALIGNED_TO), (ALIGNED_TO, ALIGNED_TO + 7)] {
            disk.write(&file, from as u64, &bytes[from..to]).unwrap();
            let (is_direct, is_indirect) = (&file.is_direct, &disk.0.is_indirect);
            // Where the file system does not refuse.
            let may = from == 0 && !is_indirect.load(Ordering::Relaxed);
            assert_eq!(is_direct.load(Ordering::Relaxed), may);
        }
        // Not at such a place, and not of such a length.
        disk.write(&file, (ALIGNED_TO + 7) as u64, &bytes[ALIGNED_TO + 7..2 * ALIGNED_TO]).unwrap();
        disk.write(&file, 2 * ALIGNED_TO as u64, &bytes[2 * ALIGNED_TO..]).unwrap();
        disk.write(&file, 3 * ALIGNED_TO as u64, &[]).unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }

    /// As one that wants larger multiples than we know of, and says so when it is written to.
    #[test]
    fn what_a_file_system_refuses_goes_through_its_cache() {
        let directory = tempfile::tempdir().unwrap();
        let (path, disk) = (directory.path().join("file"), Disk::default());
        let file = disk.create(&path).unwrap().unwrap();
        let (mut room, start) = aligned(ALIGNED_TO);
        room[start..].fill(7);
        disk.write_all_as(true, &file, 0, &room[start + 8..]).unwrap();
        assert!(std::fs::read(&path).unwrap() == room[start + 8..]);
    }
}

//! A file sealed as an object is, and opened again: for copies of the catalog, which hold names and rows in clear.

use crate::error::{Error, Result};
use crate::vault::seal::{
    ContentId, DataKey, HEADER_LEN, Layout, MAX_OBJECT_LEN, Opener, SEALED_SEGMENT_LEN, Sealer,
};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

const PIECE: usize = 1 << 20;

/// Seals a file into a new one, which is synced; the length in clear.
pub(super) fn seal(from: &Path, to: &Path, key: &DataKey, content: ContentId) -> Result<u64> {
    let mut from = File::open(from)?;
    let len = from.metadata()?.len();
    if len > MAX_OBJECT_LEN {
        return Err(Error::Refused(format!(
            "the catalog has {len} bytes, and a backup holds {MAX_OBJECT_LEN} of one at most"
        )));
    }
    let mut to = new_file(to)?;
    let mut sealed = Vec::with_capacity(PIECE + PIECE / 8);
    let mut sealer = Sealer::new(key, content, 0, &mut sealed);
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    let mut total = 0;
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            break;
        }
        total += read as u64;
        sealer.push(&piece[..read], &mut sealed).map_err(Error::internal)?;
        to.write_all(&sealed)?;
        sealed.clear();
    }
    sealer.finish(&mut sealed);
    to.write_all(&sealed)?;
    to.sync_all()?;
    Ok(total)
}

/// Opens what [`seal`] made into a new file, which is synced.
pub(in crate::drive) fn open(
    from: &Path,
    to: &Path,
    key: &DataKey,
    (content, plain_len): (ContentId, u64),
) -> Result<()> {
    let damaged = |why: &dyn std::fmt::Display| Error::Damaged { why: why.to_string() };
    let file = File::open(from).map_err(|error| damaged(&error))?;
    let layout = Layout::of_plain(plain_len).map_err(|error| damaged(&error))?;
    if file.metadata()?.len() != layout.sealed_len() {
        return Err(damaged(&"it does not have its length"));
    }
    let mut from = BufReader::with_capacity(PIECE, file);
    let mut header = [0; HEADER_LEN];
    from.read_exact(&mut header)?;
    let opener =
        Opener::new(key, &header, content, 0, plain_len).map_err(|error| damaged(&error))?;
    let mut to = new_file(to)?;
    let mut segment = Zeroizing::new(Vec::with_capacity(SEALED_SEGMENT_LEN));
    for index in 0..layout.segments() {
        segment.resize(layout.sealed_segment_len(index).unwrap_or(0), 0);
        from.read_exact(&mut segment)?;
        to.write_all(opener.open(index, &mut segment).map_err(|error| damaged(&error))?)?;
    }
    to.sync_all()?;
    Ok(())
}

fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

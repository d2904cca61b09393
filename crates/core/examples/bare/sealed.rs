//! Sealed bytes that a loop reads, opens and sends: one thread that opens what it sends is no quicker.

use crate::Outcome;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const SEGMENT: usize = 64 << 10;
const TAG: usize = 16;
/// Read at once, as the server does.
const WINDOW: usize = 8 * (SEGMENT + TAG);

pub(crate) struct Sealed {
    file: File,
    len: u64,
    key: LessSafeKey,
}

fn nonce(index: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

impl Sealed {
    pub(crate) fn new(path: &Path, len: u64) -> Outcome<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| "no key")?);
        let mut file = File::options().read(true).write(true).create_new(true).open(path)?;
        for index in 0..len.div_ceil(SEGMENT as u64) {
            let left = len - index * SEGMENT as u64;
            let mut segment = vec![index as u8; SEGMENT.min(usize::try_from(left)?)];
            key.seal_in_place_append_tag(nonce(index), Aad::empty(), &mut segment)
                .map_err(|_| "not sealed")?;
            file.write_all(&segment)?;
        }
        Ok(Sealed { file, len, key })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn send(&self, stream: &mut impl Write) -> Outcome<()> {
        let (mut window, mut at, mut index) = (vec![0; WINDOW], 0, 0);
        loop {
            let read = self.file.read_at(&mut window, at)?;
            if read == 0 {
                return Ok(());
            }
            at += read as u64;
            for segment in window[..read].chunks_mut(SEGMENT + TAG) {
                let opened = self.key.open_in_place(nonce(index), Aad::empty(), segment);
                stream.write_all(opened.map_err(|_| "not opened")?)?;
                index += 1;
            }
        }
    }
}

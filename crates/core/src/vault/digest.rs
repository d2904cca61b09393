//! The lane beside the writer: MD5, SHA-512 of what is not too large, and whether the content is
//! plain text. MD5 is the slowest step of an upload, so for larger contents it has its own thread.

use crate::error::{Error, Result};
use aws_lc_rs::digest::{Context, SHA512};
use bytes::Bytes;
use md5::{Digest, Md5};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Above this many bytes SHA-512 is not computed while a content arrives, but in a job after it.
const SHA512_INLINE_MAX: u64 = 64 << 20;
/// Chunks between the network and this lane.
const CHUNKS_WAITING: usize = 16;

/// What is known of a whole content.
#[derive(Clone, Debug)]
pub(crate) struct Digested {
    pub(crate) md5: [u8; 16],
    /// `None` above 64 MiB.
    pub(crate) sha512: Option<[u8; 64]>,
    /// Valid UTF-8 without NUL.
    pub(crate) plain: bool,
}

/// Digests over bytes in order.
pub(crate) struct Digests {
    md5: Md5,
    sha512: Option<Context>,
    text: TextCheck,
    len: u64,
}

impl Digests {
    pub(crate) fn new() -> Self {
        let sha512 = Some(Context::new(&SHA512));
        Digests {
            md5: Md5::new(),
            sha512,
            text: TextCheck::default(),
            len: 0,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.md5.update(bytes);
        self.text.update(bytes);
        if self.len > SHA512_INLINE_MAX {
            self.sha512 = None;
        }
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Digested {
        let sha512 = self.sha512.map(|context| {
            context
                .finish()
                .as_ref()
                .try_into()
                .expect("SHA-512 has 64 bytes")
        });
        Digested {
            md5: self.md5.finalize().into(),
            sha512,
            plain: self.text.finish(),
        }
    }
}

/// Whether bytes that come in pieces are UTF-8 without NUL.
#[derive(Default)]
struct TextCheck {
    binary: bool,
    /// The beginning of a character whose end is in the next piece.
    begun: [u8; 4],
    begun_len: usize,
}

impl TextCheck {
    fn update(&mut self, mut bytes: &[u8]) {
        while !self.binary && self.begun_len > 0 && !bytes.is_empty() {
            self.begun[self.begun_len] = bytes[0];
            self.begun_len += 1;
            bytes = &bytes[1..];
            match std::str::from_utf8(&self.begun[..self.begun_len]) {
                Ok(_) => self.begun_len = 0,
                Err(error) if error.error_len().is_some() => self.binary = true,
                Err(_) => {}
            }
        }
        if self.binary || bytes.is_empty() {
            return;
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => {}
            Err(error) if error.error_len().is_some() => self.binary = true,
            Err(error) => {
                let rest = &bytes[error.valid_up_to()..];
                self.begun[..rest.len()].copy_from_slice(rest);
                self.begun_len = rest.len();
            }
        }
        self.binary |= bytes.contains(&0);
    }

    fn finish(self) -> bool {
        !self.binary && self.begun_len == 0
    }
}

/// [`Digests`] on a thread of its own.
#[derive(Debug)]
pub(crate) struct DigestLane {
    chunks: mpsc::Sender<Bytes>,
    digests: JoinHandle<Digested>,
}

impl DigestLane {
    pub(crate) fn start() -> Self {
        let (chunks, mut waiting) = mpsc::channel::<Bytes>(CHUNKS_WAITING);
        let digests = tokio::task::spawn_blocking(move || {
            let mut digests = Digests::new();
            while let Some(chunk) = waiting.blocking_recv() {
                digests.update(&chunk);
            }
            digests.finish()
        });
        DigestLane { chunks, digests }
    }

    pub(crate) async fn update(&self, chunk: Bytes) -> Result<()> {
        self.chunks
            .send(chunk)
            .await
            .map_err(|_| Error::internal("the digest lane has ended"))
    }

    pub(crate) async fn finish(self) -> Result<Digested> {
        drop(self.chunks);
        self.digests.await.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest_in_pieces(bytes: &[u8], piece: usize) -> Digested {
        let mut digests = Digests::new();
        bytes
            .chunks(piece.max(1))
            .for_each(|piece| digests.update(piece));
        digests.finish()
    }

    #[test]
    fn text_is_utf8_without_nul_however_it_is_cut() {
        for (bytes, plain) in [
            (&b""[..], true),
            ("r\u{e9}sultat \u{1f600}\n".as_bytes(), true),
            (b"a\0b", false),
            (b"\xff", false),
            (b"ends within \xc3", false),
            (b"\xed\xa0\x80", false),
        ] {
            for piece in 1..=bytes.len().max(1) {
                assert_eq!(
                    digest_in_pieces(bytes, piece).plain,
                    plain,
                    "{bytes:?} by {piece}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..40) {
            let (whole, pieces) = (digest_in_pieces(&bytes, 300), digest_in_pieces(&bytes, piece));
            prop_assert_eq!(whole.md5, pieces.md5);
            prop_assert_eq!(whole.sha512, pieces.sha512);
            let plain = std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0);
            prop_assert_eq!(pieces.plain, plain);
        }
    }
}

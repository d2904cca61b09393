//! The lane beside the writer: MD5, SHA-512 of what is not too large, and whether the content is
//! plain text. MD5 is the slowest step of an upload, so larger contents are hashed on another thread.

use crate::error::{Error, Result};
use aws_lc_rs::digest::{Context, SHA512};
use bytes::Bytes;
use md5::{Digest, Md5};
use tokio::task::JoinHandle;

/// Above this many bytes SHA-512 is not computed while a content arrives, but in a job after it.
const SHA512_INLINE_MAX: u64 = 64 << 20;
/// How much is hashed at once, in bytes: enough that the hop to another thread does not count.
const BATCH_LEN: usize = 256 << 10;

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
        Digests { md5: Md5::new(), sha512, text: TextCheck::default(), len: 0 }
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
        let sha512 = self
            .sha512
            .map(|context| context.finish().as_ref().try_into().expect("SHA-512 has 64 bytes"));
        Digested { md5: self.md5.finalize().into(), sha512, plain: self.text.finish() }
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

/// [`Digests`] beside the writer: while one batch is hashed on another thread, the next is gathered.
/// No thread waits for a slow sender.
pub(crate) struct DigestLane {
    gathered: Vec<Bytes>,
    gathered_len: usize,
    at_work: Option<JoinHandle<Digests>>,
    /// Between batches.
    at_rest: Option<Digests>,
}

impl DigestLane {
    pub(crate) fn new() -> Self {
        let at_rest = Some(Digests::new());
        DigestLane { gathered: Vec::new(), gathered_len: 0, at_work: None, at_rest }
    }

    pub(crate) async fn update(&mut self, chunk: Bytes) -> Result<()> {
        self.gathered_len += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_len >= BATCH_LEN { self.hash().await } else { Ok(()) }
    }

    pub(crate) async fn finish(mut self) -> Result<Digested> {
        self.hash().await?;
        Ok(self.rest().await?.finish())
    }

    /// Sends what is gathered to a thread, behind the batch before it.
    async fn hash(&mut self) -> Result<()> {
        let mut digests = self.rest().await?;
        let batch = std::mem::take(&mut self.gathered);
        self.gathered_len = 0;
        self.at_work = Some(tokio::task::spawn_blocking(move || {
            batch.iter().for_each(|chunk| digests.update(chunk));
            digests
        }));
        Ok(())
    }

    async fn rest(&mut self) -> Result<Digests> {
        if let Some(at_work) = &mut self.at_work {
            let digests = at_work.await.map_err(Error::internal)?;
            self.at_work = None;
            return Ok(digests);
        }
        self.at_rest
            .take()
            .ok_or_else(|| Error::internal("a digest lane was used behind a failure"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest_in_pieces(bytes: &[u8], piece: usize) -> Digested {
        let mut digests = Digests::new();
        bytes.chunks(piece.max(1)).for_each(|piece| digests.update(piece));
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
                assert_eq!(digest_in_pieces(bytes, piece).plain, plain, "{bytes:?} by {piece}");
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

//! The lane beside the writer: MD5, SHA-512 of what is not too large, and whether the content is
//! plain text. MD5 is the slowest step of an upload, so larger contents are hashed on another thread.

use crate::error::{Error, Result};
use aws_lc_rs::digest::{Context, SHA512};
use bindery_md5::{Md5, Md5AndSha512};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Above this many bytes SHA-512 is not computed while a content arrives, but in a job after it.
const SHA512_INLINE_MAX: u64 = 64 << 20;
/// How much is hashed at once, in bytes: enough that the hop to another thread does not count.
const BATCH_LEN: usize = 256 << 10;
/// Batches that wait for the thread, while it has one and another is gathered: as long as a system lets the sender
/// have the core of the receiver, the thread should not want for work.
const BATCHES_QUEUED: usize = 4;

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
    hashes: Hashes,
    text: TextCheck,
    len: u64,
}

enum Hashes {
    /// In one pass, where the processor can.
    Together(Md5AndSha512),
    Apart(Md5, Option<Context>),
}

impl Hashes {
    fn apart() -> Self {
        Hashes::Apart(Md5::default(), Some(Context::new(&SHA512)))
    }
}

impl Digests {
    /// Of a content that will be of `expected` bytes, as far as is known.
    pub(crate) fn new(expected: u64) -> Self {
        let hashes = if expected > SHA512_INLINE_MAX {
            Hashes::Apart(Md5::default(), None)
        } else {
            Md5AndSha512::new().map_or_else(Hashes::apart, Hashes::Together)
        };
        Self::by(hashes)
    }

    fn by(hashes: Hashes) -> Self {
        Digests { hashes, text: TextCheck::default(), len: 0 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let was_small = self.len <= SHA512_INLINE_MAX;
        self.len += bytes.len() as u64;
        self.text.update(bytes);
        if was_small && self.len > SHA512_INLINE_MAX {
            self.leave_sha512_off();
        }
        match &mut self.hashes {
            Hashes::Together(both) => both.update(bytes),
            Hashes::Apart(md5, sha512) => {
                md5.update(bytes);
                if let Some(sha512) = sha512 {
                    sha512.update(bytes);
                }
            }
        }
    }

    pub(crate) fn finish(self) -> Digested {
        let plain = self.text.finish();
        match self.hashes {
            Hashes::Together(both) => {
                let (md5, sha512) = both.finish();
                Digested { md5, sha512: Some(sha512), plain }
            }
            Hashes::Apart(md5, sha512) => {
                let bytes = |context: Context| {
                    context.finish().as_ref().try_into().expect("SHA-512 has 64 bytes")
                };
                Digested { md5: md5.finish(), sha512: sha512.map(bytes), plain }
            }
        }
    }

    fn leave_sha512_off(&mut self) {
        let none = Hashes::Apart(Md5::default(), None);
        self.hashes = match std::mem::replace(&mut self.hashes, none) {
            Hashes::Together(both) => Hashes::Apart(both.into_md5(), None),
            Hashes::Apart(md5, _) => Hashes::Apart(md5, None),
        };
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

/// [`Digests`] beside the writer: a thread hashes what is queued, one batch behind the other, and ends when nothing
/// is. So none waits for a slow sender, and a fast one keeps one at work without a pause between batches.
pub(crate) struct DigestLane {
    gathered: Vec<Bytes>,
    gathered_len: usize,
    queue: Arc<Queue>,
    at_work: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// A batch was taken, or the thread has ended.
    moved: Notify,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Vec<Bytes>>,
    /// What was hashed so far, while no thread is at work.
    at_rest: Option<Digests>,
    /// The thread panicked.
    stopped: bool,
}

impl DigestLane {
    /// For a content that will be of `expected` bytes, as far as is known.
    pub(crate) fn new(expected: u64) -> Self {
        let queue = Arc::new(Queue::default());
        queue.state().at_rest = Some(Digests::new(expected));
        DigestLane { gathered: Vec::new(), gathered_len: 0, queue, at_work: None }
    }

    pub(crate) async fn update(&mut self, chunk: Bytes) -> Result<()> {
        self.gathered_len += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_len >= BATCH_LEN { self.hash().await } else { Ok(()) }
    }

    pub(crate) async fn finish(mut self) -> Result<Digested> {
        self.hash().await?;
        if let Some(at_work) = self.at_work.take() {
            at_work.await.map_err(Error::internal)?;
        }
        let digests = self.queue.state().at_rest.take();
        Ok(digests.ok_or_else(stopped)?.finish())
    }

    /// Queues what is gathered, once there is room for it.
    async fn hash(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.gathered);
        self.gathered_len = 0;
        while self.queue.is_full() {
            if self.queue.state().stopped {
                return Err(stopped());
            }
            self.queue.moved.notified().await;
        }
        let mut state = self.queue.state();
        state.batches.push_back(batch);
        if let Some(digests) = state.at_rest.take() {
            let queue = Arc::clone(&self.queue);
            self.at_work = Some(tokio::task::spawn_blocking(move || queue.work(digests)));
        }
        Ok(())
    }
}

fn stopped() -> Error {
    Error::internal("the digest lane has stopped")
}

impl Queue {
    fn work(&self, mut digests: Digests) {
        // Also when this panics: whoever waits for room then learns that there will be none.
        let _ended = Ended(self);
        loop {
            let mut state = self.state();
            let Some(batch) = state.batches.pop_front() else {
                state.at_rest = Some(digests);
                return;
            };
            drop(state);
            self.moved.notify_one();
            batch.iter().for_each(|chunk| digests.update(chunk));
        }
    }

    fn is_full(&self) -> bool {
        self.state().batches.len() >= BATCHES_QUEUED
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ended<'a>(&'a Queue);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        // Without a panic another thread may be at work by now, with what this one left.
        if std::thread::panicking() {
            self.0.state().stopped = true;
        }
        self.0.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest_in_pieces(bytes: &[u8], piece: usize) -> Digested {
        let mut digests = Digests::new(0);
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

    /// Whichever this processor takes, and both of them are right.
    #[test]
    fn digests_are_the_same_together_and_apart() {
        let bytes: Vec<u8> = (0..100_000).map(|n| (n % 251) as u8).collect();
        for len in [0, 1, 127, 128, 4096, bytes.len()] {
            let mut apart = Digests::by(Hashes::apart());
            apart.update(&bytes[..len]);
            let (apart, either) = (apart.finish(), digest_in_pieces(&bytes[..len], 1000));
            assert_eq!((apart.md5, apart.sha512), (either.md5, either.sha512), "{len}");
        }
    }

    #[test]
    fn what_grows_too_large_goes_on_without_sha512() {
        let piece = vec![7; (1 << 20) + 1];
        for hashes in [Digests::new(0).hashes, Hashes::apart()] {
            let (mut digests, mut md5) = (Digests::by(hashes), Md5::default());
            for _ in 0..66 {
                digests.update(&piece);
                md5.update(&piece);
            }
            let found = digests.finish();
            assert_eq!((found.md5, found.sha512), (md5.finish(), None));
        }
    }

    /// Also of one for which no SHA-512 is begun.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_lane_digests_all_of_many_batches_in_order() {
        let bytes: Vec<u8> = (0..5 * BATCH_LEN + 7).map(|n| (n % 251) as u8).collect();
        for expected in [0, SHA512_INLINE_MAX + 1] {
            let mut lane = DigestLane::new(expected);
            for piece in bytes.chunks(100_003) {
                lane.update(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            let (found, whole) = (lane.finish().await.unwrap(), digest_in_pieces(&bytes, 1 << 20));
            assert_eq!((found.md5, found.plain), (whole.md5, whole.plain));
            assert_eq!(found.sha512, whole.sha512.filter(|_| expected == 0));
        }
    }

    /// It is the end of a thread behind which the next one has begun already.
    #[test]
    fn only_a_panic_stops_a_lane() {
        let queue = Queue::default();
        drop(Ended(&queue));
        assert!(!queue.state().stopped);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ended = Ended(&queue);
            panic!("as a digest might");
        }));
        assert!(panicked.is_err() && queue.state().stopped);
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

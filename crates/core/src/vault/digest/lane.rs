//! [`Digests`] beside the writers, on threads that all of them share. None waits for a slow sender, and a fast one keeps
//! one at work without a pause between batches. Two contents that wait are digested in step, which takes little longer
//! than one.

use super::{Digested, Digests};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How much is hashed at once, in bytes: enough that the hop to another thread does not count.
const BATCH_LEN: usize = 256 << 10;
/// Batches that wait for a thread, while it has one and another is gathered: as long as a system lets the sender
/// have the core of the receiver, the thread should not want for work.
const BATCHES_QUEUED: usize = 4;

type Batch = VecDeque<Bytes>;

/// A content's digests, made while it arrives.
pub(crate) struct DigestLane {
    gathered: Batch,
    gathered_len: usize,
    lane: Arc<Lane>,
    hashers: Arc<Hashers>,
}

#[derive(Default)]
struct Lane {
    state: Mutex<State>,
    /// There is room for a batch, or all are hashed, or none will be.
    moved: Notify,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    /// What was hashed so far, while no batch is.
    at_rest: Option<Digests>,
    /// The thread panicked.
    stopped: bool,
}

impl DigestLane {
    /// For a content that will be of `expected` bytes, as far as is known.
    pub(crate) fn new(hashers: &Arc<Hashers>, expected: u64) -> Self {
        let lane = Lane::default();
        lane.state().at_rest = Some(Digests::new(expected));
        DigestLane {
            gathered: Batch::new(),
            gathered_len: 0,
            lane: Arc::new(lane),
            hashers: Arc::clone(hashers),
        }
    }

    pub(crate) async fn update(&mut self, chunk: Bytes) -> Result<()> {
        self.gathered_len += chunk.len();
        self.gathered.push_back(chunk);
        if self.gathered_len >= BATCH_LEN { self.hash().await } else { Ok(()) }
    }

    pub(crate) async fn finish(mut self) -> Result<Digested> {
        self.hash().await?;
        let digests = self.lane.once(|state| state.at_rest.take()).await?;
        Ok(digests.finish())
    }

    /// Queues what is gathered, once there is room for it.
    async fn hash(&mut self) -> Result<()> {
        let mut batch = Some(std::mem::take(&mut self.gathered));
        self.gathered_len = 0;
        let at_rest = self
            .lane
            .once(|state| {
                let has_room = state.batches.len() < BATCHES_QUEUED;
                has_room.then(|| {
                    state.batches.extend(batch.take());
                    state.at_rest.take()
                })
            })
            .await?;
        if let Some(digests) = at_rest {
            self.hashers.take(Work { lane: Arc::clone(&self.lane), digests });
        }
        Ok(())
    }
}

impl Lane {
    /// Waits until there is what is asked of the state.
    async fn once<T>(&self, mut ask: impl FnMut(&mut State) -> Option<T>) -> Result<T> {
        loop {
            {
                let mut state = self.state();
                if state.stopped {
                    return Err(Error::internal("the digest lane has stopped"));
                }
                if let Some(found) = ask(&mut state) {
                    return Ok(found);
                }
            }
            self.moved.notified().await;
        }
    }

    fn next(&self) -> Batch {
        let batch = self.state().batches.pop_front();
        self.moved.notify_one();
        batch.unwrap_or_default()
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.moved.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads that hash, and what waits for one.
pub(crate) struct Hashers {
    waiting: Mutex<Waiting>,
    /// As many threads as this hash what comes, be it one content alone. More of them do only where that takes no more
    /// of the processor.
    eager: usize,
}

#[derive(Default)]
struct Waiting {
    works: VecDeque<Work>,
    threads: usize,
}

/// Batches to hash, and what they go on from.
struct Work {
    lane: Arc<Lane>,
    digests: Digests,
}

impl Default for Hashers {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hashers { waiting: Mutex::default(), eager: cores.div_ceil(2) }
    }
}

impl fmt::Debug for Hashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashers").finish_non_exhaustive()
    }
}

impl Hashers {
    fn take(self: &Arc<Self>, work: Work) {
        let mut waiting = self.waiting();
        let wants_thread = waiting.threads < self.eager
            || !work.fits(&work)
            || waiting.works.iter().any(|other| other.fits(&work));
        waiting.works.push_back(work);
        if wants_thread {
            waiting.threads += 1;
            let hashers = Arc::clone(self);
            tokio::task::spawn_blocking(move || hashers.hash());
        }
    }

    fn hash(&self) {
        while let Some((mut work, beside)) = self.next() {
            let lanes = [Some(&work), beside.as_ref()].map(|work| Some(Arc::clone(&work?.lane)));
            let _stops = StopsIfItPanics { hashers: self, lanes };
            let mut batch = work.lane.next();
            if let Some(mut beside) = beside {
                let mut other = beside.lane.next();
                while let (Some(x), Some(y)) = (batch.front_mut(), other.front_mut()) {
                    let len = x.len().min(y.len());
                    let digests = [&mut work.digests, &mut beside.digests];
                    Digests::update_two(digests, [&x.split_to(len), &y.split_to(len)]);
                    batch.pop_front_if(|x| x.is_empty());
                    other.pop_front_if(|y| y.is_empty());
                }
                self.go_on(beside, &other);
            }
            self.go_on(work, &batch);
        }
    }

    /// Two that fit where there are; a thread for which there is nothing ends.
    fn next(&self) -> Option<(Work, Option<Work>)> {
        let mut waiting = self.waiting();
        let Some(work) = waiting.works.pop_front() else {
            waiting.threads -= 1;
            return None;
        };
        let beside = waiting.works.iter().position(|other| other.fits(&work));
        let beside = beside.and_then(|at| waiting.works.remove(at));
        Some((work, beside))
    }

    /// Ends a batch: the next one waits as any other's.
    fn go_on(&self, mut work: Work, rest: &Batch) {
        rest.iter().for_each(|chunk| work.digests.update(chunk));
        let lane = Arc::clone(&work.lane);
        let mut state = lane.state();
        if state.batches.is_empty() {
            state.at_rest = Some(work.digests);
            lane.moved.notify_one();
        } else {
            drop(state);
            self.waiting().works.push_back(work);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    fn fits(&self, other: &Self) -> bool {
        self.digests.fits(&other.digests)
    }
}

/// Whoever waits for a batch of theirs then learns that there will be no digests.
struct StopsIfItPanics<'a> {
    hashers: &'a Hashers,
    lanes: [Option<Arc<Lane>>; 2],
}

impl Drop for StopsIfItPanics<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.hashers.waiting().threads -= 1;
            self.lanes.iter().flatten().for_each(|lane| lane.stop());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Digested {
        let mut digests = Digests::new(0);
        digests.update(bytes);
        digests.finish()
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n % 251) as u8).collect()
    }

    /// Also of one for which no SHA-512 is begun.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_lane_digests_all_of_many_batches_in_order() {
        let (bytes, hashers) = (bytes(5 * BATCH_LEN + 7), Arc::default());
        for expected in [0, u64::MAX] {
            let mut lane = DigestLane::new(&hashers, expected);
            for piece in bytes.chunks(100_003) {
                lane.update(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            let (found, whole) = (lane.finish().await.unwrap(), whole(&bytes));
            assert_eq!((found.md5, found.plain), (whole.md5, whole.plain));
            assert_eq!(found.sha512, whole.sha512.filter(|_| expected == 0));
        }
    }

    /// Of all lengths and kinds, by one thread and by more.
    #[tokio::test(flavor = "multi_thread")]
    async fn lanes_beside_each_other_digest_what_each_was_sent() {
        for eager in [1, 4] {
            let hashers = Arc::new(Hashers { eager, ..Hashers::default() });
            let lanes = (1..=9).map(|n| {
                let (hashers, bytes) = (Arc::clone(&hashers), bytes(n * 200_003));
                tokio::spawn(async move {
                    let mut lane = DigestLane::new(&hashers, if n % 3 == 0 { u64::MAX } else { 0 });
                    for piece in bytes.chunks(10_000 * n) {
                        lane.update(Bytes::copy_from_slice(piece)).await.unwrap();
                    }
                    assert_eq!(lane.finish().await.unwrap().md5, whole(&bytes).md5, "{n}");
                })
            });
            for lane in lanes.collect::<Vec<_>>() {
                lane.await.unwrap();
            }
        }
    }

    /// A thread takes both, and no second one is begun for what does not fit.
    #[tokio::test]
    async fn two_that_fit_are_taken_together() {
        let hashers = Arc::new(Hashers { eager: 0, ..Hashers::default() });
        let work = |expected| {
            let lane = DigestLane::new(&hashers, expected).lane;
            let digests = lane.state().at_rest.take().unwrap();
            Work { lane, digests }
        };
        for expected in [u64::MAX, 0, u64::MAX] {
            hashers.waiting().works.push_back(work(expected));
        }
        hashers.waiting().threads = 1;
        let (first, beside) = hashers.next().unwrap();
        assert!(beside.unwrap().fits(&first));
        assert!(hashers.next().unwrap().1.is_none());
        assert!(hashers.next().is_none());
        assert_eq!(hashers.waiting().threads, 0);
    }

    #[tokio::test]
    async fn a_lane_whose_thread_panicked_says_so() {
        let hashers = Arc::new(Hashers::default());
        hashers.waiting().threads = 1;
        let mut lane = DigestLane::new(&hashers, 0);
        lane.lane.state().at_rest = None;
        let lanes = [Some(Arc::clone(&lane.lane)), None];
        drop(StopsIfItPanics { hashers: &hashers, lanes: lanes.clone() });
        assert!(!lane.lane.state().stopped);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _stops = StopsIfItPanics { hashers: &hashers, lanes };
            panic!("as a digest might");
        }));
        assert!(panicked.is_err());
        assert_eq!(hashers.waiting().threads, 0);
        lane.update(Bytes::from(bytes(BATCH_LEN))).await.unwrap_err();
        lane.finish().await.unwrap_err();
    }
}

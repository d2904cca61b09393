//! [`Digests`] beside the writers, on threads that all of them share. No thread waits for a slow sender, and a fast one
//! keeps one at work without a pause between batches. Two contents that wait are digested in step, which takes little
//! longer than one.

use super::{Digested, Digests, SHA512_INLINE_MAX};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How much is hashed at once, in bytes: enough that the hop to another thread does not count.
const BATCH_LEN: usize = 256 << 10;
/// Batches that wait for a thread, while it has one and another is gathered: as long as a system lets the sender
/// have the core of the receiver, the thread should not want for work.
const BATCHES_QUEUED: usize = 4;
/// Threads of a crew that hash a content alone, at most: they are also those that wait for disks.
const EAGER_MAX: usize = 4;

type Batch = VecDeque<Bytes>;

/// A content's digests, made while it arrives.
pub(crate) struct DigestLane {
    gathered: Batch,
    gathered_len: usize,
    lane: Arc<Lane>,
    crew: Arc<Crew>,
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
    /// A thread panicked.
    stopped: bool,
}

impl DigestLane {
    /// For a content that will be of `expected` bytes, as far as is known.
    pub(crate) fn new(hashers: &Hashers, expected: u64) -> Self {
        let lane = Lane::default();
        lane.state().at_rest = Some(Digests::new(expected));
        DigestLane {
            gathered: Batch::new(),
            gathered_len: 0,
            lane: Arc::new(lane),
            crew: Arc::clone(hashers.crew(expected)),
        }
    }

    pub(crate) async fn update(&mut self, chunk: Bytes) -> Result<()> {
        self.gathered_len += chunk.len();
        self.gathered.push_back(chunk);
        if self.gathered_len >= BATCH_LEN { self.hash().await } else { Ok(()) }
    }

    pub(crate) async fn finish(mut self) -> Result<Digested> {
        if !self.gathered.is_empty() {
            self.hash().await?;
        }
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
            self.crew.take(Work { lane: Arc::clone(&self.lane), digests });
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

    /// Whoever waits learns that there will be no digests.
    fn stop(&self) {
        self.state().stopped = true;
        self.moved.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who hashes what: contents of a crew are digested alike, so that two of them fit.
#[derive(Default)]
pub(crate) struct Hashers {
    with_sha512: Arc<Crew>,
    md5_alone: Arc<Crew>,
}

impl Hashers {
    fn crew(&self, expected: u64) -> &Arc<Crew> {
        if expected > SHA512_INLINE_MAX { &self.md5_alone } else { &self.with_sha512 }
    }
}

impl fmt::Debug for Hashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashers").finish_non_exhaustive()
    }
}

/// Threads that hash, and what waits for one.
struct Crew {
    waiting: Mutex<Waiting>,
    /// So many threads begin for what comes, be it one content alone. Beyond them one begins for a pair.
    eager: usize,
}

#[derive(Default)]
struct Waiting {
    works: VecDeque<Work>,
    threads: usize,
}

impl Waiting {
    /// Whether one is to begin for what comes next.
    fn wants_thread(&self, eager: usize) -> bool {
        self.threads < eager || !self.works.len().is_multiple_of(2)
    }
}

/// Batches to hash, and what they go on from.
struct Work {
    lane: Arc<Lane>,
    digests: Digests,
}

impl Default for Crew {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Crew { waiting: Mutex::default(), eager: cores.div_ceil(2).min(EAGER_MAX) }
    }
}

impl Crew {
    fn take(self: &Arc<Self>, work: Work) {
        let mut waiting = self.waiting();
        if waiting.wants_thread(self.eager) {
            let crew = Arc::clone(self);
            tokio::task::spawn_blocking(move || crew.hash());
            waiting.threads += 1;
        }
        waiting.works.push_back(work);
    }

    fn hash(&self) {
        while let Some((work, beside)) = self.next() {
            let lanes = [Some(&work), beside.as_ref()].map(|work| Some(Arc::clone(&work?.lane)));
            let hashed = catch_unwind(AssertUnwindSafe(|| match beside {
                Some(beside) => self.hash_two(work, beside),
                None => {
                    let batch = work.lane.next();
                    self.hash_rest(work, &batch);
                }
            }));
            if hashed.is_err() {
                lanes.iter().flatten().for_each(|lane| lane.stop());
            }
        }
    }

    /// Two where there are; a thread for which there is nothing ends.
    fn next(&self) -> Option<(Work, Option<Work>)> {
        let mut waiting = self.waiting();
        let Some(work) = waiting.works.pop_front() else {
            waiting.threads -= 1;
            return None;
        };
        Some((work, waiting.works.pop_front()))
    }

    fn hash_two(&self, mut one: Work, mut two: Work) {
        let (mut left, mut right) = (one.lane.next(), two.lane.next());
        while let (Some(x), Some(y)) = (left.front_mut(), right.front_mut()) {
            let len = x.len().min(y.len());
            let digests = [&mut one.digests, &mut two.digests];
            Digests::update_two(digests, [&x.split_to(len), &y.split_to(len)]);
            left.pop_front_if(|x| x.is_empty());
            right.pop_front_if(|y| y.is_empty());
        }
        // The one that is done does not wait for the other.
        if left.is_empty() {
            self.hash_rest(one, &left);
            self.hash_rest(two, &right);
        } else {
            self.hash_rest(two, &right);
            self.hash_rest(one, &left);
        }
    }

    /// Ends a batch: the next one waits as any other's.
    fn hash_rest(&self, mut work: Work, batch: &Batch) {
        batch.iter().for_each(|chunk| work.digests.update(chunk));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8], expected: u64) -> Digested {
        let mut digests = Digests::new(expected);
        digests.update(bytes);
        digests.finish()
    }

    /// Text if their number is even.
    fn bytes(len: usize) -> Vec<u8> {
        let most = if len.is_multiple_of(2) { 127 } else { 251 };
        (0..len).map(|n| (n % most) as u8 + 1).collect()
    }

    fn work(crew: &Arc<Crew>) -> Work {
        let hashers = Hashers { with_sha512: Arc::clone(crew), ..Hashers::default() };
        let lane = DigestLane::new(&hashers, 0).lane;
        let digests = lane.state().at_rest.take().unwrap();
        Work { lane, digests }
    }

    /// Of all lengths and kinds, by few threads and by more.
    #[tokio::test(flavor = "multi_thread")]
    async fn lanes_beside_each_other_digest_what_each_was_sent() {
        for eager in [1, 4] {
            let crew = || Arc::new(Crew { eager, ..Crew::default() });
            let hashers = Arc::new(Hashers { with_sha512: crew(), md5_alone: crew() });
            let lanes = (0..9).map(|n| {
                let (hashers, bytes) = (Arc::clone(&hashers), bytes(n * 200_003));
                tokio::spawn(async move {
                    let expected = if n % 3 == 0 { u64::MAX } else { 0 };
                    let mut lane = DigestLane::new(&hashers, expected);
                    for piece in bytes.chunks(10_000 * (n + 1)) {
                        lane.update(Bytes::copy_from_slice(piece)).await.unwrap();
                    }
                    let (found, whole) = (lane.finish().await.unwrap(), whole(&bytes, expected));
                    assert_eq!(found.md5, whole.md5, "{n}");
                    assert_eq!((found.sha512, found.plain), (whole.sha512, whole.plain), "{n}");
                })
            });
            for lane in lanes.collect::<Vec<_>>() {
                lane.await.unwrap();
            }
        }
    }

    /// Whoever gives up a content keeps nobody from theirs.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_lane_that_is_dropped_leaves_no_thread_behind() {
        let hashers = Hashers::default();
        let (mut gone, mut stays) = (DigestLane::new(&hashers, 0), DigestLane::new(&hashers, 0));
        let bytes = Bytes::from(bytes(BATCH_LEN));
        for _ in 0..BATCHES_QUEUED {
            gone.update(bytes.clone()).await.unwrap();
            stays.update(bytes.clone()).await.unwrap();
        }
        drop(gone);
        stays.finish().await.unwrap();
        while hashers.with_sha512.waiting().threads > 0 {
            tokio::task::yield_now().await;
        }
        assert!(hashers.with_sha512.waiting().works.is_empty());
    }

    #[test]
    fn two_that_wait_are_taken_together_and_a_thread_without_work_ends() {
        let crew = Arc::new(Crew::default());
        for _ in 0..3 {
            let work = work(&crew);
            crew.waiting().works.push_back(work);
        }
        crew.waiting().threads = 1;
        assert!(crew.next().unwrap().1.is_some());
        assert!(crew.next().unwrap().1.is_none());
        assert!(crew.next().is_none());
        assert_eq!(crew.waiting().threads, 0);
    }

    #[test]
    fn beyond_the_eager_threads_one_begins_for_each_pair() {
        let crew = Arc::new(Crew::default());
        let mut waiting = Waiting { threads: 1, ..Waiting::default() };
        assert!(waiting.wants_thread(2));
        let begins = [(); 4].map(|()| {
            let begins = waiting.wants_thread(1);
            waiting.works.push_back(work(&crew));
            begins
        });
        assert_eq!(begins, [false, true, false, true]);
    }

    /// And to nobody else, though the same thread was theirs.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_told_to_whose_content_it_was() {
        let hashers = Hashers::default();
        let (mut bad, mut good) = (DigestLane::new(&hashers, 0), DigestLane::new(&hashers, 0));
        // One byte more is more than can be counted.
        bad.lane.state().at_rest.as_mut().unwrap().len = u64::MAX;
        let bytes = Bytes::from(bytes(BATCH_LEN));
        bad.update(bytes.clone()).await.unwrap();
        bad.finish().await.unwrap_err();
        good.update(bytes.clone()).await.unwrap();
        assert_eq!(good.finish().await.unwrap().md5, whole(&bytes, 0).md5);
        while hashers.with_sha512.waiting().threads > 0 {
            tokio::task::yield_now().await;
        }
    }
}

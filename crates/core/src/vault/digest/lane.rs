//! [`Digests`] beside the writers, on threads that all of them share. No thread waits for a slow sender, and a fast one
//! keeps one at work without a pause between batches. Two contents that wait are digested in step, which takes little
//! longer than one, and three where there is no other thread for the third.

use super::{Digested, Digests, SHA512_INLINE_MAX};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How much is handed to a thread at once, in bytes: enough that the hop does not count.
const BATCH_LEN: usize = 256 << 10;
/// How much of a content alone is hashed before its thread looks for one to go on with it in step, in bytes.
const ALONE_LEN: usize = 32 << 10;
/// Threads of a crew, at most: they are also those that wait for disks.
const THREADS_MAX: usize = 6;
/// Batches that wait for a thread, while it has one and another is gathered: as long as a system lets the sender
/// have the core of the receiver, the thread should not want for work.
const BATCHES_QUEUED: usize = 4;

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
            self.crew.take(Work { lane: Arc::clone(&self.lane), digests, batch: Batch::new() });
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
pub(crate) struct Hashers {
    with_sha512: Arc<Crew>,
    md5_alone: Arc<Crew>,
}

impl Default for Hashers {
    /// All else that an upload takes is as much as to hash it in one pass, so half of the cores do that; in two passes
    /// there is little else.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let half = cores.div_ceil(2);
        let with_sha512 = if Digests::in_one_pass() { half } else { cores };
        Hashers {
            with_sha512: Crew::new(with_sha512.min(THREADS_MAX), 2),
            md5_alone: Crew::new(half.min(THREADS_MAX), 3),
        }
    }
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
    threads_max: usize,
    /// How many contents a thread goes on with in step, where all threads are at work.
    in_step_max: usize,
}

#[derive(Default)]
struct Waiting {
    works: VecDeque<Work>,
    threads: usize,
    /// Works that they are at.
    held: usize,
}

impl Waiting {
    /// Whether none will take what comes next beside what it is at.
    fn wants_thread(&self) -> bool {
        self.held + self.works.len() >= 2 * self.threads
    }
}

/// Batches to hash, and what they go on from.
struct Work {
    lane: Arc<Lane>,
    digests: Digests,
    /// What is left of the one that a thread is at.
    batch: Batch,
}

impl Work {
    fn next_len(&self) -> usize {
        self.batch.front().map_or(0, Bytes::len)
    }

    /// The next bytes to hash, up to `most`.
    fn split(&mut self, most: usize) -> Bytes {
        let len = self.next_len().min(most);
        let bytes = self.batch.front_mut().map(|chunk| chunk.split_to(len)).unwrap_or_default();
        self.batch.pop_front_if(|chunk| chunk.is_empty());
        bytes
    }
}

impl Crew {
    fn new(threads_max: usize, in_step_max: usize) -> Arc<Self> {
        Arc::new(Crew { waiting: Mutex::default(), threads_max, in_step_max })
    }

    fn take(self: &Arc<Self>, work: Work) {
        let mut waiting = self.waiting();
        if waiting.threads < self.threads_max && waiting.wants_thread() {
            let crew = Arc::clone(self);
            tokio::task::spawn_blocking(move || crew.hash());
            waiting.threads += 1;
        }
        waiting.works.push_back(work);
    }

    fn hash(&self) {
        let mut held = Vec::with_capacity(self.in_step_max);
        while self.hold(&mut held) {
            if catch_unwind(AssertUnwindSafe(|| step(&mut held))).is_err() {
                self.waiting().held -= held.len();
                held.drain(..).for_each(|work| work.lane.stop());
            }
        }
    }

    /// Puts back whose batch is hashed, so that each has its turn, and takes what goes in step. A thread for which
    /// there is nothing ends.
    fn hold(&self, held: &mut Vec<Work>) -> bool {
        let mut waiting = self.waiting();
        waiting.held -= held.len();
        waiting.works.extend(held.extract_if(.., |work| work.batch.is_empty()).filter_map(rest));
        let most = if waiting.threads < self.threads_max { 2 } else { self.in_step_max };
        while held.len() < most
            && let Some(work) = waiting.works.pop_front()
        {
            held.push(work);
        }
        waiting.held += held.len();
        waiting.threads -= usize::from(held.is_empty());
        // Who is woken by what follows need not wait for this.
        drop(waiting);
        for work in held.iter_mut().filter(|work| work.batch.is_empty()) {
            work.batch = work.lane.next();
        }
        !held.is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several go on by as much as all have, one alone by a little.
fn step(held: &mut [Work]) {
    let len = held.iter().map(Work::next_len).min().unwrap_or(0);
    match held {
        [one, two, three] => {
            let bytes = [one.split(len), two.split(len), three.split(len)];
            Digests::update_three(
                [&mut one.digests, &mut two.digests, &mut three.digests],
                bytes.each_ref().map(|bytes| &bytes[..]),
            );
        }
        [one, two] => {
            let bytes = [one.split(len), two.split(len)];
            Digests::update_two(
                [&mut one.digests, &mut two.digests],
                bytes.each_ref().map(|bytes| &bytes[..]),
            );
        }
        _ => held.iter_mut().for_each(|one| {
            let bytes = one.split(ALONE_LEN);
            one.digests.update(&bytes);
        }),
    }
}

/// What waits again behind a batch: nothing, if its lane has none.
fn rest(work: Work) -> Option<Work> {
    let lane = Arc::clone(&work.lane);
    let mut state = lane.state();
    if !state.batches.is_empty() {
        return Some(work);
    }
    state.at_rest = Some(work.digests);
    lane.moved.notify_one();
    None
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

    /// With one batch that waits.
    fn work(crew: &Arc<Crew>, bytes: &[u8]) -> Work {
        let hashers = Hashers { with_sha512: Arc::clone(crew), ..Hashers::default() };
        let lane = DigestLane::new(&hashers, 0).lane;
        let digests = lane.state().at_rest.take().unwrap();
        lane.state().batches.push_back([Bytes::copy_from_slice(bytes)].into());
        Work { lane, digests, batch: Batch::new() }
    }

    /// Of all lengths and kinds, by few threads and by more.
    #[tokio::test(flavor = "multi_thread")]
    async fn lanes_beside_each_other_digest_what_each_was_sent() {
        for threads_max in [1, 4] {
            let hashers = Arc::new(Hashers {
                with_sha512: Crew::new(threads_max, 2),
                md5_alone: Crew::new(threads_max, 3),
            });
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
        let crew = Crew::new(1, 2);
        let works = (0..3).map(|_| work(&crew, &[1])).collect::<Vec<_>>();
        crew.waiting().works.extend(works);
        crew.waiting().threads = 1;
        let mut held = Vec::new();
        for number in [2, 1] {
            assert!(crew.hold(&mut held));
            assert_eq!(held.len(), number);
            step(&mut held);
        }
        assert!(!crew.hold(&mut held));
        assert_eq!(crew.waiting().threads, 0);
    }

    /// While another thread can begin, the third is for that one.
    #[test]
    fn three_go_in_step_where_all_threads_are_at_work() {
        for (threads_max, number) in [(1, 3), (2, 2)] {
            let crew = Crew::new(threads_max, 3);
            let contents = [bytes(1000), bytes(777), bytes(64)];
            let works = contents.each_ref().map(|bytes| work(&crew, bytes));
            let lanes = works.each_ref().map(|work| Arc::clone(&work.lane));
            crew.waiting().works.extend(works);
            crew.waiting().threads = 1;
            let mut held = Vec::new();
            assert!(crew.hold(&mut held));
            assert_eq!(held.len(), number);
            step(&mut held);
            assert_eq!(held[number - 1].next_len(), 0);
            while crew.hold(&mut held) {
                step(&mut held);
            }
            for (lane, bytes) in lanes.iter().zip(contents) {
                let found = lane.state().at_rest.take().unwrap().finish();
                assert_eq!(found.md5, whole(&bytes, 0).md5);
            }
        }
    }

    /// It does not wait for the end of the other's batch.
    #[test]
    fn one_that_comes_goes_on_in_step_with_one_alone() {
        let crew = Crew::new(1, 2);
        let (long, short) = (bytes(3 * ALONE_LEN), bytes(5));
        let works = [&long, &short].map(|bytes| work(&crew, bytes));
        let lanes = [0, 1].map(|n| Arc::clone(&works[n].lane));
        crew.waiting().threads = 1;
        let mut held = Vec::new();
        for work in works {
            crew.waiting().works.push_back(work);
            assert!(crew.hold(&mut held));
            step(&mut held);
        }
        assert_eq!([held[0].next_len(), held[1].next_len()], [2 * ALONE_LEN - 5, 0]);
        while crew.hold(&mut held) {
            step(&mut held);
        }
        for (lane, bytes) in lanes.iter().zip([long, short]) {
            let found = lane.state().at_rest.take().unwrap().finish();
            assert_eq!(found.md5, whole(&bytes, 0).md5);
        }
    }

    #[test]
    fn a_thread_begins_for_each_pair_of_works() {
        let mut waiting = Waiting::default();
        let begins = [(); 5].map(|()| {
            let begins = waiting.wants_thread();
            waiting.threads += usize::from(begins);
            waiting.held += 1;
            begins
        });
        assert_eq!(begins, [true, false, true, false, true]);
        waiting.works.push_back(work(&Crew::new(1, 2), &[]));
        assert!(waiting.wants_thread());
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

//! Token buckets, one for each key: so many at once, then one each so often. Of a bucket only the
//! time is kept at which it is full again; one that is full need not be kept at all.

use crate::clock::Time;
use std::collections::HashMap;
use std::hash::Hash;

/// More keys are not kept. Then the bucket goes that is full first, which has the least to forget.
const KEYS_MAX: usize = 10_000;

/// Buckets of one kind.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    burst: i64,
    refill_micros: i64,
    full: HashMap<K, Time>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// Buckets that hold `burst` tokens and get one each `refill_micros`.
    pub(super) fn new(burst: i64, refill_micros: i64) -> Self {
        Buckets { burst, refill_micros, full: HashMap::new() }
    }

    /// Seconds until a token is there; 0 if one is.
    pub(super) fn wait(&self, key: &K, now: Time) -> u64 {
        let first = self.later(now, self.burst - 1);
        let micros = self.full(key, now).0.saturating_sub(first.0).max(0);
        micros.cast_unsigned().div_ceil(1_000_000)
    }

    /// Takes a token that is there.
    pub(super) fn take(&mut self, key: K, now: Time) {
        let full = self.later(self.full(&key, now), 1);
        if self.full.len() >= KEYS_MAX && !self.full.contains_key(&key) {
            self.full.retain(|_, full| now < *full);
            if self.full.len() >= KEYS_MAX {
                let first = self.full.iter().min_by_key(|(_, full)| **full).map(|(key, _)| *key);
                first.map(|first| self.full.remove(&first));
            }
        }
        self.full.insert(key, full);
    }

    /// Puts a token back.
    pub(super) fn give_back(&mut self, key: &K) {
        if let Some(full) = self.full.get(key).copied() {
            self.full.insert(*key, self.later(full, -1));
        }
    }

    /// When so many tokens more have come.
    fn later(&self, time: Time, tokens: i64) -> Time {
        Time(time.0.saturating_add(tokens.saturating_mul(self.refill_micros)))
    }

    /// When a bucket is full. No bucket is emptier than empty, also if the clock was set back.
    fn full(&self, key: &K, now: Time) -> Time {
        let empty = self.later(now, self.burst);
        self.full.get(key).map_or(now, |full| (*full).clamp(now, empty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_000_000_000_000);

    fn empty() -> Buckets<usize> {
        let mut buckets = Buckets::new(3, 10_000_000);
        for _ in 0..3 {
            assert_eq!(buckets.wait(&1, START), 0);
            buckets.take(1, START);
        }
        buckets
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut buckets = empty();
        assert_eq!((buckets.wait(&1, START), buckets.wait(&2, START)), (10, 0));
        assert_eq!(buckets.wait(&1, Time(START.0 + 1)), 10);
        assert_eq!(buckets.wait(&1, START.plus_seconds(9)), 1);
        let later = START.plus_seconds(10);
        assert_eq!(buckets.wait(&1, later), 0);
        buckets.take(1, later);
        assert_eq!(buckets.wait(&1, later), 10);
        let full = later.plus_seconds(1_000);
        for _ in 0..3 {
            assert_eq!(buckets.wait(&1, full), 0);
            buckets.take(1, full);
        }
        assert_eq!(buckets.wait(&1, full), 10);
    }

    #[test]
    fn a_token_that_is_put_back_is_there_again() {
        let mut buckets = empty();
        buckets.give_back(&1);
        assert_eq!(buckets.wait(&1, START), 0);
        buckets.take(1, START);
        assert_eq!(buckets.wait(&1, START), 10);
        buckets.give_back(&2);
        assert_eq!(buckets.full.len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_no_one_out() {
        let buckets = empty();
        assert_eq!(buckets.wait(&1, START.plus_seconds(-1_000_000)), 10);
    }

    #[test]
    fn many_keys_push_out_the_fullest() {
        let mut buckets = empty();
        for key in 2..=KEYS_MAX + 10 {
            buckets.take(key, START.plus_seconds(1));
        }
        assert_eq!(buckets.full.len(), KEYS_MAX);
        assert_eq!(buckets.wait(&1, START.plus_seconds(1)), 9);
        buckets.take(0, START.plus_seconds(100));
        assert_eq!(buckets.full.len(), 1);
    }
}

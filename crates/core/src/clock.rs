//! The one source of time. Everything that the catalog records is in microseconds since the Unix
//! epoch, UTC; tests hold the clock still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// A point `seconds` later.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Time(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// A point later.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Time(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; nothing, if it was not.
    pub fn since(self, earlier: Time) -> std::time::Duration {
        let micros = self.0.saturating_sub(earlier.0);
        std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is set: for tests.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `time`.
    pub fn fixed(time: Time) -> Self {
        Clock::Fixed(Arc::new(AtomicI64::new(time.0)))
    }

    /// The time now.
    pub fn now(&self) -> Time {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the clock the rule points to")]
            Clock::System => Time(jiff::Timestamp::now().as_microsecond()),
            Clock::Fixed(micros) => Time(micros.load(Ordering::Relaxed)),
        }
    }

    /// Moves a fixed clock forward; the machine's clock takes no orders.
    pub fn advance_seconds(&self, seconds: i64) {
        if let Clock::Fixed(micros) = self {
            micros.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }
}

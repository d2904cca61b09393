//! What was measured, and its line of JSON.

use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Report {
    pub(crate) errors: u64,
    pub(crate) reconnects: u64,
    sent: u64,
    received: u64,
    latencies_us: Vec<u32>,
    seconds: f64,
    is_sent: bool,
}

impl Report {
    pub(crate) fn answered(&mut self, latency: Duration, sent: u64, received: u64) {
        self.latencies_us.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        self.sent += sent;
        self.received += received;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.errors += other.errors;
        self.reconnects += other.reconnects;
        self.sent += other.sent;
        self.received += other.received;
        self.latencies_us.extend(other.latencies_us);
    }

    pub(crate) fn finish(&mut self, began: Instant, is_sent: bool) {
        self.seconds = began.elapsed().as_secs_f64();
        self.is_sent = is_sent;
        self.latencies_us.sort_unstable();
    }

    pub(crate) fn json(&self) -> String {
        let requests = self.latencies_us.len();
        let bytes = if self.is_sent { self.sent } else { self.received };
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (rate, speed) =
            (requests as f64 / self.seconds, bytes as f64 / self.seconds / 1_000_000.0);
        format!(
            "{{\"requests\":{requests},\"errors\":{},\"reconnects\":{},\"seconds\":{:.6},\
             \"bytes\":{bytes},\"rate\":{rate:.3},\"mb_per_second\":{speed:.3},\"p50_us\":{},\
             \"p99_us\":{},\"max_us\":{},\"cpu_seconds\":{:.2}}}",
            self.errors,
            self.reconnects,
            self.seconds,
            self.at(0.5),
            self.at(0.99),
            self.at(1.0),
            cpu_seconds().unwrap_or(0.0),
        )
    }

    /// The smallest latency that this part of all does not exceed.
    fn at(&self, part: f64) -> u32 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a count"
        )]
        let rank = (part * self.latencies_us.len() as f64).ceil() as usize;
        self.latencies_us.get(rank.max(1) - 1).copied().unwrap_or(0)
    }
}

/// What this process itself took of its cores.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

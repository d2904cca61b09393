//! What is told within a second and not at once, so that no read and no refused sign-in waits for a write:
//! keys that were shown, and sign-ins that failed. Both are bounded, whatever is sent.

use crate::access::Credential;
use crate::audit::{Act, Event};
use crate::catalog::audit::{self, Failure};
use crate::clock::Time;
use crate::drive::Drive;
use crate::drive::sign_in::{lock, network};
use crate::error::Result;
use crate::id::{FileId, UserId};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Mutex;

const DAY_SECONDS: i64 = 86_400;
/// Disclosures that wait to be written. There are no more in a second, but where nothing can be written.
const WAITING_MAX: usize = 100_000;
/// Disclosures of a day that are known to be written down; the catalog knows them all.
const TOLD_MAX: usize = 100_000;
/// Disclosures of one unit.
const CHUNK: usize = 500;
/// Accounts and addresses of a minute that are told apart by one process; the others are one row.
const FAILURES_MAX: usize = 500;

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    disclosed: Mutex<Disclosed>,
    failed: Mutex<Failed>,
}

/// Who was shown a key: whose token it is, the catalog knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reader {
    Token([u8; 32]),
    User(UserId),
}

/// A reader, a file, and a day counted from the Unix epoch.
type Disclosure = (Reader, FileId, i64);

#[derive(Debug, Default)]
struct Disclosed {
    day: i64,
    /// Of this day.
    told: HashSet<(Reader, FileId)>,
    waiting: Vec<(Disclosure, Time)>,
    lost: u64,
}

#[derive(Debug, Default)]
struct Failed {
    minute: i64,
    /// Of this minute.
    apart: HashSet<(Option<UserId>, String)>,
    waiting: HashMap<Failure, i64>,
}

impl Disclosed {
    /// Remembers that it is told; whether it was not yet, on its day.
    fn remember(&mut self, (reader, file, day): Disclosure) -> bool {
        if self.day != day || self.told.len() >= TOLD_MAX {
            (self.day, self.told) = (day, HashSet::new());
        }
        self.told.insert((reader, file))
    }
}

/// `None`: whoever has a link, to whom no dialect shows a key.
fn disclosure(shown: &Credential, file: FileId, at: Time) -> Option<Disclosure> {
    let reader = match shown {
        Credential::Token(hash) => Reader::Token(*hash),
        Credential::Password { user, .. } => Reader::User(*user),
        Credential::Link(_) => return None,
    };
    Some((reader, file, at.seconds().div_euclid(DAY_SECONDS)))
}

impl Pending {
    pub(crate) fn disclosed(&self, shown: &Credential, file: FileId, at: Time) {
        let Some(disclosure) = disclosure(shown, file, at) else { return };
        let mut disclosed = lock(&self.disclosed);
        if !disclosed.remember(disclosure) {
            return;
        }
        if disclosed.waiting.len() < WAITING_MAX {
            disclosed.waiting.push((disclosure, at));
        } else {
            disclosed.lost += 1;
        }
    }

    /// A key was shown, and the line that tells of it is written.
    pub(crate) fn told(&self, shown: &Credential, file: FileId, at: Time) {
        if let Some(disclosure) = disclosure(shown, file, at) {
            lock(&self.disclosed).remember(disclosure);
        }
    }

    pub(crate) fn failed(&self, account: Option<UserId>, address: IpAddr, at: Time) {
        let minute = at.seconds().div_euclid(60);
        let mut failed = lock(&self.failed);
        if failed.minute != minute {
            (failed.minute, failed.apart) = (minute, HashSet::new());
        }
        let key = (account, shown(address));
        let is_apart = failed.apart.contains(&key) || failed.apart.len() < FAILURES_MAX;
        let (account, address) = if is_apart {
            failed.apart.insert(key.clone());
            key
        } else {
            (None, String::new())
        };
        *failed.waiting.entry(Failure { minute, account, address }).or_default() += 1;
    }
}

impl Drive {
    /// Notes that a password or a token was refused that came from an address.
    pub fn note_failed_sign_in(&self, address: IpAddr) {
        self.0.pending.failed(None, address, self.now());
    }

    /// Writes down what was noted. What cannot be written now is written the next time.
    pub(super) async fn write_pending(&self) -> Result<()> {
        self.write_disclosures().await?;
        self.write_failures().await
    }

    async fn write_disclosures(&self) -> Result<()> {
        let (waiting, lost) = {
            let mut disclosed = lock(&self.0.pending.disclosed);
            (std::mem::take(&mut disclosed.waiting), std::mem::take(&mut disclosed.lost))
        };
        if lost > 0 {
            tracing::error!(lost, "keys were shown that the audit log does not tell of");
        }
        for (written, chunk) in waiting.chunks(CHUNK).enumerate() {
            let chunk = chunk.to_vec();
            let done =
                self.catalog().write(chunk, |tx, chunk| Box::pin(record_disclosures(tx, chunk)));
            if let Err(error) = done.await {
                let mut disclosed = lock(&self.0.pending.disclosed);
                let later = std::mem::take(&mut disclosed.waiting);
                disclosed.waiting = waiting[written * CHUNK..].to_vec();
                disclosed.waiting.extend(later);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_failures(&self) -> Result<()> {
        let waiting = std::mem::take(&mut lock(&self.0.pending.failed).waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let done = self.catalog().write(waiting.clone(), |tx, waiting: &HashMap<_, _>| {
            Box::pin(async move {
                for (failure, count) in waiting {
                    audit::add_failures(tx, failure, *count).await?;
                }
                Ok(())
            })
        });
        let done = done.await;
        if done.is_err() {
            let mut failed = lock(&self.0.pending.failed);
            for (failure, count) in waiting {
                *failed.waiting.entry(failure).or_default() += count;
            }
        }
        done
    }
}

async fn record_disclosures(
    tx: &mut crate::catalog::Tx<'_>,
    chunk: &[(Disclosure, Time)],
) -> Result<()> {
    let mut users = HashMap::new();
    let mut events = Vec::with_capacity(chunk.len());
    for ((reader, file, day), at) in chunk {
        let user = match (reader, users.get(reader)) {
            (_, Some(known)) => *known,
            (Reader::User(user), None) => Some(*user),
            (Reader::Token(hash), None) => audit::token_user(tx, hash).await?,
        };
        users.insert(*reader, user);
        // A token that was revoked within this second no longer says whose it was.
        let (actor, of) = match user {
            Some(user) => (crate::audit::Actor::User(user), user.0),
            None => (crate::audit::Actor::Unknown, 0),
        };
        let event = Event::new(actor, Act::KeyDisclosed).file(*file);
        events.push((event, *at, format!("key {of} {file} {day}")));
    }
    audit::record_single(tx, &events).await
}

/// One host's IPv6 addresses are a /64 at least.
fn shown(address: IpAddr) -> String {
    match network(address) {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(network) => format!("{network}/64"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const NOW: Time = Time(1_767_323_045_000_000);

    #[test]
    fn whoever_tries_from_everywhere_fills_no_memory() {
        let pending = Pending::default();
        for host in 0..10_000 {
            pending.failed(None, Ipv4Addr::from_bits(host).into(), NOW);
        }
        pending.failed(None, Ipv4Addr::from_bits(1).into(), NOW);
        let failed = lock(&pending.failed);
        assert_eq!(failed.waiting.len(), FAILURES_MAX + 1);
        let count = |address: &str| {
            let minute = NOW.seconds() / 60;
            failed.waiting[&Failure { minute, account: None, address: address.into() }]
        };
        assert_eq!((count("0.0.0.1"), count("0.0.0.2")), (2, 1));
        assert_eq!(count(""), 10_000 - FAILURES_MAX as i64);
        drop(failed);
        // The next minute tells them apart again.
        let next = Ipv4Addr::from_bits(9_999).into();
        pending.failed(None, next, NOW.plus_seconds(60));
        assert_eq!(lock(&pending.failed).waiting.len(), FAILURES_MAX + 2);
    }

    #[test]
    fn a_key_waits_once_for_each_reader_file_and_day() {
        let pending = Pending::default();
        let (one, other) = (Credential::Token([1; 32]), Credential::Token([2; 32]));
        let waiting = || lock(&pending.disclosed).waiting.len();
        for _ in 0..3 {
            pending.disclosed(&one, FileId(1), NOW);
        }
        assert_eq!(waiting(), 1);
        pending.disclosed(&other, FileId(1), NOW);
        pending.disclosed(&one, FileId(2), NOW);
        assert_eq!(waiting(), 3);
        pending.disclosed(&one, FileId(1), NOW.plus_seconds(DAY_SECONDS));
        assert_eq!(waiting(), 4);
        for file in 0..2 * WAITING_MAX as i64 {
            pending.disclosed(&one, FileId(file), NOW);
        }
        assert_eq!(waiting(), WAITING_MAX);
        assert!(lock(&pending.disclosed).told.len() <= TOLD_MAX);
    }

    #[test]
    fn an_ipv6_host_is_its_network() {
        let shown = |text: &str| shown(text.parse().unwrap());
        assert_eq!(shown("192.0.2.7"), "192.0.2.7");
        assert_eq!(shown("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
        assert_eq!(shown("::ffff:192.0.2.7"), "192.0.2.7");
    }
}

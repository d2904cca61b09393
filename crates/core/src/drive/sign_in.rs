//! Signing in with a password. To verify one costs tens of milliseconds and megabytes on purpose, so
//! it happens once and is then remembered for a moment; wrong ones are limited before they cost
//! anything. What a caller may do is not decided here: who signed in is looked up again, by the
//! stored hash that was verified, in each operation's own transaction.

#[cfg(test)]
mod tests;

use super::Drive;
use super::account::random_bytes;
use super::buckets::Buckets;
use crate::access::{Caller, Credential};
use crate::catalog::users;
use crate::clock::{Clock, Time};
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::name::fold;
use argon2::password_hash::{Error as HashError, PasswordVerifier as _};
use argon2::{Argon2, Params};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Passwords that are verified at the same time: each takes a core and 19 MiB.
const VERIFIED_AT_ONCE: usize = 2;
/// How long a password that was verified is not verified again, and a token that was good begins small uploads unasked.
pub(super) const REMEMBERED_SECONDS: i64 = 60;
const REMEMBERED_MAX: usize = 10_000;
/// Failures of one account: ten, then one each six seconds.
const PER_ACCOUNT: (i64, i64) = (10, 6_000_000);
/// Failures from one address: fifty, then one each second.
const PER_ADDRESS: (i64, i64) = (50, 1_000_000);
const TURNS: usize = 64;

/// A keyed hash: nothing that is kept in memory can be tried against, or stands for, a password.
type Digest = [u8; 32];

/// What is known of sign-ins, by this process alone.
pub(super) struct SignIns {
    /// Made at the start and never written down.
    key: hmac::Key,
    /// Verified against instead of the hash of a user who is not there.
    nobody: String,
    /// Until when a user, a stored hash and a password are known to fit.
    verified: Mutex<HashMap<Digest, Time>>,
    limits: Mutex<Limits>,
    hashing: Arc<Semaphore>,
    turns: [tokio::sync::Mutex<()>; TURNS],
}

struct Limits {
    accounts: Buckets<Digest>,
    addresses: Buckets<IpAddr>,
}

impl fmt::Debug for SignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignIns(redacted)")
    }
}

impl Default for SignIns {
    fn default() -> Self {
        SignIns {
            key: hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>()),
            nobody: hash_of_nothing(),
            verified: Mutex::default(),
            limits: Mutex::new(Limits {
                accounts: Buckets::new(PER_ACCOUNT.0, PER_ACCOUNT.1),
                addresses: Buckets::new(PER_ADDRESS.0, PER_ADDRESS.1),
            }),
            hashing: Arc::new(Semaphore::new(VERIFIED_AT_ONCE)),
            turns: [const { tokio::sync::Mutex::const_new(()) }; TURNS],
        }
    }
}

impl Drive {
    /// Credentials for a login or e-mail and its password. A user who is unknown or disabled and a
    /// password that is wrong are told apart neither by the answer nor by its time.
    ///
    /// [`Error::Throttled`] if too many failed, for this name or from this address; a password that
    /// was verified within the last minute is never limited.
    pub async fn sign_in(&self, name: &str, password: &str, address: IpAddr) -> Result<Caller> {
        if password.is_empty() {
            self.note_failed_sign_in(address);
            return Err(Error::Unauthenticated);
        }
        // One engine cannot even ask for a text that holds a NUL, and no one is called so.
        let name = fold(name).replace('\0', "\u{fffd}");
        let found = self
            .catalog()
            .look_up(&name, |tx, name| Box::pin(users::password_of(tx, name)))
            .await?;
        let sign_ins = &self.0.sign_ins;
        let account = found.as_ref().map(|(user, _)| *user);
        let (user, stored) = found.unwrap_or_else(|| (UserId(0), sign_ins.nobody.clone()));
        let proof = sign_ins.proof(user, &stored, password);
        if !sign_ins.is_verified(&proof, self.now()) {
            // A client that begins with many requests at once is one try: the others wait for it.
            let _turn = sign_ins.turns[usize::from(proof[0]) % TURNS].lock().await;
            if !sign_ins.is_verified(&proof, self.now()) {
                let tried = match sign_ins.attempt(&name, address, self.now()) {
                    Ok(attempt) => attempt.verify(proof, &stored, password, self.clock()).await,
                    Err(throttled) => Err(throttled),
                };
                if let Err(Error::Unauthenticated | Error::Throttled { .. }) = tried {
                    self.0.pending.failed(account, address, self.now());
                }
                tried?;
            }
        }
        Ok(Caller::showing(Credential::Password { user, verified: stored }))
    }
}

impl SignIns {
    /// Another stored hash, and so a changed password, is another proof.
    fn proof(&self, user: UserId, stored: &str, password: &str) -> Digest {
        let mut proof = hmac::Context::with_key(&self.key);
        proof.update(b"proof");
        proof.update(&user.0.to_be_bytes());
        proof.update(&(stored.len() as u64).to_be_bytes());
        proof.update(stored.as_bytes());
        proof.update(password.as_bytes());
        digest(&proof.sign())
    }

    fn is_verified(&self, proof: &Digest, now: Time) -> bool {
        let verified = lock(&self.verified);
        // A clock that was set back must not make a minute longer.
        let latest = now.plus_seconds(REMEMBERED_SECONDS);
        verified.get(proof).is_some_and(|until| now < *until && *until <= latest)
    }

    fn remember(&self, proof: Digest, now: Time) {
        let mut verified = lock(&self.verified);
        if verified.len() >= REMEMBERED_MAX {
            verified.retain(|_, until| now < *until);
        }
        if verified.len() >= REMEMBERED_MAX {
            let first = verified.iter().min_by_key(|(_, until)| **until).map(|(proof, _)| *proof);
            first.map(|first| verified.remove(&first));
        }
        verified.insert(proof, now.plus_seconds(REMEMBERED_SECONDS));
    }

    /// Takes what a try costs, before it costs any work.
    fn attempt(self: &Arc<Self>, name: &str, address: IpAddr, now: Time) -> Result<Attempt> {
        let mut account = hmac::Context::with_key(&self.key);
        account.update(b"account");
        account.update(name.as_bytes());
        let (account, address) = (digest(&account.sign()), network(address));
        let mut limits = lock(&self.limits);
        let wait = limits.accounts.wait(&account, now).max(limits.addresses.wait(&address, now));
        if wait > 0 {
            return Err(Error::Throttled { seconds: wait });
        }
        limits.accounts.take(account, now);
        limits.addresses.take(address, now);
        Ok(Attempt { sign_ins: Arc::clone(self), account, address, failed: false })
    }
}

/// A try that has paid. Dropped, it gets back what it paid, unless a password was found wrong.
struct Attempt {
    sign_ins: Arc<SignIns>,
    account: Digest,
    address: IpAddr,
    failed: bool,
}

impl Attempt {
    /// Verifies a password, and remembers it if it is right. The work goes on for a caller who does
    /// not wait for it, and keeps its place: to hang up makes no room for more.
    async fn verify(
        mut self,
        proof: Digest,
        stored: &str,
        password: &str,
        clock: &Clock,
    ) -> Result<()> {
        let place = Arc::clone(&self.sign_ins.hashing).acquire_owned();
        let place = place.await.map_err(Error::internal)?;
        let (stored, password, clock) = (stored.to_owned(), password.to_owned(), clock.clone());
        let work = move || {
            let _place = place;
            self.failed = true;
            match Argon2::default().verify_password(password.as_bytes(), stored.as_str()) {
                Ok(()) => {
                    self.failed = false;
                    self.sign_ins.remember(proof, clock.now());
                    Ok(())
                }
                Err(HashError::PasswordInvalid) => Err(Error::Unauthenticated),
                Err(error) => Err(Error::internal(error.to_string())),
            }
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.failed {
            let mut limits = lock(&self.sign_ins.limits);
            limits.accounts.give_back(&self.account);
            limits.addresses.give_back(&self.address);
        }
    }
}

/// What counts as one address: one host's IPv6 addresses are a /64 at least.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(address.to_bits() >> 64 << 64).into(),
    }
}

/// In the form and with the costs of a password's hash, and the hash of none.
fn hash_of_nothing() -> String {
    let (memory, passes, lanes) =
        (Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST);
    let salt = BASE64_STANDARD_NO_PAD.encode(random_bytes::<16>());
    let hash = BASE64_STANDARD_NO_PAD.encode(random_bytes::<{ Params::DEFAULT_OUTPUT_LEN }>());
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
}

fn digest(tag: &hmac::Tag) -> Digest {
    tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

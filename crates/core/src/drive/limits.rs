//! What an operator limits: how large a file may be, how many transfers run at once, and how often one
//! token, user or address may ask. Of rights and quotas it knows nothing. Each process counts for itself.

use super::Drive;
use super::buckets::Buckets;
use super::sign_in::{lock, network};
use crate::access::{Caller, Credential, identify};
use crate::clock::Time;
use crate::error::{Error, Result};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What an operator permits; nothing is limited unless told so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes that a file may have.
    pub file_size: Option<u64>,
    /// Uploads and downloads that run at the same time.
    pub transfers: Option<usize>,
    /// Requests with one token.
    pub requests_per_token: Option<Rate>,
    /// Requests of one user, by whatever credentials.
    pub requests_per_user: Option<Rate>,
    /// Requests from one address, with whatever credentials or without.
    pub requests_per_address: Option<Rate>,
}

/// So many requests in so many seconds: all of them at once, too, and then one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests, at least 1.
    pub requests: u32,
    /// In so many seconds, at least 1.
    pub seconds: u32,
}

/// What is counted, by this process.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) file_size: Option<u64>,
    transfers: Option<Arc<Semaphore>>,
    tokens: Counted<[u8; 32]>,
    users: Counted<i64>,
    addresses: Counted<IpAddr>,
}

/// Buckets, if there is a limit.
type Counted<K> = Option<Mutex<Buckets<K>>>;

/// A place among the transfers that run at the same time; dropped, it is free.
#[derive(Debug)]
pub(super) struct Transfer {
    _place: Option<OwnedSemaphorePermit>,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Admission {
            file_size: limits.file_size,
            transfers: limits.transfers.map(|most| Arc::new(Semaphore::new(most))),
            tokens: limits.requests_per_token.map(counted),
            users: limits.requests_per_user.map(counted),
            addresses: limits.requests_per_address.map(counted),
        }
    }

    /// Takes a place for an upload or a download.
    pub(super) fn transfer(&self) -> Result<Transfer> {
        let place = self.transfers.as_ref().map(|places| Arc::clone(places).try_acquire_owned());
        let place = place.transpose().map_err(|_| Error::TooManyTransfers)?;
        Ok(Transfer { _place: place })
    }
}

impl Drive {
    /// Counts a request by where it comes from: before anything of it is looked at.
    pub fn admit_from(&self, address: IpAddr) -> Result<()> {
        take(&self.0.admission.addresses, network(address), self.now())
    }

    /// Counts a request by what it shows, and by whose that is.
    pub async fn admit(&self, caller: &Caller) -> Result<()> {
        let (admission, now) = (&self.0.admission, self.now());
        if let Credential::Token(hash) = &caller.shown {
            take(&admission.tokens, *hash, now)?;
        }
        if admission.users.is_none() {
            return Ok(());
        }
        let input = (caller.clone(), now);
        let user = self
            .catalog()
            .look_up(&input, |tx, (caller, now)| Box::pin(identify(tx, caller, *now)))
            .await?;
        take(&admission.users, user.id.0, now)
    }
}

fn counted<K: Copy + Eq + Hash>(rate: Rate) -> Mutex<Buckets<K>> {
    let refill_micros = i64::from(rate.seconds) * 1_000_000 / i64::from(rate.requests.max(1));
    Mutex::new(Buckets::new(rate.requests.into(), refill_micros.max(1)))
}

fn take<K: Copy + Eq + Hash>(counted: &Counted<K>, key: K, now: Time) -> Result<()> {
    let Some(buckets) = counted else {
        return Ok(());
    };
    let mut buckets = lock(buckets);
    match buckets.wait(&key, now) {
        0 => {
            buckets.take(key, now);
            Ok(())
        }
        seconds => Err(Error::TooManyRequests { seconds }),
    }
}

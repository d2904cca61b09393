//! The domain through its public handle, on a real store with a clock that stands still.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod backend;
mod backup;
mod damage;
mod flips;
mod idempotency;
mod leases;
mod lost_commits;
mod migrate;
mod model;
mod nodes;
mod outages;
mod pages;
mod postgres;
mod proxy;
mod queries;
mod ranges;
mod rights;
mod rotate;
mod s3;
mod search;
mod sweep;
mod unasked;
mod verify;
mod world;

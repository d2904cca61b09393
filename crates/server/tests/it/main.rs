//! The front-ends on a real store with a clock that stands still.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
#[path = "../../../core/tests/it/backend.rs"]
mod backend;
mod filr;
mod limits;
mod master_key;
mod matrix;
mod metrics;
mod parity;
mod peer_cves;
mod rescale;
mod secrecy;
mod tidy;
mod web;
mod world;

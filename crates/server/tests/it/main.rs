//! The front-ends through their router, on a real store with a clock that stands still.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../core/tests/it/backend.rs"]
mod backend;
mod filr;
mod limits;
mod parity;
mod rescale;
mod tidy;
mod world;

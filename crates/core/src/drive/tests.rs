//! The domain from inside: what no caller can bring about, a catalog that was tampered with, a limit
//! that is lower than the format's, a disk that is full.

mod backup;
mod faults;
mod full;
mod ground;
mod inspect;
mod objects;
mod power;
mod tamper;

#[path = "../../tests/it/backend.rs"]
mod backend;
#[path = "../../tests/it/world.rs"]
mod world;

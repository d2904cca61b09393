//! The domain from inside: what no caller can bring about, a catalog that was tampered with, a limit
//! that is lower than the format's, a disk that is full.

mod full;
mod inspect;
mod objects;
mod tamper;

#[path = "../../tests/it/database.rs"]
mod database;
#[path = "../../tests/it/world.rs"]
mod world;

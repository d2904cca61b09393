//! The real binary, on real directories, over loopback sockets.

mod commands;
mod decrypt;
mod help;
mod refuse;
mod serve;
mod settings;
mod store;
mod world;

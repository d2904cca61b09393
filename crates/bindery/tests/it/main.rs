//! The real binary, on real directories, over loopback sockets.

mod commands;
mod decrypt;
mod drive;
mod help;
mod refuse;
mod serve;
mod settings;
mod share;
mod store;
mod trash;
mod world;

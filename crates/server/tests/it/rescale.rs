//! The Rescale files dialect, call by call.

mod damage;
mod download;
mod errors;
mod keys;
mod lines;
mod list;
mod patch;
mod sharing;
mod site;
mod story;
mod upload;

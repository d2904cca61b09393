//! The Rescale files dialect, call by call.

mod damage;
mod download;
mod errors;
mod lines;
mod list;
mod patch;
mod sharing;
mod story;
mod upload;

//! The Rescale files dialect, call by call.

mod damage;
mod download;
mod lines;
mod story;
mod upload;

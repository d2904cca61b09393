//! The Rescale files dialect, call by call.

mod story;

//! The front-ends of Bindery.

pub mod http;

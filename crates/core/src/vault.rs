//! Contents: sealed bytes, their keys and where they lie.

pub mod seal;

//! The domain of Bindery.

pub mod vault;

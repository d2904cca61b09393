//! The domain of Bindery.

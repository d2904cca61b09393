//! The front-ends of Bindery.

//! The front-ends of Bindery. Each parses its wire, calls one method of the domain, and renders.

pub mod app;

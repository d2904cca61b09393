//! The front-ends of Bindery. Each parses its wire, calls one method of the domain, and renders; no
//! rule lives here.
//!
//! In reading order: `app` (the routes), `rescale` and `filr` (the dialects), `credentials` (who
//! signs in), `site` (how a client sees us), `health` and `metrics` (what is watched), `http` (mechanics that every dialect shares), `listener` and `tls` (connections).

pub mod app;
mod credentials;
mod filr;
mod health;
pub mod http;
pub mod listener;
mod metrics;
mod rescale;
mod site;
pub mod tls;

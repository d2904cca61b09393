//! The mechanics of HTTP that every front-end uses: request bodies, multipart forms, ranges,
//! preconditions, and the headers and bodies of answers. Nothing here knows a dialect or a rule of
//! the domain, and nothing but `body` and the reader in `multipart` knows that time or IO exist.

pub mod authorization;
pub mod body;
pub mod idempotency_key;
pub mod media_type;
pub mod multipart;

pub mod conditional;
pub mod range;

pub mod disposition;
pub mod hex;
pub mod lines;

pub(crate) mod content;
pub(crate) mod json;

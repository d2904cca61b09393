//! Multipart forms (RFC 7578, over RFC 2046 section 5.1), parsed as they arrive. [`Multipart`] reads
//! a body stream; [`Parser`] underneath does no IO. Part data is never copied and never gathered:
//! each piece is a slice of the chunk that carried it. What a part means, and which parts a form
//! must have, is not decided here.

mod boundary;
mod error;
mod head;
mod params;
mod parser;
mod reader;

pub use boundary::{Boundary, BoundaryError};
pub use error::{MultipartError, SyntaxError};
pub use head::{BadName, PartHead};
pub use parser::{Event, Limits, Parser};
pub use reader::Multipart;

//! Why sealed bytes are refused. The variants tell an operator what to look at; none of them
//! says anything about the plaintext.

use std::fmt;

/// A refusal to seal or to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The header breaks a rule of the format; the text completes "its header …".
    BadHeader(&'static str),
    /// The header names a format version other than 1.
    UnknownVersion(u8),
    /// The header names another content, or another ordinal, than the caller expects here.
    WrongContent,
    /// The sealed bytes are not of the length that the plaintext's length demands.
    WrongLength,
    /// The tag does not verify: a wrong key, or bytes that were changed, moved or cut.
    Unauthentic,
    /// More than the format can hold; the text names the thing that is too long.
    TooLong(&'static str),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadHeader(why) => write!(f, "this is not a sealed object: its header {why}"),
            Self::UnknownVersion(version) => {
                write!(f, "the object is in format version {version}; only version 1 is known")
            }
            Self::WrongContent => {
                f.write_str("the object belongs to another content or to another place in it")
            }
            Self::WrongLength => f.write_str("the sealed bytes do not have the length they should"),
            Self::Unauthentic => {
                f.write_str("the sealed bytes were changed, or the key is not theirs")
            }
            Self::TooLong(what) => write!(f, "{what} is longer than the sealed format allows"),
        }
    }
}

impl std::error::Error for SealError {}

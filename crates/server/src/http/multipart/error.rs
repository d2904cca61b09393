//! What can go wrong while a form is read: its body, or its syntax.

use std::fmt;

/// Why a form could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultipartError<E> {
    /// The stream that carries the form failed.
    Body(E),
    /// The bytes are no form, or one beyond the limits.
    Syntax(SyntaxError),
}

/// What is wrong with the bytes of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// The body ended before its closing delimiter.
    Truncated,
    /// More bytes stand before the first delimiter than a head may have.
    PreambleTooLong,
    /// More bytes follow the closing delimiter than a head may have.
    EpilogueTooLong,
    /// A boundary is followed by something else than a line end or two hyphens.
    MalformedDelimiter,
    /// The form has more parts than [`Limits`](super::Limits) allows.
    TooManyParts,
    /// The head of a part is longer than [`Limits`](super::Limits) allows.
    HeadTooLong,
    /// The head of a part has more lines than [`Limits`](super::Limits) allows.
    TooManyHeaders,
    /// A line in the head of a part is no header.
    MalformedHead,
}

impl<E> From<SyntaxError> for MultipartError<E> {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}

impl<E: fmt::Display> fmt::Display for MultipartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::Syntax(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "The form ends before its closing boundary.",
            Self::PreambleTooLong => "The form does not begin with its boundary.",
            Self::EpilogueTooLong => "The form goes on after its closing boundary.",
            Self::MalformedDelimiter => "A boundary of the form does not end its line.",
            Self::TooManyParts => "The form has too many parts.",
            Self::HeadTooLong => "The header of a part is too long.",
            Self::TooManyHeaders => "A part has too many headers.",
            Self::MalformedHead => "The header of a part is malformed.",
        })
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for MultipartError<E> {}

impl std::error::Error for SyntaxError {}

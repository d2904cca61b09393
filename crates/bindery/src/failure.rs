//! Why a command ends without having done its work, as a sentence for the person who ran it.

use std::fmt;
use std::process::ExitCode;

/// A command's failure.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It cannot mean what was written: exit code 2.
    Usage(String),
    /// It was meant, and did not work: exit code 1.
    Failed(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Failed(_) => ExitCode::from(1),
        }
    }

    /// For `map_err`: what was tried, and the error that stopped it.
    pub(crate) fn because<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Failure::Failed(format!("{what}: {error}"))
    }

    /// For `map_err`: the sentence to use when the domain finds nothing.
    pub(crate) fn unless_found(
        what: impl fmt::Display,
    ) -> impl FnOnce(bindery_core::Error) -> Self {
        move |error| match error {
            bindery_core::Error::NotFound(_) => Failure::Failed(format!("there is no {what}")),
            error => error.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(why) | Failure::Failed(why) => f.write_str(why),
        }
    }
}

impl From<bindery_core::Error> for Failure {
    fn from(error: bindery_core::Error) -> Self {
        Failure::Failed(error.to_string())
    }
}

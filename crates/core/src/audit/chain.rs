//! How the lines of the log hang together, as pure code: the link of a line covers the line and, through
//! the link of the one before, every line above it; a checkpoint says, signed, what the link was after so
//! many lines. `docs/audit.md` describes the bytes.

use crate::clock::Time;
use crate::error::Result;
use crate::id::UserId;
use crate::vault::attest::{Attestor, PUBLIC_LEN, verify};
use crate::vault::keys::Keyring;
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::path::Path;

/// What a link is: a SHA-256.
pub type AuditLink = [u8; 32];

/// The link before the first line.
pub(crate) const FIRST: AuditLink = [0; 32];

const LINE: &[u8] = b"bindery audit line v1\0";
const PROOF: &[u8] = b"bindery audit proof v1\0";
const CHECKPOINT: &[u8] = b"bindery audit checkpoint v1\0";
const END: &[u8] = b"bindery audit end v1\0";
const HEAD: &[u8] = b"bindery audit head v1\0";

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// When it was done.
    pub at: Time,
    /// What kind of one did it: `user`, `command`, `system` or `unknown`.
    pub actor: String,
    /// The user who did it, if one did.
    pub user: Option<UserId>,
    /// What was done: the word of an [`Act`](super::Act).
    pub act: String,
    /// To what, and how: `key=value` in the order of the keys, with a space between.
    pub details: String,
}

impl AuditEvent {
    /// The link of the line that this event makes behind another one.
    pub fn link(&self, before: &AuditLink) -> AuditLink {
        let mut context = Context::new(&SHA256);
        context.update(LINE);
        context.update(before);
        context.update(&self.at.0.to_be_bytes());
        context.update(&self.user.map_or(0, |user| user.0).to_be_bytes());
        for text in [&self.actor, &self.act, &self.details] {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// The details, one by one.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.details.split(' ').filter_map(|pair| pair.split_once('='))
    }
}

/// What is proven of a line under a key: its number, the event that it is of, and its link.
pub(crate) fn proof_message(line: u64, event: i64, link: &AuditLink) -> Vec<u8> {
    [PROOF, &line.to_be_bytes(), &event.to_be_bytes(), link].concat()
}

/// Where the log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) line: u64,
    /// The event of the last line: those behind it are not linked yet.
    pub(crate) event: i64,
    pub(crate) at: Time,
    pub(crate) link: AuditLink,
}

impl Head {
    /// A text of its own: who cuts lines off the end has older checkpoints at hand, and no older head.
    pub(crate) fn message(&self) -> Vec<u8> {
        let Head { line, event, at, link } = self;
        [HEAD, &line.to_be_bytes(), &event.to_be_bytes(), &at.0.to_be_bytes(), link].concat()
    }
}

/// Signed: after so many lines the link was this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCheckpoint {
    /// How many lines.
    pub line: u64,
    /// Whether a log that was handed out ends here. What ends otherwise was cut off.
    pub is_end: bool,
    /// When that was.
    pub at: Time,
    /// The link of the last of them.
    pub link: AuditLink,
    /// The master key that the signing key comes from.
    pub key: String,
    /// The Ed25519 signature.
    pub signature: Vec<u8>,
}

impl AuditCheckpoint {
    pub(crate) fn sign(
        (key, attestor): (&str, &Attestor),
        (line, is_end): (u64, bool),
        at: Time,
        link: AuditLink,
    ) -> Self {
        let (key, signature) = (key.to_owned(), Vec::new());
        let mut made = AuditCheckpoint { line, is_end, at, link, key, signature };
        made.signature = attestor.sign(&made.message());
        made
    }

    fn message(&self) -> Vec<u8> {
        let AuditCheckpoint { line, is_end, at, link, .. } = self;
        let begin = if *is_end { END } else { CHECKPOINT };
        [begin, &line.to_be_bytes(), &at.0.to_be_bytes(), link].concat()
    }
}

/// The keys that signatures are verified with. They are no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditKeys(Vec<(String, [u8; PUBLIC_LEN])>);

impl AuditKeys {
    /// The keys of a master key file.
    pub fn of_file(path: &Path) -> Result<Self> {
        Ok(AuditKeys::of(&Keyring::load(path)?))
    }

    pub(crate) fn of(keys: &Keyring) -> Self {
        let public = |(id, attestor): (String, Attestor)| (id, attestor.public());
        AuditKeys(keys.attestors().into_iter().map(public).collect())
    }

    /// Reads keys as they are shown: `ID:BASE64`.
    pub fn parse<'a>(keys: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let key = |text: &str| {
            let (id, key) = text.trim().split_once(':')?;
            Some((id.to_owned(), BASE64_STANDARD.decode(key).ok()?.try_into().ok()?))
        };
        keys.into_iter().map(key).collect::<Option<_>>().map(AuditKeys)
    }

    /// `None`: the key is not known.
    fn is_signed(&self, checkpoint: &AuditCheckpoint) -> Option<bool> {
        let (_, key) = self.0.iter().find(|(id, _)| *id == checkpoint.key)?;
        Some(verify(key, &checkpoint.message(), &checkpoint.signature))
    }
}

/// A line for each key.
impl fmt::Display for AuditKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self
            .0
            .iter()
            .map(|(id, key)| format!("{id}:{}", BASE64_STANDARD.encode(key)))
            .collect();
        f.write_str(&keys.join("\n"))
    }
}

/// What was done to the log, and the first line that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFault {
    /// The line, from 1.
    pub line: u64,
    /// What was done to it.
    pub what: Tampering,
}

/// What can be done to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// The line is not what it was.
    Changed,
    /// The line, or one behind it up to this one, is not what it was.
    ChangedUpTo(u64),
    /// The line is not there, and lines behind it are.
    Dropped,
    /// The line was the first of those that are missing at the end.
    CutOff,
    /// The line is behind the end.
    Added,
    /// The checkpoint behind the line is not what it was.
    Checkpoint,
    /// The checkpoint behind the line is signed under a key that is not known.
    UnknownKey,
    /// What says where the log ends, behind the line, is not what it was.
    End,
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.what {
            Tampering::Changed => write!(f, "line {line} was changed"),
            Tampering::ChangedUpTo(last) => {
                write!(f, "line {line} was changed, or another one up to line {last}")
            }
            Tampering::Dropped => write!(f, "line {line} was dropped"),
            Tampering::CutOff => write!(f, "line {line} was cut off the end, with all behind it"),
            Tampering::Added => write!(f, "line {line} was added"),
            Tampering::Checkpoint => write!(f, "the checkpoint behind line {line} was changed"),
            Tampering::UnknownKey => {
                write!(
                    f,
                    "the checkpoint behind line {line} is signed under a key that is not here"
                )
            }
            Tampering::End => write!(f, "the end of the log, behind line {line}, was changed"),
        }
    }
}

pub(crate) fn fault(line: u64, what: Tampering) -> AuditFault {
    AuditFault { line, what }
}

/// Goes along the lines of a log, from the first or from a checkpoint on.
#[derive(Clone, Debug)]
pub struct AuditChain {
    line: u64,
    link: AuditLink,
    /// The last line that something vouches for that whoever has no key cannot make.
    vouched: u64,
    begun: bool,
    ended: bool,
}

impl Default for AuditChain {
    fn default() -> Self {
        AuditChain { line: 0, link: FIRST, vouched: 0, begun: false, ended: false }
    }
}

impl AuditChain {
    /// The number of the last line.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The link of the last line.
    pub fn link(&self) -> AuditLink {
        self.link
    }

    /// Takes the next line; its link.
    pub fn take(&mut self, line: u64, event: &AuditEvent) -> Result<AuditLink, AuditFault> {
        (self.begun, self.ended) = (true, false);
        if line > self.line + 1 {
            return Err(fault(self.line + 1, Tampering::Dropped));
        }
        if line <= self.line {
            return Err(fault(line, Tampering::Changed));
        }
        (self.line, self.link) = (line, event.link(&self.link));
        Ok(self.link)
    }

    /// What is said to be the last line's link, by someone who could not say another one's: true, and all
    /// lines up to here are what they were.
    pub(crate) fn vouch(&mut self, agrees: bool) -> Result<(), AuditFault> {
        if agrees {
            self.vouched = self.line;
            return Ok(());
        }
        let first = self.vouched + 1;
        let what =
            if first >= self.line { Tampering::Changed } else { Tampering::ChangedUpTo(self.line) };
        Err(fault(first.min(self.line), what))
    }

    /// What the line itself says is its link. That anyone can make, who changes a line.
    pub fn compare(&self, link: &AuditLink) -> Result<(), AuditFault> {
        if *link == self.link { Ok(()) } else { Err(fault(self.line, Tampering::Changed)) }
    }

    /// Takes a checkpoint: one that a part of a log begins with, or one behind the last line.
    pub fn checkpoint(
        &mut self,
        checkpoint: &AuditCheckpoint,
        keys: &AuditKeys,
    ) -> Result<(), AuditFault> {
        match keys.is_signed(checkpoint) {
            None => return Err(fault(checkpoint.line, Tampering::UnknownKey)),
            Some(false) => return Err(fault(checkpoint.line, Tampering::Checkpoint)),
            Some(true) => {}
        }
        self.ended |= checkpoint.is_end;
        if !self.begun {
            (self.line, self.link) = (checkpoint.line, checkpoint.link);
            (self.vouched, self.begun) = (checkpoint.line, true);
            return Ok(());
        }
        if checkpoint.line > self.line {
            return Err(fault(self.line + 1, Tampering::Dropped));
        }
        if checkpoint.line < self.line {
            return Err(fault(checkpoint.line, Tampering::Checkpoint));
        }
        self.vouch(checkpoint.link == self.link)
    }

    /// A log that was handed out is over. What does not end as it did then was cut off, or added to.
    pub fn end(&self) -> Result<(), AuditFault> {
        if self.ended && self.vouched == self.line {
            Ok(())
        } else {
            Err(fault(self.line + 1, Tampering::CutOff))
        }
    }
}

//! The audit log as a whole: who writes what is told later, who links it, and how it is verified and
//! handed out. What an operation did is recorded in its own unit, by `once` and `administer`.

mod pending;

pub(super) use pending::Pending;

use super::Drive;
use super::upload::active_key;
use crate::audit::Did;
use crate::audit::chain::{
    AuditChain, AuditCheckpoint, AuditEvent, AuditFault, AuditKeys, AuditLink, FIRST, Head,
    Tampering, fault, proof_message,
};
use crate::catalog::audit::{self, LineRow, SignedHead};
use crate::catalog::conn::{Tx, Unit};
use crate::catalog::meta;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::vault::attest::{Attestor, verify};
use crate::vault::keys::{Keyring, not_held};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Events that one unit links: short enough to stand in no one's way.
const CHUNK: i64 = 500;
/// Lines that are read at once.
const PAGE: i64 = 1_000;
/// Lines and seconds behind which there is another checkpoint.
const CHECKPOINT_LINES: u64 = 1_000;
const CHECKPOINT_SECONDS: i64 = 60;
/// For how long a node that links keeps the others from it.
const LEASE_SECONDS: i64 = 10;
/// How long after its end a minute's failures may still come, from another node.
const LATE_SECONDS: i64 = 5;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Lines that are what they were.
    pub lines: u64,
    /// Events that are recorded and not linked yet: a moment's worth, while a server runs.
    pub unlinked: u64,
    /// What was done to the log, at the first line that shows it.
    pub fault: Option<AuditFault>,
}

/// What a log consists of.
#[derive(Debug)]
pub enum AuditRecord<'a> {
    /// A line: its number, what was done, and its link.
    Line(u64, &'a AuditEvent, AuditLink),
    /// A checkpoint behind the last line.
    Checkpoint(&'a AuditCheckpoint),
}

impl Drive {
    /// As `Catalog::write`, for what an administrator does: with its effect it is recorded what that was.
    pub(super) async fn administer<I, T, F>(&self, input: I, unit: F) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a, 'tx> Fn(&'a mut Tx<'tx>, &'a I) -> Unit<'a, Did<T>> + Send + Sync + 'static,
    {
        self.catalog()
            .write((input, self.now(), unit), |tx, (input, now, unit)| {
                Box::pin(async move {
                    let (outcome, events) = unit(tx, input).await?;
                    audit::record(tx, &events, *now).await?;
                    Ok(outcome)
                })
            })
            .await
    }

    /// Writes down what was only kept in memory, and links what is not linked yet. `serve` does it each
    /// second and when it stops; of several nodes one links at a time.
    pub async fn keep_audit_log(&self) -> Result<()> {
        self.write_pending().await?;
        self.link_events().await
    }

    /// Links what is not linked yet, unless another node is about it.
    pub async fn link_events(&self) -> Result<()> {
        loop {
            let now = self.now();
            let over = now.plus_seconds(-LATE_SECONDS).seconds().div_euclid(60);
            let due =
                self.catalog().read(&over, |tx, over| Box::pin(audit::is_due(tx, *over))).await?;
            if !due {
                return Ok(());
            }
            let shared = if self.catalog().is_shared() {
                Some((self.node(), self.catalog().now(self.clock()).await?))
            } else {
                None
            };
            let input = (Arc::clone(&self.vault().keys), shared, now, over);
            let linked = self
                .catalog()
                .write(input, |tx, (keys, shared, now, over)| {
                    Box::pin(async move {
                        if let Some((node, at)) = shared {
                            let lease = (*at, at.plus_seconds(LEASE_SECONDS));
                            if !meta::take(tx, meta::AUDIT, *node, lease).await? {
                                return Ok(false);
                            }
                        }
                        audit::record_failures(tx, *over, CHUNK).await?;
                        link_some(tx, keys, *now).await?;
                        Ok(true)
                    })
                })
                .await?;
            if !linked {
                return Ok(());
            }
        }
    }

    /// Goes along the whole log. `known` is what another copy of it says some lines' links were, in
    /// order.
    pub async fn verify_audit(&self, known: &[(u64, AuditLink)]) -> Result<AuditReport> {
        let mut known = known.iter().peekable();
        let walked = self
            .walk(None, |record, chain| {
                if let AuditRecord::Line(line, _, link) = record
                    && let Some((_, said)) = known.next_if(|(known, _)| *known == line)
                    && *said != link
                {
                    return Err(fault(line, Tampering::Changed));
                }
                debug_assert!(chain.line() > 0);
                Ok(ControlFlow::Continue(()))
            })
            .await?;
        let cut = known.next().map(|_| fault(walked.line + 1, Tampering::CutOff));
        let behind = walked.event;
        let unlinked =
            self.catalog().read(&behind, |tx, of| Box::pin(audit::count_behind(tx, *of))).await?;
        Ok(AuditReport { lines: walked.line, unlinked, fault: walked.fault.or(cut) })
    }

    /// Hands out the log: all of it, or from the last checkpoint before a time on. It is verified on the way,
    /// and ends before the first line that was tampered with. The last record says that it is the last.
    pub async fn export_audit(
        &self,
        since: Option<Time>,
        mut each: impl FnMut(AuditRecord<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let begin = match since {
            None => None,
            Some(since) => {
                self.catalog()
                    .read(&since, |tx, since| Box::pin(audit::checkpoint_before(tx, *since)))
                    .await?
            }
        };
        let walked = self.walk(begin, |record, _| Ok(each(record))).await?;
        if let Some(fault) = walked.fault {
            return Err(Error::Refused(format!(
                "the audit log was tampered with: {fault}; all lines before that were exported"
            )));
        }
        if !walked.stopped {
            let keys = &self.vault().keys;
            let active = keys.active();
            let attestor = keys.attestor(&active).ok_or_else(|| not_held(&active))?;
            let last = (walked.line, true);
            let end = AuditCheckpoint::sign((&active, &attestor), last, self.now(), walked.link);
            let _over = each(AuditRecord::Checkpoint(&end));
        }
        Ok(())
    }

    /// The keys that the log's checkpoints are verified with.
    pub fn audit_keys(&self) -> AuditKeys {
        AuditKeys::of(&self.vault().keys)
    }

    /// Goes along the lines and the checkpoints up to the head, and stops where one is not what it was.
    async fn walk(
        &self,
        begin: Option<AuditCheckpoint>,
        each: impl FnMut(AuditRecord<'_>, &AuditChain) -> Result<ControlFlow<()>, AuditFault>,
    ) -> Result<Walked> {
        let (head, last, checkpoint) = self
            .catalog()
            .read(&(), |tx, ()| {
                Box::pin(async move {
                    let last = audit::last_line(tx).await?.unwrap_or(0);
                    let checkpoint = audit::last_checkpoint(tx).await?;
                    Ok((audit::head(tx).await?, last, checkpoint.map_or(0, |made| made.line)))
                })
            })
            .await?;
        let mut walk = Walk {
            keys: self.audit_keys(),
            attestors: self.vault().keys.attestors().into_iter().collect(),
            chain: AuditChain::default(),
            each,
        };
        let mut walked = Walked::default();
        let fault = self.walk_to(&mut walk, (head.as_ref(), last, checkpoint), begin).await?;
        walked.line = walk.chain.line();
        walked.link = walk.chain.link();
        walked.event = head.map_or(0, |signed| signed.head.event);
        match fault {
            Ok(flow) => walked.stopped = flow.is_break(),
            Err(found) => {
                walked.line = found.line.saturating_sub(1).min(walked.line);
                walked.fault = Some(found);
            }
        }
        Ok(walked)
    }

    async fn walk_to<F>(
        &self,
        walk: &mut Walk<F>,
        (head, last, checkpoint): (Option<&SignedHead>, u64, u64),
        begin: Option<AuditCheckpoint>,
    ) -> Result<Result<ControlFlow<()>, AuditFault>>
    where
        F: FnMut(AuditRecord<'_>, &AuditChain) -> Result<ControlFlow<()>, AuditFault>,
    {
        // Without an end that can be believed, a line that was tampered with is still to be named.
        let believed = head.filter(|signed| walk.is_signed(signed));
        let end = believed.map_or(last, |signed| signed.head.line);
        if let Some(begin) = begin {
            match walk.checkpoint(&begin) {
                Ok(ControlFlow::Continue(())) => {}
                ended => return Ok(ended),
            }
        }
        while walk.chain.line() < end {
            let from = walk.chain.line();
            let (lines, checkpoints) = self
                .catalog()
                .scan(&(from, end), |tx, (from, end)| {
                    Box::pin(async move {
                        let lines = audit::lines(tx, (*from, *end), PAGE).await?;
                        Ok((lines, audit::checkpoints(tx, *from, PAGE).await?))
                    })
                })
                .await?;
            if lines.is_empty() {
                return Ok(Err(fault(from + 1, Tampering::CutOff)));
            }
            let mut checkpoints = checkpoints.into_iter().peekable();
            for line in lines {
                let mut ended = walk.line(&line);
                while let Ok(ControlFlow::Continue(())) = ended
                    && let Some(made) = checkpoints.next_if(|made| made.line <= line.line)
                {
                    ended = walk.checkpoint(&made);
                }
                if !matches!(ended, Ok(ControlFlow::Continue(()))) {
                    return Ok(ended);
                }
            }
        }
        if last > end {
            return Ok(Err(fault(end + 1, Tampering::Added)));
        }
        if checkpoint > end {
            return Ok(Err(fault(end + 1, Tampering::CutOff)));
        }
        Ok(match believed {
            Some(signed) => walk.chain.vouch(signed.head.link == walk.chain.link()),
            None if last > 0 || head.is_some() => Err(fault(last, Tampering::End)),
            None => Ok(()),
        }
        .map(ControlFlow::Continue))
    }
}

/// How far a walk came.
struct Walked {
    line: u64,
    link: AuditLink,
    event: i64,
    fault: Option<AuditFault>,
    stopped: bool,
}

impl Default for Walked {
    fn default() -> Self {
        Walked { line: 0, link: FIRST, event: 0, fault: None, stopped: false }
    }
}

struct Walk<F> {
    keys: AuditKeys,
    attestors: HashMap<String, Attestor>,
    chain: AuditChain,
    each: F,
}

impl<F> Walk<F>
where
    F: FnMut(AuditRecord<'_>, &AuditChain) -> Result<ControlFlow<()>, AuditFault>,
{
    fn line(&mut self, row: &LineRow) -> Result<ControlFlow<()>, AuditFault> {
        let Some(event) = &row.event else {
            return Err(fault(row.line.min(self.chain.line() + 1), Tampering::Dropped));
        };
        let link = self.chain.take(row.line, event)?;
        // Under a key that is gone nothing can be proven; what follows vouches for this line, too.
        if let Some(attestor) = self.attestors.get(row.key.as_str()) {
            let message = proof_message(row.line, row.number, &link);
            self.chain.vouch(attestor.is_proven(&message, &row.proof))?;
        }
        (self.each)(AuditRecord::Line(row.line, event, link), &self.chain)
    }

    fn checkpoint(&mut self, made: &AuditCheckpoint) -> Result<ControlFlow<()>, AuditFault> {
        match self.chain.checkpoint(made, &self.keys) {
            // One that was made under a key that is gone says nothing.
            Err(AuditFault { what: Tampering::UnknownKey, .. }) if self.chain.line() > 0 => {
                return Ok(ControlFlow::Continue(()));
            }
            Err(AuditFault { line, what: Tampering::Changed }) => {
                // The lines have their own proofs.
                return Err(fault(line, Tampering::Checkpoint));
            }
            other => other?,
        }
        (self.each)(AuditRecord::Checkpoint(made), &self.chain)
    }

    fn is_signed(&self, signed: &SignedHead) -> bool {
        self.attestors.get(signed.key.as_str()).is_some_and(|key| is_signed(key, signed))
    }
}

fn is_signed(attestor: &Attestor, signed: &SignedHead) -> bool {
    verify(&attestor.public(), &signed.head.message(), &signed.signature)
}

/// Links up to a chunk of events behind the head.
///
/// What is read here is all that was committed before, and nothing else can be committed meanwhile: the
/// events' numbers have the order of their commits.
async fn link_some(tx: &mut Tx<'_>, keys: &Keyring, now: Time) -> Result<()> {
    let signed = audit::head(tx).await?;
    let head = match signed {
        None => Head { line: 0, event: 0, at: now, link: FIRST },
        Some(signed) => {
            let signer = keys.attestor(&signed.key);
            if !signer.is_some_and(|attestor| is_signed(&attestor, &signed)) {
                // To go on would vouch for what someone else wrote there.
                let why = "the end of the audit log was changed, and nothing is linked to it: run \
                           `bindery audit verify`";
                return Err(Error::Damaged { why: why.into() });
            }
            signed.head
        }
    };
    let events = audit::behind(tx, head.event, CHUNK).await?;
    if events.is_empty() {
        return Ok(());
    }
    let active = active_key(tx, keys).await?;
    let attestor = keys.attestor(&active).ok_or_else(|| not_held(&active))?;
    let mut head = Head { at: now, ..head };
    let mut lines = Vec::with_capacity(events.len());
    for audit::Numbered(number, event) in &events {
        (head.line, head.event, head.link) = (head.line + 1, *number, event.link(&head.link));
        let proof = attestor.prove(&proof_message(head.line, *number, &head.link));
        lines.push((head.line, *number, proof));
    }
    audit::insert_links(tx, &active, &lines).await?;
    let last = audit::last_checkpoint(tx).await?;
    let due = last.is_none_or(|last| {
        head.line >= last.line + CHECKPOINT_LINES || now >= last.at.plus_seconds(CHECKPOINT_SECONDS)
    });
    if due {
        let made = AuditCheckpoint::sign((&active, &attestor), (head.line, false), now, head.link);
        audit::insert_checkpoint(tx, &made).await?;
    }
    let signature = attestor.sign(&head.message());
    audit::set_head(tx, &SignedHead { head, key: active, signature }).await
}

//! `bindery audit`: what was done, handed out and verified.

mod line;

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{count, say};
use crate::serve::open;
use bindery_core::{AuditChain, AuditFault, AuditKeys, AuditLink, AuditRecord, Tampering, Time};
use clap::Subcommand;
use line::Record;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print the audit log as JSON, a line for each act, to be kept somewhere else.
    ///
    /// Each line has the link that ties it to all lines above; signed checkpoints stand between them, and at
    /// the end. With --since it begins at the last checkpoint before that time, and can be verified too.
    #[command(after_help = "Examples:\n  \
        bindery audit export > audit.jsonl\n  \
        bindery audit export --since 2026-01-31 > february.jsonl\n  \
        bindery audit export --since 2026-01-31T12:00:00Z | grep sign-in-failed")]
    Export {
        /// A date, or a time with its zone
        #[arg(long, value_name = "TIME", value_parser = time)]
        since: Option<Time>,
    },
    /// Find out whether the audit log is what was written, and name the first line that is not.
    ///
    /// Prints `tampered: WHY` if a line was changed, dropped or cut off the end, and exits with 1. Whoever
    /// has the database and an older copy of it can cut lines off without a trace in it: --against shows
    /// that, by an export that was kept somewhere else.
    #[command(after_help = "Examples:\n  \
        bindery audit verify\n  \
        bindery audit verify --against audit.jsonl\n  \
        bindery audit verify --file audit.jsonl --key \"$(cat audit.key)\"   # anywhere, without a store")]
    Verify {
        /// Verify an exported log, and not the store's
        #[arg(long, value_name = "FILE", conflicts_with = "against")]
        file: Option<PathBuf>,
        /// Keys as `bindery audit key` prints them [default: those of the master key file]
        #[arg(long, value_name = "ID:KEY", requires = "file")]
        key: Option<String>,
        /// An exported log that the store's must agree with
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Print the public keys that checkpoints are verified with, for whoever has no master key.
    #[command(after_help = "Example:\n  bindery audit key > audit.key")]
    Key,
}

/// `bindery audit`.
pub(crate) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Export { since } => export(config, since).await?,
        Command::Verify { file: Some(file), key, .. } => {
            let keys = match key {
                Some(key) => AuditKeys::parse(key.lines())
                    .ok_or_else(|| Failure::Usage("--key is not what `audit key` prints".into()))?,
                None => AuditKeys::of_file(&config.location().key_file())?,
            };
            let read = read(&file, &keys)?;
            return tell(read.lines, 0, read.fault.as_ref());
        }
        Command::Verify { against, .. } => {
            let drive = open(config).await?;
            let known = match against {
                Some(file) => known(&file, &drive.audit_keys())?,
                None => Vec::new(),
            };
            let found = drive.verify_audit(&known).await?;
            return tell(found.lines, found.unlinked, found.fault.as_ref());
        }
        Command::Key => say(open(config).await?.audit_keys())?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(config: &Config, since: Option<Time>) -> Result<(), Failure> {
    let drive = open(config).await?;
    drive.link_events().await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    let each = |record: AuditRecord<'_>| {
        written = writeln!(out, "{}", Record::of(&record).render());
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let exported = drive.export_audit(since, each).await;
    let written = written.and_then(|()| out.flush());
    written.map_err(Failure::because("cannot write to standard output"))?;
    Ok(exported?)
}

fn tell(lines: u64, unlinked: u64, fault: Option<&AuditFault>) -> Result<ExitCode, Failure> {
    if let Some(fault) = fault {
        say(format_args!("tampered: {fault}"))?;
    }
    let unlinked = match unlinked {
        0 => String::new(),
        some => format!(", {some} not linked yet"),
    };
    say(format_args!("{} verified{unlinked}", count(lines, "line")))?;
    Ok(ExitCode::from(u8::from(fault.is_some())))
}

/// What an exported log is found to be.
struct Read {
    lines: u64,
    links: Vec<(u64, AuditLink)>,
    fault: Option<AuditFault>,
}

fn read(file: &Path, keys: &AuditKeys) -> Result<Read, Failure> {
    let shown = file.display();
    let unread = || Failure::because(format!("cannot read {shown}"));
    let mut chain = AuditChain::default();
    let (mut lines, mut links) = (0, Vec::new());
    for text in BufReader::new(File::open(file).map_err(unread())?).split(b'\n') {
        let text = text.map_err(unread())?;
        let taken = match Record::read(&text) {
            Some(Record::Line(line)) => chain
                .take(line.number, &line.event)
                .and_then(|_| chain.compare(&line.link))
                .map(|()| lines += 1),
            Some(Record::Checkpoint(made)) => chain.checkpoint(&made, keys),
            None => Err(AuditFault { line: chain.line() + 1, what: Tampering::Changed }),
        };
        if let Err(fault) = taken {
            return Ok(Read { lines, links, fault: Some(fault) });
        }
        if links.last().is_none_or(|(last, _)| *last < chain.line()) {
            links.push((chain.line(), chain.link()));
        }
    }
    Ok(Read { lines, links, fault: chain.end().err() })
}

/// What another copy says that lines' links were.
fn known(file: &Path, keys: &AuditKeys) -> Result<Vec<(u64, AuditLink)>, Failure> {
    let Read { links, fault, .. } = read(file, keys)?;
    match fault {
        None => Ok(links),
        Some(fault) => {
            Err(Failure::Failed(format!("{} was itself tampered with: {fault}", file.display())))
        }
    }
}

fn time(text: &str) -> Result<Time, &'static str> {
    const WRONG: &str = "a time is a date such as 2026-01-31, or 2026-01-31T12:00:00Z";
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Time(time.as_microsecond()));
    }
    let date: jiff::civil::Date = text.parse().map_err(|_| WRONG)?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| WRONG)?;
    Ok(Time(midnight.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_have_a_zone() {
        for (text, read_as) in [
            ("1970-01-02", Some(86_400_000_000)),
            ("1970-01-01T00:00:01.5Z", Some(1_500_000)),
            ("1970-01-01T01:00:01+01:00", Some(1_000_000)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time(text).ok(), read_as.map(Time), "{text}");
        }
    }
}

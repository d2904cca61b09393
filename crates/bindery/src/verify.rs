//! `bindery verify`: is everything that is stored still what was stored?

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{minute, printable, say};
use crate::serve::open;
use bindery_core::{Damage, Inspection};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::time::Duration;

/// Open every version of every file, and check its seals, its length and its MD5.
///
/// Prints `damaged: ID NAME: WHY` for each that fails, since when all that is stored was read
/// (the age of the oldest unverified byte), and at the end `N checked, M damaged`. Exits
/// with 1 if anything is damaged. Reads everything that is stored; a running server goes on.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  bindery verify\n  bindery verify --budget 10m")]
pub(crate) struct Args {
    /// Stop after this time, such as 30s, 10m or 1h; the next run with a budget goes on from there
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<Duration>,
}

/// Verifies the store.
pub(crate) async fn run(config: &Config, args: &Args) -> Result<ExitCode, Failure> {
    let drive = open(config).await?;
    let bar = progress_bar();
    let mut printed = 0;
    let mut closed = Ok(());
    let progress = |found: &Inspection| {
        bar.set_length(found.of.bytes);
        bar.set_position(found.checked.bytes);
        for damage in &found.damaged[printed..] {
            let said = bar.suspend(|| say(describe(damage)));
            closed = std::mem::replace(&mut closed, Ok(())).and(said);
        }
        printed = found.damaged.len();
    };
    let found = drive.verify(args.budget, progress).await?;
    bar.finish_and_clear();
    closed?;
    for fault in &found.catalog {
        say(format_args!("catalog: {}", printable(fault)))?;
    }
    if found.unfinished {
        let left = found.of.versions.saturating_sub(found.checked.versions);
        say(format_args!("the time is up: {left} not checked"))?;
    }
    match found.whole {
        Some(since) => say(format_args!("all was read since {}", minute(since)))?,
        None => say("not all was read yet")?,
    }
    let (checked, damaged) = (found.checked.versions, found.damaged.len());
    say(format_args!("{checked} checked, {damaged} damaged"))?;
    let sound = damaged == 0 && found.catalog.is_empty();
    Ok(ExitCode::from(u8::from(!sound)))
}

fn describe(damage: &Damage) -> String {
    let (id, name) = (damage.id.letters(), printable(&damage.name));
    format!("damaged: {id} {name}: version {}: {}", damage.version, damage.why)
}

/// On standard error, and only if that is a terminal.
pub(crate) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template(
        "{wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
    );
    bar.set_style(style.expect("the template names what the library knows"));
    bar
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "a time is a number with s, m or h behind it, such as 10m";
    let unit = match text.bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        _ => return Err(WRONG),
    };
    let number = text[..text.len() - 1].parse::<u64>().ok();
    let seconds = number.and_then(|number| number.checked_mul(unit));
    seconds.map(Duration::from_secs).ok_or(WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [
            ("0s", Some(0)),
            ("30s", Some(30)),
            ("10m", Some(600)),
            ("1h", Some(3600)),
            ("", None),
            ("m", None),
            ("10", None),
            ("-1s", None),
            ("1é", None),
            ("99999999999999999999h", None),
            ("9999999999999999h", None),
        ] {
            let parsed = duration(text).ok();
            assert_eq!(parsed, seconds.map(Duration::from_secs), "{text}");
        }
    }
}

//! `bindery sweep`: what `serve` does each minute, done once and now.

use crate::config::{Config, TrashArgs};
use crate::failure::Failure;
use crate::output::{count, say};
use crate::serve::open;
use std::process::ExitCode;

/// Remove what is due: deleted files past their time in the trash, and what interrupted uploads left.
///
/// A running server does the same each minute. `--trash-days 0` empties the trash now.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  bindery sweep --trash-days 7")]
pub(crate) struct Args {
    #[command(flatten)]
    trash: TrashArgs,
}

/// Sweeps once and says what was done.
pub(crate) async fn run(config: &Config, args: &Args) -> Result<ExitCode, Failure> {
    let settings = config.sweep(&args.trash);
    let swept = open(config).await?.sweep(settings).await?;
    say(format_args!(
        "{} removed from the trash, {} removed from the store, {} cleared, {} made",
        count(swept.purged, "file"),
        count(swept.objects, "object"),
        count(swept.leases, "interrupted upload"),
        count(swept.digests, "digest"),
    ))?;
    Ok(ExitCode::SUCCESS)
}

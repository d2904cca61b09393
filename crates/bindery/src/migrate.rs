//! `bindery migrate`: a whole store, copied to another catalog and another place for its objects.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{count, say, table};
use crate::serve::{lock, open};
use crate::verify::progress_bar;
use bindery_core::{Checked, Location, Migration};
use std::path::PathBuf;
use std::process::ExitCode;

/// Copy the store to another place, such as PostgreSQL and a bucket, or back into a directory.
///
/// Stop every server of both sides first. Each content is opened where it arrives, and compared with its
/// length and digests; at the end all rows are compared, and what there is is counted on both sides.
/// Run again, it goes on where it was interrupted; until it is through, nothing opens the new store.
/// The new store has the same master key, users, tokens, files and ids; the old one stays as it is.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    bindery migrate --to-database postgres://bindery@db.example/bindery --to-blobs s3://bucket/prefix\n  \
    bindery migrate --database-url postgres://… --blobs s3://… --to-data /srv/bindery")]
pub(crate) struct Args {
    /// The database that the catalog goes to [default: SQLite in --to-data]
    #[arg(long, value_name = "URL", required_unless_present = "to_data")]
    to_database: Option<String>,
    /// Where the objects go, as for --blobs [default: --to-data]
    #[arg(long, value_name = "URL", required_unless_present = "to_data")]
    to_blobs: Option<String>,
    /// The directory that takes what goes nowhere else
    #[arg(long, value_name = "DIR")]
    to_data: Option<PathBuf>,
}

/// Migrates the store.
pub(crate) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let from = config.location();
    let to = Location {
        data: args.to_data.clone().unwrap_or_else(|| from.data.clone()),
        key_file: Some(from.key_file()),
        blobs: args.to_blobs,
        database: args.to_database.map(|url| config.database_at(url)),
        ..from.clone()
    };
    let _idle = lock(&from.data)?;
    let _new = args.to_data.as_deref().map(lock).transpose()?;
    let source = open(config).await?;
    let bar = progress_bar();
    let progress = |seen: Checked, of: Checked| {
        bar.set_length(of.bytes);
        bar.set_position(seen.bytes);
    };
    let migration = source.migrate(&to, progress).await?;
    bar.finish_and_clear();
    report(&migration)?;
    let key = std::path::absolute(from.key_file()).unwrap_or_else(|_| from.key_file());
    say(format_args!("The master key is still {}: serve the new store with it.", key.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn report(migration: &Migration) -> Result<(), Failure> {
    let title = ["", "here", "there"].map(str::to_owned);
    let line = |copied: &bindery_core::Copied| {
        [copied.what.replace('_', " "), copied.from.to_string(), copied.to.to_string()]
    };
    let rows: Vec<_> = std::iter::once(title).chain(migration.counts.iter().map(line)).collect();
    say(table(&rows))?;
    let copied = count(migration.contents, "content");
    say(format_args!("{copied} copied in this run; both sides are equal."))
}

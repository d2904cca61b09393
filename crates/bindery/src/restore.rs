//! `bindery restore`: a backup becomes a store again.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{count, minute, printable, say};
use crate::serve::lock;
use crate::verify::progress_bar;
use bindery_core::{Checked, Clock, Drive};
use std::path::PathBuf;
use std::process::ExitCode;

/// Restore a backup into an empty --data directory.
///
/// The key file of the time of the backup, or a later one that still has its keys, goes there first as master.key, or is
/// named with --master-key-file. Every content is opened where it arrives; what is damaged in the backup is named, and
/// then nothing opens the store. Run again, it goes on where it was interrupted.
///
/// For a store on PostgreSQL or with a bucket, restore into a directory and `bindery migrate` from there.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    bindery restore /mnt/backup/bindery --data /srv/bindery --master-key-file /root/master.key\n  \
    bindery restore /mnt/backup/bindery --data /srv/bindery --backup 20261124T213600.123456-1f00c0de")]
pub(crate) struct Args {
    /// The directory of the backups
    target: PathBuf,
    /// Which backup [default: the latest]
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
    /// Restore all but what is damaged, which `bindery verify` then names
    #[arg(long)]
    accept_damage: bool,
}

/// `bindery restore`.
pub(crate) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let location = config.location();
    let _new = lock(&location.data)?;
    let bar = progress_bar();
    let progress = |seen: Checked, of: Checked| {
        bar.set_length(of.bytes);
        bar.set_position(seen.bytes);
    };
    let wanted = args.backup.as_deref();
    let restored = Drive::restore_backup(
        &args.target,
        wanted,
        &location,
        Clock::System,
        args.accept_damage,
        progress,
    )
    .await?;
    bar.finish_and_clear();
    for damaged in &restored.damaged {
        say(format_args!("damaged: {}", printable(damaged)))?;
    }
    let damaged = restored.damaged.len() as u64;
    if damaged > 0 && !args.accept_damage {
        return Err(Failure::Failed(format!(
            "the backup {} is damaged ({}), and is not restored: mend it and run this again, or restore the rest \
             with --accept-damage",
            restored.id,
            count(damaged, "content"),
        )));
    }
    say(format_args!(
        "Restored {}, made {} UTC: {}, {damaged} damaged.",
        restored.id,
        minute(restored.at),
        count(restored.holds.versions, "version"),
    ))?;
    Ok(ExitCode::SUCCESS)
}

//! `bindery backup`: a copy of the store that can be restored, made beside a running server.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{count, minute, say, table};
use crate::serve::open;
use crate::verify::progress_bar;
use bindery_core::{Backup, Checked, Drive};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Back the store up into a directory, while it is served: all that was acknowledged before.
///
/// The first backup copies everything; later ones into the same directory copy what is new, and each can be restored
/// by itself. Contents are copied as they are sealed and opened where they arrive; the copy of the catalog is sealed,
/// too. The master key is not in it: keep that in another place. Killed, it leaves none, unless all
/// was written, and the next one goes on with what is there.
///
/// A damaged content is named, and then there is no backup.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    bindery backup /mnt/backup/bindery\n  \
    bindery backup --list\n  \
    bindery backup --forget 20261124T213600.123456-1f00c0de         # removes it, and what only it needs\n  \
    bindery backup --forget 20261124T213600.123456-1f00c0de --destroyed  # its directory is gone already")]
pub(crate) struct Args {
    /// The directory: a new or empty one, or one with earlier backups of this store
    #[arg(required_unless_present_any = ["list", "forget"], conflicts_with_all = ["list", "forget"])]
    target: Option<PathBuf>,
    /// List the backups that were made, and the master keys that each of them needs
    #[arg(long, conflicts_with = "forget")]
    list: bool,
    /// Remove a backup
    #[arg(long, value_name = "ID")]
    forget: Option<String>,
    /// With --forget: the backup was destroyed already, and is only to be forgotten
    #[arg(long, requires = "forget")]
    destroyed: bool,
}

/// `bindery backup`.
pub(crate) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let drive = open(config).await?;
    if let Some(id) = &args.forget {
        drive.forget_backup(id, args.destroyed).await?;
        say(format_args!("Forgot {id}."))?;
    } else if let Some(target) = &args.target {
        back_up(&drive, target).await?;
    } else {
        say(list(&drive.backups().await?))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn back_up(drive: &Drive, target: &Path) -> Result<(), Failure> {
    let bar = progress_bar();
    let progress = |seen: Checked, of: Checked| {
        bar.set_length(of.bytes);
        bar.set_position(seen.bytes);
    };
    let made = drive.backup(target, progress).await?;
    bar.finish_and_clear();
    say(format_args!(
        "Backup {}: {}, {} copied in this run. To read it takes master key {}.",
        made.id,
        count(made.holds.versions, "version"),
        count(made.copied, "stored content"),
        made.master_keys.join(" and "),
    ))
}

fn list(backups: &[Backup]) -> String {
    let titles = ["id", "made (UTC)", "master keys", "directory"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(backups.iter().map(|backup| {
        let keys = if backup.is_complete() {
            backup.master_keys.join(" ")
        } else {
            "(not completed)".into()
        };
        [backup.id.clone(), minute(backup.at), keys, backup.target.clone()]
    }));
    table(&rows)
}

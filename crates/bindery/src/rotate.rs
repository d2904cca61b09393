//! `bindery rotate-key`: another master key, and the end of the old one.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{count, minute, say};
use crate::serve::open;
use bindery_core::{Drive, OldKey};
use indicatif::ProgressBar;
use std::process::ExitCode;

/// Change the master key while the store is served.
///
/// A new key is added to the key file, and every file's key is wrapped under it; contents stay as they are. Keep a copy of
/// the key file as it is then. Killed, it has done no harm, and run again goes on.
///
/// The old key stays in the file for as long as the store or a backup needs it, which this tells at its end. Taken out by
/// --retire, and destroyed wherever else it is kept, it makes the deletion of all final that was purged before: in old
/// backups, and in what a disk may still hold.
///
/// Where several nodes serve the store, run it with --prepare first, give the key file to all of them, and then run
/// it without.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    bindery rotate-key\n  \
    bindery rotate-key --prepare          # for several nodes: the key, and nothing else yet\n  \
    bindery rotate-key --status           # which keys are still needed, and by what\n  \
    bindery rotate-key --retire 0a1b2c3d")]
#[group(multiple = false)]
pub(crate) struct Args {
    /// Only add the new key to the key file
    #[arg(long)]
    prepare: bool,
    /// Change nothing: tell what still needs the old keys
    #[arg(long)]
    status: bool,
    /// Take an old key, which nothing needs any more, out of the key file
    #[arg(long, value_name = "KEY")]
    retire: Option<String>,
}

/// `bindery rotate-key`.
pub(crate) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let drive = open(config).await?;
    let key_file = config.location().key_file();
    let key_file = std::path::absolute(&key_file).unwrap_or(key_file);
    if args.prepare {
        let prepared = drive.prepare_key().await?;
        say(format_args!(
            "Master key {prepared} is in {}, and wraps nothing yet: give the file to every node, keep a copy of it, \
             and run `bindery rotate-key`.",
            key_file.display()
        ))?;
    } else if let Some(old) = &args.retire {
        drive.retire_key(old).await?;
        say(format_args!(
            "Master key {old} is no longer in {}. Destroy every other copy of it: then what was purged before the \
             rotation can never be opened again.",
            key_file.display()
        ))?;
    } else if args.status {
        tell(&drive.old_keys().await?)?;
    } else {
        return rotate(&drive).await;
    }
    Ok(ExitCode::SUCCESS)
}

async fn rotate(drive: &Drive) -> Result<ExitCode, Failure> {
    let bar = ProgressBar::new_spinner();
    let rotated = drive.rotate_key(|seen| bar.set_position(seen)).await?;
    bar.finish_and_clear();
    say(format_args!(
        "Master key {} wraps now; {} wrapped anew in this run.",
        rotated.active,
        count(rotated.rewrapped, "key"),
    ))?;
    for damaged in &rotated.damaged {
        say(format_args!("damaged: {damaged}"))?;
    }
    tell(&drive.old_keys().await?)?;
    Ok(ExitCode::from(u8::from(!rotated.damaged.is_empty())))
}

/// What still needs the old keys, and what to do next.
fn tell(old: &[OldKey]) -> Result<(), Failure> {
    for OldKey { id, in_use, backups } in old {
        if *in_use {
            say(format_args!(
                "Master key {id}: still needed by the store; run `bindery rotate-key` to its end."
            ))?;
        } else if backups.is_empty() {
            say(format_args!(
                "Master key {id}: nothing needs it; `bindery rotate-key --retire {id}` makes final what was purged."
            ))?;
        } else {
            say(format_args!(
                "Master key {id}: still needed by these backups. What was purged since can be opened with it and them, \
                 until they are gone (`bindery backup --forget ID`):"
            ))?;
            for backup in backups {
                let made = minute(backup.at);
                say(format_args!("  {}  {made}  {}", backup.id, backup.target))?;
            }
        }
    }
    if old.is_empty() {
        say("There is no old master key.")?;
    }
    Ok(())
}

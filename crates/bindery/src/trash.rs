//! `bindery trash`: what was deleted and can still come back.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{count, minute, say, table};
use crate::serve::open;
use bindery_core::{Drive, Error, Trashed};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what is in the trash, the oldest first.
    ///
    /// A folder is one row: what was in it went with it, and comes back with it.
    #[command(after_help = "Examples:\n  bindery trash list\n  bindery trash list jane")]
    List {
        /// Only what belongs to this user
        login: Option<String>,
    },
    /// Put a file or folder back where it was.
    ///
    /// If its folder is gone, it comes back to its owner's My Files; if its name is taken there, it
    /// gets a number.
    #[command(after_help = "Example:\n  bindery trash restore 12")]
    Restore {
        /// Its id, as listed
        id: i64,
    },
    /// Remove a file or folder from the trash for good. Asks nothing, and cannot be undone.
    ///
    /// Its stored objects go with the next sweep, which a running server does each minute.
    #[command(after_help = "Examples:\n  \
        bindery trash purge 12\n  \
        bindery trash purge --all jane      # all that jane deleted\n  \
        bindery trash purge --all           # all that anyone deleted")]
    Purge {
        /// Its id, as listed
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<i64>,
        /// Everything in the trash, or everything of one user's
        #[arg(long, value_name = "LOGIN", num_args = 0..=1)]
        all: Option<Option<String>>,
    },
}

/// `bindery trash`.
pub(crate) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    let drive = open(config).await?;
    match command {
        Command::List { login } => say(list(&find(&drive, login.as_deref()).await?))?,
        Command::Restore { id } => {
            drive.restore_node(id).await.map_err(unless_there(id))?;
            say(format_args!("Restored {id}."))?;
        }
        Command::Purge { id: Some(id), .. } => {
            drive.purge_node(id).await.map_err(unless_there(id))?;
            say(format_args!("Purged {id}."))?;
        }
        Command::Purge { id: None, all } => {
            let purged = purge_all(&drive, all.flatten().as_deref()).await?;
            say(format_args!("Purged {}.", count(purged, "item")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(drive: &Drive, login: Option<&str>) -> Result<Vec<Trashed>, Failure> {
    let user = format!("user {}", login.unwrap_or_default());
    drive.trash_list(login).await.map_err(Failure::unless_found(user))
}

async fn purge_all(drive: &Drive, login: Option<&str>) -> Result<u64, Failure> {
    let mut purged = 0;
    for trashed in find(drive, login).await? {
        match drive.purge_node(trashed.id).await {
            Ok(()) => purged += 1,
            // It was restored, or swept, since it was listed.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(purged)
}

fn unless_there(id: i64) -> impl FnOnce(Error) -> Failure {
    Failure::unless_found(format!("{id} in the trash"))
}

fn list(trashed: &[Trashed]) -> String {
    let titles = ["id", "kind", "name", "owner", "deleted (UTC)"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(trashed.iter().map(|trashed| {
        [
            trashed.id.to_string(),
            if trashed.file { "file" } else { "folder" }.into(),
            trashed.name.clone(),
            trashed.owner.clone(),
            minute(trashed.at),
        ]
    }));
    table(&rows)
}

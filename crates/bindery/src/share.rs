//! `bindery share`: who gave whom what.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{minute, say, table};
use crate::serve::open;
use bindery_core::{Recipient, Role, Share, ShareId, SharedNode, User, UserId};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List shares: who gave whom which right on what, and until when.
    ///
    /// A link is listed without its secret.
    #[command(after_help = "Examples:\n  bindery share list\n  bindery share list jane")]
    List {
        /// Only those that this user gave or has
        login: Option<String>,
    },
    /// End a share and what was shared on by it, at once, in a running server too.
    #[command(after_help = "Example:\n  bindery share revoke 7")]
    Revoke {
        /// The share's id, as listed
        id: i64,
    },
}

/// `bindery share`.
pub(crate) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    let drive = open(config).await?;
    match command {
        Command::List { login } => {
            let user = format!("user {}", login.as_deref().unwrap_or_default());
            let shares = drive.all_shares(login.as_deref()).await;
            say(list(&shares.map_err(Failure::unless_found(user))?, &drive.users().await?))?;
        }
        Command::Revoke { id } => {
            let revoked = drive.revoke_share(ShareId(id)).await;
            revoked.map_err(Failure::unless_found(format_args!("share {id}")))?;
            say(format_args!("Revoked share {id}."))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(shares: &[Share], users: &[User]) -> String {
    let login = |id: UserId| {
        let user = users.iter().find(|user| user.id == id);
        user.map_or_else(|| id.to_string(), |user| user.login.clone())
    };
    let titles = ["id", "kind", "name", "from", "to", "right", "created (UTC)", "expires"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(shares.iter().map(|share| {
        [
            share.id.to_string(),
            match share.node {
                SharedNode::File(..) => "file".into(),
                SharedNode::Folder(_) => "folder".into(),
            },
            share.name.clone(),
            login(share.sharer),
            match &share.recipient {
                Recipient::User { id, .. } => login(*id),
                Recipient::External { email, .. } => email.clone(),
                Recipient::Everyone => "(everyone)".into(),
                Recipient::Link => "(link)".into(),
            },
            match share.role {
                Role::Viewer => "view".into(),
                Role::Editor => "edit".into(),
                Role::Contributor => "contribute".into(),
            },
            minute(share.created),
            share.expires.map_or_else(|| "never".into(), minute),
        ]
    }));
    table(&rows)
}

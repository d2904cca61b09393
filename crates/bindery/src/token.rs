//! `bindery token`: the secrets that clients sign in with.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{minute, say, table};
use crate::serve::open;
use bindery_core::{Token, TokenId};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token for a user, and print it.
    ///
    /// Only its hash is stored: this is the one time that it is shown. Clients send it as
    /// `Authorization: Token …`.
    #[command(after_help = "Example:\n  \
        TOKEN=$(bindery token create jane --label laptop --expires 90)")]
    Create {
        /// Whose token it is
        login: String,
        /// What to call it in lists
        #[arg(long, value_name = "L", default_value = "", hide_default_value = true)]
        label: String,
        /// Days until it ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        expires: Option<u32>,
    },
    /// List a user's tokens, without their secrets.
    #[command(after_help = "Example:\n  bindery token list jane")]
    List {
        /// Whose tokens
        login: String,
    },
    /// End a token, at once, in a running server too.
    #[command(after_help = "Example:\n  bindery token revoke 3")]
    Revoke {
        /// The token's id, as listed
        id: i64,
    },
}

/// `bindery token`.
pub(crate) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    let drive = open(config).await?;
    match command {
        Command::Create { login, label, expires } => {
            let made = drive.create_token(&login, &label, expires).await;
            say(made.map_err(Failure::unless_found(format_args!("user {login}")))?.secret)?;
        }
        Command::List { login } => {
            let tokens = drive.tokens(&login).await;
            say(list(&tokens.map_err(Failure::unless_found(format_args!("user {login}")))?))?;
        }
        Command::Revoke { id } => {
            let revoked = drive.revoke_token(TokenId(id)).await;
            revoked.map_err(Failure::unless_found(format_args!("token {id}")))?;
            say(format_args!("Revoked token {id}."))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(tokens: &[Token]) -> String {
    let titles = ["id", "label", "created (UTC)", "expires", "last used"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(tokens.iter().map(|token| {
        [
            token.id.to_string(),
            token.label.clone(),
            minute(token.created),
            token.expires.map_or_else(|| "never".into(), minute),
            token.last_used.map_or_else(|| "never".into(), minute),
        ]
    }));
    table(&rows)
}

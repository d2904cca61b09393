//! `bindery user`: who may sign in.

use crate::config::Config;
use crate::failure::Failure;
use crate::output::{count, parse_size, say, size, table};
use crate::serve::{open, open_or_make};
use bindery_core::{Drive, NewUser, User};
use clap::Subcommand;
use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::process::ExitCode;

/// Longer lines are no passwords.
const PASSWORD_MAX: u64 = 4096;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a user. In a directory without a store, make the store too.
    #[command(after_help = "Examples:\n  \
        bindery user add jane --email jane@example.org --name 'Jane Roe'\n  \
        pass show bindery/jane | bindery user add jane --email jane@example.org --password-stdin")]
    Add {
        /// The name to sign in with
        login: String,
        /// The e-mail, by which others share with this user
        #[arg(long, value_name = "E")]
        email: String,
        /// The name to show [default: the login]
        #[arg(long, value_name = "N", default_value = "", hide_default_value = true)]
        name: String,
        /// May administer
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give a user another password.
    #[command(after_help = "Example:\n  bindery user passwd jane")]
    Passwd {
        /// Whose password
        login: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Limit how many bytes a user's files may take and how many there may be, or say what there is.
    ///
    /// Files in the trash and former versions do not count. A quota below what is there already
    /// removes nothing: it lets nothing more in.
    #[command(after_help = "Examples:\n  \
        bindery user quota jane 20GiB\n  \
        bindery user quota jane none       # no limit, as at first\n  \
        bindery user quota jane --files 10000\n  \
        bindery user quota jane            # what is in use, and the quotas")]
    Quota {
        /// Whose files
        login: String,
        /// Bytes, perhaps with KiB, MiB or GiB behind the number; or none
        #[arg(value_name = "BYTES|none", value_parser = quota)]
        quota: Option<Quota>,
        /// How many files; or none
        #[arg(long, value_name = "N|none", value_parser = quota)]
        files: Option<Quota>,
    },
    /// List all users.
    #[command(after_help = "Example:\n  bindery user list")]
    List,
    /// Let a user do nothing any more; files, shares and tokens stay.
    #[command(after_help = "Example:\n  bindery user disable jane")]
    Disable {
        /// Who
        login: String,
    },
    /// Undo `disable`.
    #[command(after_help = "Example:\n  bindery user enable jane")]
    Enable {
        /// Who
        login: String,
    },
}

/// How many bytes or files a user may have; `None` is any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota(Option<u64>);

#[derive(clap::Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

/// `bindery user`.
pub(crate) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Add { login, email, name, admin, password } => {
            let user = NewUser { password: password.read()?, login, email, name, admin };
            let user = open_or_make(config).await?.add_user(user).await?;
            say(format_args!("Added user {}.", user.login))?;
        }
        Command::Passwd { login, password } => {
            let drive = open(config).await?;
            let user = find(&drive, &login).await?;
            drive.set_password(&user.login, password.read()?).await?;
            say(format_args!("Changed the password of {}.", user.login))?;
        }
        Command::Quota { login, quota, files } => {
            let drive = open(config).await?;
            let login = find(&drive, &login).await?.login;
            if let Some(Quota(bytes)) = quota {
                drive.set_quota(&login, bytes).await?;
            }
            if let Some(Quota(files)) = files {
                drive.set_file_quota(&login, files).await?;
            }
            let account = drive.account_of(&login).await?;
            let used = count(account.bytes, "byte");
            say(match account.quota {
                Some(quota) => format!("{login} uses {used} of {}.", size(quota)),
                None => format!("{login} uses {used}, without a quota."),
            })?;
            let files = count(account.files, "file");
            say(match account.file_quota {
                Some(quota) => format!("{login} has {files} of {quota}."),
                None => format!("{login} has {files}, without a quota."),
            })?;
        }
        Command::List => say(list(&open(config).await?.users().await?))?,
        Command::Disable { login } => set_disabled(config, &login, true).await?,
        Command::Enable { login } => set_disabled(config, &login, false).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set_disabled(config: &Config, login: &str, disabled: bool) -> Result<(), Failure> {
    let drive = open(config).await?;
    let user = find(&drive, login).await?;
    drive.set_disabled(&user.login, disabled).await?;
    let done = if disabled { "Disabled" } else { "Enabled" };
    say(format_args!("{done} user {}.", user.login))
}

async fn find(drive: &Drive, login: &str) -> Result<User, Failure> {
    let found = drive.user(login).await;
    found.map_err(Failure::unless_found(format_args!("user {login}")))
}

fn list(users: &[User]) -> String {
    let yes = |yes: bool| if yes { "yes" } else { "" }.to_owned();
    let titles = ["login", "e-mail", "name", "admin", "disabled"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(users.iter().map(|user| {
        [
            user.login.clone(),
            user.email.clone(),
            user.name.clone(),
            yes(user.admin),
            yes(user.disabled),
        ]
    }));
    table(&rows)
}

fn quota(text: &str) -> Result<Quota, &'static str> {
    const WRONG: &str = "a quota is a number of bytes, such as 1000000 or 20GiB, or none";
    if text == "none" {
        return Ok(Quota(None));
    }
    parse_size(text).map(|bytes| Quota(Some(bytes))).ok_or(WRONG)
}

impl PasswordArgs {
    fn read(&self) -> Result<String, Failure> {
        let stdin = std::io::stdin();
        let unread = "cannot read the password";
        let password = if self.password_stdin {
            let mut line = String::new();
            let mut input = stdin.lock().take(PASSWORD_MAX);
            input.read_line(&mut line).map_err(Failure::because(unread))?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        } else if stdin.is_terminal() {
            let ask = |prompt| rpassword::prompt_password(prompt).map_err(Failure::because(unread));
            let password = ask("Password: ")?;
            if ask("Once more: ")? != password {
                return Err(Failure::Failed("the two passwords differ".into()));
            }
            password
        } else {
            return Err(Failure::Usage(
                "there is no terminal to ask for the password: give it with --password-stdin"
                    .into(),
            ));
        };
        if password.is_empty() {
            return Err(Failure::Failed("the password is empty".into()));
        }
        Ok(password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_bytes() {
        for (text, bytes) in [
            ("none", Some(None)),
            ("0", Some(Some(0))),
            ("1000000", Some(Some(1_000_000))),
            ("1KiB", Some(Some(1 << 10))),
            ("5MiB", Some(Some(5 << 20))),
            ("20GiB", Some(Some(20 << 30))),
            ("9223372036854775807", Some(Some(i64::MAX as u64))),
            ("9223372036854775808", None),
            ("8589934592GiB", None),
            ("99999999999999999999999", None),
            ("", None),
            ("GiB", None),
            ("+1", None),
            ("-1", None),
            ("1.5GiB", None),
            ("1 GiB", None),
            ("1GB", None),
            ("unlimited", None),
        ] {
            assert_eq!(quota(text).ok(), bytes.map(Quota), "{text}");
        }
    }
}

//! The `bindery` command: what it takes, and which module does it. Exit codes: 0 done, 1 failed, 2
//! wrong usage. Errors are one sentence on standard error.

mod audit;
mod backup;
mod config;
mod failure;
mod migrate;
mod newfile;
mod objects;
mod output;
mod restore;
mod rotate;
mod serve;
mod share;
mod sweep;
mod token;
mod trash;
mod user;
mod verify;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use config::{Config, Place};
use failure::Failure;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Threads that wait for disks and hash; without a bound a burst leaves hundreds behind.
const BLOCKING_THREADS: usize = 16;

/// Bindery keeps files in one encrypted, versioned store, and serves it over HTTP.
///
/// Start with `bindery serve`: on an empty directory it makes the store, a master key and the user
/// `admin`, and prints how to try it. All other commands but `restore` and `migrate` run beside a running server.
///
/// Settings come from flags, else from the environment (BINDERY_…), else from the file given with
/// --config, else from the defaults.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Box<config::ServeArgs>),
    /// Make and change users.
    #[command(subcommand)]
    User(user::Command),
    /// Make, list and revoke the tokens that clients sign in with.
    #[command(subcommand)]
    Token(token::Command),
    /// List and revoke shares.
    #[command(subcommand)]
    Share(share::Command),
    /// List what was deleted, and restore or purge it.
    #[command(subcommand)]
    Trash(trash::Command),
    /// Hand out and verify the log of what was done.
    #[command(subcommand)]
    Audit(audit::Command),
    Verify(verify::Args),
    Sweep(sweep::Args),
    Migrate(migrate::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    RotateKey(rotate::Args),
    Objects(objects::ObjectsArgs),
    Decrypt(objects::DecryptArgs),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  \
        bindery completions bash > ~/.local/share/bash-completion/completions/bindery")]
    Completions {
        /// Which shell the script is for.
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(failure) => {
            // Standard error may be closed, and then there is no one to tell.
            let _ = writeln!(std::io::stderr(), "bindery: {failure}");
            failure.exit_code()
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode, Failure> {
    start_log(&cli.command)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(Failure::because("cannot start"))?;
    let result = runtime.block_on(run(cli));
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Decrypt(args) => return objects::decrypt(&args),
        Command::Completions { shell } => return completions(shell),
        _ => {}
    }
    let config = Config::load(cli.place)?;
    match cli.command {
        Command::Serve(args) => serve::run(&config, *args).await,
        Command::User(command) => user::run(&config, command).await,
        Command::Token(command) => token::run(&config, command).await,
        Command::Share(command) => share::run(&config, command).await,
        Command::Trash(command) => trash::run(&config, command).await,
        Command::Audit(command) => audit::run(&config, command).await,
        Command::Verify(args) => verify::run(&config, &args).await,
        Command::Sweep(args) => sweep::run(&config, &args).await,
        Command::Migrate(args) => migrate::run(&config, args).await,
        Command::Backup(args) => backup::run(&config, args).await,
        Command::Restore(args) => restore::run(&config, args).await,
        Command::RotateKey(args) => rotate::run(&config, args).await,
        Command::Objects(args) => objects::objects(&config, &args).await,
        Command::Decrypt(_) | Command::Completions { .. } => unreachable!("both returned above"),
    }
}

fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bindery", &mut script);
    output::say(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// The log goes to standard error. `serve` tells what it does, a command only what goes wrong.
fn start_log(command: &Command) -> Result<(), Failure> {
    let default = match command {
        Command::Serve(_) => "info",
        _ => "warn",
    };
    let wanted = std::env::var("BINDERY_LOG").unwrap_or_else(|_| default.into());
    let filter = EnvFilter::try_new(wanted)
        .map_err(|error| Failure::Usage(format!("BINDERY_LOG is not a log filter: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Its own complaints about a closed standard error would end the process.
        .log_internal_errors(false)
        .init();
    Ok(())
}

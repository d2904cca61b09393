//! Settings: a flag, else its `BINDERY_…` variable, else the TOML file, else the default. Each
//! setting is named once more in the file's form, [`File`]; nothing else reads any of the three.

use crate::failure::Failure;
use crate::output::parse_size;
use bindery_core::{Database, Limits, Location, Rate, SweepSettings};
use bindery_server::app;
use clap::Args;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

const DATA: &str = "./bindery-data";
const LISTEN: &str = "127.0.0.1:8080";

/// Where the store is: every command takes these.
#[derive(Args)]
pub(crate) struct Place {
    /// The data directory: catalog.db, objects/ and, unless it is elsewhere, master.key
    /// [default: ./bindery-data]
    #[arg(long, global = true, value_name = "DIR", env = "BINDERY_DATA")]
    #[arg(hide_env_values = true, help_heading = "Where the store is")]
    data: Option<PathBuf>,
    /// A TOML file with settings: the long flags' names, with _ for -
    #[arg(long, global = true, value_name = "FILE", env = "BINDERY_CONFIG")]
    #[arg(hide_env_values = true, help_heading = "Where the store is")]
    config: Option<PathBuf>,
    /// The master key's file, if it is not master.key in the data directory
    #[arg(long, global = true, value_name = "FILE", env = "BINDERY_MASTER_KEY_FILE")]
    #[arg(hide_env_values = true, help_heading = "Where the store is")]
    master_key_file: Option<PathBuf>,
    /// A store for contents: s3://BUCKET/PREFIX, gs://… or az://…, with credentials, region and
    /// endpoint from AWS_…, GOOGLE_… or AZURE_… variables [default: the data directory]
    #[arg(long, global = true, value_name = "URL", env = "BINDERY_BLOBS")]
    #[arg(hide_env_values = true, help_heading = "Where the store is")]
    blobs: Option<String>,
    /// A PostgreSQL database for the catalog, postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=…
    /// [default: SQLite in the data directory]
    #[arg(long, global = true, value_name = "URL", env = "BINDERY_DATABASE_URL")]
    #[arg(hide_env_values = true, help_heading = "Where the store is")]
    database_url: Option<String>,
    /// Connections to that database that this process opens at most [default: 10]
    #[arg(long, global = true, value_name = "N", env = "BINDERY_DATABASE_CONNECTIONS")]
    #[arg(hide_env_values = true, help_heading = "Where the store is")]
    #[arg(value_parser = clap::value_parser!(u16).range(2..))]
    database_connections: Option<u16>,
    /// Seconds that a statement on that database may take; 0 is without end [default: 30]
    #[arg(long, global = true, value_name = "SECONDS", env = "BINDERY_DATABASE_STATEMENT_SECONDS")]
    #[arg(hide_env_values = true, help_heading = "Where the store is")]
    database_statement_seconds: Option<u32>,
    /// Use that database although it answers before a commit is durable (synchronous_commit weaker
    /// than on): what was acknowledged may be lost
    #[arg(long, global = true, env = "BINDERY_DATABASE_ACCEPT_LOSS", hide_env_values = true)]
    #[arg(help_heading = "Where the store is")]
    database_accept_loss: bool,
}

/// Serve the store over HTTP until SIGINT or SIGTERM.
///
/// On a directory that holds neither a catalog nor a master key, whatever else lies there, it makes
/// both, and the user `admin`, whose password and first token it prints this once.
///
/// When it is told to stop, it accepts no more and gives running requests 30 seconds; told again, it
/// stops at once. The log goes to standard error; BINDERY_LOG sets how much (error, warn, info,
/// debug, or a filter such as `info,bindery_server=debug`).
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bindery serve\n  \
    bindery serve --data /srv/bindery --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem\n  \
    bindery serve --listen 127.0.0.1:0 --tls-self-signed      # any free port; try it with curl -k")]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT", env = "BINDERY_LISTEN", value_parser = address)]
    #[arg(hide_env_values = true)]
    listen: Option<SocketAddr>,
    /// Scheme and host of the links in answers, if a proxy stands before this server
    /// [default: those of the request]
    #[arg(long, value_name = "URL", env = "BINDERY_PUBLIC_URL", value_parser = public_url)]
    #[arg(hide_env_values = true)]
    public_url: Option<String>,
    /// Proxies whose X-Forwarded-Proto and X-Forwarded-Host are believed, separated by commas
    #[arg(long, value_name = "IP", env = "BINDERY_TRUSTED_PROXIES", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    trusted_proxies: Option<Vec<IpAddr>>,
    /// The TLS certificate and its chain, PEM
    #[arg(long, value_name = "FILE", env = "BINDERY_TLS_CERT", hide_env_values = true)]
    tls_cert: Option<PathBuf>,
    /// The TLS certificate's private key, PEM
    #[arg(long, value_name = "FILE", env = "BINDERY_TLS_KEY", hide_env_values = true)]
    tls_key: Option<PathBuf>,
    /// The largest file that is taken: bytes, perhaps with KiB, MiB or GiB behind the number
    /// [default: no limit]
    #[arg(long, value_name = "SIZE", env = "BINDERY_MAX_FILE_SIZE", value_parser = file_size)]
    #[arg(hide_env_values = true)]
    max_file_size: Option<u64>,
    /// Uploads and downloads that run at the same time [default: no limit]
    #[arg(long, value_name = "N", env = "BINDERY_MAX_TRANSFERS", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    max_transfers: Option<u32>,
    /// How often one token may ask: requests per s, m, h or a number of seconds [default: no limit]
    #[arg(long, value_name = "N/PERIOD", env = "BINDERY_REQUESTS_PER_TOKEN", value_parser = rate)]
    #[arg(hide_env_values = true)]
    requests_per_token: Option<Rate>,
    /// How often one user may ask, by whatever credentials [default: no limit]
    #[arg(long, value_name = "N/PERIOD", env = "BINDERY_REQUESTS_PER_USER", value_parser = rate)]
    #[arg(hide_env_values = true)]
    requests_per_user: Option<Rate>,
    /// How often one address may ask, with credentials or without [default: no limit]
    #[arg(long, value_name = "N/PERIOD", env = "BINDERY_REQUESTS_PER_ADDRESS", value_parser = rate)]
    #[arg(hide_env_values = true)]
    requests_per_address: Option<Rate>,
    /// Hosts that requests may name, separated by commas; others are turned away [default: any]
    #[arg(long, value_name = "HOST", env = "BINDERY_ALLOWED_HOSTS", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    allowed_hosts: Option<Vec<String>>,
    /// Use TLS with a certificate made at each start, that no client knows: for a first try
    #[arg(long)]
    tls_self_signed: bool,
    #[command(flatten)]
    trash: TrashArgs,
}

/// How long deleted files are kept.
#[derive(Args)]
pub(crate) struct TrashArgs {
    /// Days that a deleted file stays in the trash before it is removed for good [default: 30]
    #[arg(long, value_name = "DAYS", env = "BINDERY_TRASH_DAYS", hide_env_values = true)]
    trash_days: Option<u32>,
}

/// The settings file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<String>,
    public_url: Option<String>,
    master_key_file: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    trusted_proxies: Option<Vec<IpAddr>>,
    blobs: Option<String>,
    database_url: Option<String>,
    database_connections: Option<u16>,
    database_statement_seconds: Option<u32>,
    database_accept_loss: Option<bool>,
    trash_days: Option<u32>,
    max_file_size: Option<String>,
    max_transfers: Option<u32>,
    requests_per_token: Option<String>,
    requests_per_user: Option<String>,
    requests_per_address: Option<String>,
    allowed_hosts: Option<Vec<String>>,
}

/// Where TLS comes from.
pub(crate) enum Tls {
    Off,
    Files { certificates: PathBuf, key: PathBuf },
    SelfSigned,
}

/// What `serve` needs to know.
pub(crate) struct ServeSettings {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Tls,
    pub(crate) sweep: SweepSettings,
    pub(crate) limits: Limits,
    pub(crate) app: app::Settings,
}

/// The settings that hold for any command, and the file for the rest.
pub(crate) struct Config {
    place: Place,
    file: File,
}

impl Config {
    /// Reads the settings file, if one is named.
    pub(crate) fn load(place: Place) -> Result<Self, Failure> {
        let file = match &place.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        Ok(Config { place, file })
    }

    /// Where the store is.
    pub(crate) fn location(&self) -> Location {
        let data = self.place.data.clone().or_else(|| self.file.data.clone());
        let key_file = self.place.master_key_file.clone();
        Location {
            key_file: key_file.or_else(|| self.file.master_key_file.clone()),
            blobs: self.place.blobs.clone().or_else(|| self.file.blobs.clone()),
            database: self.database(),
            ..Location::directory(data.unwrap_or_else(|| DATA.into()))
        }
    }

    fn database(&self) -> Option<Database> {
        let url = self.place.database_url.clone().or_else(|| self.file.database_url.clone())?;
        Some(self.database_at(url))
    }

    /// A database, with what is set for every one.
    pub(crate) fn database_at(&self, url: String) -> Database {
        let (place, file) = (&self.place, &self.file);
        let mut database = Database::new(url);
        if let Some(most) = place.database_connections.or(file.database_connections) {
            database.connections = most.into();
        }
        let seconds = place.database_statement_seconds.or(file.database_statement_seconds);
        if let Some(seconds) = seconds {
            database.statement_seconds = seconds.into();
        }
        database.accept_loss =
            place.database_accept_loss || file.database_accept_loss.unwrap_or(false);
        database
    }

    /// How a sweep is to be done.
    pub(crate) fn sweep(&self, args: &TrashArgs) -> SweepSettings {
        args.trash_days
            .or(self.file.trash_days)
            .map_or_else(SweepSettings::default, |trash_days| SweepSettings { trash_days })
    }

    /// What `serve` was told.
    pub(crate) fn serve(&self, args: ServeArgs) -> Result<ServeSettings, Failure> {
        let file = &self.file;
        let wrong = |why: String| Failure::Usage(format!("in the settings file: {why}"));
        let listen = match (args.listen, file.listen.as_deref()) {
            (Some(listen), _) => listen,
            (None, Some(text)) => address(text).map_err(wrong)?,
            (None, None) => address(LISTEN).map_err(Failure::Failed)?,
        };
        let public_url = match (args.public_url, file.public_url.as_deref()) {
            (None, Some(text)) => Some(public_url(text).map_err(wrong)?),
            (url, _) => url,
        };
        let max_file_size = match (args.max_file_size, file.max_file_size.as_deref()) {
            (None, Some(text)) => Some(file_size(text).map_err(wrong)?),
            (size, _) => size,
        };
        let limit = |given: Option<Rate>, text: Option<&str>| match (given, text) {
            (None, Some(text)) => rate(text).map(Some).map_err(wrong),
            (given, _) => Ok(given),
        };
        let limits = Limits {
            file_size: max_file_size,
            transfers: args.max_transfers.or(file.max_transfers).map(|most| most as usize),
            requests_per_token: limit(args.requests_per_token, file.requests_per_token.as_deref())?,
            requests_per_user: limit(args.requests_per_user, file.requests_per_user.as_deref())?,
            requests_per_address: limit(
                args.requests_per_address,
                file.requests_per_address.as_deref(),
            )?,
        };
        let proxies = args.trusted_proxies.or_else(|| file.trusted_proxies.clone());
        let certificates = args.tls_cert.or_else(|| file.tls_cert.clone());
        let key = args.tls_key.or_else(|| file.tls_key.clone());
        Ok(ServeSettings {
            listen,
            tls: tls(args.tls_self_signed, certificates, key)?,
            sweep: self.sweep(&args.trash),
            limits,
            app: app::Settings {
                public_url,
                trusted_proxies: proxies.unwrap_or_default(),
                allowed_hosts: args
                    .allowed_hosts
                    .or_else(|| file.allowed_hosts.clone())
                    .unwrap_or_default(),
                ..app::Settings::default()
            },
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: &dyn std::fmt::Display| {
            Failure::Usage(format!("the settings file {}: {why}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        toml::from_str(&text).map_err(|error| wrong(&error.to_string().trim_end()))
    }
}

fn tls(
    self_signed: bool,
    certificates: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Tls, Failure> {
    match (self_signed, certificates, key) {
        (false, None, None) => Ok(Tls::Off),
        (true, None, None) => Ok(Tls::SelfSigned),
        (false, Some(certificates), Some(key)) => Ok(Tls::Files { certificates, key }),
        (true, ..) => Err(Failure::Usage(
            "--tls-self-signed makes its own certificate: leave out --tls-cert and --tls-key"
                .into(),
        )),
        (false, ..) => Err(Failure::Usage(
            "TLS needs both --tls-cert and --tls-key, and only one of them is set".into(),
        )),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.ok_or_else(|| format!("{text} is not ADDR:PORT, such as {LISTEN}"))
}

fn file_size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| format!("{text} is not a size, such as 1000000 or 20GiB"))
}

/// Requests, a slash, and in what time: a second, a minute, an hour, or so many seconds.
fn rate(text: &str) -> Result<Rate, String> {
    let read = || {
        let (requests, period) = text.split_once('/')?;
        let seconds = match period {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            number => number.parse().ok()?,
        };
        let rate = Rate { requests: requests.parse().ok()?, seconds };
        (rate.requests > 0 && (1..=86_400).contains(&rate.seconds)).then_some(rate)
    };
    read().ok_or_else(|| format!("{text} is no rate, such as 7200/h, 100/s or 10/30"))
}

/// A scheme, a host, perhaps a port, and nothing behind it: links are made by appending a path.
fn public_url(text: &str) -> Result<String, String> {
    let url = text.strip_suffix('/').unwrap_or(text);
    let host =
        url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic() && !"/\\?#@\"<>".contains(c);
    if host.is_empty() || !host.chars().all(plain) {
        return Err(format!(
            "{text} is not a scheme and a host, such as https://files.example.org"
        ));
    }
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_requests_in_a_time() {
        for (text, read) in [
            ("7200/h", Some((7_200, 3_600))),
            ("100/s", Some((100, 1))),
            ("60/m", Some((60, 60))),
            ("10/30", Some((10, 30))),
            ("0/s", None),
            ("10/0", None),
            ("10/86401", None),
            ("10", None),
            ("-1/s", None),
            ("10/d", None),
            ("4294967296/s", None),
            ("", None),
        ] {
            let found = rate(text).ok().map(|rate| (rate.requests, rate.seconds));
            assert_eq!(found, read, "{text}");
        }
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for (text, url) in [
            ("https://files.example.org", Ok("https://files.example.org")),
            ("http://[::1]:8080/", Ok("http://[::1]:8080")),
            ("files.example.org", Err(())),
            ("ftp://files.example.org", Err(())),
            ("https://", Err(())),
            ("https://a/b", Err(())),
            ("https://a?b", Err(())),
            ("https://a b", Err(())),
        ] {
            let parsed = public_url(text);
            assert_eq!(parsed.as_deref().map_err(|_| ()), url, "{text}");
        }
    }
}

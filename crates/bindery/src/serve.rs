//! `bindery serve`, and how any command comes to a store: the lock, the first run, what is done each
//! minute and each second, and the end on a signal.

use crate::config::{Config, ServeArgs, ServeSettings, Tls};
use crate::failure::Failure;
use crate::output::say;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bindery_core::{Clock, Drive, Limits, Location, NewUser, SweepSettings, Swept};
use bindery_server::listener;
use bindery_server::{app, tls};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

const ADMIN: &str = "admin";
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const AUDIT_EVERY: Duration = Duration::from_secs(1);
const INDEX_EVERY: Duration = Duration::from_secs(1);

/// Opens the store of a directory that has one.
pub(crate) async fn open(config: &Config) -> Result<Drive, Failure> {
    let location = config.location();
    let data = location.data;
    if location.database.is_none() && !data.join("catalog.db").exists() {
        return Err(Failure::Failed(format!(
            "there is no store in {}: start `bindery serve` there first, or name another --data",
            data.display()
        )));
    }
    open_or_make(config).await
}

/// Opens a store, or makes one.
pub(crate) async fn open_or_make(config: &Config) -> Result<Drive, Failure> {
    open_limited(config, Limits::default()).await
}

async fn open_limited(config: &Config, limits: Limits) -> Result<Drive, Failure> {
    Ok(Drive::open_limited(&config.location(), Clock::System, limits).await?)
}

/// `bindery serve`.
pub(crate) async fn run(config: &Config, args: ServeArgs) -> Result<ExitCode, Failure> {
    let settings = config.serve(args)?;
    let location = config.location();
    let tls = tls_config(&settings)?;
    let lock = lock(&location.data)?;
    let drive = open_limited(config, settings.limits).await?;
    let (listener, url) = listen(&settings).await?;
    let stop = stop_on_signal().map_err(Failure::because("cannot listen for signals"))?;
    if !drive.has_users().await? {
        first_run(&drive, &location, &settings, &url).await?;
    }
    // A server is of use without anyone to read its first line.
    if let Err(error) = say(format_args!("Listening on {url}")) {
        tracing::warn!(%error, "listening on {url}");
    }
    let sweeper = tokio::spawn(sweep_each_minute(drive.clone(), settings.sweep));
    let indexer = tokio::spawn(index_each_second(drive.clone()));
    let (end_audit, ended) = oneshot::channel();
    let auditor = tokio::spawn(audit_each_second(drive.clone(), ended));
    let front_ends = app::FrontEnds::new(drive.clone(), settings.app);
    listener::serve(listener, front_ends, tls, listener::Limits::default(), stop).await;
    sweeper.abort();
    indexer.abort();
    // What it has in hand is nowhere else.
    drop(end_audit);
    if auditor.await.is_err() {
        tracing::error!("the end of the audit log may be lost");
    }
    drop(lock);
    tracing::info!("stopped");
    // Whoever starts it again must know that this end was not like others.
    drive.may_write()?;
    Ok(ExitCode::SUCCESS)
}

/// Held by the one `serve` or `migrate` of a directory; the system lets go of it however the process ends.
pub(crate) fn lock(data: &Path) -> Result<File, Failure> {
    let shown = data.display();
    make_directory(data)
        .map_err(Failure::because(format_args!("cannot make the data directory {shown}")))?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data.join("serve.lock"))
        .map_err(Failure::because(format_args!("cannot use the data directory {shown}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::Failed(format!("another `bindery serve` uses {shown}: stop it first")))
        }
        Err(TryLockError::Error(error)) => {
            Err(Failure::Failed(format!("cannot lock the data directory {shown}: {error}")))
        }
    }
}

/// Makes a directory for its owner alone, and the ones above it; all durable when it returns.
fn make_directory(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make_directory(parent)?;
    DirBuilder::new().mode(0o700).create(path)?;
    File::open(parent)?.sync_all()
}

fn tls_config(settings: &ServeSettings) -> Result<Option<Arc<tls::ServerConfig>>, Failure> {
    let made = match &settings.tls {
        Tls::Off => return Ok(None),
        Tls::Files { certificates, key } => tls::from_files(certificates, key)?,
        Tls::SelfSigned => {
            let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
            names.push(settings.listen.ip().to_string());
            tls::self_signed(names)?
        }
    };
    Ok(Some(Arc::new(made)))
}

async fn listen(settings: &ServeSettings) -> Result<(TcpListener, String), Failure> {
    let wanted = settings.listen;
    let listener = TcpListener::bind(wanted)
        .await
        .map_err(Failure::because(format_args!("cannot listen on {wanted}")))?;
    let address = listener
        .local_addr()
        .map_err(Failure::because(format_args!("cannot listen on {wanted}")))?;
    let scheme = match settings.tls {
        Tls::Off => "http",
        Tls::Files { .. } | Tls::SelfSigned => "https",
    };
    let behind_tls = |url: &String| url.starts_with("https:");
    if scheme == "http"
        && !address.ip().is_loopback()
        && !settings.app.public_url.as_ref().is_some_and(behind_tls)
    {
        tracing::warn!(
            "others can reach {address}, and without TLS passwords and tokens go there in the clear"
        );
    }
    Ok((listener, format!("{scheme}://{address}")))
}

/// Makes the first user, and prints what is needed to try the server.
async fn first_run(
    drive: &Drive,
    location: &Location,
    settings: &ServeSettings,
    url: &str,
) -> Result<(), Failure> {
    let password = random_password();
    let admin = NewUser {
        login: ADMIN.into(),
        email: "admin@localhost".into(),
        name: "Administrator".into(),
        password: password.clone(),
        admin: true,
    };
    drive.add_user(admin).await?;
    let token = drive.create_token(ADMIN, "first run", None).await?.secret;
    let curl = match (&settings.tls, &settings.app.public_url) {
        (Tls::SelfSigned, None) => "curl -k",
        _ => "curl",
    };
    let public_url = settings.app.public_url.as_deref();
    let base = public_url.map_or_else(|| reachable(url), str::to_owned);
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (data, key) = (absolute(&location.data), absolute(&location.key_file()));
    let (data, key) = (data.display(), key.display());
    let written = say(format_args!(
        "This is a new store, in {data}. Without its master key nothing in it can be read:\n\
         keep a copy of {key} in another place.\n\
         \n\
         The password and the token are shown this once.\n\
         \n\
         User: {ADMIN}\n\
         Password: {password}\n\
         Token: {token}\n\
         \n\
         Try it: send a file, and list it.\n\
         \n  \
         echo hello | {curl} -H 'Authorization: Token {token}' -F 'file=@-;filename=hello.txt' \
         {base}/api/v2/files/contents/\n  \
         {curl} -H 'Authorization: Token {token}' {base}/api/v2/files/\n"
    ));
    if let Err(error) = written {
        tracing::warn!(%error, "the password of {ADMIN} was not shown: set one by `bindery user passwd`");
    }
    Ok(())
}

/// 144 random bits, 24 characters.
fn random_password() -> String {
    let mut bytes = [0; 18];
    rand::fill(&mut bytes).expect("the operating system provides randomness");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A URL to listen on, as a URL to connect to: the address of no one in particular is here.
fn reachable(url: &str) -> String {
    let parts = url.split_once("://").map(|(scheme, address)| (scheme, address.parse()));
    let Some((scheme, Ok(mut address))) = parts else {
        return url.to_owned();
    };
    let address: &mut SocketAddr = &mut address;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("{scheme}://{address}")
}

async fn sweep_each_minute(drive: Drive, settings: SweepSettings) {
    let mut minute = tokio::time::interval(SWEEP_EVERY);
    minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        minute.tick().await;
        match drive.sweep(settings).await {
            Ok(swept) if swept == Swept::default() => {}
            Ok(swept) => tracing::info!(
                leases = swept.leases,
                purged = swept.purged,
                objects = swept.objects,
                digests = swept.digests,
                "swept"
            ),
            Err(error) => tracing::error!(%error, "the sweep failed and is tried again"),
        }
    }
}

/// And once more when it is told to end.
async fn audit_each_second(drive: Drive, mut end: oneshot::Receiver<()>) {
    let mut second = tokio::time::interval(AUDIT_EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut failing, mut over) = (false, false);
    while !over {
        over = tokio::select! {
            _ = second.tick() => false,
            _ = &mut end => true,
        };
        let kept = drive.keep_audit_log().await;
        if let Err(error) = &kept
            && !failing
        {
            tracing::error!(%error, "the audit log is not kept, which is tried again each second");
        }
        if kept.is_ok() && failing {
            tracing::info!("the audit log is kept again");
        }
        failing = kept.is_err();
    }
}

async fn index_each_second(drive: Drive) {
    let mut second = tokio::time::interval(INDEX_EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        second.tick().await;
        let indexed = drive.index_names().await;
        if let Err(error) = &indexed
            && !failing
        {
            tracing::error!(%error, "names are not indexed, which is tried again each second");
        }
        failing = indexed.is_err();
    }
}

/// Completes at the first SIGINT or SIGTERM; the second ends the process.
fn stop_on_signal() -> std::io::Result<impl Future<Output = ()>> {
    async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("stopping: running requests may end; a second signal cuts them");
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(1);
        });
    })
}

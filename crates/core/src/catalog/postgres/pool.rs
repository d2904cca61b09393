//! Connections to the server. One that is lost is replaced; while the server is away, a request waits
//! a little and then is told to come back.

use super::open::Database;
use crate::error::{Error, Result};
use deadpool_postgres::{Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Runtime};
use rustls::ClientConfig;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request looks a few rows up by their keys, whatever there is, which the planner cannot know: left to
/// itself it plans each list anew and, with fresh statistics of a middling store, reads whole tables.
/// Without `jit=off` it would take what it is told to avoid for work that is worth compiling.
const LOOK_UPS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
    -c enable_hashjoin=off -c enable_mergejoin=off -c random_page_cost=1.1 -c jit=off";

#[derive(Clone, Debug)]
pub(in crate::catalog) struct Pool {
    connections: deadpool_postgres::Pool,
    /// For how long it is asked what became of a commit.
    pub(super) settle: Duration,
}

impl Pool {
    /// Nothing is connected yet.
    pub(super) fn new(database: &Database) -> Result<Self> {
        let refuse = |why: &dyn std::fmt::Display| {
            Error::Refused(format!("the database URL cannot be used: {why}"))
        };
        let mut config: Config = database.url.parse().map_err(|error| refuse(&error))?;
        let limit = database.statement_seconds.saturating_mul(1000);
        let given = config.get_options().unwrap_or_default().to_owned();
        config.options(format!("{LOOK_UPS} {given} -c statement_timeout={limit}"));
        config.application_name("bindery");
        config.connect_timeout(PATIENCE);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls()?, recycling);
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(database.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| refuse(&error))?;
        Ok(Pool { connections, settle: Duration::from_secs(database.settle_seconds) })
    }

    pub(super) async fn get(&self) -> Result<Object> {
        self.connections.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Error::from(error),
            error => Error::Unavailable(error.into()),
        })
    }
}

/// Used where the URL's `sslmode` asks for it; the certificates that the system trusts are.
fn tls() -> Result<MakeRustlsConnect> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

//! Stores behind a URL: S3 and what speaks its protocol, Google Cloud Storage, Azure. Credentials, region
//! and endpoint come from the environment, as for each one's own tools.

use crate::error::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// The least that S3 takes as a part of several, in bytes; all but the last have this length.
pub(super) const PART_LEN: usize = 5 << 20;
/// Beside the part that is being filled: an upload holds two in memory.
pub(super) const PARTS_IN_FLIGHT: usize = 1;
/// What is asked for no longer: a part, or a few segments.
const REQUEST: &str = "30 seconds";
const CONNECT: &str = "5 seconds";

/// The store, and what the names of all its objects begin with.
pub(super) fn open(url: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let refuse = |why: String| Error::Refused(format!("the store of objects {url}: {why}"));
    let unusable = |error: object_store::Error| refuse(error.to_string());
    let parts = url.split_once("://").filter(|(_, rest)| !rest.is_empty());
    let (scheme, rest) = parts.ok_or_else(|| refuse("this is no s3://bucket/prefix".into()))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = if prefix.is_empty() { "bindery" } else { prefix };
    let prefix =
        Path::parse(prefix.trim_end_matches('/')).map_err(|error| refuse(error.to_string()))?;
    let store: Arc<dyn ObjectStore> = match scheme {
        "s3" => Arc::new(
            AmazonS3Builder::from_env()
                .with_bucket_name(bucket)
                .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST)
                .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT)
                .with_retry(retries())
                .build()
                .map_err(unusable)?,
        ),
        "gs" => Arc::new(
            GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), REQUEST)
                .with_config(GoogleConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT)
                .with_retry(retries())
                .build()
                .map_err(unusable)?,
        ),
        "az" => Arc::new(
            MicrosoftAzureBuilder::from_env()
                .with_container_name(bucket)
                .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), REQUEST)
                .with_config(AzureConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT)
                .with_retry(retries())
                .build()
                .map_err(unusable)?,
        ),
        _ => return Err(refuse("only s3://, gs:// and az:// are known".into())),
    };
    Ok((store, prefix))
}

/// A few tries, further and further apart by random times: enough for a service that restarts, and
/// over before a client has given up.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: Duration::from_secs(15),
    }
}

/// The object that says whose these objects are.
pub(super) fn marker(prefix: &Path) -> Path {
    Path::from(format!("{prefix}/catalog-id"))
}

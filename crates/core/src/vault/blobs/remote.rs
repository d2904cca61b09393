//! Stores behind a URL: S3 and what speaks its protocol, Google Cloud Storage, Azure. Credentials, region
//! and endpoint come from the environment, as for each one's own tools.

mod writer;

use super::UploadId;
use crate::error::{Error, Result};
use crate::vault::object::BlobKey;
use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientConfigKey, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _,
    PutPayload, RetryConfig,
};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
pub(crate) use writer::RemoteWriter;

/// The least that S3 takes as a part of several, in bytes; all but the last have this length.
const PART_LEN: usize = 5 << 20;
/// Beside the part that is being filled: an upload holds two in memory.
const PARTS_IN_FLIGHT: usize = 1;
/// What is asked for no longer: a part, or a few segments.
const REQUEST: &str = "30 seconds";
const CONNECT: &str = "5 seconds";

/// How a service is asked.
#[derive(Clone, Debug)]
pub struct Service {
    /// Settings of the service's own, under the names that they have in the environment, which they
    /// override.
    pub settings: Vec<(String, String)>,
    /// For how long a request that failed is tried again.
    pub patience: Duration,
}

impl Default for Service {
    /// Over before a client has given up.
    fn default() -> Self {
        Service { settings: Vec::new(), patience: Duration::from_secs(15) }
    }
}

/// What all services can do.
trait ServiceStore: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> ServiceStore for T {}

/// The builders have the same methods and no trait in common.
macro_rules! build {
    ($builder:ident :: $set_bucket:ident, $key:ident, $bucket:expr, $service:expr) => {{
        let mut builder = $builder::from_env()
            .$set_bucket($bucket)
            .with_config($key::Client(ClientConfigKey::Timeout), REQUEST)
            .with_config($key::Client(ClientConfigKey::ConnectTimeout), CONNECT)
            .with_retry(retries($service.patience));
        for (name, value) in &$service.settings {
            builder = builder.with_config(name.to_ascii_lowercase().parse::<$key>()?, value);
        }
        Arc::new(builder.build()?)
    }};
}

/// A service, and what the names of all our objects there begin with.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    service: Arc<dyn ServiceStore>,
    prefix: Path,
}

impl Remote {
    pub(super) fn open(url: &str, service: &Service) -> Result<Self> {
        let refuse = |why: String| Error::Refused(format!("the store of objects {url}: {why}"));
        let parts = url.split_once("://").filter(|(_, rest)| !rest.is_empty());
        let (scheme, rest) = parts.ok_or_else(|| refuse("this is no s3://bucket/prefix".into()))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = if prefix.is_empty() { "bindery" } else { prefix };
        let prefix =
            Path::parse(prefix.trim_end_matches('/')).map_err(|error| refuse(error.to_string()))?;
        let service = build(scheme, bucket, service).map_err(|error| refuse(error.to_string()))?;
        let service =
            service.ok_or_else(|| refuse("only s3://, gs:// and az:// are known".into()))?;
        Ok(Remote { service, prefix })
    }

    pub(super) async fn belong_to(&self, id: &str) -> Result<()> {
        let marker = self.marker();
        let found = match self.service.get(&marker).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => {
                self.service.put(&marker, PutPayload::from(id.to_owned())).await?;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if found == id.as_bytes() {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "the objects under {} belong to another catalog: name the bucket and prefix that are this \
             one's, or new ones",
            self.prefix
        )))
    }

    pub(super) async fn ready(&self) -> Result<()> {
        self.service.head(&self.marker()).await?;
        Ok(())
    }

    pub(super) fn create(&self, blob: &BlobKey) -> RemoteWriter {
        RemoteWriter::new(self, blob)
    }

    pub(super) async fn read(&self, blob: &BlobKey, range: Range<u64>) -> Result<Option<Bytes>> {
        let Range { start, end } = range;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..Default::default() };
        let found = match self.service.get_opts(&self.path(blob), options).await {
            // The backend cuts a range at the object's end, and refuses one behind it.
            Ok(found) if found.range == (start..end) => found,
            Ok(_) => return Ok(None),
            Err(error) => match self.size(blob).await? {
                Some(size) if size >= end => return Err(error.into()),
                _ => return Ok(None),
            },
        };
        Ok(Some(found.bytes().await?))
    }

    pub(super) async fn size(&self, blob: &BlobKey) -> Result<Option<u64>> {
        match self.service.head(&self.path(blob)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn remove(&self, blob: &BlobKey, upload: Option<&UploadId>) -> Result<()> {
        let path = self.path(blob);
        // It goes first: nobody can then turn it into the object any more.
        if let Some(upload) = upload {
            abort(self.service.as_ref(), &path, upload).await?;
        }
        match self.service.delete(&path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            removed => Ok(removed?),
        }
    }

    fn path(&self, blob: &BlobKey) -> Path {
        Path::from(format!("{}/{blob}", self.prefix))
    }

    /// The object that says whose these objects are.
    fn marker(&self) -> Path {
        Path::from(format!("{}/catalog-id", self.prefix))
    }
}

fn build(
    scheme: &str,
    bucket: &str,
    service: &Service,
) -> object_store::Result<Option<Arc<dyn ServiceStore>>> {
    Ok(Some(match scheme {
        "s3" => build!(AmazonS3Builder::with_bucket_name, AmazonS3ConfigKey, bucket, service),
        "gs" => {
            build!(GoogleCloudStorageBuilder::with_bucket_name, GoogleConfigKey, bucket, service)
        }
        "az" => build!(MicrosoftAzureBuilder::with_container_name, AzureConfigKey, bucket, service),
        _ => return Ok(None),
    }))
}

/// A few tries, further and further apart by random times: enough for a service that restarts.
fn retries(patience: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2).min(patience),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: patience,
    }
}

/// Ends what was sent in parts and is not complete, if it is still there.
async fn abort(service: &dyn ServiceStore, path: &Path, upload: &UploadId) -> Result<()> {
    match service.abort_multipart(path, &upload.0).await {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        // Some answer so when it is not there. Where it is a right that lacks, the objects of others
        // must not have to wait for it, and an operator must know.
        Err(error @ object_store::Error::PermissionDenied { .. }) => {
            tracing::warn!(%error, "an upload in parts is gone, or may not be aborted");
            Ok(())
        }
        aborted => Ok(aborted?),
    }
}

/// A service that does not know a writer's parts any more has none that are worth keeping: the writer
/// lost its lease, or the service its memory. It may be tried again.
fn unavailable(error: object_store::Error) -> Error {
    match Error::from(error) {
        Error::Internal(source) => Error::Unavailable(source),
        other => other,
    }
}

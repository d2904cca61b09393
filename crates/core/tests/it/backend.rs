//! What a test's store rests on: SQLite and a directory, or what `scripts/test` starts, so that every test
//! runs on both: a database of its own on the PostgreSQL server that `BINDERY_TEST_DATABASE` names, and
//! a prefix of its own in the bucket that `BINDERY_TEST_BLOBS` names. Its objects are files of a server
//! that keeps its buckets in `BINDERY_TEST_BUCKETS`, and with another one what that lists.

use bindery_core::{Database, Location, Service};
use futures_util::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use std::path::{Path, PathBuf};
use tokio_postgres::{Client, NoTls};

/// The bucket that all tests share.
const BUCKET: &str = "tests";

/// Below one store; by default all of it lies in its directory. Dropped, it is gone.
#[derive(Debug, Default)]
pub(crate) struct Backend {
    pub(crate) server: Option<(String, String)>,
    pub(crate) bucket: Option<Bucket>,
    /// How that server is reached, where it is not the one that the environment names.
    pub(crate) service: Service,
}

/// Where a service keeps the objects.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// `s3://tests`.
    pub(crate) url: String,
    /// What the names of the store's objects begin with.
    pub(crate) prefix: String,
    /// The directory of the server's buckets, if they are directories.
    pub(crate) directory: Option<PathBuf>,
}

impl Bucket {
    fn objects(&self) -> Vec<PathBuf> {
        if let Some(directory) = &self.directory {
            let mut found = Vec::new();
            walk(&directory.join(BUCKET).join(&self.prefix), &mut found);
            return found;
        }
        let (url, prefix) = (self.url.clone(), object_store::path::Path::from(&*self.prefix));
        apart(async move {
            let store: Box<dyn ObjectStore> = match url.split_once("://").unwrap() {
                ("az", name) => Box::new(
                    MicrosoftAzureBuilder::from_env().with_container_name(name).build().unwrap(),
                ),
                (_, name) => {
                    Box::new(AmazonS3Builder::from_env().with_bucket_name(name).build().unwrap())
                }
            };
            let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
            listed.into_iter().map(|object| object.location.to_string().into()).collect()
        })
    }
}

impl Backend {
    pub(crate) fn new() -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let server = std::env::var("BINDERY_TEST_DATABASE").ok().map(|server| {
            let name = format!("test_{unique}");
            let create = format!("create database {name}");
            on_server(&server, "postgres", move |client| async move {
                client.batch_execute(&create).await.unwrap();
            });
            (server, name)
        });
        let bucket = std::env::var("BINDERY_TEST_BLOBS").ok().map(|url| Bucket {
            url,
            prefix: unique,
            directory: std::env::var_os("BINDERY_TEST_BUCKETS").map(PathBuf::from),
        });
        Backend { server, bucket, service: Service::default() }
    }

    /// Where the store is.
    pub(crate) fn location(&self, data: PathBuf) -> Location {
        let database = |(server, name): &(String, String)| Database {
            connections: 4,
            ..Database::new(format!("{server} dbname={name}"))
        };
        Location {
            database: self.server.as_ref().map(database),
            blobs: self.bucket.as_ref().map(|bucket| format!("{}/{}", bucket.url, bucket.prefix)),
            service: self.service.clone(),
            ..Location::directory(data)
        }
    }

    /// Every object in the store, and every temporary file of a local one.
    pub(crate) fn objects(&self, data: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        match &self.bucket {
            None => walk(&data.join("objects"), &mut found),
            Some(bucket) => found = bucket.objects(),
        }
        found.retain(|file| !file.ends_with("catalog-id"));
        found.sort();
        found
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, data: &Path, table: &str) -> i64 {
        let count = format!("select count(*) from {table}");
        match &self.server {
            None => embedded(data).query_row(&count, [], |row| row.get(0)).unwrap(),
            Some((server, name)) => on_server(server, name, move |client| async move {
                client.query_one(&count, &[]).await.unwrap().get(0)
            }),
        }
    }
}

/// A connection of one's own to an embedded catalog.
pub(crate) fn embedded(data: &Path) -> rusqlite::Connection {
    let catalog = rusqlite::Connection::open(data.join("catalog.db")).unwrap();
    catalog.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    catalog
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.server {
            let remove = format!("drop database {name} with (force)");
            on_server(server, "postgres", move |client| async move {
                // A server that is gone has none of it left either.
                let _gone = client.batch_execute(&remove).await;
            });
        }
        if let Some(Bucket { prefix, directory: Some(directory), .. }) = &self.bucket {
            let _gone = std::fs::remove_dir_all(directory.join(BUCKET).join(prefix));
        }
    }
}

/// Runs something on a connection of its own.
pub(crate) fn on_server<T, F>(
    server: &str,
    name: &str,
    work: impl FnOnce(Client) -> F + Send + 'static,
) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let url = format!("{server} dbname={name}");
    apart(async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let result = work(client).await;
        connection.abort();
        result
    })
}

/// Runs something on a thread of its own: a test is in the middle of its own runtime.
fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work)
    });
    thread.join().unwrap()
}

//! What a test's store rests on: SQLite and a directory, or what `scripts/test` starts, so that every test
//! runs on both: a database of its own on the PostgreSQL server that `BINDERY_TEST_DATABASE` names, and
//! a prefix of its own in the bucket of the S3 server that keeps its buckets in `BINDERY_TEST_BUCKETS`.

use bindery_core::{Database, Location};
use std::path::{Path, PathBuf};
use tokio_postgres::{Client, NoTls};

/// The bucket that all tests share.
const BUCKET: &str = "tests";

/// Below one store; by default all of it lies in its directory. Dropped, it is gone.
#[derive(Debug, Default)]
pub(crate) struct Backend {
    server: Option<(String, String)>,
    prefix: Option<(PathBuf, String)>,
}

impl Backend {
    pub(crate) fn new() -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let buckets = std::env::var_os("BINDERY_TEST_BUCKETS").map(PathBuf::from);
        let server = std::env::var("BINDERY_TEST_DATABASE").ok().map(|server| {
            let name = format!("test_{unique}");
            let create = format!("create database {name}");
            on_server(&server, "postgres", move |client| async move {
                client.batch_execute(&create).await.unwrap();
            });
            (server, name)
        });
        Backend { server, prefix: buckets.map(|buckets| (buckets, unique)) }
    }

    /// Where the store is.
    pub(crate) fn location(&self, data: PathBuf) -> Location {
        let database = |(server, name): &(String, String)| Database {
            connections: 4,
            ..Database::new(format!("{server} dbname={name}"))
        };
        Location {
            database: self.server.as_ref().map(database),
            blobs: self.prefix.as_ref().map(|(_, prefix)| format!("s3://{BUCKET}/{prefix}")),
            ..Location::directory(data)
        }
    }

    /// Every object in the store, and every temporary file of a local one.
    pub(crate) fn objects(&self, data: &Path) -> Vec<PathBuf> {
        let folder = match &self.prefix {
            None => data.join("objects"),
            Some((buckets, prefix)) => buckets.join(BUCKET).join(prefix),
        };
        let mut found = Vec::new();
        walk(&folder, &mut found);
        found.retain(|file| !file.ends_with("catalog-id"));
        found.sort();
        found
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, data: &Path, table: &str) -> i64 {
        let count = format!("select count(*) from {table}");
        match &self.server {
            None => {
                let catalog = rusqlite::Connection::open(data.join("catalog.db")).unwrap();
                catalog.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                catalog.query_row(&count, [], |row| row.get(0)).unwrap()
            }
            Some((server, name)) => on_server(server, name, move |client| async move {
                client.query_one(&count, &[]).await.unwrap().get(0)
            }),
        }
    }
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
        if let Some((buckets, prefix)) = &self.prefix {
            let _gone = std::fs::remove_dir_all(buckets.join(BUCKET).join(prefix));
        }
    }
}

/// Runs something on a connection of its own, on a thread of its own: a test is in the middle of its
/// own runtime.
fn on_server<T, F>(server: &str, name: &str, work: impl FnOnce(Client) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let url = format!("{server} dbname={name}");
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            let result = work(client).await;
            connection.abort();
            result
        })
    });
    thread.join().unwrap()
}

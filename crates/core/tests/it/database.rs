//! The database that a test's catalog is in: SQLite in its directory, or one of its own on the server
//! that `BINDERY_TEST_DATABASE` names (`scripts/test` starts one), so that every test runs on both.

use bindery_core::Database;
use std::path::Path;
use tokio_postgres::{Client, NoTls};

/// A database for one test; by default the embedded one. Dropped, it is gone.
#[derive(Debug, Default)]
pub(crate) struct TestDatabase {
    server: Option<(String, String)>,
}

impl TestDatabase {
    pub(crate) fn new() -> Self {
        let Ok(server) = std::env::var("BINDERY_TEST_DATABASE") else {
            return TestDatabase::default();
        };
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let create = format!("create database {name}");
        on_server(&server, "postgres", move |client| async move {
            client.batch_execute(&create).await.unwrap();
        });
        TestDatabase { server: Some((server, name)) }
    }

    /// Where it is; `None` for the embedded one.
    pub(crate) fn database(&self) -> Option<Database> {
        let (server, name) = self.server.as_ref()?;
        Some(Database { connections: 4, ..Database::new(format!("{server} dbname={name}")) })
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

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.server {
            let remove = format!("drop database {name} with (force)");
            on_server(server, "postgres", move |client| async move {
                // A server that is gone has none of it left either.
                let _gone = client.batch_execute(&remove).await;
            });
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

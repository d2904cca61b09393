//! A private PostgreSQL: every statement is prepared on it, so that none is written for one engine
//! alone.

use super::statements;
use crate::catalog::migrate::{Engine, after};
use server::Postgres;

#[path = "../../../tests/it/postgres.rs"]
mod server;

#[tokio::test]
async fn postgres_prepares_every_statement() {
    let server = Postgres::start();
    let config = format!("{} dbname=postgres", server.url());
    let (client, connection) =
        tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    for migration in after(0, Engine::Postgres) {
        client.batch_execute(&migration).await.unwrap();
    }
    for (name, sql) in statements() {
        let prepared = client.prepare(sql.text).await;
        assert!(prepared.is_ok(), "{name}: {:?}\n{}", prepared.err(), sql.text);
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

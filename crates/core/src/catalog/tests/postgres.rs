//! A private PostgreSQL: every statement is prepared on it, so that none is written for one engine
//! alone.

use super::statements;
use crate::catalog::Database;
use crate::catalog::migrate::{Engine, after};
use crate::catalog::postgres::open;
use crate::clock::Clock;
use crate::error::Error;
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

/// Whoever may not extend the database is told what to ask for.
#[tokio::test]
async fn a_database_that_lacks_trigrams_is_refused_with_what_to_do() {
    let server = Postgres::start();
    let config = format!("{} dbname=postgres", server.url());
    let (admin, connection) =
        tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let role = "create role plain login; grant create on schema public to plain";
    admin.batch_execute(role).await.unwrap();
    let database = Database::new(config.replace("user=postgres", "user=plain"));
    let refused = open(&database, &Clock::System).await.err();
    let told = "administrator run `create extension pg_trgm`";
    assert!(matches!(&refused, Some(Error::Refused(why)) if why.contains(told)), "{refused:?}");
    admin.batch_execute("create extension pg_trgm").await.unwrap();
    drop(open(&database, &Clock::System).await.unwrap());
    drop(admin);
    connection.await.unwrap().unwrap();
}

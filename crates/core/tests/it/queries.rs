//! What a request asks of the catalog does not grow with what is in it. On a server each statement is a
//! journey there and back, so their number is how quick a request can be.

use crate::migrate::{name, put_in};
use crate::pages::first_page;
use crate::rights::terms;
use crate::world::{World, bytes, person};
use bindery_core::{Caller, FolderRef, Kinds, NewRecipient, NodeRef, Role, Sharing, Window};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Counts the statements that the catalog tells of on this thread.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "bindery_core::sql"
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// How many statements something runs.
async fn count<T>(work: impl Future<Output = bindery_core::Result<T>>) -> usize {
    let statements = Statements::default();
    let _counting = tracing::subscriber::set_default(statements.clone());
    work.await.unwrap();
    statements.0.load(Ordering::Relaxed)
}

fn all() -> Window {
    Window { first: 0, behind: None, count: Some(100) }
}

async fn of_each(world: &World, reader: &Caller, file: bindery_core::FileId) -> [usize; 5] {
    let (drive, caller) = (&world.drive, &world.caller);
    let list = first_page(100);
    [
        count(drive.file(caller, file)).await,
        count(drive.download(caller, file)).await,
        count(drive.download(reader, file)).await,
        count(drive.list(caller, list)).await,
        count(drive.children(caller, FolderRef::Home, Kinds::Both, all())).await,
    ]
}

#[tokio::test]
async fn a_request_runs_few_statements_whatever_there_is() {
    let world = World::new().await;
    let (drive, caller) = (&world.drive, &world.caller);
    let file = world.put("first", &bytes(100_000)).await.id;
    let reader = person(drive, "reader").await;
    let to = NewRecipient::User(drive.identify(&reader).await.unwrap().id);
    let terms = terms(Role::Viewer, Sharing::default());
    drive.share(caller, NodeRef::File(file.into()), to, terms).await.unwrap();
    let few = of_each(&world, &reader, file).await;
    let home = drive.folder(caller, FolderRef::Home).await.unwrap().id;
    for number in 0..150 {
        put_in(drive, caller, home, &format!("{number}"), b"content").await;
    }
    drive.create_folder(caller, FolderRef::Home, &name("folder")).await.unwrap();
    assert_eq!(of_each(&world, &reader, file).await, few);
    assert_eq!(few, [1; 5], "look-up, download, another's, page of a list, page of a folder");
}

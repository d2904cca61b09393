//! An object's name is leased while it is written: who lets the lease run out has lost it, and
//! leaves nothing behind.

use crate::pages::first_page;
use crate::world::{World, bytes, end};
use bindery_core::Error;
use futures_util::FutureExt as _;

/// How long a lease is.
const LEASE: i64 = 3600;
/// More than the catalog keeps.
const LARGE: usize = 300_000;

/// How many objects are being written, and how many wait to be removed.
pub(crate) fn pending_and_doomed(world: &World) -> (i64, i64) {
    let count = |table| world.backend.count(&world.data(), table);
    (count("pending"), count("doomed"))
}

async fn count(world: &World) -> u64 {
    let list = first_page(10);
    world.drive.list(&world.caller, list).await.unwrap().count
}

fn assert_lost(error: &Error) {
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("longer than its lease"), "{error}");
}

#[tokio::test]
async fn an_upload_whose_lease_is_over_makes_no_file() {
    let world = World::new().await;
    let before = world.stored();
    let mut upload = world.upload().await;
    upload.write(bytes(LARGE).into()).await.unwrap();
    world.drive.clock().advance_seconds(LEASE + 1);
    let swept = world.sweep().await;
    assert_eq!((swept.leases, swept.objects), (1, 1));

    assert_lost(&upload.finish(end("late.bin")).await.unwrap_err());
    assert_eq!(count(&world).await, 0);
    world.sweep().await;
    assert_eq!(world.stored(), before);
}

#[tokio::test]
async fn an_upload_whose_lease_is_over_takes_no_more_bytes() {
    let world = World::new().await;
    let before = world.stored();
    let mut upload = world.upload().await;
    upload.write(bytes(LARGE).into()).await.unwrap();
    world.drive.clock().advance_seconds(LEASE + 1);
    world.sweep().await;

    assert_lost(&upload.write(bytes(1).into()).await.unwrap_err());
    drop(upload);
    world.settles_at(&before).await;
}

/// A lease can end without the writer's clock saying so: its machine slept, or was set back.
#[tokio::test]
async fn a_lease_that_is_lost_unnoticed_dooms_what_was_stored_since() {
    let world = World::embedded().await;
    let before = world.stored();
    let mut upload = world.upload().await;
    upload.write(bytes(LARGE).into()).await.unwrap();
    assert_eq!(world.catalog().execute("delete from pending", []).unwrap(), 1);

    assert_lost(&upload.finish(end("late.bin")).await.unwrap_err());
    assert_eq!(count(&world).await, 0);
    assert_eq!(world.sweep().await.objects, 1);
    assert_eq!(world.stored(), before);
}

#[tokio::test]
async fn a_lease_that_no_sweep_took_is_still_held() {
    let world = World::new().await;
    let mut upload = world.upload().await;
    upload.write(bytes(LARGE).into()).await.unwrap();
    world.drive.clock().advance_seconds(10 * LEASE);
    let file = upload.finish(end("slow.bin")).await.unwrap();
    world.sweep().await;
    assert_eq!(world.get(file.id, 0..LARGE as u64).await.unwrap(), bytes(LARGE));
}

#[tokio::test]
async fn an_upload_that_goes_on_keeps_its_lease() {
    let world = World::new().await;
    let content = bytes(LARGE);
    let mut upload = world.upload().await;
    for piece in content.chunks(LARGE / 6) {
        upload.write(piece.to_vec().into()).await.unwrap();
        world.drive.clock().advance_seconds(LEASE * 2 / 3);
        assert_eq!(world.sweep().await.leases, 0);
    }
    let file = upload.finish(end("slow.bin")).await.unwrap();
    world.drive.clock().advance_seconds(10 * LEASE);
    world.sweep().await;
    assert_eq!(world.get(file.id, 0..LARGE as u64).await.unwrap(), content);
    assert_eq!(pending_and_doomed(&world), (0, 0));
}

#[tokio::test]
async fn an_upload_that_was_left_within_a_write_cannot_be_finished() {
    let world = World::embedded().await;
    let before = world.stored();
    let mut upload = world.upload().await;
    upload.write(bytes(100).into()).await.unwrap();
    // The lease cannot be had meanwhile.
    let catalog = world.catalog();
    catalog.execute_batch("begin immediate").unwrap();
    let left = upload.write(bytes(LARGE).into()).now_or_never();
    assert!(left.is_none(), "{left:?}");
    catalog.execute_batch("rollback").unwrap();
    let ended = upload.finish(end("gap.bin")).await.unwrap_err();
    assert!(ended.to_string().contains("has ended"), "{ended}");
    assert_eq!(count(&world).await, 0);
    world.settles_at(&before).await;
}

#[tokio::test]
async fn an_upload_whose_token_ends_does_not_go_on() {
    let world = World::new().await;
    let before = world.stored();
    let mut upload = world.upload().await;
    upload.write(bytes(LARGE).into()).await.unwrap();
    let token = world.drive.tokens("jane").await.unwrap()[0].id;
    world.drive.revoke_token(token).await.unwrap();
    world.drive.clock().advance_seconds(LEASE / 2);
    let ended = upload.write(bytes(1).into()).await.unwrap_err();
    assert!(matches!(ended, Error::Unauthenticated), "{ended:?}");
    upload.discard().await;
    assert_eq!(world.stored(), before);
}

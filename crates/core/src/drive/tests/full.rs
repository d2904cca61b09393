//! A full disk under the catalog: told, nothing left, and the writer lives on.

use super::world::{World, bytes, end};
use crate::error::Error;

/// The largest content that the catalog keeps itself.
const INLINE: usize = 16 << 10;

#[tokio::test]
async fn an_upload_into_a_full_catalog_leaves_nothing() {
    let world = World::embedded().await;
    let kept = world.put("kept.bin", &bytes(100)).await;
    let before = world.stored();
    world.drive.catalog().allow_pages(0).await;
    let (mut inline_refused, mut object_refused) = (0, 0);
    // The rows of a large file find room in pages that are begun, until those are full as well.
    for len in [INLINE, 100_000].into_iter().cycle().take(400) {
        let stored = world.stored();
        let mut upload = world.upload().await;
        let made = match upload.write(bytes(len).into()).await {
            Ok(()) => upload.finish(end("more.bin")).await.map(drop),
            Err(error) => {
                upload.discard().await;
                Err(error)
            }
        };
        if let Err(error) = made {
            assert!(matches!(error, Error::StorageFull), "{len}: {error:?}");
            assert_eq!(world.stored(), stored, "{len}");
            *(if len == INLINE { &mut inline_refused } else { &mut object_refused }) += 1;
        }
        if object_refused == 3 {
            break;
        }
    }
    assert!(inline_refused > 0 && object_refused == 3, "{inline_refused} {object_refused}");
    assert_ne!(world.stored(), before, "an object's rows should have found room at first");
    assert_eq!(world.get(kept.id, 0..100).await.unwrap(), bytes(100));

    world.drive.catalog().allow_pages(1 << 20).await;
    let file = world.put("fits.bin", &bytes(INLINE)).await;
    assert_eq!(world.get(file.id, 0..INLINE as u64).await.unwrap(), bytes(INLINE));
}

/// A chunk that found no room is a gap, also when there is room again for what comes behind it.
#[tokio::test]
async fn an_upload_with_a_gap_cannot_be_finished() {
    let world = World::embedded().await;
    let before = world.stored();
    world.drive.catalog().allow_pages(0).await;
    // Until the room in pages that are begun is used up.
    let (mut held, mut upload) = (Vec::new(), world.upload().await);
    while upload.write(bytes(100_000).into()).await.is_ok() {
        held.push(std::mem::replace(&mut upload, world.upload().await));
    }
    world.drive.catalog().allow_pages(1 << 20).await;
    upload.write(bytes(10).into()).await.unwrap_err();
    upload.finish(end("gap.bin")).await.unwrap_err();
    for upload in held {
        upload.discard().await;
    }
    world.settles_at(&before).await;
}

#[tokio::test]
async fn room_can_be_made_in_a_full_catalog() {
    let world = World::embedded().await;
    let before = world.stored();
    let file = world.put("large.bin", &bytes(100_000)).await;
    let inline = world.put("small.bin", &bytes(INLINE)).await;
    world.drive.catalog().allow_pages(0).await;
    for file in [file, inline] {
        world.drive.trash(&world.caller, file.id).await.unwrap();
    }
    world.drive.clock().advance_seconds(31 * 86_400);
    assert_eq!(world.sweep().await.purged, 2);
    assert_eq!(world.stored(), before);
    world.put("again.bin", &bytes(10 << 10)).await;
}

/// One unit that finds no room takes the engine's transaction with it, and not its neighbours.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_fit_do_not_suffer_from_those_that_do_not() {
    let world = World::embedded().await;
    // Room for the small ones, and for few of the others.
    world.drive.catalog().allow_pages(3).await;
    let uploads = (0..60).map(|number| {
        let (drive, caller) = (world.drive.clone(), world.caller.clone());
        tokio::spawn(async move {
            let len = if number % 20 == 10 { 10 } else { INLINE };
            let mut upload = drive.upload(&caller, crate::Target::home(), None).await?;
            upload.write(bytes(len).into()).await?;
            upload.finish(end(&format!("{number}.bin"))).await
        })
    });
    let made = futures_util::future::join_all(uploads).await;
    let (mut small, mut large, mut refused) = (0, 0, 0);
    for made in made {
        match made.unwrap() {
            Ok(file) => {
                let content = world.get(file.id, 0..file.size).await.unwrap();
                assert_eq!(content, bytes(content.len()));
                *(if file.size == 10 { &mut small } else { &mut large }) += 1;
            }
            Err(Error::StorageFull) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(small == 3 && refused > 50, "{small} {large} {refused}");
    let contents = format!("contents {}", small + large);
    assert!(world.stored().contains(&contents), "{:?}", world.stored());
}

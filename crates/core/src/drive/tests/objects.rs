//! Contents of several objects. The limit of one object is lowered here, since no test writes 32 GiB.

use super::world::{World, bytes, end};
use crate::catalog::files::File;
use crate::drive::Drive;
use crate::error::Error;
use crate::vault::seal::{Header, Layout, open_all};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::sync::Arc;

const INLINE: usize = 16 << 10;
const SEGMENT: usize = 64 << 10;
const LEASE: i64 = 3600;

/// Makes this the most that one object holds.
pub(super) fn limit_objects(drive: &mut Drive, object_max: usize) {
    let inner = Arc::get_mut(&mut drive.0).expect("nothing else holds the drive");
    inner.vault.object_max = object_max as u64;
}

async fn limited(object_max: usize) -> World {
    let mut world = World::embedded().await;
    limit_objects(&mut world.drive, object_max);
    world
}

/// What is in a file's stored objects, found without the store: with its key alone.
async fn open_offline(drive: &Drive, file: &File) -> Vec<u8> {
    let key = file.data_key(&drive.vault().keys).unwrap();
    let mut plain = Vec::new();
    for object in drive.stored_objects(file).await.unwrap() {
        let mut sealed = Vec::new();
        loop {
            let piece = drive.read_stored(&object, sealed.len() as u64).await.unwrap();
            if piece.is_empty() {
                break;
            }
            sealed.extend_from_slice(&piece);
        }
        assert_eq!(sealed.len() as u64, object.size());
        let header = Header::decode(&sealed).unwrap();
        let ordinal = u32::try_from(object.ordinal).unwrap();
        assert_eq!(header.ordinal(), ordinal);
        plain.extend(open_all(&key, header.content(), ordinal, &sealed).unwrap());
    }
    plain
}

#[test]
fn a_range_over_several_objects_is_the_slice() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut world = runtime.block_on(World::new());
    let object_max = prop_oneof![
        INLINE..INLINE + 100,
        INLINE..2 * SEGMENT,
        prop::sample::select(vec![INLINE, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT]),
    ];
    let len = (0..6_usize, prop_oneof![Just(0), Just(1), 0..SEGMENT]);
    let strategy = (object_max, len, 1..3 * SEGMENT, any::<[prop::sample::Index; 4]>());
    let config =
        ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() };
    let world = std::cell::RefCell::new(&mut world);
    let case = |(object_max, (full, rest), piece, places): (_, _, _, [prop::sample::Index; 4])| {
        let mut world = world.borrow_mut();
        limit_objects(&mut world.drive, object_max);
        let content = bytes(full * object_max + rest);
        let len = content.len();
        runtime.block_on(async {
            let mut upload = world.upload().await;
            for piece in content.chunks(piece) {
                upload.write(piece.to_vec().into()).await.unwrap();
            }
            let file = upload.finish(end("several.bin")).await.unwrap();
            let objects = if len <= INLINE { 0 } else { len.div_ceil(object_max) };
            prop_assert_eq!(file.objects().unwrap().0.len(), objects);
            let fill = |object: &crate::vault::ObjectRef| object.size == object_max as u64;
            prop_assert!(
                file.objects().unwrap().0.iter().take(objects.saturating_sub(1)).all(fill)
            );

            for place in places.chunks(2) {
                let (a, b) = (place[0].index(len + 1), place[1].index(len + 1));
                let range = a.min(b)..a.max(b);
                let read = world.get(file.id, range.start as u64..range.end as u64).await.unwrap();
                prop_assert!(read == content[range.clone()], "{len} bytes, {range:?}");
            }
            // From the edge of one object over the next.
            for edge in (0..objects).map(|object| object * object_max) {
                let range = edge.saturating_sub(1)..len.min(edge + object_max + 1);
                let read = world.get(file.id, range.start as u64..range.end as u64).await.unwrap();
                prop_assert!(read == content[range.clone()], "{len} bytes, {range:?}");
            }
            prop_assert!(open_offline(&world.drive, &file).await == content);
            prop_assert!(world.drive.damage(&file).await.unwrap().is_none());
            Ok(())
        })
    };
    TestRunner::new(config).run(&strategy, case).unwrap();
}

#[tokio::test]
async fn an_object_that_was_cut_is_found_wherever_it_is() {
    let world = limited(20_000).await;
    let file = world.put("several.bin", &bytes(90_000)).await;
    assert_eq!(file.objects().unwrap().0.len(), 5);
    for (ordinal, object) in file.objects().unwrap().0.iter().enumerate() {
        let path = world.data().join("objects").join(object.blob.as_str());
        let sealed = std::fs::read(&path).unwrap();
        let layout = Layout::of_plain(object.size).unwrap();
        assert_eq!(sealed.len() as u64, layout.sealed_len());
        std::fs::write(&path, &sealed[..sealed.len() - 1]).unwrap();
        assert!(world.drive.damage(&file).await.unwrap().is_some(), "{ordinal}");
        let read = world.get(file.id, 0..file.size).await.unwrap_err();
        assert!(matches!(read, Error::Damaged { .. }), "{ordinal}: {read:?}");
        std::fs::write(&path, &sealed).unwrap();
    }
    assert!(world.drive.damage(&file).await.unwrap().is_none());
}

#[tokio::test]
async fn an_upload_that_is_cut_at_any_write_leaves_nothing() {
    let world = limited(20_000).await;
    let before = world.stored();
    let content = bytes(90_000);
    // Within objects, at their edges, and over several.
    let cuts = [0, 100, 16_384, 16_385, 20_000, 20_001, 39_000, 40_000, 85_000, 90_000];
    for writes in 1..=cuts.len() {
        for way in ["discard", "drop", "crash"] {
            let mut upload = world.upload().await;
            for (from, to) in cuts.iter().zip(&cuts[1..]).take(writes) {
                upload.write(content[*from..*to].to_vec().into()).await.unwrap();
            }
            match way {
                "discard" => upload.discard().await,
                "drop" => {
                    drop(upload);
                    world.settles_at(&before).await;
                }
                _ => {
                    std::mem::forget(upload);
                    world.drive.clock().advance_seconds(LEASE + 1);
                    world.sweep().await;
                }
            }
            assert_eq!(world.stored(), before, "{writes} {way}");
        }
    }
}

#[tokio::test]
async fn every_object_of_an_upload_keeps_its_lease() {
    let world = limited(20_000).await;
    let content = bytes(90_000);
    let mut upload = world.upload().await;
    for piece in content.chunks(30_000) {
        upload.write(piece.to_vec().into()).await.unwrap();
        world.drive.clock().advance_seconds(LEASE * 2 / 3);
        assert_eq!(world.sweep().await.leases, 0);
    }
    let file = upload.finish(end("slow.bin")).await.unwrap();
    world.drive.clock().advance_seconds(LEASE + 1);
    world.sweep().await;
    assert_eq!(world.get(file.id, 0..90_000).await.unwrap(), content);
}

/// Whichever object's lease is lost, the others must not outlive it.
#[tokio::test]
async fn one_lease_that_is_lost_dooms_all_objects() {
    let world = limited(20_000).await;
    let before = world.stored();
    for lost in 0..5 {
        let mut upload = world.upload().await;
        upload.write(bytes(90_000).into()).await.unwrap();
        let lose = format!(
            "delete from pending where blob = (select blob from pending limit 1 offset {lost})"
        );
        assert_eq!(world.catalog().execute(&lose, []).unwrap(), 1);
        let error = upload.finish(end("late.bin")).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert_eq!(world.sweep().await.objects, 5);
        assert_eq!(world.stored(), before, "{lost}");
    }
}

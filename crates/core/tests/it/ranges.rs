//! Any range of any content is that slice of it.

use crate::world::{World, bytes, end};
use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const INLINE: usize = 16 << 10;
const SEGMENT: usize = 64 << 10;
/// What a reader fetches at once.
const WINDOW: usize = 8 * SEGMENT;
/// What it opens before a byte of it is sent.
const WHOLE: usize = 4 * SEGMENT;

/// A length at or beside a bound of how contents are kept.
fn lens() -> Vec<usize> {
    let bounds = [0, INLINE, SEGMENT, 2 * SEGMENT, WHOLE, WINDOW, WINDOW + SEGMENT, 2 * WINDOW];
    let mut lens: Vec<_> =
        bounds.into_iter().flat_map(|at| [at.saturating_sub(1), at, at + 1]).collect();
    lens.dedup();
    lens
}

/// Two places, in order, each anywhere or beside a bound.
fn range_of(len: usize, at: [usize; 2], near: [bool; 2]) -> std::ops::Range<usize> {
    let place = |at: usize, near| {
        let bounds = lens();
        (if near { bounds[at % bounds.len()] } else { at }) % (len + 1)
    };
    let (a, b) = (place(at[0], near[0]), place(at[1], near[1]));
    a.min(b)..a.max(b)
}

fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    case: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(strategy, case).unwrap();
}

#[test]
fn a_range_is_the_slice_at_every_bound() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let mut files = Vec::new();
    for len in lens() {
        let content = bytes(len);
        let id = runtime.block_on(world.put(&format!("{len}.bin"), &content)).id;
        files.push((id, content));
    }
    for (id, content) in &files {
        let all = runtime.block_on(world.get(*id, 0..content.len() as u64)).unwrap();
        assert!(all == *content, "{} bytes", content.len());
    }
    let strategy = (any::<prop::sample::Index>(), any::<[usize; 2]>(), any::<[bool; 2]>());
    check(1000, &strategy, |(file, at, near)| {
        let (id, content) = file.get(&files);
        let range = range_of(content.len(), at, near);
        let wanted = &content[range.clone()];
        let read = runtime.block_on(world.get(*id, range.start as u64..range.end as u64));
        prop_assert!(read.unwrap() == wanted, "{} bytes, {:?}", content.len(), range);
        Ok(())
    });
}

/// Each piece is asked for, given up at the first wait, and asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_waiting_and_asks_again_misses_nothing() {
    let world = World::new().await;
    let content = bytes(5 * WINDOW + 1);
    let id = world.put("file.bin", &content).await.id;
    let download = world.drive.download(&world.caller, id).await.unwrap();
    let (mut body, mut got) = (download.read(0..content.len() as u64).unwrap(), Vec::new());
    loop {
        let asked = match body.next().now_or_never() {
            Some(piece) => piece,
            None => body.next().await,
        };
        let Some(piece) = asked.unwrap() else { break };
        got.extend_from_slice(&piece);
    }
    assert!(got == content, "{} of {} bytes", got.len(), content.len());
}

#[test]
fn a_range_is_the_slice_however_a_content_was_sent() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let len = prop_oneof![0..INLINE + 200, INLINE..3 * SEGMENT, prop::sample::select(lens()),];
    let strategy = (
        len,
        any::<u8>(),
        prop::collection::vec(prop_oneof![0..200_usize, 0..2 * SEGMENT], 1..6),
        any::<[usize; 2]>(),
        any::<[bool; 2]>(),
    );
    check(60, &strategy, |(len, first, pieces, at, near)| {
        let content: Vec<u8> = bytes(len).iter().map(|b| b.wrapping_add(first)).collect();
        let range = range_of(len, at, near);
        let (sent, read) = runtime.block_on(async {
            let mut upload = world.upload().await;
            let (mut left, mut sizes) = (&content[..], pieces.iter().cycle());
            // An empty piece now and then, but not for ever.
            while let (false, Some(&size)) = (left.is_empty(), sizes.next()) {
                let (piece, rest) = left.split_at(size.min(left.len()));
                upload.write(piece.to_vec().into()).await.unwrap();
                let (byte, rest) = rest.split_at(rest.len().min(1));
                upload.write(byte.to_vec().into()).await.unwrap();
                left = rest;
            }
            let sent = upload.finish(end("sent.bin")).await.unwrap();
            let range = range.start as u64..range.end as u64;
            let read = world.get(sent.id, range).await.unwrap();
            (sent, read)
        });
        prop_assert_eq!(sent.size, len as u64);
        prop_assert!(read == content[range.clone()], "{} bytes, {:?}", len, range);
        Ok(())
    });
}

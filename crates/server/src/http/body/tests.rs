use std::convert::Infallible;

use futures_util::stream;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tokio::sync::mpsc;
use tokio::time::{advance, timeout};

use super::*;

const FLOOR: RateFloor = RateFloor {
    grace: Duration::from_secs(30),
    window: Duration::from_secs(10),
    window_bytes_min: 100,
};

type Sent = Result<Frame<Bytes>, &'static str>;

fn data(len: usize) -> Sent {
    Ok(Frame::data(Bytes::from(vec![b'x'; len])))
}

/// A body and the sender at its other end.
fn body() -> (mpsc::UnboundedSender<Sent>, impl Body<Data = Bytes> + Unpin) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let frames = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    (sender, StreamBody::new(frames))
}

/// A body of one chunk each time the given seconds have passed, and then of nothing.
fn paced(seconds: u64, len: usize, chunks: usize) -> impl Body<Data = Bytes> + Unpin {
    let frames = stream::unfold(chunks, move |left| async move {
        if left == 0 {
            return std::future::pending().await;
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Some((data(len), left - 1))
    });
    StreamBody::new(Box::pin(frames))
}

/// Reads a body to its end or error: the bytes, the end, and the seconds it took.
async fn read(body: impl Body<Data = Bytes> + Unpin) -> (usize, Option<BodyError>, u64) {
    let (begin, mut len) = (Instant::now(), 0);
    let mut body = MinimumRate::new(body, FLOOR);
    let error = loop {
        match body.next().await {
            Some(Ok(data)) => len += data.len(),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    assert_eq!(body.next().await, None, "the stream is at its end");
    (len, error, begin.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_whole_body_passes_without_a_timer() {
    let mut body = MinimumRate::new(Full::from("all of it"), FLOOR);
    assert_eq!(body.next().await, Some(Ok(Bytes::from("all of it"))));
    assert_eq!(body.next().await, None);
    assert!(body.timer.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_silent_sender_is_given_the_grace() {
    assert_eq!(read(paced(1, 1, 0)).await, (0, Some(BodyError::TooSlow), 30));
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_stops_is_found_in_the_window_after() {
    assert_eq!(read(paced(1, 100, 1)).await, (100, Some(BodyError::TooSlow), 40));
    assert_eq!(read(paced(1, 1_000_000, 35)).await, (35_000_000, Some(BodyError::TooSlow), 50));
}

#[tokio::test(start_paused = true)]
async fn a_trickle_under_the_floor_is_too_slow() {
    // Four times 24 bytes are too few in the grace. Four times 25 are enough, but once 25 is not
    // in the window after.
    assert_eq!(read(paced(7, 24, 100)).await, (4 * 24, Some(BodyError::TooSlow), 30));
    assert_eq!(read(paced(7, 25, 100)).await, (5 * 25, Some(BodyError::TooSlow), 40));
}

#[tokio::test(start_paused = true)]
async fn a_trickle_at_the_floor_goes_on() {
    let (len, error, seconds) = read(paced(1, 12, 1000)).await;
    assert_eq!((len, error), (12_000, Some(BodyError::TooSlow)));
    assert!(seconds > 1000, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_is_not_the_senders_fault() {
    let (sender, body) = body();
    let mut body = MinimumRate::new(body, FLOOR);
    for _ in 0..100 {
        sender.send(data(10)).unwrap();
        assert!(body.next().await.unwrap().is_ok());
        // A wait of one second for the sender, then one of a minute for a disk.
        assert!(timeout(Duration::from_secs(1), body.next()).await.is_err());
        sender.send(data(1)).unwrap();
        assert!(body.next().await.unwrap().is_ok());
        advance(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_body_is_cut_and_trailers_are_passed_over() {
    let (sender, failing) = body();
    sender.send(data(7)).unwrap();
    sender.send(Err("reset by peer")).unwrap();
    sender.send(data(7)).unwrap();
    assert_eq!(read(failing).await, (7, Some(BodyError::Cut), 0));

    let (sender, ending) = body();
    sender.send(data(7)).unwrap();
    sender.send(Ok(Frame::trailers(HeaderMap::new()))).unwrap();
    drop(sender);
    assert_eq!(read(ending).await, (7, None, 0));
}

#[tokio::test]
async fn a_small_body_is_read_whole_up_to_its_limit() {
    async fn read(chunks: &[&'static str], limit: u64) -> Result<Bytes, BodyError> {
        let chunks = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        read_limited(stream::iter(chunks), limit).await
    }
    assert_eq!(read(&[], 0).await.unwrap(), "");
    assert_eq!(read(&["abc"], 3).await.unwrap(), "abc");
    assert_eq!(read(&["a", "", "bc", "d"], 4).await.unwrap(), "abcd");
    assert_eq!(read(&["", "", "a"], 4).await.unwrap(), "a");
    let too_large = Err(BodyError::TooLarge { limit: 3 });
    assert_eq!(read(&["abcd"], 3).await, too_large);
    assert_eq!(read(&["ab", "cd"], 3).await, too_large);
    assert_eq!(read(&["a", "b", "c", "d"], 3).await, too_large);

    let only = Bytes::from(vec![b'x'; 100]);
    let read = read_limited(stream::iter([Ok(only.clone())]), 100).await.unwrap();
    assert_eq!(read.as_ptr(), only.as_ptr());
    let cut = stream::iter([Ok(only), Err(BodyError::Cut)]);
    assert_eq!(read_limited(cut, 1000).await, Err(BodyError::Cut));
}

#[tokio::test(start_paused = true)]
async fn an_error_type_of_the_body_needs_no_bounds() {
    let frames = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from("x")))]);
    assert_eq!(read(StreamBody::new(frames)).await, (1, None, 0));
}

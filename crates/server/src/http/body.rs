//! Request bodies as they arrive: what may go wrong with one, a floor under the rate at which it is
//! sent, and a ceiling over one that is read whole. What a body holds is not looked at.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt};
use http_body::Body;
use tokio::time::{Instant, Sleep, sleep_until};

/// Why a request body did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The connection failed or ended first, or the framing of the body is broken.
    Cut,
    /// The sender fell under the [`RateFloor`].
    TooSlow,
    /// The body is longer than it may be.
    TooLarge {
        /// The most bytes it may have.
        limit: u64,
    },
}

/// The least that a sender must do. Only time spent waiting for the sender counts, so a slow
/// consumer is never held against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateFloor {
    /// How long the first window is: a client may need a moment before it sends.
    pub grace: Duration,
    /// How long each later window is. Not zero.
    pub window: Duration,
    /// What must arrive within each window, the first included.
    pub window_bytes_min: u64,
}

impl Default for RateFloor {
    /// A kibibyte a second, over half a minute.
    fn default() -> Self {
        let window = Duration::from_secs(30);
        Self { grace: window, window, window_bytes_min: 30 << 10 }
    }
}

/// A request body that fails when its sender falls under a floor. A sender that stops is found
/// after two windows at most.
///
/// Trailers are passed over. After an error or its end, the stream is at its end.
#[derive(Debug)]
pub struct MinimumRate<B> {
    /// `None` once it has ended or failed.
    body: Option<B>,
    floor: RateFloor,
    window: Window,
    /// Made at the first wait, and then set forward only when it goes off.
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Window {
    length: Duration,
    received: u64,
    /// Time waited, up to the beginning of the present wait.
    waited: Duration,
    waiting_since: Option<Instant>,
}

impl<B> MinimumRate<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Puts a floor under a body. Time counts from the first wait for it.
    pub fn new(body: B, floor: RateFloor) -> Self {
        debug_assert!(!floor.window.is_zero(), "a window without length measures no rate");
        Self { body: Some(body), floor, window: Window::new(floor.grace), timer: None }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(BodyError::Cut))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// Ready when the sender has fallen under the floor.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let window = &mut self.window;
        window.waiting_since.get_or_insert(now);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(now + window.length)));
        while timer.as_mut().poll(cx).is_ready() {
            window.count_wait(now);
            if window.waited >= window.length {
                if window.received < self.floor.window_bytes_min {
                    return Poll::Ready(());
                }
                *window = Window::new(self.floor.window);
            }
            window.waiting_since = Some(now);
            timer.as_mut().reset(now + (window.length - window.waited));
        }
        Poll::Pending
    }
}

impl<B> Stream for MinimumRate<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = match self.poll_body(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => {
                ready!(self.poll_too_slow(cx));
                Some(Err(BodyError::TooSlow))
            }
        };
        match &item {
            Some(Ok(data)) => {
                self.window.received += data.len() as u64;
                if self.window.waiting_since.is_some() {
                    self.window.count_wait(Instant::now());
                }
            }
            _ => self.body = None,
        }
        Poll::Ready(item)
    }
}

impl Window {
    fn new(length: Duration) -> Self {
        Self { length, received: 0, waited: Duration::ZERO, waiting_since: None }
    }

    /// Ends the present wait, if there is one.
    fn count_wait(&mut self, now: Instant) {
        self.waited += self.waiting_since.take().map_or(Duration::ZERO, |since| now - since);
    }
}

/// How many bytes a body says that it has.
pub(crate) fn announced(body: &impl Body) -> Option<u64> {
    body.size_hint().exact()
}

/// Reads a small body whole, and fails as soon as it has more than `limit` bytes. A body of one
/// chunk is not copied.
pub async fn read_limited<S>(mut body: S, limit: u64) -> Result<Bytes, BodyError>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Unpin,
{
    let mut whole = BytesMut::new();
    let mut only = Bytes::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if (whole.len() + only.len() + chunk.len()) as u64 > limit {
            return Err(BodyError::TooLarge { limit });
        }
        if whole.is_empty() && only.is_empty() {
            only = chunk;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut only));
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(if whole.is_empty() { only } else { whole.freeze() })
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("The request body ended early."),
            Self::TooSlow => f.write_str("The request body was sent too slowly."),
            Self::TooLarge { limit } => write!(f, "The request body exceeds {limit} bytes."),
        }
    }
}

impl std::error::Error for BodyError {}

#[cfg(test)]
mod tests;

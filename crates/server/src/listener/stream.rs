//! A socket that does not wait for ever: writes that make no progress fail, and a close waits, for a
//! while, for a peer that is still sending a body that nobody wants.

use super::Limits;
use axum::body::Body;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Bytes discarded at once.
const SCRATCH: usize = 16 << 10;

/// A TCP stream with a deadline on each wait to write, and a close that lingers.
pub(super) struct GuardedStream {
    tcp: TcpStream,
    body: BodyWatch,
    write_stall: Duration,
    linger: Duration,
    timer: Timer,
    /// The write side is shut; what still comes in is discarded.
    lingering: bool,
}

impl GuardedStream {
    pub(super) fn new(tcp: TcpStream, limits: &Limits, body: BodyWatch) -> Self {
        GuardedStream {
            tcp,
            body,
            write_stall: limits.write_stall,
            linger: limits.linger,
            timer: Timer::default(),
            lingering: false,
        }
    }

    /// Passes on what a write came to; one that waits is given until the deadline.
    fn guard<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.timer.disarm();
            return wrote;
        }
        ready!(self.timer.poll(cx, self.write_stall));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing of what is sent",
        )))
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.guard(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.tcp).poll_write_vectored(cx, pieces);
        self.guard(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.lingering {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
            if !self.body.left_unread() {
                return Poll::Ready(Ok(()));
            }
            self.lingering = true;
            self.timer.disarm();
        }
        // The timer first: a fast sender would leave it no turn behind the reads.
        let linger = self.linger;
        if self.timer.poll(cx, linger).is_ready() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut scratch = [MaybeUninit::uninit(); SCRATCH];
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let read = ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// One deadline that is used again and again without a new allocation.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Timer {
    /// Ready when `limit` has passed since the first poll after [`Timer::disarm`].
    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.armed {
            sleep.as_mut().reset(Instant::now() + limit);
            self.armed = true;
        }
        sleep.as_mut().poll(cx)
    }

    fn disarm(&mut self) {
        self.armed = false;
    }
}

/// Whether the last request's body was left before its end.
#[derive(Clone, Default)]
pub(super) struct BodyWatch(Arc<AtomicBool>);

impl BodyWatch {
    /// The body of the next request.
    pub(super) fn watch(&self, incoming: Incoming) -> Body {
        self.0.store(false, Relaxed);
        Body::new(WatchedBody { incoming, ended: false, watch: self.clone() })
    }

    fn left_unread(&self) -> bool {
        self.0.load(Relaxed)
    }
}

struct WatchedBody {
    incoming: Incoming,
    ended: bool,
    watch: BodyWatch,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        self.ended |= !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if !self.ended && !self.incoming.is_end_stream() {
            self.watch.0.store(true, Relaxed);
        }
    }
}

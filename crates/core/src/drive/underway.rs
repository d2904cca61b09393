//! Uploads that are under way, so that work which can wait gives way to them.

use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, watch};

/// How many there are, in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uploads(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: watch::Sender<usize>,
    turn: Mutex<()>,
}

/// One of them; dropped, it has ended.
#[derive(Debug)]
pub(super) struct Underway(Uploads);

impl Uploads {
    pub(super) fn begin(&self) -> Underway {
        // Nobody waits for more of them.
        self.0.count.send_if_modified(|count| {
            *count += 1;
            false
        });
        Underway(self.clone())
    }

    /// Waits until there is none.
    pub(crate) async fn none(&self) {
        let mut count = self.0.count.subscribe();
        // It fails only when the sender is gone, and that is held here.
        let _none = count.wait_for(|count| *count == 0).await;
    }

    /// The turn of work that gives way: one at a time.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.0.turn.lock().await
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.0.count.send_if_modified(|count| {
            *count -= 1;
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn work_that_gives_way_waits_for_the_last_upload() {
        let uploads = Uploads::default();
        assert!(uploads.none().now_or_never().is_some());
        let (first, second) = (uploads.begin(), uploads.begin());
        let mut waiting = std::pin::pin!(uploads.none());
        drop(first);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(second);
        waiting.await;
        let turn = uploads.turn().await;
        assert!(uploads.turn().now_or_never().is_none());
        drop(turn);
        assert!(uploads.turn().now_or_never().is_some());
    }
}

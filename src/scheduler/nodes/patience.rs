//! Patience: a store that is away for a while ends no loop.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{scheduler::Scheduler, store::StoreError};

/// The first and the longest wait before the next try. The waits grow between them, each up to chance, so that
/// the processes that share a store do not come back at the same moment.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl Scheduler {
    /// Does work until it is done or a stop begins. Work that ends because the store is away begins again.
    ///
    /// # Errors
    /// When the store fails for good.
    pub(in crate::scheduler) async fn persist<W>(&self, work: impl Fn() -> W) -> Result<(), StoreError>
    where
        W: Future<Output = Result<(), StoreError>>,
    {
        let mut stopping = self.stopping.subscribe();
        let mut longest = AGAIN_AFTER.0;
        loop {
            let since = Instant::now();
            let error = match work().await {
                Err(error) if error.passes() => error,
                ended => return ended,
            };
            if since.elapsed() > AGAIN_AFTER.1 {
                longest = AGAIN_AFTER.0;
            }
            if longest == AGAIN_AFTER.0 {
                tracing::warn!(%error, "the store is away: the scheduler goes on when it is back");
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                () = sleep(longest.mul_f64(self.clock.roll())) => {}
            }
            longest = (2 * longest).min(AGAIN_AFTER.1);
        }
    }
}

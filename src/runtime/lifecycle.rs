//! The life of one runner of the pool: start, one run after the other, replacement, end.
//!
//! A runner that dies, or that has to be killed because it does not answer, ends exactly the run
//! it had; a fresh process takes its place. A runner that no run needs ends after a while.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use super::{
    conversation::{RunReport, RunRequest},
    pool::{QueuedRun, Shared},
    process::Process,
};
use crate::domain::execution::{Ending, Reason, Verdict};

/// A runner beyond the smallest number ends after being idle for this long.
const IDLE: Duration = Duration::from_secs(30);
/// A runner that has this many bytes resident between runs is replaced; a fresh one has 30 MiB.
const GROWN: u64 = 128 * 1024 * 1024;
/// Between attempts to start a runner that does not start.
const RESTART: Duration = Duration::from_secs(1);

/// Resolves when the pool closes.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // Its sender lives as long as the pool, so an error means the same.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Why the runner of a run that ended so is dead.
fn cause_of(verdict: &Verdict) -> &'static str {
    match verdict.ending {
        Ending::Completed { .. } => "after-run",
        Ending::Failed { reason, .. } => reason.name(),
        Ending::Cancelled { .. } => Reason::Cancelled.name(),
    }
}

impl Shared {
    /// Keeps one runner going, process after process.
    pub(super) async fn keep_runner(self: Arc<Self>, mut process: Option<Process>) {
        let mut closing = self.closing.subscribe();
        loop {
            let started = match process.take() {
                Some(process) => Ok(process),
                None => tokio::select! {
                    started = self.start_process() => {
                        self.alive.fetch_add(usize::from(started.is_ok()), Ordering::Relaxed);
                        started
                    }
                    () = closed(&mut closing) => break,
                },
            };
            match started {
                Ok(mut process) => {
                    let is_replaced = self.serve(&mut process, &mut closing).await;
                    self.alive.fetch_sub(1, Ordering::Relaxed);
                    process.kill();
                    process.reap().await;
                    if !is_replaced {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a runner does not start; trying again");
                    tokio::select! {
                        () = sleep(RESTART) => {}
                        () = closed(&mut closing) => break,
                    }
                }
            }
        }
    }

    /// Does one run after the other until the process is used up; `true` if another is to take
    /// its place.
    async fn serve(&self, process: &mut Process, closing: &mut watch::Receiver<bool>) -> bool {
        loop {
            self.idle.fetch_add(1, Ordering::Relaxed);
            let next = tokio::select! {
                biased;
                () = closed(closing) => None,
                () = process.gone() => {
                    self.idle.fetch_sub(1, Ordering::Relaxed);
                    self.count_death("idle");
                    tracing::warn!(runner = process.id(), words = process.last_words(), "an idle runner died and is replaced");
                    return true;
                }
                next = self.next_run() => Some(next),
                () = self.spare() => None,
            };
            self.idle.fetch_sub(1, Ordering::Relaxed);
            let Some((request, queued)) = next else { return false };
            self.queued.fetch_sub(1, Ordering::Relaxed);
            let RunReport { verdict, modules, alive } = self.converse(process, request).await;
            if !alive {
                self.count_death(cause_of(&verdict));
            }
            // The receiver may be gone.
            let _ = queued.reply.send((verdict, modules));
            process.runs += 1;
            if !alive || process.runs >= self.settings.recycle_after {
                return true;
            }
            if let Err(error) = process.ready().await {
                self.count_death("after-run");
                tracing::warn!(%error, "a runner died after its run and is replaced");
                return true;
            }
            if process.resident().is_some_and(|resident| resident > GROWN) {
                return true;
            }
        }
    }

    /// The next run that has not been cancelled.
    async fn next_run(&self) -> (RunRequest, QueuedRun) {
        loop {
            let queued = self.queue.take().await;
            if let Some(request) = queued.request.take() {
                return (request, queued);
            }
        }
    }

    /// Resolves, and counts this runner off, when it has been idle for long and there are more
    /// than the smallest number.
    async fn spare(&self) {
        loop {
            sleep(IDLE).await;
            let one_less = |started: usize| (started > self.settings.min).then(|| started - 1);
            if self.started.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                return;
            }
        }
    }
}

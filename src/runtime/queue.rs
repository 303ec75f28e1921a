//! The queue: runs that wait for a runner, and runners that wait for a run.
//!
//! Runs go in the order in which they came. Of the free runners, the one that became free last
//! is served first: its memory is still in the processor's caches, and a runner that is not
//! needed is left alone long enough to be seen as not needed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::Notify;

use crate::domain::lock::lock;

/// A queue of runs of the type `R`.
#[derive(Debug)]
pub(super) struct RunQueue<R>(Mutex<State<R>>);

#[derive(Debug)]
struct State<R> {
    runs: VecDeque<R>,
    /// Empty while a run waits.
    free: Vec<Arc<Waiter<R>>>,
}

/// A free runner. It is handed its run under the queue's lock.
#[derive(Debug)]
struct Waiter<R> {
    run: Mutex<Option<R>>,
    wake: Notify,
}

impl<R> Default for RunQueue<R> {
    fn default() -> Self {
        Self(Mutex::new(State { runs: VecDeque::new(), free: Vec::new() }))
    }
}

impl<R> RunQueue<R> {
    /// Hands a run to the runner that became free last, or has it wait; `true` if one was free.
    pub(super) fn put(&self, run: R) -> bool {
        let mut state = self.lock();
        state.runs.push_back(run);
        state.hand_out()
    }

    /// The run that has waited longest, or the next one. May be dropped at any time: a run that
    /// was handed out but not taken goes back to the head of the queue.
    pub(super) async fn take(&self) -> R {
        let waiter = Arc::new(Waiter { run: Mutex::new(None), wake: Notify::new() });
        {
            let mut state = self.lock();
            state.free.push(waiter.clone());
            state.hand_out();
        }
        let waiting = Waiting { queue: self, waiter: &waiter };
        loop {
            if let Some(run) = waiting.waiter.take() {
                return run;
            }
            waiter.wake.notified().await;
        }
    }

    #[cfg(test)]
    fn free(&self) -> usize {
        self.lock().free.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        lock(&self.0)
    }
}

impl<R> State<R> {
    /// Hands the run at the head to a free runner; `true` if there are both.
    fn hand_out(&mut self) -> bool {
        if self.runs.is_empty() {
            return false;
        }
        let Some(waiter) = self.free.pop() else { return false };
        *lock(&waiter.run) = self.runs.pop_front();
        waiter.wake.notify_one();
        true
    }
}

impl<R> Waiter<R> {
    fn take(&self) -> Option<R> {
        lock(&self.run).take()
    }
}

/// Leaves the queue as if the waiter had never been there.
struct Waiting<'a, R> {
    queue: &'a RunQueue<R>,
    waiter: &'a Arc<Waiter<R>>,
}

impl<R> Drop for Waiting<'_, R> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.free.retain(|waiter| !Arc::ptr_eq(waiter, self.waiter));
        if let Some(run) = self.waiter.take() {
            state.runs.push_front(run);
            state.hand_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<R>(take: Pin<&mut impl Future<Output = R>>) -> Option<R> {
        match take.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(run) => Some(run),
            Poll::Pending => None,
        }
    }

    #[test]
    fn runs_go_in_their_order_to_the_runner_that_became_free_last() {
        let queue = RunQueue::default();
        let (mut first, mut second) = (pin!(queue.take()), pin!(queue.take()));
        assert_eq!((poll(first.as_mut()), poll(second.as_mut())), (None, None));
        assert!(queue.put(1), "a runner is free");
        assert_eq!((poll(first.as_mut()), poll(second.as_mut())), (None, Some(1)));
        assert!(queue.put(2));
        assert!(!queue.put(3), "no runner is free");
        assert!(!queue.put(4));
        assert_eq!(poll(first.as_mut()), Some(2));
        assert_eq!([3, 4].map(Some), [poll(pin!(queue.take())), poll(pin!(queue.take()))]);
        assert_eq!(queue.free(), 0);
    }

    #[test]
    fn a_runner_that_leaves_takes_no_run_along() {
        let queue = RunQueue::default();
        let mut stays = pin!(queue.take());
        assert_eq!(poll(stays.as_mut()), None);
        {
            let mut leaves = pin!(queue.take());
            assert_eq!(poll(leaves.as_mut()), None);
            assert!(queue.put(1), "it is handed to the one that leaves");
            assert!(queue.put(2), "and this to the other");
        }
        assert_eq!(poll(stays.as_mut()), Some(2));
        assert_eq!(poll(pin!(queue.take())), Some(1), "it has not been lost");

        drop(Box::pin(queue.take()));
        {
            let mut leaves = pin!(queue.take());
            assert_eq!(poll(leaves.as_mut()), None);
        }
        assert_eq!(queue.free(), 0);
        assert!(!queue.put(3), "no runner is there any more");
    }
}

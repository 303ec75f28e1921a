//! The executions in progress: how each of them is asked to end and how it stands, and how a stop waits
//! for all.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use super::tail::Tail;
use crate::{
    domain::{ids::ExecutionId, lock::lock},
    runtime::live::Live,
};

/// Carries the name of the one who cancels an execution, once there is one.
type Cancel = watch::Sender<Option<String>>;

#[derive(Debug)]
pub(super) struct InProgress {
    cancels: Mutex<BTreeMap<ExecutionId, Cancel>>,
    /// The executions that have been dispatched.
    dispatched: Mutex<BTreeMap<ExecutionId, Dispatched>>,
    /// The loop, attempts and changes under way.
    under_way: watch::Sender<usize>,
}

/// An execution that a runner has, or is about to have.
#[derive(Debug, Clone, Default)]
pub(super) struct Dispatched {
    /// Its progress and its steps.
    pub(super) live: Arc<Live>,
    /// The newest lines of its output.
    pub(super) tail: Arc<Tail>,
}

impl Default for InProgress {
    fn default() -> Self {
        Self { cancels: Mutex::default(), dispatched: Mutex::default(), under_way: watch::channel(0).0 }
    }
}

impl InProgress {
    /// Enters an execution that is about to start. It may have been cancelled already.
    pub(super) fn enter(&self, execution: ExecutionId) -> watch::Receiver<Option<String>> {
        self.cancels().entry(execution).or_insert_with(|| watch::channel(None).0).subscribe()
    }

    /// Asks an execution to end, and enters it if it is not there; `true` if it was not.
    pub(super) fn cancel(&self, execution: ExecutionId, who: &str) -> bool {
        let mut cancels = self.cancels();
        let known = cancels.len();
        cancels.entry(execution).or_insert_with(|| watch::channel(None).0).send_replace(Some(who.to_owned()));
        cancels.len() > known
    }

    /// Asks an execution to end that has been entered, unless it has been asked already.
    pub(super) fn cancel_entered(&self, execution: ExecutionId, who: &str) {
        if let Some(cancel) = self.cancels().get(&execution).filter(|cancel| cancel.borrow().is_none()) {
            cancel.send_replace(Some(who.to_owned()));
        }
    }

    /// Adds an execution that is dispatched.
    pub(super) fn go_live(&self, execution: ExecutionId) -> Dispatched {
        let dispatched = Dispatched::default();
        lock(&self.dispatched).entry(execution).or_insert(dispatched).clone()
    }

    /// An execution that has been dispatched and has not left.
    pub(super) fn dispatched(&self, execution: ExecutionId) -> Option<Dispatched> {
        lock(&self.dispatched).get(&execution).cloned()
    }

    /// Removes an execution whose end is recorded.
    pub(super) fn leave(&self, execution: ExecutionId) {
        if let Some(dispatched) = lock(&self.dispatched).remove(&execution) {
            dispatched.tail.close();
        }
        self.cancels().remove(&execution);
    }

    /// Every execution that has been entered and has not left.
    pub(super) fn executions(&self) -> Vec<ExecutionId> {
        self.cancels().keys().copied().collect()
    }

    pub(super) fn begin(&self) {
        self.under_way.send_modify(|count| *count += 1);
    }

    pub(super) fn end(&self) {
        self.under_way.send_modify(|count| *count -= 1);
    }

    /// Waits until nothing is under way; `false` if that takes longer than `limit`.
    pub(super) async fn wait_until_idle(&self, limit: Duration) -> bool {
        let mut under_way = self.under_way.subscribe();
        // The sender is in `self`, so waiting cannot fail before the limit.
        timeout(limit, under_way.wait_for(|count| *count == 0)).await.is_ok()
    }

    fn cancels(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, Cancel>> {
        lock(&self.cancels)
    }
}

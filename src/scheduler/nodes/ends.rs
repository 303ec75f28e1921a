//! Ends: the executions of other nodes whose ends somebody waits for here, asked for together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};

use crate::domain::{
    ids::{ExecutionId, TaskId},
    lock::lock,
};

/// Between two questions to the store, while somebody waits.
const ASKED_EVERY: Duration = Duration::from_millis(250);

type Awaited = (TaskId, ExecutionId);

/// The executions whose ends somebody waits for.
#[derive(Debug, Default)]
pub(in crate::scheduler) struct Ends {
    /// Those who wait hold the other ends.
    waiting: Mutex<BTreeMap<Awaited, Weak<Notify>>>,
    /// Notified when somebody begins to wait.
    begun: Notify,
}

impl Ends {
    /// Waits until [`Ends::tell`] tells that an execution has ended.
    pub(super) async fn wait_for(&self, task: TaskId, execution: ExecutionId) {
        let ended = {
            let mut waiting = lock(&self.waiting);
            let known = waiting.get(&(task, execution)).and_then(Weak::upgrade);
            let ended = known.unwrap_or_default();
            waiting.insert((task, execution), Arc::downgrade(&ended));
            ended
        };
        let notified = ended.notified();
        self.begun.notify_one();
        notified.await;
    }

    /// Waits for the time of the next question to the store, as long as there is none. Returns what to ask for.
    pub(super) async fn round(&self) -> Vec<Awaited> {
        loop {
            let begun = self.begun.notified();
            if self.all().is_empty() {
                begun.await;
            }
            sleep(ASKED_EVERY).await;
            let all = self.all();
            if !all.is_empty() {
                return all;
            }
        }
    }

    fn all(&self) -> Vec<Awaited> {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|_, ended| ended.strong_count() > 0);
        waiting.keys().copied().collect()
    }

    /// Tells those who wait for an execution that was asked for and is not open any more.
    pub(super) fn tell(&self, asked: &[Awaited], open: &[ExecutionId]) {
        let mut waiting = lock(&self.waiting);
        for awaited in asked.iter().filter(|(_, execution)| !open.contains(execution)) {
            if let Some(ended) = waiting.remove(awaited).and_then(|ended| ended.upgrade()) {
                ended.notify_waiters();
            }
        }
    }
}

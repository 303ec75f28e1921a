//! Concurrency keys: of all tasks with a key, only so many executions are in progress at once.
//!
//! The runs of such a task wait in its facts, also when its time has just come, and start here, one after
//! the other: a slot of the key is taken before the start is decided, and given back when the execution has
//! ended. The slots are those of this process, because every execution of an earlier one is closed before
//! the first start. What waits is in the store: nothing is lost with the process.
//!
//! Misuse to avoid: removing a task from a queue because of a step. Steps may become known in another order
//! than that in which they were taken, and the task would not start any more; a task that has nothing to
//! start is passed over when its turn comes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock},
};

use tokio::sync::Notify;

use crate::scheduler::{REPLACED, Scheduler};
use crate::{
    domain::{
        Millis,
        facts::Task,
        ids::{ExecutionId, TaskId},
        lock::lock,
        step::Input,
    },
    store::StoreError,
};

/// The place of a task in the queue of a key: the highest priority first, then the one that waits longest.
type Place = (Reverse<i8>, Millis, TaskId);

/// The slots and the queues of all keys.
#[derive(Default)]
pub(in crate::scheduler) struct Keys {
    limits: OnceLock<BTreeMap<String, u32>>,
    state: Mutex<State>,
    /// Notified when a run may start.
    nudge: Notify,
}

#[derive(Default)]
struct State {
    /// Slots that are taken.
    taken: HashMap<String, u32>,
    /// The key of each execution that has a slot.
    holders: HashMap<ExecutionId, String>,
    queues: BTreeMap<String, BTreeSet<Place>>,
}

impl Keys {
    /// Adds a task with a run that waits to the queue of its key.
    pub(in crate::scheduler) fn note(&self, task: &Task) {
        let Some((key, since)) = task.definition.concurrency_key.as_ref().zip(task.waits_since()) else {
            return;
        };
        let mut state = lock(&self.state);
        let queue = state.queues.entry(key.clone()).or_default();
        queue.insert((Reverse(task.definition.priority), since, task.id));
        drop(state);
        self.nudge.notify_one();
    }

    /// Takes a slot for the first task of a queue whose key has one.
    fn take(&self) -> Option<(String, TaskId)> {
        let mut state = lock(&self.state);
        let State { taken, queues, .. } = &mut *state;
        let has_slot = |key: &String| taken.get(key).copied().unwrap_or_default() < self.limit(key);
        let key = queues.keys().find(|key| has_slot(key))?.clone();
        let queue = queues.get_mut(&key)?;
        let (_, _, task) = queue.pop_first()?;
        if queue.is_empty() {
            queues.remove(&key);
        }
        *taken.entry(key.clone()).or_default() += 1;
        Some((key, task))
    }

    fn limit(&self, key: &str) -> u32 {
        self.limits.get().and_then(|limits| limits.get(key)).copied().unwrap_or(1)
    }

    /// Notes which execution has a slot.
    fn hold(&self, key: &str, execution: ExecutionId) {
        lock(&self.state).holders.insert(execution, key.to_owned());
    }

    /// Gives back the slot of an execution that has ended.
    pub(in crate::scheduler) fn release(&self, execution: ExecutionId) {
        let key = lock(&self.state).holders.remove(&execution);
        if let Some(key) = key {
            self.give_back(&key);
        }
    }

    fn give_back(&self, key: &str) {
        let mut state = lock(&self.state);
        if let Some(taken) = state.taken.get_mut(key) {
            *taken -= 1;
            if *taken == 0 {
                state.taken.remove(key);
            }
        }
        drop(state);
        self.nudge.notify_one();
    }
}

impl Scheduler {
    /// Sets the number of executions at once for some keys; it is 1 for the others. Call it once, before
    /// [`Scheduler::run`].
    pub fn limit_keys(&self, limits: BTreeMap<String, u32>) {
        // A second call changes nothing.
        let _ = self.keys.limits.set(limits);
    }

    /// Starts waiting runs of tasks with a key as slots and runners become free, until a stop.
    pub(in crate::scheduler) async fn start_keyed(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut stopping = self.stopping.subscribe();
        for task in self.store.keyed().await? {
            if let Some(task) = self.store.task(task).await? {
                self.keys.note(&task);
            }
        }
        loop {
            let nudged = self.keys.nudge.notified();
            tokio::pin!(nudged);
            nudged.as_mut().enable();
            while !*stopping.borrow_and_update()
                && let Some((key, task)) = self.keys.take()
            {
                let permits = tokio::select! {
                    biased;
                    _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                    permit = self.permits.clone().acquire_owned() => permit.into_iter().collect(),
                };
                self.start_one(&key, task, permits).await?;
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                () = nudged => {}
            }
        }
    }

    /// Starts the waiting run of a task whose turn it is, with a slot of the key.
    async fn start_one(
        self: &Arc<Self>,
        key: &str,
        task: TaskId,
        mut permits: Vec<tokio::sync::OwnedSemaphorePermit>,
    ) -> Result<(), StoreError> {
        let input = {
            let key = key.to_owned();
            move || Input::Admit { key: key.clone() }
        };
        match self.store.change(task, self.decision(input), None, None).await {
            Ok(step) => {
                match step.start.first() {
                    Some(start) => self.keys.hold(key, start.execution),
                    None => self.keys.give_back(key),
                }
                self.carry_out(step, REPLACED, &mut permits);
                Ok(())
            }
            Err(StoreError::NotFound | StoreError::Refused(_)) => {
                self.keys.give_back(key);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

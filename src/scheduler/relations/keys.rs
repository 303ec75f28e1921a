//! Concurrency keys: of all tasks with a key, only so many executions are in progress at once.
//!
//! The runs of such a task wait in its facts, also when its time has just come, and start here, one after
//! the other: a slot of the key is taken before the start is decided, and given back when the execution has
//! ended. The slots are those of this process, because every execution of an earlier one is closed before
//! the first start; where many processes share a store, the store counts the slots of all of them as it starts
//! a run. What waits is in the store: nothing is lost with the process.
//!
//! Misuse to avoid: removing a task from a queue because of a step. Steps may become known in another order
//! than that in which they were taken, and the task would not start any more; a task that has nothing to
//! start is passed over when its turn comes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::{
    domain::{
        Millis,
        facts::Task,
        ids::{ExecutionId, TaskId},
        lock::lock,
        step::Input,
    },
    scheduler::Scheduler,
    store::StoreError,
};

/// The place of a task in the queue of a key: the highest priority first, then the one that waits longest.
type Place = (Reverse<i8>, Millis, TaskId);

/// The slots and the queues of all keys.
pub(in crate::scheduler) struct Keys {
    limits: OnceLock<BTreeMap<String, u32>>,
    state: Mutex<State>,
    /// Whether tasks that wait may be in no queue.
    is_unsure: AtomicBool,
    /// Notified when a run may start.
    nudge: Notify,
}

impl Default for Keys {
    fn default() -> Self {
        // Nothing is known of the tasks of an earlier process.
        let is_unsure = AtomicBool::new(true);
        Self { limits: OnceLock::new(), state: Mutex::default(), is_unsure, nudge: Notify::new() }
    }
}

#[derive(Default)]
struct State {
    /// The key of each execution that has a slot.
    holders: HashMap<ExecutionId, String>,
    /// None of them is empty.
    queues: BTreeMap<String, BTreeSet<Place>>,
    /// The place of each task in the queue of a key. A task whose key has changed may stand in two queues.
    places: HashMap<(String, TaskId), Place>,
    /// Keys of which other processes have all slots, as it was last seen.
    full: BTreeSet<String>,
}

impl Keys {
    /// Puts a task with a run that waits into the queue of its key.
    pub(in crate::scheduler) fn note(&self, task: &Task) {
        let Some((key, since)) = task.definition.concurrency_key.as_ref().zip(task.waits_since()) else {
            return;
        };
        lock(&self.state).put(key, (Reverse(task.definition.priority), since, task.id));
        self.nudge.notify_one();
    }

    /// Lets the tasks that wait be read again: a change may be in the store although it was answered with
    /// an error.
    pub(in crate::scheduler) fn look_again(&self) {
        lock(&self.state).full.clear();
        self.is_unsure.store(true, Ordering::Relaxed);
        self.nudge.notify_one();
    }

    /// Notes which execution has a slot.
    fn hold(&self, key: String, execution: ExecutionId) {
        lock(&self.state).holders.insert(execution, key);
    }

    /// Gives back the slot of an execution that has ended; whether it had one.
    pub(in crate::scheduler) fn release(&self, execution: ExecutionId) -> bool {
        let had_one = lock(&self.state).holders.remove(&execution).is_some();
        if had_one {
            self.nudge.notify_one();
        }
        had_one
    }

    /// Whether a task waits.
    pub(in crate::scheduler) fn has_waiting(&self) -> bool {
        let state = lock(&self.state);
        !state.queues.is_empty() || !state.full.is_empty()
    }

    /// Notes that other processes have all slots of a key, until the next look.
    fn note_full(&self, key: String) {
        lock(&self.state).full.insert(key);
    }

    /// Whether a task waits whose key has a slot.
    fn has_turn(&self) -> bool {
        lock(&self.state).first(|key| self.limit(key)).is_some()
    }

    /// Takes the task whose turn it is out of its queue, with the key that has a slot.
    fn take(&self) -> Option<(String, TaskId)> {
        let mut state = lock(&self.state);
        let (key, place) = state.first(|key| self.limit(key))?;
        state.remove(&key, place);
        Some((key, place.2))
    }

    fn limit(&self, key: &str) -> usize {
        let limit = self.limits.get().and_then(|limits| limits.get(key)).copied().unwrap_or(1);
        limit as usize
    }
}

impl State {
    fn put(&mut self, key: &str, place: Place) {
        let former = self.places.insert((key.to_owned(), place.2), place);
        let queue = self.queues.entry(key.to_owned()).or_default();
        if let Some(former) = former {
            queue.remove(&former);
        }
        queue.insert(place);
    }

    fn remove(&mut self, key: &str, place: Place) {
        self.places.remove(&(key.to_owned(), place.2));
        if let Some(queue) = self.queues.get_mut(key) {
            queue.remove(&place);
            if queue.is_empty() {
                self.queues.remove(key);
            }
        }
    }

    /// The first place of all queues whose keys have slots.
    fn first(&self, limit: impl Fn(&str) -> usize) -> Option<(String, Place)> {
        let has_slot = |key: &str| {
            let held = self.holders.values().filter(|held| *held == key).count();
            held < limit(key) && !self.full.contains(key)
        };
        let firsts = self.queues.iter().filter_map(|(key, queue)| Some((key, *queue.first()?)));
        let (key, place) = firsts.filter(|(key, _)| has_slot(key)).min_by_key(|(_, place)| *place)?;
        Some((key.clone(), place))
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
        loop {
            let nudged = self.keys.nudge.notified();
            tokio::pin!(nudged);
            nudged.as_mut().enable();
            if self.keys.is_unsure.swap(false, Ordering::Relaxed) {
                self.note_all_keyed().await.inspect_err(|_| self.keys.look_again())?;
            }
            while !*stopping.borrow_and_update() && !self.drain.is_on() && self.keys.has_turn() {
                let permit = tokio::select! {
                    biased;
                    _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                    permit = self.permits.clone().acquire_owned() => permit.into_iter().collect(),
                };
                // A more urgent run may have come since.
                let Some((key, task)) = self.keys.take() else { break };
                self.start_one(key, task, permit).await?;
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                () = nudged => {}
            }
        }
    }

    /// Starts the waiting run of a task whose turn it is, and whose key has a slot.
    async fn start_one(
        self: &Arc<Self>,
        key: String,
        task: TaskId,
        mut permits: Vec<OwnedSemaphorePermit>,
    ) -> Result<(), StoreError> {
        let since = self.clock.now();
        let input = {
            let key = key.clone();
            move || Input::Admit { key: key.clone() }
        };
        let decide = self.decision(input);
        let admitted = match self.member() {
            Some(member) => member.store().admit(task, key.clone(), self.keys.limit(&key), decide).await,
            None => self.store.change(task, decide, None, None).await.map(Some),
        };
        match admitted {
            // The task is put into its queue again with the next look.
            Ok(None) => {
                self.keys.note_full(key);
                Ok(())
            }
            Ok(Some(step)) => {
                if let Some(start) = step.start.first() {
                    self.keys.hold(key, start.execution);
                    self.traced.note_claim(start, since);
                }
                self.carry_out(step, &mut permits);
                Ok(())
            }
            Err(StoreError::NotFound | StoreError::Refused(_)) => Ok(()),
            Err(error) => {
                // The task has left its queue.
                self.keys.look_again();
                Err(error)
            }
        }
    }

    async fn note_all_keyed(&self) -> Result<(), StoreError> {
        for task in self.store.keyed().await? {
            self.store.task(task).await?.iter().for_each(|task| self.keys.note(task));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;

    fn task(number: u128) -> TaskId {
        TaskId(Ulid(number))
    }

    fn put(keys: &Keys, key: &str, priority: i8, since: Millis, number: u128) {
        lock(&keys.state).put(key, (Reverse(priority), since, task(number)));
    }

    #[test]
    fn the_highest_priority_of_all_keys_with_a_slot_goes_first() {
        let keys = Keys::default();
        put(&keys, "a", 0, 3, 1);
        put(&keys, "b", 5, 9, 2);
        put(&keys, "c", 0, 1, 3);
        assert_eq!(keys.take(), Some(("b".to_owned(), task(2))));
        let execution = ExecutionId(Ulid(7));
        keys.hold("c".to_owned(), execution);
        assert_eq!(keys.take(), Some(("a".to_owned(), task(1))), "c has no slot");
        assert!(!keys.has_turn());
        keys.release(execution);
        assert_eq!(keys.take(), Some(("c".to_owned(), task(3))));
        assert_eq!(keys.take(), None);
    }

    #[test]
    fn a_task_has_one_place_in_a_queue_and_a_late_word_of_a_former_key_takes_none_away() {
        let keys = Keys::default();
        for since in 1..1000 {
            put(&keys, "a", 0, since, 1);
        }
        put(&keys, "b", 0, 1000, 1);
        put(&keys, "a", 0, 999, 1);
        assert_eq!(keys.take(), Some(("a".to_owned(), task(1))));
        assert_eq!(keys.take(), Some(("b".to_owned(), task(1))));
        assert_eq!(keys.take(), None);
        assert!(lock(&keys.state).places.is_empty());
    }
}

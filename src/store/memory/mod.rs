//! The store in memory, for tests and for `isochron run`: the model of every backend.
//!
//! A [`Disk`] survives the process; a [`MemoryStore`] is one process that has it open. An operation
//! has two halves, so that a test can act between them: a function of [`prepare`] decides and returns
//! the writes, and [`disk::Data::write`] applies them, all or none. Do not prepare a second operation
//! before the first is written.
//!
//! There is no index: every read scans all records, so keep few tasks in it.

mod audits;
mod copy;
pub(crate) mod disk;
mod figures;
pub(crate) mod identity;
mod list;
pub(crate) mod nodes;
pub(crate) mod outbox;
pub(crate) mod prepare;
mod upkeep;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Map, Value};

use self::{
    disk::{Disk, Operation, Prepared},
    identity::Identity,
};
use super::{
    Access, AccessChange, Answer, Audit, Bindings, Census, Claimed, ComingQuery, Copies, Decision, Edit,
    Edited, Entries, Entry, EntryPage, EntryQuery, ExecutionQuery, Fence, Figures, FinishedStep,
    HandlerVersion, History, HistoryPage, HistoryQuery, Informed, KeptSource, NameSearch, Now, Outbox,
    OutboxQuery, Output, Owner, Page, Removal, Report, Rewriting, RunNote, SourceHash, Sources, Steps,
    StoreError, SuccessorDecision, TaskQuery, TaskView, Tasks, Values, VersionNote, WaitingAlerts,
    copy::{Cursor, Import, Part},
    nodes::Leftovers,
    ready,
};
use crate::domain::{
    Millis,
    access::{record::TokenRecord, session::Session},
    activity::{Bucket, Size},
    alerts::Delivery,
    binding::Binding,
    execution::{Execution, Line},
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
    step::Step,
};

/// One process that has a disk open.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    disk: Arc<Disk>,
    pub(crate) identity: Identity,
    now: Now,
    closed: Arc<AtomicBool>,
    #[cfg(test)]
    decisions: Arc<std::sync::atomic::AtomicU64>,
    report: Report,
    leftovers: Arc<Leftovers>,
}

impl MemoryStore {
    /// Opens a disk, empty or written by an earlier process.
    pub(crate) fn open(disk: &Arc<Disk>, now: Now) -> Self {
        disk.data().held_back.clear();
        Self::open_as(Identity::default(), disk, now)
    }

    /// Opens a disk that other processes may have open too. Nothing is written before [`Shared::join`].
    #[cfg(test)]
    pub(crate) fn open_shared(disk: &Arc<Disk>, now: Now) -> Self {
        Self::open_as(Identity::of_stranger(), disk, now)
    }

    fn open_as(identity: Identity, disk: &Arc<Disk>, now: Now) -> Self {
        let mut data = disk.data();
        data.epoch += 1;
        let report = Report { epoch: data.epoch, tasks: data.tasks.len() as u64, ..Report::default() };
        drop(data);
        Self {
            disk: disk.clone(),
            identity,
            now,
            closed: Arc::default(),
            #[cfg(test)]
            decisions: Arc::default(),
            report,
            leftovers: Arc::default(),
        }
    }

    fn perform<T: Send + 'static>(&self, operation: Operation<T>) -> Answer<T> {
        self.perform_anyway(self.identity.fence(self.now.clone(), operation))
    }

    /// As [`MemoryStore::perform`], also of a node that is gone.
    fn perform_anyway<T: Send + 'static>(&self, operation: Operation<T>) -> Answer<T> {
        let store = self.clone();
        Box::pin(async move {
            store.ensure_open()?;
            // One lock for both halves: other threads may perform operations too.
            let mut data = store.disk.data();
            let Prepared { answer, writes } = operation(&data)?;
            data.write(writes);
            store.identity.hear_of(&data);
            Ok(answer)
        })
    }

    /// Calls some decisions of tests twice, as a backend does that repeats a commit.
    #[cfg(not(test))]
    fn decide_twice_at_random(&self, decide: Decision) -> Decision {
        decide
    }

    #[cfg(test)]
    fn decide_twice_at_random(&self, mut decide: Decision) -> Decision {
        let decisions = self.decisions.clone();
        Box::new(move |task, now| {
            let number = decisions.fetch_add(1, Ordering::Relaxed);
            if crate::domain::chance::Chance::new(number).below(2) == 0 {
                let _ = decide(task, now);
            }
            decide(task, now)
        })
    }

    fn ensure_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl Tasks for MemoryStore {
    fn create(&self, task: Task, audit: Option<Audit>) -> Answer<()> {
        self.perform(prepare::create(task, audit))
    }

    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Answer<Step> {
        let decide = self.decide_twice_at_random(decide);
        self.perform(prepare::change(self.identity.clone(), self.now.clone(), task, decide, output, audit))
    }

    fn claim(&self, ahead: Millis, most: usize, decide: Decision) -> Answer<Claimed> {
        let decide = self.decide_twice_at_random(decide);
        self.perform(prepare::claim(self.identity.clone(), self.now.clone(), ahead, most, decide))
    }

    fn inform_successors(&self, most: usize, decide: SuccessorDecision) -> Answer<Informed> {
        self.perform(prepare::inform_successors(self.identity.clone(), self.now.clone(), most, decide))
    }

    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Answer<Task> {
        self.perform(prepare::delete(task, audit))
    }

    fn find(&self, name: String) -> Answer<Option<TaskId>> {
        let data = self.disk.data();
        ready(Ok(data.tasks.values().find(|task| task.definition.name == name).map(|task| task.id)))
    }

    fn task(&self, id: TaskId) -> Answer<Option<Task>> {
        ready(Ok(self.disk.data().tasks.get(&id).cloned()))
    }

    fn task_view(&self, id: TaskId, newest: usize) -> Answer<Option<TaskView>> {
        let data = self.disk.data();
        ready(Ok(data.tasks.get(&id).map(|task| list::view(&data, task.clone(), newest))))
    }

    fn tasks(&self, query: TaskQuery) -> Answer<Page<TaskView>> {
        ready(Ok(list::tasks(&self.disk.data(), &query)))
    }

    fn keyed(&self) -> Answer<Vec<TaskId>> {
        let data = self.disk.data();
        let waiting = data.tasks.values().filter(|task| task.waits_since().is_some());
        ready(Ok(waiting.map(|task| task.id).collect()))
    }

    fn next_due(&self) -> Answer<Option<Millis>> {
        ready(Ok(self.disk.data().due().map(|(due, _)| due).min()))
    }
}

impl History for MemoryStore {
    fn append(&self, output: Output) -> Answer<()> {
        self.perform(prepare::append(self.identity.clone(), output))
    }

    fn remove_history(&self, before: Millis, only_count: bool) -> Answer<Removal> {
        let store = self.clone();
        Box::pin(async move {
            if only_count {
                return store.perform(prepare::count_history(before)).await;
            }
            let mut total = Removal::default();
            loop {
                let part = store.perform(prepare::remove_history(before)).await?;
                if part == Removal::default() {
                    return Ok(total);
                }
                total.executions += part.executions;
                total.audit += part.audit;
                tokio::task::yield_now().await;
            }
        })
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Answer<Option<Execution>> {
        ready(Ok(self.disk.data().rows.get(&(task, id)).cloned()))
    }

    fn executions(&self, task: TaskId, query: ExecutionQuery) -> Answer<Page<Execution>> {
        ready(Ok(list::executions(&self.disk.data(), task, &query)))
    }

    fn history(&self, query: HistoryQuery) -> Answer<HistoryPage> {
        ready(Ok(list::history(&self.disk.data(), &query)))
    }

    fn find_by_name(&self, search: NameSearch) -> Answer<(Vec<Task>, bool)> {
        ready(Ok((list::find_by_name(&self.disk.data(), &search), true)))
    }

    fn params(&self, task: TaskId, hash: String) -> Answer<Option<Map<String, Value>>> {
        let data = self.disk.data();
        let found = data.params.iter().find(|((of, _, other), _)| *of == task && *other == hash);
        ready(Ok(found.map(|(_, params)| params.clone())))
    }

    fn locate(&self, id: ExecutionId) -> Answer<Option<TaskId>> {
        ready(Ok(self.disk.data().rows.keys().find(|(_, row)| *row == id).map(|(task, _)| *task)))
    }

    fn outputs(&self, ids: Vec<ExecutionId>, tail: Option<usize>) -> Answer<Vec<Vec<Line>>> {
        let data = self.disk.data();
        ready(Ok(ids.into_iter().map(|id| list::output(&data, id, tail)).collect()))
    }

    fn running(&self) -> Answer<Vec<(TaskId, ExecutionId)>> {
        ready(Ok(self.disk.data().running()))
    }
}

impl Sources for MemoryStore {
    fn note_version(&self, note: VersionNote) -> Answer<()> {
        self.perform(prepare::note_version(note))
    }

    fn versions(&self, handler: String) -> Answer<Vec<HandlerVersion>> {
        ready(Ok(list::versions(&self.disk.data(), &handler)))
    }

    fn source(&self, hash: SourceHash) -> Answer<Option<KeptSource>> {
        ready(Ok(list::source(&self.disk.data(), hash)))
    }
}

impl Values for MemoryStore {
    fn put(&self, key: String, value: Value) -> Answer<()> {
        self.perform(prepare::change_values(vec![(key, Some(value))], None))
    }

    fn values(&self, prefix: String) -> Answer<Vec<(String, Value)>> {
        let data = self.disk.data();
        let from = data.values.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        ready(Ok(from.map(|(key, value)| (key.clone(), value.clone())).collect()))
    }

    fn change_values(&self, changes: Vec<(String, Option<Value>)>, audit: Option<Audit>) -> Answer<()> {
        self.perform(prepare::change_values(changes, audit))
    }

    fn get(&self, key: String) -> Answer<Option<Value>> {
        ready(Ok(self.disk.data().values.get(&key).cloned()))
    }
}

impl Entries for MemoryStore {
    fn entry(&self, owner: Owner, key: String) -> Answer<Option<Entry>> {
        let (data, now) = (self.disk.data(), (self.now)());
        ready(Ok(data.entries.get(&(owner, key)).filter(|entry| entry.is_live(now)).cloned()))
    }

    fn entries(&self, owner: Owner, query: EntryQuery) -> Answer<EntryPage> {
        ready(Ok(list::entries(&self.disk.data(), owner, &query, (self.now)())))
    }

    fn edit(&self, edit: Edit) -> Answer<Edited> {
        self.perform(prepare::edit(self.identity.clone(), self.now.clone(), edit))
    }
}

impl Steps for MemoryStore {
    fn steps(&self, task: TaskId, scheduled_for: Millis) -> Answer<Vec<FinishedStep>> {
        let data = self.disk.data();
        let steps = data.steps.iter().filter(|((of, time, _), _)| (*of, *time) == (task, scheduled_for));
        let mut steps: Vec<_> = steps.map(|(_, step)| step.clone()).collect();
        steps.sort_by_key(|step| step.number);
        ready(Ok(steps))
    }

    fn finish_step(&self, fence: Fence, scheduled_for: Millis, step: FinishedStep) -> Answer<()> {
        self.perform(prepare::finish_step(self.identity.clone(), fence, scheduled_for, step))
    }

    fn note_run(&self, fence: Fence, note: RunNote) -> Answer<()> {
        self.perform(prepare::note_run(self.identity.clone(), fence, note))
    }
}

impl Bindings for MemoryStore {
    fn bindings(&self) -> Answer<Vec<Binding>> {
        ready(Ok(self.disk.data().bindings.clone()))
    }

    fn rewrite(&self, decide: Rewriting, audit: Option<Audit>) -> Answer<Vec<Binding>> {
        self.perform(prepare::rewrite(self.now.clone(), decide, audit))
    }
}

impl Figures for MemoryStore {
    fn activity(&self, size: Size, from: Millis, until: Millis) -> Answer<Vec<Bucket>> {
        ready(Ok(figures::activity(&self.disk.data(), size, from, until)))
    }

    fn status_counts(&self) -> Answer<Vec<(TaskStatus, u64)>> {
        ready(Ok(figures::status_counts(&self.disk.data())))
    }

    fn census(&self, most: usize) -> Answer<Census> {
        ready(Ok(figures::census(&self.disk.data(), most)))
    }

    fn coming(&self, query: ComingQuery) -> Answer<Vec<(Millis, Task)>> {
        ready(Ok(figures::coming(&self.disk.data(), &query)))
    }
}

impl Access for MemoryStore {
    fn tokens(&self) -> Answer<Vec<TokenRecord>> {
        ready(Ok(self.disk.data().tokens.values().cloned().collect()))
    }

    fn sessions(&self) -> Answer<Vec<Session>> {
        ready(Ok(self.disk.data().sessions.values().cloned().collect()))
    }

    fn change_access(&self, changes: Vec<AccessChange>, audit: Option<Audit>) -> Answer<()> {
        self.perform(prepare::change_access(changes, audit))
    }
}

impl Outbox for MemoryStore {
    fn deliveries(&self, query: OutboxQuery) -> Answer<Vec<Delivery>> {
        ready(Ok(outbox::deliveries(&self.disk.data(), &query)))
    }

    fn settle(&self, old: Vec<Delivery>, new: Vec<Delivery>) -> Answer<()> {
        self.perform(outbox::settle(old, new))
    }

    fn waiting(&self) -> Answer<BTreeMap<String, WaitingAlerts>> {
        ready(Ok(outbox::waiting(&self.disk.data())))
    }

    fn next_alarm(&self) -> Answer<Option<(Millis, TaskId)>> {
        let data = self.disk.data();
        ready(Ok(data.tasks.values().filter_map(|task| Some((task.alarm_due()?, task.id))).min()))
    }

    fn alarmed(&self, after: Option<TaskId>, limit: usize) -> Answer<Vec<Task>> {
        ready(Ok(outbox::alarmed(&self.disk.data(), after, limit)))
    }
}

impl Copies for MemoryStore {
    fn export(&self, from: Cursor) -> Answer<Part> {
        self.perform(copy::export(from))
    }

    fn import(&self, import: Import) -> Answer<()> {
        self.perform(copy::import(import))
    }
}

#[cfg(test)]
mod tests;

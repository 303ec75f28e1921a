//! The faulty store of one process: slow, sometimes failing, and the process may die at each point of an
//! operation.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::{Map, Value};

use crate::{
    clock::Clock,
    domain::{Millis, binding::Binding, facts::Task, ids::TaskId, step::Step},
    simulation::{
        oracle::{change::Why, invariants},
        world::Process,
    },
    store::{
        Answer, Audit, Bindings, Claimed, Condition, Decision, Edit, Edited, Entries, Entry, EntryPage,
        EntryQuery, Fence, FinishedStep, Informed, Now, Output, Owner, Page, Report, Rewriting, RunNote,
        Steps, StoreError, SuccessorDecision, TaskQuery, TaskView, Tasks, Upkeep, Values,
        memory::{MemoryStore, disk::Operation, prepare},
        ready,
    },
};

/// Reads of the next due time within one millisecond; more mean that the scheduler spins.
const LOOKS: u64 = 20_000;

/// A store in front of the world's disk.
#[derive(Clone)]
pub(crate) struct FaultyStore(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) process: Arc<Process>,
    /// Serves reads without faults.
    pub(super) memory: MemoryStore,
    /// The time of the last read of the next due time, and the reads at that time.
    looks: (AtomicU64, AtomicU64),
}

impl FaultyStore {
    /// Opens the world's disk.
    pub(crate) fn open(process: &Arc<Process>) -> Self {
        let clock = process.store_clock.clone();
        let now: Now = Arc::new(move || clock.now());
        let memory = if process.shares() {
            MemoryStore::open_shared(&process.world.disk, now)
        } else {
            MemoryStore::open(&process.world.disk, now)
        };
        Self(Arc::new(Shared {
            process: process.clone(),
            memory,
            looks: (AtomicU64::new(0), AtomicU64::new(0)),
        }))
    }

    /// Serves reads without faults.
    pub(super) fn memory(&self) -> &MemoryStore {
        &self.0.memory
    }

    /// Starts an operation at the first poll. It is performed even if the answer is dropped after that.
    /// `note` records the answer.
    pub(super) fn perform<T: Send + 'static>(
        &self,
        name: &'static str,
        by_user: bool,
        operation: Operation<T>,
        note: impl FnOnce(&Shared, u64, &T) + Send + 'static,
    ) -> Answer<T> {
        let operation = self.memory().identity.fence(self.0.now(), operation);
        self.perform_as(name, by_user, operation, note)
    }

    /// As [`FaultyStore::perform`], also of a node that is gone.
    pub(super) fn perform_anyway<T: Send + 'static>(
        &self,
        name: &'static str,
        operation: Operation<T>,
        note: impl FnOnce(&Shared, u64, &T) + Send + 'static,
    ) -> Answer<T> {
        self.perform_as(name, false, operation, note)
    }

    fn perform_as<T: Send + 'static>(
        &self,
        name: &'static str,
        by_user: bool,
        operation: Operation<T>,
        note: impl FnOnce(&Shared, u64, &T) + Send + 'static,
    ) -> Answer<T> {
        let shared = self.0.clone();
        Box::pin(async move {
            let served = tokio::spawn(async move {
                shared.process.busy.fetch_add(1, Relaxed);
                let answer = shared.serve(name, by_user, operation, note).await;
                shared.process.busy.fetch_sub(1, Relaxed);
                answer
            });
            served.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Records every decision of `decide`.
    pub(super) fn record_decisions(&self, why: Why, mut decide: Decision) -> Decision {
        let (shared, steps) = (self.0.clone(), self.0.process.store_clock.steps());
        Box::new(move |task, now| {
            let result = decide(task, now);
            shared.record_decision(&why, task, &result, steps, now);
            result
        })
    }
}

impl Tasks for FaultyStore {
    fn create(&self, task: Task, audit: Option<Audit>) -> Answer<()> {
        let request = audit.as_ref().map(|audit| audit.request_id.clone());
        let new = task.clone();
        self.perform("create", true, prepare::create(task, audit), move |shared, number, ()| {
            let Task { definition, .. } = &new;
            shared.process.tell(format_args!(
                "#{number} {} is created: {} in {}, {:?} {:?} {:?}, {} retries, next {:?}",
                definition.name,
                definition.schedule,
                definition.timezone,
                definition.overlap,
                definition.misfire,
                definition.on_exhausted,
                definition.max_retries,
                new.facts.next
            ));
            shared.process.world.record().add_creation(number, request, new);
        })
    }

    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Answer<Step> {
        let by_user = audit.is_some();
        let why = match &audit {
            Some(audit) => Why::Request(audit.request_id.clone()),
            None => Why::Ended,
        };
        let decide = self.record_decisions(why, decide);
        self.perform(
            "change",
            by_user,
            prepare::change(self.memory().identity.clone(), self.0.now(), task, decide, output, audit),
            |shared, number, step| {
                let mut record = shared.process.world.record();
                record.keep_ends(number, step);
                record.nodes.note_starts(step);
            },
        )
    }

    fn claim(&self, ahead: Millis, most: usize, decide: Decision) -> Answer<Claimed> {
        let process = &self.0.process;
        process.run_checks(|| {
            assert!(!process.stopping.load(Relaxed), "the scheduler claims although it stops");
            assert!(most > 0, "the scheduler claims without a free runner");
        });
        let decide = self.record_decisions(Why::Due, decide);
        self.perform(
            "claim",
            false,
            prepare::claim(self.memory().identity.clone(), self.0.now(), ahead, most, decide),
            |shared, _, claimed| {
                let mut record = shared.process.world.record();
                claimed.steps.iter().for_each(|step| record.nodes.note_starts(step));
            },
        )
    }

    fn inform_successors(&self, most: usize, mut decide: SuccessorDecision) -> Answer<Informed> {
        let (shared, steps) = (self.0.clone(), self.0.process.store_clock.steps());
        let decide: SuccessorDecision = Box::new(move |task, end, now| {
            let result = decide(task, end, now);
            shared.record_decision(&Why::Informed(Box::new(end.clone())), task, &result, steps, now);
            result
        });
        let operation =
            prepare::inform_successors(self.memory().identity.clone(), self.0.now(), most, decide);
        self.perform("inform-successors", false, operation, move |shared, number, informed| {
            let mut record = shared.process.world.record();
            record.add_told(number, most);
            informed.steps.iter().for_each(|step| record.nodes.note_starts(step));
        })
    }

    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Answer<Task> {
        let request = audit.as_ref().map(|audit| audit.request_id.clone());
        self.perform("delete", true, prepare::delete(task, audit), |shared, number, task| {
            shared.process.tell(format_args!("#{number} {} is deleted", task.definition.name));
            shared.process.world.record().add_deletion(number, request, task.id);
        })
    }

    fn find(&self, name: String) -> Answer<Option<TaskId>> {
        self.0.memory.find(name)
    }

    fn task(&self, id: TaskId) -> Answer<Option<Task>> {
        self.0.memory.task(id)
    }

    fn task_view(&self, id: TaskId, newest: usize) -> Answer<Option<TaskView>> {
        self.0.memory.task_view(id, newest)
    }

    fn tasks(&self, query: TaskQuery) -> Answer<Page<TaskView>> {
        self.0.memory.tasks(query)
    }

    fn keyed(&self) -> Answer<Vec<TaskId>> {
        self.0.memory.keyed()
    }

    fn next_due(&self) -> Answer<Option<Millis>> {
        let Shared { process, looks: (moment, count), .. } = &*self.0;
        let now = process.clock.elapsed().unsigned_abs();
        let looks = if moment.swap(now, Relaxed) == now { count.fetch_add(1, Relaxed) } else { 0 };
        if looks == 0 {
            count.store(1, Relaxed);
        }
        if process.is_dead() {
            return ready(Err(StoreError::Closed));
        }
        if process.shares() {
            let this = self.clone();
            return self.reached_later(move || this.memory().next_due());
        }
        if let Some(error) = self.0.fails(false).filter(StoreError::passes) {
            return ready(Err(error));
        }
        let next = process.world.disk.data().due().map(|(due, _)| due).min();
        process.run_checks(|| {
            assert!(looks < LOOKS, "the scheduler's loop spins");
            invariants::check_next_due(&process.world.disk.data(), next);
        });
        ready(Ok(next))
    }
}

impl Values for FaultyStore {
    fn put(&self, key: String, value: Value) -> Answer<()> {
        self.change_values(vec![(key, Some(value))], None)
    }

    fn get(&self, key: String) -> Answer<Option<Value>> {
        self.0.memory.get(key)
    }

    fn values(&self, prefix: String) -> Answer<Vec<(String, Value)>> {
        self.0.memory.values(prefix)
    }

    fn change_values(&self, changes: Vec<(String, Option<Value>)>, audit: Option<Audit>) -> Answer<()> {
        self.perform("change_values", false, prepare::change_values(changes, audit), |_, _, ()| {})
    }
}

impl Entries for FaultyStore {
    fn entry(&self, owner: Owner, key: String) -> Answer<Option<Entry>> {
        self.0.memory.entry(owner, key)
    }

    fn entries(&self, owner: Owner, query: EntryQuery) -> Answer<EntryPage> {
        self.0.memory.entries(owner, query)
    }

    fn edit(&self, edit: Edit) -> Answer<Edited> {
        let edited = edit.clone();
        self.perform(
            "edit",
            false,
            prepare::edit(self.memory().identity.clone(), self.0.now(), edit),
            move |shared, number, answer| {
                shared.process.tell(format_args!("#{number} {:?} {}: {answer:?}", edited.owner, edited.key));
                shared.process.world.record().add_edit(number, &edited, answer);
            },
        )
    }
}

impl Steps for FaultyStore {
    fn steps(&self, task: TaskId, scheduled_for: Millis) -> Answer<Vec<FinishedStep>> {
        self.0.memory.steps(task, scheduled_for)
    }

    fn finish_step(&self, fence: Fence, scheduled_for: Millis, step: FinishedStep) -> Answer<()> {
        let finished = step.clone();
        let operation = prepare::finish_step(self.memory().identity.clone(), fence, scheduled_for, step);
        self.perform("step", false, operation, move |shared, number, ()| {
            shared.process.tell(format_args!("#{number} {} finishes {}", fence.execution, finished.name));
            shared.process.world.record().add_step(number, fence, scheduled_for, finished);
        })
    }

    fn note_run(&self, fence: Fence, note: RunNote) -> Answer<()> {
        let noted = note.progress.clone();
        self.perform(
            "note",
            false,
            prepare::note_run(self.memory().identity.clone(), fence, note),
            move |shared, number, ()| {
                if let Some(noted) = noted {
                    shared.process.world.record().add_progress(number, fence, noted);
                }
            },
        )
    }
}

impl Bindings for FaultyStore {
    fn bindings(&self) -> Answer<Vec<Binding>> {
        self.0.memory.bindings()
    }

    fn rewrite(&self, decide: Rewriting, audit: Option<Audit>) -> Answer<Vec<Binding>> {
        self.perform("rewrite", true, prepare::rewrite(self.0.now(), decide, audit), |_, _, _| {})
    }
}

impl Upkeep for FaultyStore {
    fn statistics(&self, detailed: bool) -> Answer<Map<String, Value>> {
        self.0.memory.statistics(detailed)
    }

    fn condition(&self) -> Answer<Condition> {
        self.0.memory.condition()
    }

    fn report(&self) -> Report {
        self.0.memory.report()
    }

    fn close(&self) -> Answer<()> {
        self.0.memory.close()
    }
}

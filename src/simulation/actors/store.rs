//! The faulty store of one process: slow, sometimes failing, and the process may die at each point of an
//! operation.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::{Map, Value};

use crate::{
    clock::Clock,
    domain::{
        Millis,
        binding::Binding,
        execution::Execution,
        facts::Task,
        ids::TaskId,
        step::{Policy, Refused, Step},
    },
    simulation::{
        oracle::{change::Why, invariants, replay::Circumstances},
        world::{Process, pass},
    },
    store::{
        Answer, Audit, Bindings, Claimed, Condition, Decision, Edit, Edited, Entries, Entry, EntryPage,
        EntryQuery, Fence, FinishedStep, Informed, Now, Output, Owner, Page, Report, Rewriting, RunNote,
        Steps, StoreError, SuccessorDecision, TaskQuery, TaskView, Tasks, Upkeep, Values,
        memory::{
            MemoryStore,
            prepare::{self, Operation, Prepared},
        },
        ready,
    },
};

/// Reads of the next due time within one millisecond; more mean that the scheduler spins.
const LOOKS: u64 = 20_000;

/// A store in front of the world's disk.
#[derive(Clone)]
pub(crate) struct FaultyStore(pub(super) Arc<Shared>);

pub(super) struct Shared {
    process: Arc<Process>,
    /// Serves reads without faults.
    pub(super) memory: MemoryStore,
    /// Held by the operation that is decided and written, so that operations follow one another.
    turn: tokio::sync::Mutex<()>,
    /// The number of the operation that holds the turn.
    current: AtomicU64,
    /// The time of the last read of the next due time, and the reads at that time.
    looks: (AtomicU64, AtomicU64),
}

impl FaultyStore {
    /// Opens the world's disk.
    pub(crate) fn open(process: &Arc<Process>) -> Self {
        let clock = process.clock.clone();
        let memory = MemoryStore::open(&process.world.disk, Arc::new(move || clock.now()));
        Self(Arc::new(Shared {
            process: process.clone(),
            memory,
            turn: tokio::sync::Mutex::new(()),
            current: AtomicU64::new(0),
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
        let shared = self.0.clone();
        Box::pin(async move {
            let served = tokio::spawn(async move {
                shared.process.busy.fetch_add(1, Relaxed);
                let operation = shared.memory.identity.fence(shared.now(), operation);
                let answer = shared.serve(name, by_user, operation, note).await;
                shared.process.busy.fetch_sub(1, Relaxed);
                answer
            });
            served.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Records every decision of `decide`.
    fn record_decisions(&self, why: Why, mut decide: Decision) -> Decision {
        let (shared, steps) = (self.0.clone(), self.0.process.clock.steps());
        Box::new(move |task, now| {
            let result = decide(task, now);
            shared.record_decision(&why, task, &result, steps, now);
            result
        })
    }
}

impl Shared {
    /// The time of the process's clock.
    fn now(&self) -> Now {
        let clock = self.process.clock.clone();
        Arc::new(move || clock.now())
    }

    async fn serve<T>(
        &self,
        name: &'static str,
        by_user: bool,
        operation: Operation<T>,
        note: impl FnOnce(&Self, u64, &T),
    ) -> Result<T, StoreError> {
        let turn = self.turn.lock().await;
        let process = &self.process;
        let world = &process.world;
        process.halt_if_dead().await;
        let number = world.operations.fetch_add(1, Relaxed) + 1;
        self.current.store(number, Relaxed);
        if world.is_over() {
            process.die();
            return std::future::pending().await;
        }
        let fails = self.fails(by_user);
        let (lost, unanswered) = (self.dies(), self.dies());
        self.delay().await;
        process.halt_if_dead().await;
        if let Some(error) = fails.clone().filter(|_| world.chance.one_in(2)) {
            process.tell(format_args!("#{number} {name} fails"));
            return Err(error);
        }
        let prepared = process.run_checks(|| operation(&world.disk.data()));
        let Some(prepared) = prepared else { return std::future::pending().await };
        let Prepared { answer, writes } = prepared.inspect_err(|error| {
            process.tell(format_args!("#{number} {name}: {error}"));
            // The operation may have been decided before it was refused.
            world.record().drop_operation(number);
        })?;
        process.run_checks(|| note(self, number, &answer));
        self.delay().await;
        process.halt_if_dead().await;
        if let Some(error) = fails {
            // The end of a run may be written although the store reports a failure: the scheduler then
            // reports the end again.
            if name == "change" && !by_user && !error.passes() && world.chance.one_in(2) {
                process.tell(format_args!("#{number} {name} is said to fail"));
                world.disk.data().write(writes);
                process.run_checks(|| world.record().settle(number));
            } else {
                process.tell(format_args!("#{number} {name} fails at the disk"));
                world.record().drop_operation(number);
            }
            return Err(error);
        }
        if lost {
            process.tell(format_args!("the process dies before #{number} {name} is durable"));
            process.die();
            return std::future::pending().await;
        }
        world.disk.data().write(writes);
        if unanswered {
            process.tell(format_args!("the process dies before #{number} {name} is answered"));
            process.die();
            return std::future::pending().await;
        }
        drop(turn);
        self.delay().await;
        process.halt_if_dead().await;
        process.run_checks(|| world.record().settle(number));
        process.halt_if_dead().await;
        Ok(answer)
    }

    /// Records the scheduler's decision about a task. `steps` is the number of times that the clock had been
    /// set when the scheduler called the store.
    fn record_decision(
        &self,
        why: &Why,
        task: &Task,
        result: &Result<Step, Refused>,
        steps: u64,
        now: Millis,
    ) {
        let process = &self.process;
        let circumstances = Circumstances {
            now,
            roll: process.clock.last_roll(),
            policy: Policy::default(),
            recovering: process.recovering.load(Relaxed),
            set_meanwhile: process.clock.steps() != steps,
        };
        let number = self.current.load(Relaxed);
        let name = &task.definition.name;
        match result {
            Ok(step) => {
                let rows: Vec<_> = step.rows.iter().map(brief).collect();
                let facts = &step.task.facts;
                process.tell(format_args!(
                    "#{number} {name} {why:?}: next {:?}, {} running, {} waiting, {} retries; {}",
                    facts.next,
                    facts.running.len(),
                    facts.waiting.len(),
                    facts.retries.len(),
                    rows.join(", ")
                ));
            }
            Err(refused) => process.tell(format_args!("#{number} {name} {why:?}: {refused}")),
        }
        process.world.record().add_decision(number, why, task, result, &circumstances);
    }

    async fn delay(&self) {
        let world = &self.process.world;
        pass(world.chance.between(0, world.weather.delay)).await;
    }

    fn dies(&self) -> bool {
        let world = &self.process.world;
        world.weather.crashes > 0 && world.chance.one_in(2 * world.weather.crashes)
    }

    fn fails(&self, by_user: bool) -> Option<StoreError> {
        let world = &self.process.world;
        if world.weather.failures == 0 || !world.chance.one_in(world.weather.failures) {
            return None;
        }
        self.process.failures.fetch_add(1, Relaxed);
        Some(if world.chance.one_in(3) {
            StoreError::Unavailable("the weather".to_owned())
        } else if by_user && world.chance.one_in(2) {
            StoreError::NoSpace { path: "the disk".to_owned(), least: 1 }
        } else {
            StoreError::Backend { doing: "write the store", why: "the weather".to_owned() }
        })
    }
}

fn brief(row: &Execution) -> String {
    let count = row.skipped_count.map(|count| format!(" x{count}")).unwrap_or_default();
    format!("{:?} {:?} #{} for {}{count}", row.trigger, row.status, row.attempt, row.scheduled_for)
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
            |shared, number, step| shared.process.world.record().keep_ends(number, step),
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
            |_, _, _| {},
        )
    }

    fn inform_successors(&self, most: usize, mut decide: SuccessorDecision) -> Answer<Informed> {
        let (shared, steps) = (self.0.clone(), self.0.process.clock.steps());
        let decide: SuccessorDecision = Box::new(move |task, end, now| {
            let result = decide(task, end, now);
            shared.record_decision(&Why::Informed(Box::new(end.clone())), task, &result, steps, now);
            result
        });
        let operation =
            prepare::inform_successors(self.memory().identity.clone(), self.0.now(), most, decide);
        self.perform("inform-successors", false, operation, move |shared, number, _| {
            shared.process.world.record().add_told(number, most);
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
        self.perform("put", false, prepare::put(key, value), |_, _, ()| {})
    }

    fn get(&self, key: String) -> Answer<Option<Value>> {
        self.0.memory.get(key)
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

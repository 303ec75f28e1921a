//! The store of one process: slow, at times failing, and with every moment at which a process
//! may die between its question and its answer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::{Map, Value};

use crate::{
    clock::Clock,
    domain::{
        Millis,
        execution::{Execution, Line},
        facts::Task,
        ids::{ExecutionId, TaskId},
        step::{Policy, Refused, Step},
    },
    simulation::{
        oracle::{change::Why, invariants, record::Circumstances},
        world::{Process, pass},
    },
    store::{
        Answer, Audit, Claimed, Copies, Decision, ExecutionQuery, History, Now, Output, Page, Removal,
        Report, StoreError, TaskQuery, TaskView, Tasks, Upkeep, Values,
        copy::{Cursor, Import, Part},
        memory::{
            MemoryStore,
            prepare::{self, Operation, Prepared},
        },
        ready,
    },
};

/// Looks at what is due next that are made at one moment; beyond, somebody goes round in circles.
const LOOKS: u64 = 20_000;

/// A store in front of the disk.
#[derive(Clone)]
pub(crate) struct FaultyStore(Arc<Shared>);

struct Shared {
    process: Arc<Process>,
    /// Reads go straight through.
    memory: MemoryStore,
    /// Held by the operation that is being decided and written: one after the other.
    turn: tokio::sync::Mutex<()>,
    /// The number of that operation.
    current: AtomicU64,
    /// The last moment of a look, and how many there were.
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

    /// Puts an operation in line at the first poll; from then on it no longer matters whether
    /// anybody still wants the answer.
    fn perform<T: Send + 'static>(
        &self,
        name: &'static str,
        by_user: bool,
        operation: Operation<T>,
        noted: impl FnOnce(&Shared, u64, &T) + Send + 'static,
    ) -> Answer<T> {
        let shared = self.0.clone();
        Box::pin(async move {
            let served = tokio::spawn(async move {
                shared.process.busy.fetch_add(1, Relaxed);
                let answer = shared.serve(name, by_user, operation, noted).await;
                shared.process.busy.fetch_sub(1, Relaxed);
                answer
            });
            served.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Notes what becomes of each task that is asked about.
    fn watched(&self, why: Why, mut decide: Decision) -> Decision {
        let (shared, steps) = (self.0.clone(), self.0.process.clock.steps());
        Box::new(move |task, now| {
            let result = decide(task, now);
            shared.decided(&why, task, &result, steps, now);
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
        noted: impl FnOnce(&Self, u64, &T),
    ) -> Result<T, StoreError> {
        let turn = self.turn.lock().await;
        let process = &self.process;
        let world = &process.world;
        process.alive().await;
        let number = world.operations.fetch_add(1, Relaxed) + 1;
        self.current.store(number, Relaxed);
        if world.is_over() {
            process.die();
            return std::future::pending().await;
        }
        let fails = self.fails(by_user);
        let (lost, unanswered) = (self.dies(), self.dies());
        self.delay().await;
        process.alive().await;
        if let Some(error) = fails.clone().filter(|_| world.chance.one_in(2)) {
            process.tell(format_args!("#{number} {name} fails"));
            return Err(error);
        }
        let prepared = process.hold(|| operation(&world.disk.data()));
        let Some(prepared) = prepared else { return std::future::pending().await };
        let Prepared { answer, writes } = prepared.inspect_err(|error| {
            process.tell(format_args!("#{number} {name}: {error}"));
            // It may have been decided about before it was refused.
            world.record().failed(number);
        })?;
        process.hold(|| noted(self, number, &answer));
        self.delay().await;
        process.alive().await;
        if let Some(error) = fails {
            // That an end failed may be all that is wrong with it: then it is told once more, late.
            if name == "change" && !by_user && world.chance.one_in(2) {
                process.tell(format_args!("#{number} {name} is said to fail"));
                world.disk.data().write(writes);
                process.hold(|| world.record().answered(number));
            } else {
                process.tell(format_args!("#{number} {name} fails at the disk"));
                world.record().failed(number);
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
        process.alive().await;
        process.hold(|| world.record().answered(number));
        process.alive().await;
        Ok(answer)
    }

    /// What the scheduler has decided about a task; `steps` is how often the clock had been set
    /// when it asked.
    fn decided(&self, why: &Why, task: &Task, result: &Result<Step, Refused>, steps: u64, now: Millis) {
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
        process.world.record().decided(number, why, task, result, circumstances);
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
        Some(if by_user && world.chance.one_in(2) {
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
            shared.process.world.record().created(number, request, new);
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
        let decide = self.watched(why, decide);
        self.perform(
            "change",
            by_user,
            prepare::change(self.0.now(), task, decide, output, audit),
            |_, _, _| {},
        )
    }

    fn claim(&self, ahead: Millis, most: usize, decide: Decision) -> Answer<Claimed> {
        let process = &self.0.process;
        process.hold(|| {
            assert!(!process.stopping.load(Relaxed), "it claims although it stops");
            assert!(most > 0, "it claims without room");
        });
        let decide = self.watched(Why::Due, decide);
        self.perform("claim", false, prepare::claim(self.0.now(), ahead, most, decide), |_, _, _| {})
    }

    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Answer<Task> {
        let request = audit.as_ref().map(|audit| audit.request_id.clone());
        self.perform("delete", true, prepare::delete(task, audit), |shared, number, task| {
            shared.process.tell(format_args!("#{number} {} is deleted", task.definition.name));
            shared.process.world.record().deleted(number, request, task.id);
        })
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
        let next = process.world.disk.data().due().map(|(due, _)| due).min();
        process.hold(|| {
            assert!(looks < LOOKS, "the loop goes round and round");
            invariants::check_next_due(&process.world.disk.data(), next);
        });
        ready(Ok(next))
    }
}

impl History for FaultyStore {
    fn append(&self, output: Output) -> Answer<()> {
        self.perform("append", false, prepare::append(output), |_, _, ()| {})
    }

    fn remove_history(&self, before: Millis, only_count: bool) -> Answer<Removal> {
        self.0.memory.remove_history(before, only_count)
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Answer<Option<Execution>> {
        self.0.memory.execution(task, id)
    }

    fn executions(&self, task: TaskId, query: ExecutionQuery) -> Answer<Page<Execution>> {
        self.0.memory.executions(task, query)
    }

    fn outputs(&self, ids: Vec<ExecutionId>, tail: Option<usize>) -> Answer<Vec<Vec<Line>>> {
        self.0.memory.outputs(ids, tail)
    }

    fn running(&self) -> Answer<Vec<(TaskId, ExecutionId)>> {
        self.0.memory.running()
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

impl Copies for FaultyStore {
    fn export(&self, from: Cursor) -> Answer<Part> {
        self.0.memory.export(from)
    }

    fn import(&self, import: Import) -> Answer<()> {
        self.0.memory.import(import)
    }
}

impl Upkeep for FaultyStore {
    fn statistics(&self, detailed: bool) -> Answer<Map<String, Value>> {
        self.0.memory.statistics(detailed)
    }

    fn report(&self) -> Report {
        self.0.memory.report()
    }

    fn close(&self) -> Answer<()> {
        self.0.memory.close()
    }
}

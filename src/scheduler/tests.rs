//! The scheduler between a store in memory and a runner that has one slot.

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    clock::SystemClock,
    domain::{
        draft::{Defaults, Draft},
        execution::{Ending, Execution, ExecutionStatus, Level, Line, Verdict},
        step::News,
    },
    runtime::{Invocation, Later},
    store::memory::{MemoryStore, disk::Disk},
};

/// Runs one handler at a time; each ends when the test lets one end, or when it is cancelled.
pub(super) struct OneSlot {
    slot: Semaphore,
    pub(super) started: Semaphore,
    pub(super) ends: Semaphore,
}

impl OneSlot {
    pub(super) fn new() -> Arc<Self> {
        let [slot, started, ends] = [1, 0, 0].map(Semaphore::new);
        Arc::new(Self { slot, started, ends })
    }
}

impl Runner for OneSlot {
    fn run(&self, mut invocation: Invocation) -> Later<'_, Verdict> {
        Box::pin(async move {
            let to_its_end = async {
                let _slot = self.slot.acquire().await;
                self.started.add_permits(1);
                let line = Line { time: 0, level: Level::Log, message: "started".to_owned() };
                invocation.lines.send(line).await.expect("the scheduler listens");
                take(&self.ends).await;
            };
            let ending = tokio::select! {
                () = to_its_end => Ending::Completed { result: json!(null) },
                who = invocation.cancel.wait_for(Option::is_some) => {
                    let who = who.expect("the scheduler keeps the sender");
                    Ending::Cancelled { error: who.clone().unwrap_or_default() }
                }
            };
            Verdict::of(ending)
        })
    }

    fn capacity(&self) -> usize {
        1
    }
}

/// Waits for a permit and uses it up.
pub(super) async fn take(semaphore: &Semaphore) {
    semaphore.acquire().await.expect("it is never closed").forget();
}

struct Scene {
    store: Arc<dyn Store>,
    runner: Arc<OneSlot>,
    scheduler: Arc<Scheduler>,
    actor: Actor,
}

impl Scene {
    fn new() -> Self {
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::open(&Arc::new(Disk::default()), Arc::new(|| SystemClock.now())));
        let runner = OneSlot::new();
        let scheduler = Scheduler::new(
            store.clone(),
            runner.clone(),
            Arc::new(SystemClock),
            Events::default(),
            Policy::default(),
        );
        Self { store, runner, scheduler, actor: Actor::of_system("test", "test".to_owned()) }
    }

    async fn create(&self, name: &str, schedule: &str, overlap: &str) -> TaskId {
        let body = json!({
            "name": name, "description": "", "handler": "h", "schedule": schedule, "overlap": overlap,
        });
        let Value::Object(body) = body else { unreachable!("an object is written there") };
        let draft = Draft::read_new(&body).expect("valid");
        let defaults = Defaults { timezone: chrono_tz::UTC, keep_executions: 100 };
        let definition = draft.create(&defaults, SystemClock.now()).expect("valid");
        self.scheduler.create(definition, &self.actor).await.expect("created").id
    }

    async fn run_by_hand(&self, task: TaskId) -> ExecutionId {
        self.scheduler.run_by_hand(task, None, &self.actor).await.expect("it may run").1
    }

    async fn row(&self, task: TaskId, execution: ExecutionId) -> Execution {
        self.store.execution(task, execution).await.expect("it reads").expect("it is there")
    }

    /// Waits until no attempt and no change is under way.
    async fn is_idle(&self) {
        assert!(self.scheduler.in_progress.wait_until_idle(Duration::from_secs(30)).await, "it never ends");
    }
}

const NEVER: &str = "2999-01-01T00:00:00Z";

#[tokio::test]
async fn an_execution_that_waits_for_a_slot_is_cancelled_without_starting() {
    let scene = Scene::new();
    let (first, second) =
        (scene.create("first", NEVER, "skip").await, scene.create("second", NEVER, "skip").await);
    let runs = scene.run_by_hand(first).await;
    take(&scene.runner.started).await;
    let waits = scene.run_by_hand(second).await;
    scene.scheduler.cancel(second, &scene.actor).await.expect("it is in progress");
    let row = scene.row(second, waits).await;
    let ended = (row.status, row.error.as_deref());
    assert_eq!(ended, (ExecutionStatus::Cancelled, Some("cancelled by a user")));
    assert_eq!(scene.runner.started.available_permits(), 0, "its handler never started");
    scene.runner.ends.add_permits(1);
    scene.is_idle().await;
    assert_eq!(scene.row(first, runs).await.status, ExecutionStatus::Completed);
    assert_eq!(scene.scheduler.in_progress.executions(), []);
}

#[tokio::test]
async fn a_cancellation_that_comes_after_the_end_leaves_nothing_behind() {
    let scene = Scene::new();
    let task = scene.create("task", NEVER, "skip").await;
    scene.runner.ends.add_permits(1);
    let ended = scene.run_by_hand(task).await;
    scene.is_idle().await;
    scene.scheduler.cancel_executions(task, &[ended], "somebody").await;
    assert_eq!(scene.scheduler.in_progress.executions(), []);
    assert_eq!(scene.row(task, ended).await.status, ExecutionStatus::Completed);
}

#[tokio::test]
async fn a_cancellation_between_a_claim_and_its_dispatch_is_heard() {
    let scene = Scene::new();
    let task = scene.create("task", NEVER, "skip").await;
    let execution = scene.scheduler.ids.execution(0);
    let decision = scene.scheduler.decision(move || Input::RunByHand {
        execution,
        params: None,
        origin: crate::domain::facts::Origin::default(),
    });
    let step = scene.store.change(task, decision, None, None).await.expect("it may run");
    scene.scheduler.cancel_executions(task, &[execution], "too late for that").await;
    scene.scheduler.carry_out(step, &mut Vec::new());
    scene.is_idle().await;
    let row = scene.row(task, execution).await;
    assert_eq!((row.status, row.error.as_deref()), (ExecutionStatus::Cancelled, Some("too late for that")));
    assert_eq!(scene.scheduler.in_progress.executions(), []);
}

#[tokio::test]
async fn a_due_task_is_claimed_when_there_is_a_permit_for_its_run() {
    let scene = Scene::new();
    let tasks = [scene.create("first", "now", "skip").await, scene.create("second", "now", "skip").await];
    let running = tokio::spawn({
        let scheduler = scene.scheduler.clone();
        async move { scheduler.run().await }
    });
    for _ in tasks {
        take(&scene.runner.started).await;
        let claimed = scene.store.running().await.expect("it reads").len();
        assert_eq!((claimed, scene.runner.started.available_permits()), (1, 0));
        scene.runner.ends.add_permits(1);
    }
    scene.scheduler.stop(Duration::from_secs(30)).await;
    running.await.expect("no panic").expect("the store works");
    assert_eq!(scene.store.running().await.expect("it reads"), []);
}

#[tokio::test]
async fn a_stop_cancels_the_runs_that_do_not_end_within_its_grace() {
    let scene = Scene::new();
    let task = scene.create("task", NEVER, "skip").await;
    let execution = scene.run_by_hand(task).await;
    take(&scene.runner.started).await;
    scene.scheduler.stop(Duration::ZERO).await;
    let row = scene.row(task, execution).await;
    assert_eq!((row.status, row.error.as_deref()), (ExecutionStatus::Cancelled, Some("the server stopped")));
    assert!(scene.scheduler.pause(task, &scene.actor).await.is_err(), "nothing is changed any more");
}

#[tokio::test]
async fn a_wait_for_a_run_that_is_queued_ends_when_its_task_is_deleted() {
    let scene = Scene::new();
    let [other, task] =
        [scene.create("other", NEVER, "skip").await, scene.create("task", NEVER, "queue").await];
    scene.run_by_hand(other).await;
    take(&scene.runner.started).await;
    scene.run_by_hand(task).await;
    let events = scene.scheduler.events.listen();
    let queued = scene.run_by_hand(task).await;
    let waiting = tokio::spawn({
        let scheduler = scene.scheduler.clone();
        async move { scheduler.wait_for_end(events, task, queued).await }
    });
    // The loop does not run, so the queued run is never claimed.
    scene.scheduler.delete(task, &scene.actor).await.expect("deleted");
    waiting.await.expect("it ends");
}

#[tokio::test]
async fn a_run_is_told_of_in_numbered_events_once_they_are_durable() {
    let scene = Scene::new();
    let mut events = scene.scheduler.events.listen();
    let task = scene.create("task", NEVER, "skip").await;
    scene.runner.ends.add_permits(1);
    let execution = scene.run_by_hand(task).await;
    scene.is_idle().await;
    scene.scheduler.delete(task, &scene.actor).await.expect("deleted");
    let told = events.take(|_| true).expect("all are held");
    let about = told.iter().map(|told| (told.number, told.event.news.name(), told.event.execution()));
    let run = Some(execution);
    let expected = [
        (1, "task-created", None),
        (2, "execution-started", run),
        (3, "execution-ended", run),
        (4, "task-deleted", None),
    ];
    assert_eq!(about.collect::<Vec<_>>(), expected);
    assert!(told.iter().all(|told| told.event.task() == Some(task)));
}

#[tokio::test]
async fn who_follows_a_run_is_told_of_its_end_before_the_output_is_over() {
    let scene = Scene::new();
    let task = scene.create("task", NEVER, "skip").await;
    let (told, heard) = std::sync::mpsc::channel();
    let scheduler = Arc::downgrade(&scene.scheduler);
    scene.scheduler.events.observe(move |event| {
        if let (News::Ended(row, _), Some(scheduler)) = (&event.news, scheduler.upgrade()) {
            let _ = told.send(scheduler.follow(row.execution).is_some());
        }
    });
    scene.runner.ends.add_permits(1);
    let execution = scene.run_by_hand(task).await;
    scene.is_idle().await;
    assert_eq!(heard.try_recv(), Ok(true));
    assert!(scene.scheduler.follow(execution).is_none(), "then it is over");
}

//! Schedulers of two nodes on one store in memory, each with a runner of one slot.

use std::time::Duration;

use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::{
    clock::{Clock, Sleep, SystemClock},
    cluster::{FollowingClock, Settings},
    domain::{
        definition::{Definition, Overlap},
        draft::tests::definition,
        execution::{Execution, ExecutionStatus, Reason},
        step::Policy,
    },
    events::Events,
    scheduler::{
        Actor,
        tests::{OneSlot, take},
    },
    store::{
        Store,
        memory::{MemoryStore, disk::Disk},
    },
};

const START: Millis = 1_772_445_600_000;
const LEASE: Millis = 6000;
const NEVER: &str = "2999-01-01T00:00:00Z";

/// A clock that follows the runtime's time.
struct TokioClock(Instant);

impl TokioClock {
    fn elapsed(&self) -> Millis {
        Millis::try_from(self.0.elapsed().as_millis()).expect("it is short")
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Millis {
        START + self.elapsed()
    }

    fn sleep_until(&self, moment: Millis) -> Sleep<'_> {
        let wait = (moment - self.now()).max(0).unsigned_abs();
        Box::pin(sleep(Duration::from_millis(wait)))
    }

    fn roll(&self) -> f64 {
        0.5
    }

    fn bits(&self) -> u128 {
        SystemClock.bits()
    }

    fn boot(&self) -> Millis {
        self.elapsed()
    }
}

struct OneNode {
    store: Arc<dyn Store>,
    member: Arc<Member>,
    runner: Arc<OneSlot>,
    scheduler: Arc<Scheduler>,
    /// Ends the beats.
    silence: watch::Sender<bool>,
}

impl OneNode {
    async fn join(disk: &Arc<Disk>, machine: &Arc<TokioClock>) -> Self {
        let time = machine.clone();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::open_shared(disk, Arc::new(move || time.now())));
        let clock = Arc::new(FollowingClock::new(machine.clone()));
        let settings =
            Settings { name: "node".to_owned(), address: None, lease: LEASE, poll: 1000, places: 1 };
        let shared = store.shared().expect("many share it");
        let member = Member::new(shared, clock.clone(), settings);
        member.join().await.expect("the store is there");
        let runner = OneSlot::new();
        let policy = Policy { waits_for_runner: true, ..Policy::default() };
        let scheduler = Scheduler::new(store.clone(), runner.clone(), clock, Events::default(), policy);
        scheduler.share_with(member.clone());
        let (silence, silent) = watch::channel(false);
        tokio::spawn(member.clone().run(silent));
        tokio::spawn({
            let scheduler = scheduler.clone();
            async move { scheduler.run().await }
        });
        Self { store, member, runner, scheduler, silence }
    }

    /// Takes the place of this node, so that it claims nothing.
    async fn fill(&self) -> OwnedSemaphorePermit {
        self.scheduler.permits.clone().acquire_owned().await.expect("it is never closed")
    }

    fn id(&self) -> Option<NodeId> {
        self.member.store().node()
    }

    async fn create(&self, name: &str) -> TaskId {
        let definition = Definition { name: name.to_owned(), overlap: Overlap::Skip, ..definition(NEVER) };
        self.scheduler.create(definition, &actor()).await.expect("created").id
    }

    async fn row(&self, task: TaskId, execution: ExecutionId) -> Execution {
        self.store.execution(task, execution).await.expect("it reads").expect("it is there")
    }
}

fn actor() -> Actor {
    Actor::of_system("test", "test".to_owned())
}

/// A first node that has no place, and a second one that runs an execution which was asked for at the first.
async fn run_elsewhere() -> ([OneNode; 2], OwnedSemaphorePermit, TaskId, ExecutionId) {
    let (disk, machine) = (Arc::new(Disk::default()), Arc::new(TokioClock(Instant::now())));
    let nodes = [OneNode::join(&disk, &machine).await, OneNode::join(&disk, &machine).await];
    let full = nodes[0].fill().await;
    let task = nodes[0].create("task").await;
    let (_, execution) = nodes[0].scheduler.run_by_hand(task, None, &actor()).await.expect("it may run");
    take(&nodes[1].runner.started).await;
    assert_eq!(nodes[0].row(task, execution).await.node, nodes[1].id(), "it runs where there is a place");
    (nodes, full, task, execution)
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_node_is_cancelled_and_its_end_awaited() {
    let ([first, second], _full, task, execution) = run_elsewhere().await;
    first.scheduler.cancel_one(task, execution, &actor()).await.expect("it runs");
    let row = first.row(task, execution).await;
    let ended = (row.status, row.error.as_deref(), row.node);
    assert_eq!(ended, (ExecutionStatus::Cancelled, Some("cancelled by a user"), second.id()));
    for node in [&first, &second] {
        assert_eq!(node.scheduler.in_progress.executions(), [], "nothing is left behind");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_of_another_node_is_awaited() {
    let ([first, second], _full, task, execution) = run_elsewhere().await;
    let waiting = tokio::spawn({
        let (scheduler, events) = (first.scheduler.clone(), first.scheduler.events.listen());
        async move { scheduler.wait_for_end(events, task, execution).await }
    });
    sleep(Duration::from_secs(2)).await;
    assert!(!waiting.is_finished(), "it still runs");
    second.runner.ends.add_permits(1);
    let since = Instant::now();
    waiting.await.expect("it ends");
    assert!(since.elapsed() < Duration::from_secs(1), "it took {:?}", since.elapsed());
    assert_eq!(first.row(task, execution).await.status, ExecutionStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_node_takes_due_tasks_of_others_while_somebody_waits_for_a_run_of_another_node() {
    let ([first, second], full, task, execution) = run_elsewhere().await;
    let (scheduler, events) = (first.scheduler.clone(), first.scheduler.events.listen());
    tokio::spawn(async move { scheduler.wait_for_end(events, task, execution).await });
    sleep(Duration::from_secs(2)).await;
    drop(full);
    // The second node has no place, and nobody tells the first one.
    let other = second.create("other").await;
    second.scheduler.run_by_hand(other, None, &actor()).await.expect("it may run");
    let started = timeout(Duration::from_secs(60), take(&first.runner.started)).await;
    assert!(started.is_ok(), "the first node does not look");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_another_node_runs_is_deleted_after_its_run_has_ended() {
    let ([first, _second], _full, task, _) = run_elsewhere().await;
    first.scheduler.delete(task, &actor()).await.expect("its run is cancelled");
    assert_eq!(first.store.task(task).await.expect("it reads"), None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_stops_its_runs_before_another_one_closes_them_and_comes_back_as_another_node() {
    let ([first, second], full, task, execution) = run_elsewhere().await;
    let former = second.id();
    // The process goes on, but does not tell so any more.
    second.silence.send_replace(true);
    drop(full);
    let since = Instant::now();
    while first.row(task, execution).await.status == ExecutionStatus::Running {
        assert!(
            !second.member.lease().holds(former) || since.elapsed().as_millis() < 6000,
            "it may still run"
        );
        sleep(Duration::from_millis(100)).await;
    }
    assert!(!second.member.lease().holds(former), "its own lease was over before");
    let row = first.row(task, execution).await;
    assert_eq!((row.status, row.reason, row.node), (ExecutionStatus::Failed, Some(Reason::Lost), former));
    let took = since.elapsed();
    let bound = Duration::from_millis((LEASE * 7 / 6 + 1000).unsigned_abs());
    assert!(took <= bound, "the takeover took {took:?}, {bound:?} are allowed");
    // It comes back, and its late end is no news.
    let (_silence, silent) = watch::channel(false);
    tokio::spawn(second.member.clone().run(silent));
    second.runner.ends.add_permits(1);
    sleep(Duration::from_secs(3)).await;
    assert_ne!(second.id(), former);
    assert_eq!(first.row(task, execution).await, row, "a late end changes nothing");
    assert_eq!(second.scheduler.in_progress.executions(), []);
    let again = first.create("again").await;
    let _full = first.fill().await;
    let (_, next) = first.scheduler.run_by_hand(again, None, &actor()).await.expect("it may run");
    take(&second.runner.started).await;
    assert_eq!(first.row(again, next).await.node, second.id(), "it works as another node");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_drained_claims_nothing_even_if_it_joins_anew_before_it_hears_of_that() {
    let (disk, machine) = (Arc::new(Disk::default()), Arc::new(TokioClock(Instant::now())));
    let [asked, drained] = [OneNode::join(&disk, &machine).await, OneNode::join(&disk, &machine).await];
    let full = asked.fill().await;
    let set = |drained_now| {
        let node = drained.id().expect("it has joined");
        asked.scheduler.set_drained(node, drained_now, crate::domain::audit::Audit::default())
    };
    assert!(set(true).await.expect("it is written"));
    drained.member.join().await.expect("the store is there");
    let task = asked.create("task").await;
    asked.scheduler.run_by_hand(task, None, &actor()).await.expect("it may run");
    sleep(Duration::from_secs(30)).await;
    assert!(drained.scheduler.drain.is_on() && drained.scheduler.in_progress.executions().is_empty());
    let living = asked.store.values("drained/".to_owned()).await.expect("it reads");
    assert_eq!(living.last().map(|(key, _)| key.clone()), drained.id().map(crate::store::drained_key));
    assert!(set(false).await.expect("it is written"));
    take(&drained.runner.started).await;
    assert_eq!(asked.store.values("drained/".to_owned()).await.expect("it reads"), [], "old wishes are gone");
    drop(full);
}

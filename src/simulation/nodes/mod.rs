//! Nodes: processes that share a store, each with clocks of its own.
//!
//! They begin and end as they like, stand still, lose the way to the store, and all lose it together. The clock of
//! the store is set now and then, those of the machines are wrong.

mod weather;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{
    cluster::{FollowingClock, Member, Settings},
    domain::Millis,
    events::Events,
    scheduler::Scheduler,
    simulation::{
        actors::{
            plans::{self, Pace},
            runner::ScriptedRunner,
            store::FaultyStore,
            users::User,
        },
        oracle::invariants::{self, ToDo},
        world::{Process, World, clock::WallClock, pass},
    },
    store::{Nodes, Upkeep},
};

/// Processes at once at most.
const MOST: i64 = 4;
/// Milliseconds of a seed at most: its processes beat all the time.
const LONGEST: Millis = 240_000;

/// Makes a world for many processes.
pub(crate) fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.pace = Pace::Seconds;
    world.lease = world.chance.among(&[3000, 10_000, 30_000]);
    world.weather.failures *= 4;
    world
}

/// Runs processes side by side on one disk until the seed's time is over. Returns the time passed.
pub(crate) fn live_together(world: &Arc<World>) -> Millis {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let passed = runtime.block_on(async {
        let length = world.chance.spread(LONGEST / 8, LONGEST);
        let start = plans::beginning(&world.chance, length);
        let clock = Arc::new(WallClock::new(start, world.chance.clone()));
        let mut all = JoinSet::new();
        for _ in 0..world.chance.between(1, MOST) {
            all.spawn(live_again_and_again(world.clone(), clock.clone()));
        }
        all.spawn(weather::change(world.clone(), clock.clone()));
        all.spawn(watch(world.clone(), clock.clone()));
        while clock.elapsed() < length && !world.is_over() {
            pass(500).await;
        }
        world.processes().iter().for_each(|process| process.die());
        // What was written is settled by the processes that have died.
        tokio::task::yield_now().await;
        clock.elapsed()
    });
    drop(runtime);
    if world.broken().is_none() {
        world.run_checks(|| {
            let (mut record, data) = (world.record(), world.disk.data());
            record.settle_after_restart(&data);
            invariants::check_output(&record, &data, world.weather.failures == 0);
        });
    }
    world.processes().clear();
    passed
}

async fn live_again_and_again(world: Arc<World>, store_clock: Arc<WallClock>) {
    loop {
        let chance = &world.chance;
        let skew = if chance.one_in(2) { 0 } else { chance.between(-3_600_000, 3_600_000) };
        let now = crate::clock::Clock::now(&*store_clock) + skew;
        let clock = Arc::new(WallClock::new(now, chance.clone()));
        let number = world.next_process();
        let process = Arc::new(Process::of_many(&world, clock, store_clock.clone(), number));
        world.processes().push(process.clone());
        tokio::select! {
            biased;
            () = process.wait_for_death() => {}
            () = serve(&process) => {}
        }
        process.tell("the process is gone");
        process.die();
        world.processes().retain(|other| !Arc::ptr_eq(other, &process));
        pass(chance.spread(1, 3 * world.lease)).await;
    }
}

async fn serve(process: &Arc<Process>) {
    let world = &process.world;
    let store = Arc::new(FaultyStore::open(process));
    process.tell(format_args!("process {} starts", store.report().epoch));
    let shared = store.shared().expect("many processes share the store");
    let clock = Arc::new(FollowingClock::new(process.clock.clone()));
    let (lease, places) = (world.lease, world.weather.capacity);
    let settings = Settings { name: "node".to_owned(), address: None, lease, poll: 1000, places };
    let member = Member::new(shared, clock.clone(), settings);
    let _ = process.member.set(member.clone());
    while member.join().await.is_err() {
        pass(1000).await;
    }
    let runner = Arc::new(ScriptedRunner::new(process, store.clone()));
    let scheduler = Scheduler::new(store.clone(), runner, clock, Events::default(), process.policy());
    scheduler.share_with(member.clone());
    let mut others = JoinSet::new();
    let (stop, stopping) = tokio::sync::watch::channel(false);
    others.spawn(member.run(stopping));
    if let Err(error) = scheduler.recover().await {
        return process.tell(format_args!("the recovery fails: {error}"));
    }
    process.recovering.store(false, std::sync::atomic::Ordering::Relaxed);
    let mut running = tokio::spawn({
        let scheduler = scheduler.clone();
        async move { scheduler.run().await }
    });
    let user = User { process: process.clone(), scheduler: scheduler.clone() };
    others.spawn(user.live(6 * world.pace.unit()));
    let ended = tokio::select! {
        biased;
        () = pass(world.chance.spread(5000, LONGEST)) => None,
        ended = &mut running => Some(ended),
    };
    match ended {
        None if world.chance.one_in(2) => return process.tell("the process is killed"),
        None => process.tell("the process is told to stop"),
        Some(Ok(Err(error))) if !error.passes() => {
            return process.tell(format_args!("the scheduler fails: {error}"));
        }
        Some(other) => {
            process.run_checks(|| panic!("the scheduler stopped by itself: {other:?}"));
            return;
        }
    }
    process.stopping.store(true, std::sync::atomic::Ordering::Relaxed);
    scheduler.stop(Duration::from_millis(world.chance.among(&[0, 5000, 30_000]))).await;
    stop.send_replace(true);
    let node = shared_node(&store);
    let closed = store.close().await;
    process.tell(format_args!("the process has left: {}", closed.is_ok()));
    if let Some(node) = node.filter(|_| closed.is_ok()) {
        world.record().nodes.leave(node);
    }
}

fn shared_node(store: &FaultyStore) -> Option<crate::domain::ids::NodeId> {
    store.shared().and_then(|shared| shared.node())
}

/// Checks now and then that no work waits for longer than it may while a process works and has room.
async fn watch(world: Arc<World>, clock: Arc<WallClock>) {
    let patience = 3 * world.lease + 20_000;
    let look = || {
        let now = crate::clock::Clock::now(&*clock);
        invariants::check_waiting(&world.record(), &world.disk.data(), &world.all_runs(), now)
    };
    let mut waiting: Vec<(ToDo, Millis)> = Vec::new();
    // A process that begins knows of no other one, so that the same one must have worked all the time.
    let mut working: BTreeMap<Option<u64>, Millis> = BTreeMap::new();
    loop {
        pass(500).await;
        let (now, to_do) = (clock.elapsed(), look());
        let processes = world.processes().clone();
        let at_work = processes.iter().filter(|process| weather::works(process, world.weather.capacity));
        working = at_work
            .map(|process| (process.number(), working.get(&process.number()).copied().unwrap_or(now)))
            .collect();
        waiting.retain(|(item, _)| to_do.contains(item));
        for item in to_do {
            if !waiting.iter().any(|(known, _)| *known == item) {
                waiting.push((item, now));
            }
        }
        world.run_checks(|| {
            let late = |since: &Millis| {
                now - since > patience && working.values().any(|began| now - began > patience)
            };
            let stuck = waiting.iter().find(|(_, since)| late(since));
            assert!(stuck.is_none(), "work waits although a process works and has room: {stuck:?}");
        });
    }
}

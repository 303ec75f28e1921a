//! The life of a process, from the opening of its store to its end by one way or another.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{
    clock::Clock,
    domain::{Millis, step::Policy},
    events::Events,
    scheduler::Scheduler,
    simulation::{
        actors::{plans, runner::Script, store::FaultyStore, users::User},
        oracle::invariants,
        world::{Process, World, pass},
    },
    store::Upkeep,
};

/// How long something may be due while there is room for it. The slowest store, with many
/// operations in line, needs less.
const PATIENCE: Millis = 60_000;

/// What a life leaves behind.
pub(crate) struct End {
    /// What the wall clock shows.
    pub(crate) wall: Millis,
    /// How long it lasted.
    pub(crate) lasted: Millis,
}

/// One process after the other on the same disk, until `length` has passed or the operations
/// that a seed has are used up. Returns how much time has passed.
pub(crate) fn lives(world: &Arc<World>, length: Millis) -> Millis {
    let chance = &world.chance;
    let mut wall = plans::beginning(chance, length);
    let mut passed = 0;
    while passed < length && !world.is_over() {
        let most = chance.spread(length / 20 + 1, length);
        let End { wall: last, lasted } = live(world, wall, most.min(length - passed + 1));
        let down = if chance.one_in(3) { 0 } else { chance.spread(1, length / 10 + 1) };
        passed += lasted + down;
        wall = last + down;
        // A machine that was off may come up with another idea of the time.
        if chance.one_in(12) {
            wall += step(world);
        }
    }
    if world.broken().is_some() {
        return passed;
    }
    world.hold(|| {
        let (mut record, data) = (world.record(), world.disk.data());
        record.reopened(&data);
        invariants::check_output(&record, &data, world.weather.failures == 0);
    });
    passed
}

fn live(world: &Arc<World>, wall: Millis, most: Millis) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    // Whatever is under way goes with the runtime.
    runtime.block_on(async {
        let process = Arc::new(Process::new(world, wall));
        tokio::select! {
            biased;
            () = process.death() => {}
            () = serve(&process, most) => {}
        }
        process.tell("the process is gone");
        process.die();
        End { wall: process.clock.now(), lasted: process.clock.elapsed() }
    })
}

async fn serve(process: &Arc<Process>, most: Millis) {
    let world = &process.world;
    process.hold(|| world.record().reopened(&world.disk.data()));
    process.alive().await;
    let store = Arc::new(FaultyStore::open(process));
    process.tell(format_args!("process {} starts", store.report().epoch));
    let runner = Arc::new(Script::new(process));
    let clock = process.clock.clone();
    let scheduler = Scheduler::new(store.clone(), runner, clock, Events::default(), Policy::default());
    if let Err(error) = scheduler.recover().await {
        return process.tell(format_args!("the recovery fails: {error}"));
    }
    process.hold(|| invariants::check_recovered(&world.disk.data()));
    process.alive().await;
    process.recovering.store(false, Relaxed);

    let mut running = tokio::spawn({
        let scheduler = scheduler.clone();
        async move { scheduler.run().await }
    });
    let mut others = JoinSet::new();
    others.spawn(sets_the_clock(process.clone(), most));
    others.spawn(watches(process.clone()));
    for _ in 0..2 {
        let user = User { process: process.clone(), scheduler: scheduler.clone() };
        others.spawn(user.live(6 * world.pace.unit()));
    }
    let ended = tokio::select! {
        biased;
        () = pass(most) => None,
        ended = &mut running => Some(ended),
    };
    match ended {
        None if world.chance.one_in(2) => return process.tell("the process is killed"),
        None => process.tell("the process is told to stop"),
        Some(Ok(Err(error))) => process.tell(format_args!("the scheduler fails: {error}")),
        Some(other) => {
            process.hold(|| panic!("the scheduler stopped by itself: {other:?}"));
            return;
        }
    }
    process.stopping.store(true, Relaxed);
    scheduler.stop(Duration::from_millis(world.chance.among(&[0, 5000, 30_000]))).await;
    let idle = process.runs().is_empty() && process.busy.load(Relaxed) == 0;
    if idle && process.failures.load(Relaxed) == 0 {
        process.hold(|| invariants::check_recovered(&world.disk.data()));
    }
}

/// Somebody sets the clock now and then.
async fn sets_the_clock(process: Arc<Process>, most: Millis) {
    loop {
        pass(process.world.chance.spread(most / 8 + 1, 2 * most)).await;
        let by = step(&process.world);
        process.clock.step(by);
        process.tell(format_args!("the clock was set by {by} ms"));
    }
}

/// By how much.
fn step(world: &World) -> Millis {
    let (chance, unit) = (&world.chance, world.pace.unit());
    let most = chance.among(&[90_000, 3_600_000, 3 * unit]);
    let by = chance.spread(1, most);
    if chance.one_in(2) { by } else { -by }
}

/// Looks for what is to be done and stays so although there is room for it.
async fn watches(process: Arc<Process>) {
    let world = &process.world;
    let look = || {
        let now = process.clock.now();
        invariants::check_waiting(&world.record(), &world.disk.data(), &process.runs(), now)
    };
    loop {
        pass(world.chance.spread(1, 4 * world.pace.unit())).await;
        let to_do = look();
        if to_do.is_empty() {
            continue;
        }
        let room = || {
            let (full, failures) = (process.full.load(Relaxed), process.failures.load(Relaxed));
            let is_room = process.runs().len() < world.weather.capacity && process.busy.load(Relaxed) < 4;
            is_room.then_some((full, failures, process.clock.steps()))
        };
        let before = room();
        pass(PATIENCE).await;
        if before.is_none() || before != room() || process.stopping.load(Relaxed) {
            continue;
        }
        process.hold(|| {
            let still = look();
            let stuck = still.iter().find(|item| to_do.contains(item));
            assert!(stuck.is_none(), "there is room, but it waits: {stuck:?}");
        });
    }
}

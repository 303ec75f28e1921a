//! The life of a process, from the opening of its store to its end: a stop, a kill or a crash.

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
        actors::{plans, runner::ScriptedRunner, store::FaultyStore, users::User},
        oracle::invariants,
        world::{Process, World, pass},
    },
    store::Upkeep,
};

/// A task may be due this long while a runner is free. The slowest store with a long queue needs less.
const PATIENCE: Millis = 60_000;

/// The end of a life.
pub(crate) struct End {
    /// The wall clock's time.
    pub(crate) wall: Millis,
    /// The length of the life.
    pub(crate) lasted: Millis,
}

/// Runs one process after the other on the same disk, until `length` has passed or the seed's operations
/// are used up. Returns the time passed.
pub(crate) fn live_all(world: &Arc<World>, length: Millis) -> Millis {
    let chance = &world.chance;
    let mut wall = plans::beginning(chance, length);
    let mut passed = 0;
    while passed < length && !world.is_over() {
        let most = chance.spread(length / 20 + 1, length);
        let End { wall: last, lasted } = live(world, wall, most.min(length - passed + 1));
        let down = if chance.one_in(3) { 0 } else { chance.spread(1, length / 10 + 1) };
        passed += lasted + down;
        wall = last + down;
        // The clock of a machine may be set while it is off.
        if chance.one_in(12) {
            wall += step(world);
        }
    }
    if world.broken().is_some() {
        return passed;
    }
    world.run_checks(|| {
        let (mut record, data) = (world.record(), world.disk.data());
        record.settle_after_restart(&data);
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
    // Dropping the runtime ends all work of the process.
    runtime.block_on(async {
        let process = Arc::new(Process::new(world, wall));
        tokio::select! {
            biased;
            () = process.wait_for_death() => {}
            () = serve(&process, most) => {}
        }
        process.tell("the process is gone");
        process.die();
        End { wall: process.clock.now(), lasted: process.clock.elapsed() }
    })
}

async fn serve(process: &Arc<Process>, most: Millis) {
    let world = &process.world;
    process.run_checks(|| world.record().settle_after_restart(&world.disk.data()));
    process.halt_if_dead().await;
    let store = Arc::new(FaultyStore::open(process));
    process.tell(format_args!("process {} starts", store.report().epoch));
    let runner = Arc::new(ScriptedRunner::new(process, store.clone()));
    let clock = process.clock.clone();
    let scheduler = Scheduler::new(store.clone(), runner, clock, Events::default(), Policy::default());
    scheduler.limit_keys(plans::KEYS.map(|(key, limit)| (key.to_owned(), limit)).into());
    if let Err(error) = scheduler.recover().await {
        return process.tell(format_args!("the recovery fails: {error}"));
    }
    process.run_checks(|| invariants::check_recovered(&world.disk.data()));
    process.halt_if_dead().await;
    process.recovering.store(false, Relaxed);

    let mut running = tokio::spawn({
        let scheduler = scheduler.clone();
        async move { scheduler.run().await }
    });
    let mut others = JoinSet::new();
    others.spawn(set_the_clock(process.clone(), most));
    others.spawn(watch(process.clone()));
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
        Some(Ok(Err(error))) if !error.passes() => {
            process.tell(format_args!("the scheduler fails: {error}"));
        }
        Some(other) => {
            process.run_checks(|| panic!("the scheduler stopped by itself: {other:?}"));
            return;
        }
    }
    process.stopping.store(true, Relaxed);
    scheduler.stop(Duration::from_millis(world.chance.among(&[0, 5000, 30_000]))).await;
    let idle = process.runs().is_empty() && process.busy.load(Relaxed) == 0;
    if idle && process.failures.load(Relaxed) == 0 {
        process.run_checks(|| invariants::check_recovered(&world.disk.data()));
    }
}

/// Sets the clock now and then.
async fn set_the_clock(process: Arc<Process>, most: Millis) {
    loop {
        pass(process.world.chance.spread(most / 8 + 1, 2 * most)).await;
        let by = step(&process.world);
        process.clock.step(by);
        process.tell(format_args!("the clock was set by {by} ms"));
    }
}

/// Chooses the milliseconds by which the clock is set, back or forward.
fn step(world: &World) -> Millis {
    let (chance, unit) = (&world.chance, world.pace.unit());
    let most = chance.among(&[90_000, 3_600_000, 3 * unit]);
    let by = chance.spread(1, most);
    if chance.one_in(2) { by } else { -by }
}

/// Checks now and then that no work waits for longer than [`PATIENCE`] while a runner is free.
async fn watch(process: Arc<Process>) {
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
        process.run_checks(|| {
            let still = look();
            let stuck = still.iter().find(|item| to_do.contains(item));
            assert!(stuck.is_none(), "work waits although a runner is free: {stuck:?}");
        });
    }
}

//! The weather of many processes: one stands still, one is cut off, the store is away for all, or it loses commits.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use crate::{
    cluster::Standing,
    domain::Millis,
    simulation::world::{Process, World, clock::WallClock, pass},
};

/// Changes the weather again and again.
pub(super) async fn change(world: Arc<World>, clock: Arc<WallClock>) {
    let chance = world.chance.clone();
    loop {
        pass(chance.spread(1000, 6 * world.lease)).await;
        let lasts = chance.among(&[world.lease / 8, world.lease / 2, world.lease, 2 * world.lease]);
        let lasts = lasts + chance.between(0, lasts);
        let processes: Vec<_> = world.processes().clone();
        if processes.is_empty() {
            continue;
        }
        let process = chance.among(&processes);
        match chance.between(0, 6) {
            0..=1 => pause(&process, lasts).await,
            2..=3 => cut(std::slice::from_ref(&process), lasts).await,
            4 => cut(&processes, lasts).await,
            5 => fail_over(&world, &clock, chance.spread(1, lasts)).await,
            _ => {
                let by = chance.among(&[-20_000, -700, 700, 20_000]);
                clock.step(by);
                process.tell(format_args!("the clock of the store was set by {by} ms"));
            }
        }
    }
}

async fn pause(process: &Process, lasts: Millis) {
    process.tell(format_args!("stands still for {lasts} ms"));
    process.paused.set(true);
    pass(lasts).await;
    process.paused.set(false);
    process.tell("goes on");
}

/// Replaces the store by a standby that has not had the commits of the last while.
async fn fail_over(world: &World, clock: &WallClock, lags: Millis) {
    // Between two operations.
    let turn = world.turn.lock().await;
    let copy = world.copy();
    drop(turn);
    pass(lags).await;
    let turn = world.turn.lock().await;
    world.history.tell(format!("{} the store has lost the commits of {lags} ms", clock.elapsed()));
    world.replace(copy);
    drop(turn);
}

async fn cut(processes: &[Arc<Process>], lasts: Millis) {
    for process in processes {
        process.tell(format_args!("is cut off from the store for {lasts} ms"));
        process.cut.set(true);
    }
    pass(lasts).await;
    for process in processes {
        process.cut.set(false);
        process.tell("reaches the store again");
    }
}

/// Whether a process does its work and has room for a run.
pub(super) fn works(process: &Process, capacity: usize) -> bool {
    let member = process.member.get();
    !process.is_dead()
        && !process.recovering.load(Relaxed)
        && !process.stopping.load(Relaxed)
        && !process.paused.is_set()
        && !process.cut.is_set()
        && process.runs().len() < capacity
        && member.is_some_and(|member| matches!(member.lease().standing(), Standing::Member { .. }))
}

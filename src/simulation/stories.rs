//! Stories that the simulation has found, each as a test of its own.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    domain::{draft::tests::definition, execution::ExecutionStatus, step::Policy},
    events::Events,
    scheduler::{Actor, Scheduler},
    simulation::{
        actors::{runner::ScriptedRunner, store::FaultyStore},
        oracle::{almanac::Rule, change::Asked},
        world::{Process, Weather, World, pass},
    },
};

const START: i64 = 1_772_445_600_000;
const HOUR: i64 = 3_600_000;

/// Starts a server with a slow store.
fn start_server() -> (Arc<Process>, Arc<Scheduler>) {
    let weather = Weather { delay: 100, failures: 0, crashes: 0, operations: 1000, capacity: 4 };
    let mut world = World::new(1);
    world.weather = weather;
    let world = Arc::new(world);
    let process = Arc::new(Process::new(&world, START));
    process.recovering.store(false, Relaxed);
    let store = Arc::new(FaultyStore::open(&process));
    let runner = Arc::new(ScriptedRunner::new(&process, store.clone()));
    let clock = process.clock.clone();
    let scheduler = Scheduler::new(store, runner, clock, Events::default(), Policy::default());
    tokio::spawn({
        let scheduler = scheduler.clone();
        async move { scheduler.run().await }
    });
    (process, scheduler)
}

fn actor(name: &str) -> Actor {
    Actor::of_system(name, name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_is_done_although_the_user_hangs_up() {
    let (process, scheduler) = start_server();
    let world = process.world.clone();
    let later = (START + HOUR).to_string();
    world.record().almanacs.learn(&later, Rule::At(START + HOUR));
    world.record().almanacs.learn("now", Rule::Now);
    world.record().requests.insert("run".to_owned(), Asked::RunByHand(None));
    let task = scheduler.create(definition(&later), &actor("create")).await.expect("it is created");

    // The store is still writing each request when the user hangs up.
    let run = timeout(Duration::ZERO, scheduler.run_by_hand(task.id, None, &actor("run"))).await;
    assert!(run.is_err(), "the run takes time");
    let other = crate::domain::definition::Definition { name: "other".to_owned(), ..definition("now") };
    let create = timeout(Duration::ZERO, scheduler.create(other, &actor("other"))).await;
    assert!(create.is_err(), "the creation takes time");

    pass(HOUR / 2).await;
    let rows: Vec<_> = world.disk.data().rows.values().cloned().collect();
    assert_eq!(rows.len(), 2, "both run: {rows:#?}");
    assert!(rows.iter().all(|row| row.status != ExecutionStatus::Running), "and end: {rows:#?}");
    assert_eq!(world.broken(), None);
}

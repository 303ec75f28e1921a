//! Simulation: years of a server's life in milliseconds, with the same history for the same seed.
//!
//! The scheduler and the decisions of `domain::step` are the real ones. Their surroundings are simulated
//! in one thread and under one seed: time, which passes only while no code can run; a wall clock that is
//! set forward and back ([`world`]); a store that is slow, fails, and dies with its process between any
//! two operations; handlers that end in every way; users with random requests ([`actors`]). A seed is a
//! chain of processes on one disk ([`life`]).
//!
//! The [`oracle`] knows the invariants and shares no code with the scheduler: planned times come from an
//! almanac without shortcuts, and every promise is recorded apart from the store.
//!
//! `cargo test --lib simulation` runs a hundred seeds. To run other seeds:
//!
//! ```text
//! ISOCHRON_SEEDS=10000 cargo test --release --lib simulation -- --nocapture
//! ISOCHRON_SEED=1234 cargo test --lib simulation
//! ```
//!
//! Misuse to avoid: code in this room that asks the machine for time or chance, or whose order depends on
//! addresses or hashes. A seed that fails must fail again.

mod actors;
mod life;
mod nodes;
mod oracle;
mod stories;
mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use crate::domain::chance::Chance;
use crate::{domain::Millis, simulation::world::World};

/// Seeds that a plain test runs.
const SEEDS: u64 = 120;
/// Seeds with many processes that a plain test runs.
const SEEDS_OF_NODES: u64 = 50;

/// The result of a seed.
struct Outcome {
    /// Of the history.
    digest: u64,
    lines: u64,
    operations: u64,
    passed: Millis,
    broken: Option<String>,
}

/// Lives through a world and tells how it went; `test` is the name of the test.
fn outcome(world: &Arc<World>, seed: u64, test: &str, live: impl FnOnce(&Arc<World>) -> Millis) -> Outcome {
    let passed = live(world);
    let broken = world.broken().map(|text| {
        format!(
            "seed {seed} does not hold:\n{}\n{text}\n\nagain: ISOCHRON_SEED={seed} cargo test --lib {test}",
            world.history.tail()
        )
    });
    Outcome {
        digest: world.history.digest(),
        lines: world.history.count(),
        operations: world.operations.load(Relaxed),
        passed,
        broken,
    }
}

fn simulate(seed: u64) -> Outcome {
    let world = Arc::new(World::new(seed));
    outcome(&world, seed, "whatever_happens_every", |world| {
        let length = world.pace.unit() * world.chance.between(50, 700);
        life::live_all(world, length)
    })
}

fn simulate_many(seed: u64) -> Outcome {
    outcome(&Arc::new(nodes::world(seed)), seed, "whatever_happens_to_nodes", nodes::live_together)
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {text:?}")))
}

#[test]
fn whatever_happens_every_occurrence_ends_once() {
    run_seeds(SEEDS, simulate);
}

#[test]
fn whatever_happens_to_nodes_every_occurrence_ends_once() {
    run_seeds(SEEDS_OF_NODES, simulate_many);
}

fn run_seeds(seeds: u64, simulate: impl Fn(u64) -> Outcome + Sync) {
    let (first, count) = match number("ISOCHRON_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("ISOCHRON_SEEDS").unwrap_or(seeds)),
    };
    let (next, end) = (AtomicU64::new(first), first + count);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(4);
    let (mut seeds, mut operations, mut lines, mut passed) = (0, 0, 0, 0);
    thread::scope(|scope| {
        let work = || {
            let mut outcomes = Vec::new();
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= end {
                    return outcomes;
                }
                let outcome = simulate(seed);
                let broken = outcome.broken.is_some();
                outcomes.push(outcome);
                if broken {
                    next.store(end, Relaxed);
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for outcome in threads.into_iter().flat_map(|thread| thread.join().expect("a seed panics")) {
            if let Some(broken) = outcome.broken {
                panic!("{broken}");
            }
            seeds += 1;
            operations += outcome.operations;
            lines += outcome.lines;
            passed += outcome.passed / 1000;
        }
    });
    let years = passed / (365 * 86_400);
    println!("{seeds} seeds: {years} years, {operations} operations of the store, {lines} lines of history");
}

#[test]
fn a_seed_has_one_history() {
    for seed in [1, 2, 3, Chance::new(7).bits()] {
        for simulate in [simulate, simulate_many] {
            let (first, second) = (simulate(seed), simulate(seed));
            assert!(first.lines > 20, "little happens");
            assert_eq!((first.digest, first.lines), (second.digest, second.lines), "seed {seed}");
        }
    }
}

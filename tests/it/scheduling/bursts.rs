//! The pool under more runs than it can do at once: it grows, every task gets its turn, it shrinks.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread::{available_parallelism, scope},
};

use serde_json::{Value, json};

use crate::harness::{Options, PATIENCE, Server, Stopwatch, field, task, until, until_within};

/// Tasks of a burst.
const BURST: usize = 200;
/// Milliseconds between their due times: less than a run takes.
const APART: i64 = 10;
/// Time to create them before the first is due, at least.
const AHEAD: u128 = 5000;

const WAITS: &str = "module.exports = async () => { await new Promise((go) => setTimeout(go, 250)) };";
const COMPUTES: &str = "module.exports = () => {
  for (const end = performance.now() + 40; performance.now() < end; );
};";

fn runners(server: &Server) -> [Value; 3] {
    field(&server.client().get("/ready").body["runners"], ["alive", "idle", "waiting"])
}

/// Creates the burst, half of it waiting for timers and half of it computing, and returns the ids.
fn create_burst(server: &Server) -> Vec<String> {
    server.create_dormant("first", "module.exports = () => 1", &json!({}));
    let stopwatch = Stopwatch::start();
    let second = server.create(&task("second", "first", "2099-01-01T00:00:00Z", &json!({})));
    // On a slow machine all of them take longer.
    let ahead = AHEAD.max(BURST as u128 * stopwatch.elapsed().as_millis());
    let start = server.task(&second)["createdAt"].as_i64().expect("a time")
        + i64::try_from(ahead).expect("a small number");
    let next = AtomicUsize::new(0);
    let create = || {
        let mut ids = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= BURST {
                return ids;
            }
            let handler = if n.is_multiple_of(2) { "waits" } else { "computes" };
            let due = start + APART * i64::try_from(n).expect("a small number");
            ids.push(server.create(&task(&format!("burst-{n:03}"), handler, &due.to_string(), &json!({}))));
        }
    };
    scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(create));
        threads.into_iter().flat_map(|thread| thread.join().expect("they are created")).collect()
    })
}

fn times(row: &Value) -> (i64, i64) {
    let [due, start] = ["scheduledFor", "startTime"].map(|name| row[name].as_i64().expect("a time"));
    (due, start)
}

/// A due run waits for earlier due runs and for no others, so a task with few runs gets its fair
/// share beside a flood. Runs that start at the same time may overtake each other: at most as many
/// later runs as there are runners may start before a run.
#[test]
fn in_a_burst_everybody_has_their_turn_and_the_pool_grows_and_shrinks_again() {
    let server = Options::default().start();
    for (name, source) in [("waits", WAITS), ("computes", COMPUTES), ("tick", "module.exports = () => 1")] {
        server.home.write(name, source);
    }
    let most = 4 * available_parallelism().expect("the number of cores").get();
    let ticking = server.create(&task("ticking", "tick", "every 1s", &json!({ "recurring": true })));
    let burst = create_burst(&server);
    until("all runners are there and at work", || {
        let [alive, idle, _] = runners(&server);
        (alive == most && idle.as_u64() < Some(most as u64 / 2)).then_some(())
    });
    let completed =
        |server: &Server| server.client().get("/admin/scheduler?status=completed&name=burst-").expect(200);
    until_within(3 * PATIENCE, "all of them have run", || {
        (completed(&server)["total"] == BURST).then_some(())
    });
    // Due after the whole burst, so that no run of it is still to come.
    let ticks = server.executions(&ticking).len();
    server.until_rows(&ticking, "completed", ticks + 2);

    let ran: Vec<_> = burst.iter().flat_map(|id| server.executions(id)).collect();
    assert_eq!(ran.len(), BURST, "each of them once");
    assert!(ran.iter().all(|row| row["status"] == "completed"), "{ran:?}");
    let ticks = server.executions(&ticking);
    let during: Vec<_> = ticks.iter().filter(|row| row["status"] == "completed").collect();
    for tick in during {
        let (due, start) = times(tick);
        let overtook = ran.iter().map(times).filter(|(other, began)| *other > due && *began < start);
        let overtook = overtook.count();
        assert!(overtook <= most, "{overtook} runs that were due later started before {tick}");
    }

    // The neighbour's one run a second does not keep all runners busy.
    until_within(3 * PATIENCE, "the pool is small again", || {
        (runners(&server) == [1, 1, 0].map(Value::from)).then_some(())
    });
    server.check_health();
}

//! Servers that are killed, stand still, or lose the database.

use std::{collections::BTreeMap, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Cluster, LEASE, living, node_of};
use crate::harness::{Database, ENDLESS, Server, Stopwatch, Web, field, signal_process, task, until};

/// A takeover takes 7/6 of the lease and a second. The machine of a test may be busy, so that a look comes late.
const TAKEN_OVER_WITHIN: Duration = Duration::from_millis(LEASE * 7 / 6 + 1000 + 1500);

/// Tells a web server of each attempt that it lives: ten times a second, in its first attempt for ever.
const BEATING: &str = "module.exports = async ({ url }, ctx) => {
  console.log('attempt', ctx.attempt);
  for (let n = 0; ctx.attempt === 1 || n < 10; n += 1) {
    await fetch(url + ctx.attempt);
    await new Promise((go) => setTimeout(go, 100));
  }
  return ctx.attempt;
};";

/// Counts the beats of [`BEATING`], and keeps the order in which they came.
struct Pulse(Web);

impl Pulse {
    fn start() -> Self {
        Self(Web::start(|_| (200, "", String::new())))
    }

    /// A task whose first attempt beats for ever and whose second one ends.
    fn task(&self) -> Value {
        let more = json!({ "params": { "url": self.0.url("/") }, "maxRetries": 1, "retryDelay": 1000 });
        task("beating", "beating", "now", &more)
    }

    /// The number of the attempt of each beat.
    fn beats(&self) -> Vec<String> {
        self.0.seen().iter().map(|request| request.path.trim_start_matches('/').to_owned()).collect()
    }

    /// Fails the test unless each attempt ended before the next one began.
    fn check_order(&self) {
        let beats = self.beats();
        let mut sorted = beats.clone();
        sorted.sort_unstable();
        assert_eq!(beats, sorted, "two attempts ran at the same time");
    }
}

/// Waits for the end of the second attempt of a task, and checks what both have left.
fn check_retried(server: &Server, id: &str, pulse: &Pulse) {
    server.until_status(id, "completed");
    let rows = server.executions(id);
    let first = field(&rows[1], ["attempt", "status", "reason"]);
    assert_eq!(first, [json!(1), json!("failed"), json!("lost")], "{rows:?}");
    assert_eq!(field(&rows[0], ["attempt", "result"]), [json!(2), json!(2)]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    pulse.check_order();
}

#[test]
fn another_server_takes_over_from_one_that_is_killed() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "takeover");
    let pulse = Pulse::start();
    let mut a = cluster.start("a", &[("beating", BEATING)]);
    let id = a.create(&pulse.task());
    until("it beats", || (pulse.beats().len() > 3).then_some(()));
    let b = cluster.start("b", &[("beating", BEATING)]);
    until("the second server knows the first", || (living(&b).len() == 2).then_some(()));
    a.kill();
    let stopwatch = Stopwatch::start();
    b.until_rows(&id, "failed", 1);
    let took = stopwatch.elapsed();
    println!("taken over within {took:?} of the kill, with a lease of {LEASE} ms");
    assert!(took < TAKEN_OVER_WITHIN, "it took {took:?}");
    check_retried(&b, &id, &pulse);
    assert_eq!(living(&b).len(), 1);
    a.start_again();
    assert_eq!(living(&a).len(), 2, "it comes back as another node");
}

#[test]
fn a_server_that_starts_again_in_its_directory_takes_over_from_itself_at_once() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "again").with_lease(300_000);
    let mut a = cluster.start("a", &[("endless", ENDLESS)]);
    let id = a.create(&task("endless", "endless", "now", &Value::Null));
    a.until_output(&id);
    a.kill();
    a.start_again();
    let row = &a.executions(&id)[0];
    assert_eq!(
        field(row, ["status", "reason"]),
        [json!("failed"), json!("lost")],
        "closed before it listens"
    );
    assert_eq!(row["output"][0]["message"], "started");
    assert_eq!(living(&a).len(), 1);

    // A clean stop leaves nothing to wait for either.
    let other = cluster.start("b", &[]);
    a.signal(Signal::TERM);
    a.exit();
    let names: Vec<_> = living(&other).iter().map(|node| node["name"].clone()).collect();
    assert_eq!(names, ["b"]);
}

#[test]
fn a_server_that_stood_still_for_longer_than_its_lease_has_ended_its_runs_and_joins_anew() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "still");
    let pulse = Pulse::start();
    let a = cluster.start("a", &[("beating", BEATING)]);
    let id = a.create(&pulse.task());
    until("it beats", || (pulse.beats().len() > 3).then_some(()));
    let runners = a.runners();
    let b = cluster.start("b", &[("beating", BEATING)]);
    let former = node_of(&b, "a").expect("it lives");
    a.signal(Signal::STOP);
    check_retried(&b, &id, &pulse);
    let is_alive = |runner: &u32| !matches!(state_of(*runner), None | Some('Z'));
    until("the runner with the run has ended by itself", || (!runners.iter().all(is_alive)).then_some(()));
    let closed = b.executions(&id);

    a.signal(Signal::CONT);
    let now = until("it joins anew", || node_of(&b, "a"));
    assert_ne!(now, former);
    until("it is ready again", || (a.client().get("/ready").status == 200).then_some(()));
    // Either server may take the run.
    b.home.write("is-well", "module.exports = () => 6 * 7");
    a.check_health();
    assert_eq!(b.executions(&id), closed, "it has written nothing of what it had lost");
    pulse.check_order();
}

#[test]
fn a_server_whose_runners_stood_still_too_goes_on_with_none_of_them() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "frozen");
    let pulse = Pulse::start();
    let a = cluster.start("a", &[("beating", BEATING)]);
    let id = a.create(&pulse.task());
    until("it beats", || (pulse.beats().len() > 3).then_some(()));
    let b = cluster.start("b", &[("beating", BEATING)]);
    until("the second server knows the first", || (living(&b).len() == 2).then_some(()));
    let frozen: Vec<_> = a.runners().into_iter().chain([a.pid()]).collect();
    // Not while a beat is on its way: it would come after the standstill.
    let before = pulse.beats().len();
    until("it has just beaten", || (pulse.beats().len() > before).then_some(()));
    frozen.iter().for_each(|process| signal_process(*process, Signal::STOP));
    check_retried(&b, &id, &pulse);
    let closed = b.executions(&id);
    frozen.iter().for_each(|process| signal_process(*process, Signal::CONT));
    until("it is ready again", || (a.client().get("/ready").status == 200).then_some(()));
    // Either server may take the run.
    b.home.write("is-well", "module.exports = () => 6 * 7");
    a.check_health();
    assert_eq!(b.executions(&id), closed);
    pulse.check_order();
}

/// The state of a process, from `/proc`.
fn state_of(process: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn runs_outlive_a_short_absence_of_the_database_and_end_in_a_long_one() {
    let Some(database) = Database::new() else { return };
    let cluster = Cluster::new(&database, "absence").with_lease(30_000);
    let a = cluster.start("a", &[("endless", ENDLESS), ("nap", NAP)]);
    let nap = a.create(&task("nap", "nap", "now", &json!({ "timeout": 60_000 })));
    a.until_output(&nap);

    let waited = a.create_dormant("waited", NAP, &json!({ "timeout": 60_000 }));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| a.run(&waited));
        a.until_output(&waited);
        database.stop();
        until("it is not ready", || (a.client().get("/ready").status == 503).then_some(()));
        assert_eq!(a.client().get("/health").status, 200);
        let answer = a.client().get("/admin/scheduler");
        assert_eq!(answer.status, 503);
        assert!(!answer.header("retry-after").is_empty());
        a.home.write("gate.json", "\"rested\"");
        database.start();
        until("it is ready", || (a.client().get("/ready").status == 200).then_some(()));
        // Who waits for a run learns how it has ended.
        assert_eq!(waiting.join().expect("an answer")["result"], "rested");
    });
    a.until_status(&nap, "completed");
    let row = &a.executions(&nap)[0];
    assert_eq!(field(row, ["status", "result"]), [json!("completed"), json!("rested")]);
    let former = node_of(&a, "a");

    let endless = a.create(&task("endless", "endless", "now", &Value::Null));
    a.until_output(&endless);
    let before = a.runners();
    database.stop();
    until("its lease is over", || {
        (a.client().get("/ready").body["cluster"]["lease"] == "lost").then_some(())
    });
    until("the runner with the run is killed", || {
        before.iter().any(|runner| matches!(state_of(*runner), None | Some('Z'))).then_some(())
    });
    assert_eq!(a.client().get("/health").status, 200);
    database.start();
    a.until_status(&endless, "failed");
    let row = &a.executions(&endless)[0];
    assert_eq!(field(row, ["status", "reason"]), [json!("failed"), json!("lost")]);
    assert_ne!(node_of(&a, "a"), former, "it has joined anew");
    a.check_health();
    let states: BTreeMap<_, _> = a.client().get("/ready").body["cluster"]
        .as_object()
        .cloned()
        .unwrap_or_default()
        .into_iter()
        .collect();
    assert_eq!((&states["lease"], &states["nodes"]), (&json!("held"), &json!(1)));
}

/// Waits for the file `gate.json`, and returns what it has.
const NAP: &str = "module.exports = async () => {
  console.log('at the gate');
  for (;;) {
    try { return require('./gate.json'); } catch { await new Promise((go) => setTimeout(go, 50)); }
  }
};";

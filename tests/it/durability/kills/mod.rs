//! SIGKILL at random times while several drivers create, edit, run, pause and delete tasks: every
//! acknowledged change must be there afterwards.
//!
//! A driver ([`work`]) keeps a model ([`model`]) of its own tasks: the answers, and the unanswered
//! request, which may have taken effect as a whole or not at all. After each restart the model is
//! compared with the server ([`check`]). A few more tasks are due every 200 ms; each of their
//! planned times must have exactly one row.
//!
//! `ISOCHRON_KILLS=200 cargo test --test it kills -- --nocapture` makes 200 kills.

mod check;
mod model;
mod work;

use std::{
    thread,
    time::{Duration, SystemTime},
};

use rustix::process::Signal;
use serde_json::{Value, json};

pub(crate) use self::model::{DORMANT, HANDLERS, params};
use self::{
    check::{Checked, check_driver, check_lists, check_statuses},
    work::Driver,
};
use crate::{
    harness::{Chance, Options, Server, Stopwatch, from_environment, seed, signal_process, task, until},
    scheduling::missed::{account, pause_and_list},
};

/// Kills of a usual test run.
const KILLS: u64 = 15;
const DRIVERS: usize = 4;
/// Longest life of a server in milliseconds.
const LIFE: u64 = 700;
/// Longest time before a start is killed, in milliseconds; a start takes no longer on an idle machine.
const START: u64 = 100;
/// The frequent tasks are checked and made anew after this many kills.
const ACCOUNT: u64 = 20;
/// Prints how to repeat the test if it fails.
struct Repeat {
    kills: u64,
    seed: u64,
}

impl Drop for Repeat {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { kills, seed } = self;
            eprintln!(
                "the same requests and moments again: ISOCHRON_KILLS={kills} ISOCHRON_SEED={seed} cargo test --test it kills -- --nocapture"
            );
        }
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_or_doubled_by_kills_at_random_moments() {
    let kills = from_environment("ISOCHRON_KILLS").unwrap_or(KILLS);
    let repeat = Repeat { kills, seed: seed("ISOCHRON_SEED") };
    let mut chance = Chance::new(repeat.seed);
    let mut server = Options::default().set("MISFIRE_AFTER", "400").start();
    for (name, source) in HANDLERS {
        server.home.write(name, source);
    }
    let mut drivers: Vec<_> = (0..DRIVERS).map(|name| Driver::new(name, chance.fork())).collect();
    let mut ticking = tick(&server);
    let (mut checked, mut times, mut reopened) = (Checked::default(), 0, Vec::new());
    let (mut epoch, mut in_starts) = (1, 0);
    for kill in 1..=kills {
        drive_and_kill(&mut server, &mut drivers, &mut chance);
        while chance.once_in(4) {
            server.start_and_kill(Duration::from_millis(chance.next() % START));
            in_starts += 1;
        }
        let (started_at, stopwatch) = (now(), Stopwatch::start());
        server.start_again();
        reopened.push(stopwatch.elapsed());
        epoch = check_report(&server, epoch);
        for driver in &mut drivers {
            check_driver(&server, driver, started_at, &mut checked);
        }
        check_lists(&server, &drivers);
        if kill % ACCOUNT == 0 || kill == kills {
            times += count_up(&server, &ticking);
            ticking = tick(&server);
        }
    }
    for id in &ticking {
        server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    }
    check_statuses(&server);
    reopened.sort_unstable();
    let acknowledged: usize = drivers.iter().map(|driver| driver.acknowledged).sum();
    let Checked { documents, executions, lost_runs, kept } = checked;
    println!(
        "seed {}: {kills} kills and {in_starts} in mid-start, {acknowledged} changes acknowledged; {documents} documents, {executions} \
         executions ({lost_runs} of them lost in mid-run), {kept} entries and steps and {times} planned times checked: 0 lost, \
         0 doubled; \
         from start to listening p50 {:?}, max {:?}",
        repeat.seed,
        reopened[reopened.len() / 2],
        reopened[reopened.len() - 1],
    );
    assert!(acknowledged as u64 > kills, "hardly anything happened between the kills");
}

/// Lets the drivers work for a random time, kills a runner now and then, and then kills the server.
fn drive_and_kill(server: &mut Server, drivers: &mut [Driver], chance: &mut Chance) {
    let life = Duration::from_millis(chance.next() % LIFE);
    let (runner_dies, which) = (chance.once_in(3), chance.next());
    let client = server.client();
    thread::scope(|scope| {
        for driver in drivers {
            scope.spawn(|| driver.work(client));
        }
        // The time is random; no event is expected by then.
        thread::sleep(life / 2);
        let runners = server.runners();
        if runner_dies && !runners.is_empty() {
            signal_process(runners[usize::try_from(which).unwrap_or(0) % runners.len()], Signal::KILL);
        }
        thread::sleep(life / 2);
        server.signal(Signal::KILL);
    });
    server.exit();
}

/// Checks that this start repaired nothing and that its number is larger than the last; returns it.
fn check_report(server: &Server, last: u64) -> u64 {
    let start = &server.client().get("/ready").body["store"]["start"];
    assert_eq!((&start["setAside"], &start["rebuilt"]), (&json!([]), &json!([])), "{start}");
    let epoch = start["epoch"].as_u64().expect("a number");
    assert!(epoch > last, "{start} after {last}");
    epoch
}

/// Creates the frequent tasks.
fn tick(server: &Server) -> Vec<String> {
    let make = |(misfire, overlap): (&str, &str)| {
        let more = json!({
            "recurring": true, "misfire": misfire, "overlap": overlap, "keepExecutions": 10_000,
            "params": { "n": 60 },
        });
        server.create(&task(&format!("ticking-{misfire}"), "slow", "every 200ms", &more))
    };
    [("once", "skip"), ("skip", "allow"), ("all", "queue")].map(make).to_vec()
}

/// Checks the planned times of the frequent tasks, and deletes the tasks.
fn count_up(server: &Server, ticking: &[String]) -> usize {
    let count = |id: &String| {
        let created = server.task(id)["createdAt"].as_i64().expect("a time");
        let waiting = || server.task(id)["waiting"].as_array().expect("the runs that wait").clone();
        // On a busy machine the queue is long; a pause lets the times pass that come meanwhile.
        until(&format!("{id} has made up for what it missed"), || waiting().is_empty().then_some(()));
        let mut rows = pause_and_list(server, id);
        // A run that was queued when the task was paused has no row yet.
        rows.extend(waiting());
        account(&rows, created).unwrap_or_else(|wrong| panic!("{id}: {wrong}"));
        for row in rows.iter().filter(|row| row["status"] == "failed") {
            assert!(["lost", "crashed"].map(Value::from).contains(&row["reason"]), "{row}");
        }
        server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
        rows.len()
    };
    ticking.iter().map(count).sum()
}

#[expect(clippy::disallowed_methods, reason = "the server's clock is this machine's")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(since.as_millis()).expect("a time that fits")
}

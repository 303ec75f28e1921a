//! Three servers on one database, of which one after the other is killed, stands still or is cut off at a random
//! moment, and the database stops: is every planned time in exactly one row, no attempt started twice, nothing
//! stuck, and every acknowledged change there?
//!
//! `ISOCHRON_NODE_FAULTS=150 cargo test --test it chaos -- --nocapture` makes 150 faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    Cluster,
    link::{Link, Mode},
    names_at_rest,
};
use crate::{
    harness::{
        Chance, Database, Server, Stopwatch, Web, from_environment, seed, signal_process, task, until,
    },
    scheduling::missed::{account, pause_and_list},
};

/// Faults of a usual test run.
const FAULTS: u64 = 6;
/// The longest fault, in milliseconds: more than twice the lease.
const LONGEST: u64 = 7000;
/// Changes that are asked for during each fault, and as many after it.
const CHANGES: usize = 4;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Tells a web server of the start and the end of each attempt.
const TELLS: &str = "module.exports = async ({ url }, ctx) => {
    const tell = (what) => fetch(`${url}${what}/${ctx.taskName}/${ctx.scheduledFor}/${ctx.attempt}`);
    await tell('start');
    await new Promise((go) => setTimeout(go, 60));
    await tell('end');
};";
const REST: &str = "module.exports = () => 'rest'";

/// The servers, their links, and what was asked of them.
struct Scene<'a> {
    database: &'a Database,
    servers: Vec<Server>,
    links: Vec<Link>,
    chance: Chance,
    /// The names of tasks that are there for sure, and of those that are not.
    made: BTreeSet<String>,
    refused: BTreeSet<String>,
    asked: usize,
}

impl Scene<'_> {
    /// Asks random servers to make tasks.
    fn change(&mut self) {
        for _ in 0..CHANGES {
            self.asked += 1;
            let name = format!("rest {}", self.asked);
            let mut body = task(&name, "rest", "0 0 1 1 *", &json!({ "recurring": true }));
            body["tags"] = json!(["rest"]);
            let server = &self.servers[self.chance.below(NAMES.len())];
            let Some(answer) = server.client().attempt("POST", "/admin/scheduler", Some(&body)) else {
                continue;
            };
            match answer.status {
                201 => self.made.insert(name),
                503 => self.refused.insert(name),
                other => panic!("{other}: {}", answer.body),
            };
        }
    }

    /// Does something bad to one server, or to the database, and undoes it.
    fn fault(&mut self) -> &'static str {
        let (which, time) =
            (self.chance.below(NAMES.len()), Duration::from_millis(self.chance.next() % LONGEST));
        let what = self.chance.below(7);
        match what {
            0 | 1 => {
                self.servers[which].kill();
                self.pass(which, time);
                self.servers[which].start_again();
                "killed"
            }
            2 => {
                self.servers[which].signal(Signal::STOP);
                thread::sleep(time);
                self.servers[which].signal(Signal::CONT);
                "stopped"
            }
            3 => {
                let server = &self.servers[which];
                let all: Vec<_> = server.runners().into_iter().chain([server.pid()]).collect();
                all.iter().for_each(|process| signal_process(*process, Signal::STOP));
                thread::sleep(time);
                all.iter().for_each(|process| signal_process(*process, Signal::CONT));
                "frozen"
            }
            4 | 5 => {
                let mode = if what == 4 { Mode::Cut } else { Mode::Silent };
                self.links[which].set(mode);
                self.pass(which, time);
                self.links[which].set(Mode::Works);
                if what == 4 { "cut off" } else { "silent" }
            }
            _ => {
                self.database.stop();
                thread::sleep(time / 3);
                self.database.start();
                "without database"
            }
        }
    }

    /// Lets a time pass in which changes are asked of the other servers.
    fn pass(&mut self, without: usize, time: Duration) {
        let others: Vec<_> = (0..NAMES.len()).filter(|server| *server != without).collect();
        let stopwatch = Stopwatch::start();
        let which = others[self.chance.below(others.len())];
        // On a busy machine another server may lose its lease for a moment.
        until("the others work", || {
            self.asked += 1;
            let name = format!("rest {}", self.asked);
            let mut body = task(&name, "rest", "0 0 1 1 *", &json!({ "recurring": true }));
            body["tags"] = json!(["rest"]);
            let answer = self.servers[which].client().attempt("POST", "/admin/scheduler", Some(&body))?;
            match answer.status {
                201 => self.made.insert(name).then_some(()),
                503 => {
                    self.refused.insert(name);
                    None
                }
                other => panic!("{other}: {}", answer.body),
            }
        });
        thread::sleep(time.saturating_sub(stopwatch.elapsed()));
    }

    fn wait_until_ready(&self) {
        for server in &self.servers {
            until("the server is ready", || (server.client().get("/ready").status == 200).then_some(()));
        }
    }

    /// Checks that each acknowledged task is there, and no refused one.
    fn check_changes(&self) {
        for server in &self.servers {
            let found = names_at_rest(server);
            assert_eq!(self.made.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
            assert_eq!(
                self.refused.intersection(&found).collect::<Vec<_>>(),
                Vec::<&String>::new(),
                "refused"
            );
        }
    }
}

/// Checks the planned times of a frequent task, and that all servers tell the same; returns their number.
pub(super) fn count_up(servers: &[Server], id: &str) -> usize {
    let server = &servers[0];
    let created = server.task(id)["createdAt"].as_i64().expect("a time");
    let waiting = || server.task(id)["waiting"].as_array().expect("the runs that wait").clone();
    until(&format!("{id} has made up for what it missed"), || waiting().is_empty().then_some(()));
    let mut rows = pause_and_list(server, id);
    let rest = |rows: &[Value]| rows.iter().all(|row| row["status"] != "running");
    if !rest(&rows) {
        until("nothing of it is stuck", || {
            server.act(id, "resume");
            rows = pause_and_list(server, id);
            rest(&rows).then_some(())
        });
    }
    rows.extend(waiting());
    account(&rows, created).unwrap_or_else(|wrong| panic!("{id}: {wrong}"));
    for row in rows.iter().filter(|row| row["status"] == "failed") {
        assert!(["lost", "crashed"].map(Value::from).contains(&row["reason"]), "{row}");
    }
    for other in &servers[1..] {
        assert_eq!(other.executions(id), server.executions(id), "all tell the same");
    }
    rows.len()
}

/// Checks that no attempt started twice, and that each one was over before the next one started.
fn check_attempts(web: &Web) -> usize {
    let mut starts = BTreeSet::new();
    let mut last: BTreeMap<(String, String), u32> = BTreeMap::new();
    for request in web.seen() {
        let parts: Vec<_> = request.path.trim_start_matches('/').split('/').map(str::to_owned).collect();
        let [what, task, time, attempt] = parts.try_into().expect("four parts");
        let attempt: u32 = attempt.parse().expect("a number");
        if what == "start" {
            let start = (task.clone(), time.clone(), attempt);
            assert!(starts.insert(start), "{task} at {time}: attempt {attempt} started twice");
        }
        let newest = last.entry((task.clone(), time.clone())).or_default();
        assert!(attempt >= *newest, "{task} at {time}: attempt {attempt} goes on beside {newest}");
        *newest = attempt;
    }
    starts.len()
}

#[test]
fn nothing_is_lost_or_doubled_while_servers_and_the_database_fail_at_random_moments() {
    let Some(database) = Database::new() else { return };
    let (faults, seed) = (from_environment("ISOCHRON_NODE_FAULTS").unwrap_or(FAULTS), seed("ISOCHRON_SEED"));
    println!("ISOCHRON_SEED={seed}");
    let cluster = Cluster::new(&database, "chaos");
    let links: Vec<_> = NAMES.iter().map(|_| Link::to(&database.socket())).collect();
    let start = |(name, link): (&&str, &Link)| {
        let url = Database::url_at(&link.folder());
        let server = cluster.options(name).set("STORE__URL", &url).set("MISFIRE_AFTER", "400").start();
        server.home.write("tells", TELLS);
        server.home.write("rest", REST);
        server
    };
    let servers = NAMES.iter().zip(&links).map(start).collect();
    let (made, refused) = (BTreeSet::new(), BTreeSet::new());
    let mut scene =
        Scene { database: &database, servers, links, chance: Chance::new(seed), made, refused, asked: 0 };
    let web = Web::start(|_| (200, "", String::new()));
    let frequent = |(name, more): (&str, Value)| {
        let mut body = task(name, "tells", "every 200ms", &more);
        body["recurring"] = json!(true);
        body["keepExecutions"] = json!(10_000);
        body["params"] = json!({ "url": web.url("/") });
        scene.servers[0].create(&body)
    };
    let counted = [
        ("once", json!({ "misfire": "once", "overlap": "skip" })),
        ("skip", json!({ "misfire": "skip", "overlap": "allow" })),
        ("all", json!({ "misfire": "all", "overlap": "queue" })),
    ]
    .map(frequent);
    // Its attempts have a row each, which the account of planned times does not know.
    let retried = frequent(("retried", json!({ "maxRetries": 5, "retryDelay": 1000, "overlap": "skip" })));
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for _ in 0..faults {
        scene.change();
        *done.entry(scene.fault()).or_default() += 1;
        scene.change();
        scene.wait_until_ready();
    }
    let times: usize = counted.iter().map(|id| count_up(&scene.servers, id)).sum();
    scene.servers[1].act(&retried, "pause").expect(200);
    until("no attempt is stuck", || {
        let rows = scene.servers[2].executions(&retried);
        rows.iter().all(|row| row["status"] != "running").then_some(())
    });
    scene.check_changes();
    let attempts = check_attempts(&web);
    println!(
        "{done:?}: {times} planned times, {attempts} attempts, {} changes acknowledged and {} refused: 0 lost, 0 doubled",
        scene.made.len(),
        scene.refused.len()
    );
    assert!(attempts > 20, "hardly anything ran");
}

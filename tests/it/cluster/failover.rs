//! A standby that takes the place of the database.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Cluster, chaos::count_up, frequent, names_at_rest, wait_until_ready};
use crate::harness::{Database, GATED, Server, Stopwatch, field, task, until};

const TICK: &str = "module.exports = () => 'tick'";
const WELL: &str = "module.exports = () => 6 * 7";
/// From the promotion until a server is ready: the pauses between attempts to connect, and what a busy machine adds.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// Two servers that know the addresses of a database and of its standby.
fn start_at_both(primary: &Database, standby: &Database, schema: &str, lease: u64) -> [Server; 2] {
    let cluster = Cluster::new(primary, schema).with_lease(lease);
    let host = |database: &Database| database.socket().display().to_string().replace('/', "%2F");
    let url = format!("postgres://postgres@{},{}/postgres", host(primary), host(standby));
    ["a", "b"].map(|name| {
        let server = cluster.options(name).set("STORE__URL", &url).start();
        for (handler, text) in [("tick", TICK), ("gated", GATED), ("is-well", WELL)] {
            server.home.write(handler, text);
        }
        server
    })
}

/// A task that is never due while a test lasts.
fn at_rest(name: &str) -> Value {
    let mut body = task(name, "tick", "0 0 1 1 *", &json!({ "recurring": true }));
    body["tags"] = json!(["rest"]);
    body
}

/// Asks a server for tasks until told to stop: the names of those that it has acknowledged, and of the others.
fn make_tasks(server: &Server, stop: &AtomicBool) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut made, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("rest {number}");
        let answer = server.client().post("/admin/scheduler", &at_rest(&name));
        match answer.status {
            201 => made.insert(name),
            503 => refused.insert(name),
            other => panic!("{other}: {}", answer.body),
        };
        thread::sleep(Duration::from_millis(20));
    }
    (made, refused)
}

/// Waits for a run of a later planned time.
fn check_that_it_runs_on(server: &Server, task: &str) {
    let newest = || server.executions(task)[0]["scheduledFor"].as_i64();
    let before = newest();
    until("it runs on", || (newest() > before).then_some(()));
}

#[test]
fn a_failover_to_a_standby_with_all_commits_loses_no_change_and_ends_no_run() {
    let Some(primary) = Database::new() else { return };
    let standby = primary.standby();
    // The standby has its copy of the settings, and waits for nobody once it is promoted.
    primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.ask("SELECT pg_reload_conf()");
    let state = || primary.ask("SELECT sync_state FROM pg_stat_replication");
    until("commits wait for the standby", || (state() == "sync").then_some(()));
    let servers = start_at_both(&primary, &standby, "failover", 60_000);
    let [a, b] = &servers;
    let often = a.create(&frequent("often", "tick"));
    let gated = b.create(&task("gated", "gated", "now", &Value::Null));
    b.until_output(&gated);
    b.until_rows(&often, "completed", 5);

    let stop = AtomicBool::new(false);
    let (made, refused) = thread::scope(|scope| {
        let changes = scope.spawn(|| make_tasks(a, &stop));
        until("some changes are made", || (names_at_rest(b).len() > 5).then_some(()));
        primary.crash();
        until("the servers see it", || (b.client().get("/ready").status == 503).then_some(()));
        let stopwatch = Stopwatch::start();
        standby.promote();
        servers.iter().for_each(wait_until_ready);
        let took = stopwatch.elapsed();
        println!("ready {took:?} after the promotion began");
        assert!(took < BACK_WITHIN, "{took:?}");
        let before = names_at_rest(b).len();
        until("changes are made again", || (names_at_rest(b).len() > before).then_some(()));
        stop.store(true, Ordering::SeqCst);
        changes.join().expect("no panic")
    });
    let found = names_at_rest(b);
    assert_eq!(made.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
    assert_eq!(refused.intersection(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "refused");
    check_that_it_runs_on(b, &often);
    servers.iter().for_each(Server::open_gate);
    a.until_status(&gated, "completed");
    let rows = a.executions(&gated);
    assert_eq!(
        field(&rows[0], ["attempt", "status", "result"]),
        [json!(1), json!("completed"), json!("through")]
    );
    assert_eq!(rows.len(), 1, "{rows:?}");
    count_up(&servers, &often);
    for server in &servers {
        assert!(!server.log().contains("lost acknowledged changes"), "nothing is lost");
    }
}

#[test]
fn after_a_failover_that_lost_commits_the_servers_say_so_and_go_on_with_what_the_standby_has() {
    let Some(primary) = Database::new() else { return };
    let standby = primary.standby();
    let servers = start_at_both(&primary, &standby, "rolled_back", 6000);
    let [a, b] = &servers;
    let often = a.create(&frequent("often", "tick"));
    let kept = a.create(&at_rest("kept"));
    let replayed = "SELECT bool_or(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication";
    until("the standby has it", || (primary.ask(replayed) == "t").then_some(()));
    standby.ask("ALTER SYSTEM SET primary_conninfo = ''");
    standby.ask("SELECT pg_reload_conf()");
    let standbys = || primary.ask("SELECT count(*) FROM pg_stat_replication");
    until("the standby gets nothing more", || (standbys() == "0").then_some(()));
    // Each server loses some.
    a.create(&at_rest("lost"));
    b.create(&at_rest("lost too"));
    let rows = b.executions(&often).len();
    until("runs end that the standby does not have", || {
        (b.executions(&often).len() >= rows + 5).then_some(())
    });

    primary.crash();
    standby.promote();
    for server in &servers {
        until("the server says that changes are lost", || {
            let lost = server.client().get("/ready").body["cluster"]["lostCommits"].as_u64();
            lost.is_some_and(|lost| lost > 0).then_some(())
        });
        assert!(server.log().contains("lost acknowledged changes"));
        // It joins anew before it takes changes.
        until("it takes changes", || (server.act(&kept, "pause").status == 200).then_some(()));
        server.act(&kept, "resume").expect(200);
        wait_until_ready(server);
    }
    for server in &servers {
        assert_eq!(names_at_rest(server), BTreeSet::from(["kept".to_owned()]), "the standby has no more");
        server.check_health();
    }
    check_that_it_runs_on(b, &often);
    count_up(&servers, &often);
}

//! Many servers that start at once, and what they ask of the database.

use std::{thread, time::Duration};

use serde_json::json;

use super::{Cluster, LEASE, living, node_of};
use crate::harness::{Database, ENDLESS, Server, Stopwatch, field, task, until};

const SERVERS: usize = 16;
/// Connections of a server: one for changes, one for hints, and as many for reads as the tests set.
const CONNECTIONS: usize = 3;
/// How long the servers are watched at rest.
const REST: Duration = Duration::from_secs(5);
/// Transactions of a server in a second, at most: with a lease this short and just after a start there are several,
/// and they must not grow with the number of servers.
const EACH_SECOND: f64 = 12.0;

/// The transactions that the database has ended so far.
fn transactions(database: &Database) -> f64 {
    let all = "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database WHERE datname = 'postgres'";
    database.ask(all).parse().expect("a number")
}

/// The same of a server that has been at rest for a while, with the settings that a user gets.
const EACH_SECOND_AT_REST: f64 = 2.0;
/// How long two such servers are watched.
const LONG_REST: Duration = Duration::from_secs(20);

/// Fails the test unless the servers asked for no more transactions a second than they may.
fn check_asked(what: &str, (before, after): (f64, f64), stopwatch: Stopwatch, (servers, most): (usize, f64)) {
    let each = (after - before) / stopwatch.elapsed().as_secs_f64() / servers as f64;
    println!("{what}: {each:.2} transactions a second of each server");
    assert!(each < most, "{what}: {each:.2} a second of each server");
}

#[test]
fn two_servers_at_rest_ask_the_database_less_than_twice_a_second_each() {
    let Some(database) = Database::new() else { return };
    let cluster = Cluster::new(&database, "rest").with_lease(30_000);
    let servers = ["a", "b"].map(|name| cluster.start(name, &[]));
    until("both know each other", || {
        let nodes = |server: &Server| server.client().get("/ready").body["cluster"]["nodes"].clone();
        servers.iter().all(|server| nodes(server) == 2).then_some(())
    });
    // The database counts a transaction a while after its end.
    thread::sleep(REST);
    let (stopwatch, before) = (Stopwatch::start(), transactions(&database));
    thread::sleep(LONG_REST);
    let asked = (before, transactions(&database));
    check_asked("two at rest", asked, stopwatch, (servers.len(), EACH_SECOND_AT_REST));
}

#[test]
fn sixteen_servers_start_at_once_with_few_connections_and_one_of_them_takes_over_from_a_killed_one() {
    let Some(database) = Database::with(&["max_connections=60"]) else { return };
    let cluster = Cluster::new(&database, "storm").with_lease(2 * LEASE);
    let start = |number: usize| {
        let server = cluster.options(&format!("node-{number}")).set("RUNNERS__MAX", "1").start();
        server.home.write("endless", ENDLESS);
        server
    };
    let stopwatch = Stopwatch::start();
    let mut servers: Vec<_> = thread::scope(|scope| {
        let start = &start;
        let all: Vec<_> = (0..SERVERS).map(|number| scope.spawn(move || start(number))).collect();
        all.into_iter().map(|server| server.join().expect("it starts")).collect()
    });
    until("all know each other", || {
        servers.iter().all(|server| living(server).len() == SERVERS).then_some(())
    });
    println!("{SERVERS} servers know each other after {:?}", stopwatch.elapsed());
    let connected = database.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'isochron'");
    let connected: usize = connected.parse().expect("a number");
    assert!(connected <= SERVERS * CONNECTIONS, "{connected} connections");

    let (stopwatch, before) = (Stopwatch::start(), transactions(&database));
    thread::sleep(REST);
    let asked = (before, transactions(&database));
    check_asked("at rest", asked, stopwatch, (SERVERS, EACH_SECOND));

    let id =
        servers[0].create(&task("long", "endless", "now", &json!({ "maxRetries": 1, "retryDelay": 1000 })));
    servers[0].until_output(&id);
    let node = servers[0].executions(&id)[0]["node"].clone();
    let victim = (0..SERVERS)
        .find(|number| node_of(&servers[0], &format!("node-{number}")).is_some_and(|id| id == node));
    let victim = victim.expect("one of them runs it");
    servers[victim].kill();
    let (stopwatch, before) = (Stopwatch::start(), transactions(&database));
    let other = &servers[(victim + 1) % SERVERS];
    thread::sleep(Duration::from_millis(LEASE));
    until("another attempt runs", || {
        let running =
            other.executions(&id).iter().any(|row| row["attempt"] == 2 && row["status"] == "running");
        running.then_some(())
    });
    let asked = (before, transactions(&database));
    check_asked("at a takeover", asked, stopwatch, (SERVERS, EACH_SECOND));
    let rows = other.executions(&id);
    assert_eq!(field(&rows[1], ["attempt", "status", "reason"]), [json!(1), json!("failed"), json!("lost")]);
    assert_eq!(rows.len(), 2, "{rows:?}");
}

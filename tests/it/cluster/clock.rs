//! A database whose clock is not that of the servers: the database's decides.

use serde_json::{Value, json};

use super::{Cluster, LEASE, chaos::count_up, frequent, node_of, wait_until_ready};
use crate::harness::{Database, GATED, Server, field, task, until};

const TICK: &str = "module.exports = () => 'tick'";
const HOUR: i64 = 3_600_000;

/// The time in the database, in milliseconds.
fn time_of(database: &Database) -> i64 {
    let time = database.ask("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    time.parse().expect("a number")
}

/// Waits until a server shows about this difference between its clock and the database's.
fn wait_until_ahead(server: &Server, by: i64) {
    until(&format!("the server shows that its clock is {by} ms ahead"), || {
        let shown = server.client().get("/ready").body["cluster"]["clockAhead"].as_i64()?;
        ((shown - by).abs() < 5000).then_some(())
    });
}

#[test]
fn servers_whose_clocks_are_an_hour_behind_run_everything_when_the_database_says_so() {
    let Some(database) = Database::with_clock("+3600s") else { return };
    let cluster = Cluster::new(&database, "clocks").with_lease(4 * LEASE);
    let servers = ["a", "b"].map(|name| cluster.start(name, &[("tick", TICK), ("gated", GATED)]));
    let [a, b] = &servers;
    servers.iter().for_each(wait_until_ready);
    wait_until_ahead(b, -HOUR);
    let begun = time_of(&database);
    let often = a.create(&frequent("often", "tick"));
    let soon = b.create(&task("soon", "tick", &(begun + 2000).to_string(), &Value::Null));
    let now = a.create(&task("now", "tick", "now", &Value::Null));
    a.until_status(&now, "completed");
    a.until_status(&soon, "completed");
    let row = &b.executions(&soon)[0];
    assert_eq!(row["scheduledFor"], json!(begun + 2000));
    let (started, now) = (row["createdAt"].as_i64().expect("a time"), time_of(&database));
    // A claim may be made a moment ahead, and is then held.
    assert!((begun + 1900..=now).contains(&started), "{started} is not between {begun} + 2000 and {now}");
    b.until_rows(&often, "completed", 10);
    count_up(&servers, &often);

    // The clock jumps, as it may at a failover to another machine. The lease does not notice.
    let gated = a.create(&task("gated", "gated", "now", &Value::Null));
    a.until_output(&gated);
    let nodes = ["a", "b"].map(|name| node_of(a, name).expect("it lives"));
    database.set_clock("+3660s");
    for server in &servers {
        wait_until_ahead(server, -HOUR - 60_000);
        assert!(server.log().contains("the clock of this machine is not that of the database"));
        server.open_gate();
    }
    a.until_status(&gated, "completed");
    let rows = b.executions(&gated);
    assert_eq!(field(&rows[0], ["status", "attempt"]), [json!("completed"), json!(1)]);
    assert_eq!(["a", "b"].map(|name| node_of(b, name).expect("it lives")), nodes, "no node was given up");
}

//! Servers behind PgBouncer, which gives each transaction another connection.

use std::collections::BTreeSet;

use super::{Cluster, LEASE, chaos::count_up, frequent, living, node_of, wait_until_ready};
use crate::harness::{Database, Pooler, Server, until};

const TICK: &str = "module.exports = () => 'tick'";
/// Connections of the pooler to the database: fewer than the servers have to the pooler.
const CONNECTIONS: u32 = 3;

fn start(cluster: &Cluster<'_>, pooler: &Pooler, name: &str) -> Server {
    let options = cluster.options(name).set("STORE__URL", &pooler.url()).set("STORE__CONNECTIONS", "2");
    let server = options.set("STORE__POOLER", "true").start();
    server.home.write("tick", TICK);
    server.home.write("is-well", "module.exports = () => 6 * 7");
    server
}

#[test]
fn servers_behind_a_pooler_share_what_is_due_and_take_over_and_go_on_when_it_starts_again() {
    let Some(database) = Database::of_all() else { return };
    let Some(mut pooler) = Pooler::to(database, CONNECTIONS) else { return };
    let cluster = Cluster::new(database, "pooled").with_lease(2 * LEASE);
    let mut servers = ["a", "b"].map(|name| start(&cluster, &pooler, name));
    let tasks: Vec<_> = (0..4).map(|n| servers[0].create(&frequent(&format!("often {n}"), "tick"))).collect();
    let both = BTreeSet::from(["a", "b"].map(|name| node_of(&servers[0], name).expect("it lives")));
    until("both have run something", || {
        let rows: Vec<_> = tasks.iter().flat_map(|task| servers[1].executions(task)).collect();
        let nodes = rows.iter().filter_map(|row| row["node"].as_str()).map(str::to_owned);
        (nodes.collect::<BTreeSet<_>>() == both).then_some(())
    });

    pooler.stop();
    for server in &servers {
        until("the server sees it", || (server.client().get("/ready").status == 503).then_some(()));
    }
    pooler.start();
    servers.iter().for_each(wait_until_ready);
    let newest = |server: &Server| server.executions(&tasks[0])[0]["scheduledFor"].as_i64();
    let before = newest(&servers[0]);
    until("runs go on", || (newest(&servers[1]) > before).then_some(()));

    servers[0].kill();
    until("the other one has taken over", || (living(&servers[1]).len() == 1).then_some(()));
    servers[0].start_again();
    for server in &servers {
        server.check_health();
    }
    for task in &tasks {
        count_up(&servers, task);
    }
}

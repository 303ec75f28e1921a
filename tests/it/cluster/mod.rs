//! Many servers on one PostgreSQL: is nothing lost, nothing started twice, and does every server answer the same?
//!
//! A test has a schema of its own, and servers that are processes, as an operator has them.

mod chaos;
mod clock;
mod failover;
mod full;
mod link;
mod pooler;
mod requests;
mod sharing;
mod storm;
mod takeover;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Database, Options, Server, task, until};

/// The lease of the servers, in milliseconds: the shortest that is allowed.
const LEASE: u64 = 3000;
/// A lease for servers that are not to lose it, in milliseconds: a busy machine lets a process stand still for seconds.
const CALM: u64 = 12_000;
/// The token of all servers.
const TOKEN: &str = "token-of-all-servers-0123456789";

/// The servers of a test.
pub(crate) struct Cluster<'a> {
    database: &'a Database,
    schema: String,
    lease: u64,
}

impl<'a> Cluster<'a> {
    /// Servers in a schema of a database; its name stands for the test.
    fn new(database: &'a Database, schema: &str) -> Self {
        Self { database, schema: schema.to_owned(), lease: LEASE }
    }

    fn with_lease(self, lease: u64) -> Self {
        Self { lease, ..self }
    }

    fn options(&self, name: &str) -> Options {
        Options::default()
            .set("STORE__URL", &self.database.url())
            .set("STORE__SCHEMA", &self.schema)
            .set("STORE__CONNECTIONS", "1")
            .set("CLUSTER__NAME", name)
            .set("CLUSTER__LEASE", &self.lease.to_string())
            .set("RUNNERS__MAX", "4")
            .set("SECRET_KEY", &"5e".repeat(32))
            .set("NET__ALLOW", "127.0.0.1")
            .with_token(TOKEN)
    }

    /// Starts a server that has these handlers.
    fn start(&self, name: &str, handlers: &[(&str, &str)]) -> Server {
        let server = self.options(name).start();
        for (handler, text) in handlers {
            server.home.write(handler, text);
        }
        server
    }
}

/// A task that is due five times a second, whose planned times can be counted.
fn frequent(name: &str, handler: &str) -> Value {
    let more = json!({ "recurring": true, "keepExecutions": 10_000, "overlap": "queue", "misfire": "all" });
    task(name, handler, "every 200ms", &more)
}

fn wait_until_ready(server: &Server) {
    until("the server is ready", || (server.client().get("/ready").status == 200).then_some(()));
}

/// The nodes that live, by a server's account.
fn living(server: &Server) -> Vec<Value> {
    let mut list = server.client().get("/admin/nodes").expect(200);
    let nodes = list["nodes"].as_array_mut().map(std::mem::take).unwrap_or_default();
    nodes.into_iter().filter(|node| node["gone"].is_null()).collect()
}

/// The id of the living node with a name.
fn node_of(server: &Server, name: &str) -> Option<String> {
    let node = living(server).into_iter().find(|node| node["name"] == name)?;
    node["id"].as_str().map(str::to_owned)
}

/// The names of all tasks with the tag `rest`.
fn names_at_rest(server: &Server) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    loop {
        let path = format!("/admin/scheduler?tag=rest&limit=50&skip={}", found.len());
        let page = server.client().get(&path).expect(200);
        let tasks = page["tasks"].as_array().expect("tasks");
        found.extend(tasks.iter().filter_map(|task| task["name"].as_str()).map(str::to_owned));
        if page["total"].as_u64() == Some(found.len() as u64) {
            return found;
        }
    }
}

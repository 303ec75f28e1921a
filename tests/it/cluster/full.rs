//! A database that has no connection to spare, or does not answer, when a server starts.

use std::{fs, process::Stdio, thread};

use rustix::process::Signal;
use serde_json::json;

use super::{Cluster, TOKEN};
use crate::harness::{Database, Home, signal_process, until};

/// The connections that the database takes.
const CONNECTIONS: usize = 6;
/// With so many a server works: one for changes, one for reads.
const NEEDED: usize = 2;
/// A word of the database.
const REFUSAL: &str = "too many clients";

#[test]
fn a_server_waits_at_its_start_for_connections_and_works_with_few() {
    let Some(database) = Database::with(&["max_connections=6"]) else { return };
    let mut taken: Vec<_> = (0..CONNECTIONS).map(|_| database.occupy()).collect();
    let cluster = Cluster::new(&database, "full");

    // A stop ends the wait.
    let home = Home::new();
    let mut command = home.command(&["--listen", "127.0.0.1:0"]);
    command.env("ISOCHRON_STORE__URL", database.url()).stdout(Stdio::null());
    let log = home.path().join("log");
    command.stderr(fs::File::create(&log).expect("a file"));
    let mut stopped = command.spawn().expect("it starts");
    let says = |log: &std::path::Path| {
        let said = || fs::read_to_string(log).unwrap_or_default();
        until("it says that it waits", || said().contains(REFUSAL).then_some(()));
    };
    says(&log);
    signal_process(stopped.id(), Signal::TERM);
    let status = until("it ends", || stopped.try_wait().expect("its state"));
    assert!(status.success(), "{status}: {}", fs::read_to_string(&log).unwrap_or_default());

    let home = Home::new();
    let log = home.path().join("log");
    fs::create_dir(home.data()).expect("data/ made");
    fs::write(home.data().join("admin-token"), TOKEN).expect("the token written");
    let options = cluster.options("a").set("STORE__CONNECTIONS", "4");
    let server = thread::scope(|scope| {
        let starting = scope.spawn(move || options.start_in(home));
        says(&log);
        taken.pop();
        // It is on its way with one, and waits for another.
        let before = fs::read_to_string(&log).unwrap_or_default();
        until("it waits on", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            said[before.len()..].contains(REFUSAL).then_some(())
        });
        taken.truncate(CONNECTIONS - NEEDED);
        starting.join().expect("no panic").unwrap_or_else(|said| panic!("it does not start: {said}"))
    });
    until("it is ready", || (server.client().get("/ready").status == 200).then_some(()));
    for _ in 0..10 {
        server.client().get("/admin/scheduler").expect(200);
        server.client().get("/admin/nodes").expect(200);
    }
    server.check_health();
    assert_eq!(taken.len(), CONNECTIONS - NEEDED);
}

#[test]
fn a_server_waits_at_its_start_for_a_database_that_does_not_answer() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "silent");
    // The tables are made.
    let first = cluster.options("a").start();
    let id = first.create_dormant("kept", "module.exports = () => 'here'", &json!({}));
    drop(first);

    let home = Home::new();
    let log = home.path().join("log");
    fs::create_dir(home.data()).expect("data/ made");
    fs::write(home.data().join("admin-token"), TOKEN).expect("the token written");
    home.write("kept", "module.exports = () => 'here'");
    let options = cluster.options("b");
    let server = thread::scope(|scope| {
        let silent = database.occupy_with("BEGIN; LOCK TABLE silent.token; LOCK TABLE silent.binding;");
        let starting = scope.spawn(move || options.start_in(home));
        until("it says that it waits", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            said.contains("the database does not answer yet").then_some(())
        });
        drop(silent);
        starting.join().expect("no panic").unwrap_or_else(|said| panic!("it does not start: {said}"))
    });
    assert_eq!(server.run(&id)["result"], "here");
}

//! The stop of the server: it waits for runs, refuses new work, and leaves nothing behind.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{ENDLESS, Options, Server, Stopwatch, field, signal_process, task, until};

/// Waits until the server reports that it is stopping.
fn until_stopping(server: &Server) {
    until("the server is stopping", || {
        let request = server.client().anonymous("GET", "/ready");
        (server.client().try_send(request)?.status == 503).then_some(())
    });
}

#[test]
fn sigterm_lets_a_running_handler_finish_and_refuses_changes_meanwhile() {
    let mut server = Server::start();
    let id = server.create_at_gate("gated");
    let ticking = server.create_dormant("ticking", "module.exports = () => 1", &json!({}));
    // A service manager may ask every process of the server.
    server.below().into_iter().for_each(|process| signal_process(process, Signal::TERM));
    server.signal(Signal::TERM);
    until_stopping(&server);

    let path = format!("/admin/scheduler/{ticking}");
    let create = server.client().post("/admin/scheduler", &task("late", "ticking", "now", &Value::Null));
    let refusals = [
        create,
        server.client().put(&path, &json!({ "description": "late" })),
        server.client().delete(&path),
        server.act(&ticking, "run"),
        server.act(&ticking, "pause"),
        server.act(&id, "cancel"),
    ];
    for refusal in refusals {
        assert_eq!(refusal.message(503), "The server is shutting down");
    }
    assert_eq!(server.client().get("/health").status, 200);
    assert_eq!(server.task(&id)["status"], "running", "reading goes on, and so does the handler");
    assert!(!server.has_ended());

    server.open_gate();
    assert_eq!(server.exit().code(), Some(0));
    server.start_again();
    let rows = server.executions(&id);
    assert_eq!(rows.len(), 1);
    assert_eq!(field(&rows[0], ["status", "result"]), [json!("completed"), json!("through")]);
    assert_eq!(server.task(&ticking)["description"], "");
}

#[test]
fn ctrl_c_at_a_terminal_lets_a_running_handler_finish_too() {
    let mut server = Server::start();
    let id = server.create_at_gate("gated");
    server.signal_group(Signal::INT);
    until_stopping(&server);
    server.open_gate();
    assert_eq!(server.exit().code(), Some(0));
    server.start_again();
    let rows = server.executions(&id);
    assert_eq!(field(&rows[0], ["status", "reason"]), [json!("completed"), json!(null)], "{rows:?}");
}

#[test]
fn a_handler_that_outlasts_the_grace_is_cancelled() {
    let mut server = Options::default().set("SHUTDOWN_GRACE", "100").start();
    let tasks =
        [("waiting", ENDLESS), ("looping", "module.exports = () => { console.log('started'); for (;;); }")]
            .map(|(name, source)| {
                server.home.write(name, source);
                let id = server.create(&task(name, name, "now", &Value::Null));
                until("it runs", || (server.task(&id)["status"] == "running").then_some(()));
                id
            });
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    server.start_again();
    for id in tasks {
        let rows = server.executions(&id);
        assert_eq!(rows.len(), 1);
        assert_eq!(
            field(&rows[0], ["status", "reason"]),
            [json!("cancelled"), json!("cancelled")],
            "{rows:?}"
        );
    }
}

#[test]
fn what_is_due_while_the_server_stops_waits_for_the_next_start() {
    let mut server = Server::start();
    let gated = server.create_at_gate("gated");
    server.home.write("soon", "module.exports = () => 1");
    let soon = server.create(&task("soon", "soon", "every 300ms", &json!({ "recurring": true })));
    server.until_rows(&soon, "completed", 1);
    server.signal(Signal::TERM);
    until_stopping(&server);
    until("a due time passes", || {
        let task = server.task(&soon);
        let due = task["nextRun"].as_i64().expect("a time");
        (task["status"] == "active" && now_of(&server) > due + 300).then_some(())
    });
    let runs = server.executions(&soon).len();
    server.open_gate();
    assert_eq!(server.exit().code(), Some(0));
    server.start_again();
    assert_eq!(server.task(&gated)["status"], "completed");
    server.until_rows(&soon, "completed", runs + 1);
}

/// The server's time, from the preview of a schedule that is due every second.
fn now_of(server: &Server) -> i64 {
    let preview =
        server.client().get("/admin/schedule/preview?schedule=*%20*%20*%20*%20*%20*&count=1").expect(200);
    preview["next"][0].as_i64().expect("a time") - 1000
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let mut server = Server::start();
    let id = server.create_at_gate("gated");
    server.signal(Signal::TERM);
    until_stopping(&server);
    let stopwatch = Stopwatch::start();
    server.signal(Signal::TERM);
    let status = server.exit();
    // Without the second signal the server would have waited for thirty seconds.
    assert!(stopwatch.elapsed() < Duration::from_secs(10), "{status:?} after {:?}", stopwatch.elapsed());
    server.start_again();
    server.until_status(&id, "failed");
    let rows = server.executions(&id);
    assert_eq!(field(&rows[0], ["status", "reason"]), [json!("failed"), json!("lost")]);
}

#[test]
fn an_idle_server_stops_without_waiting_for_anything() {
    let mut server = Server::start();
    server.check_health();
    let runners = server.runners();
    let stopwatch = Stopwatch::start();
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    assert!(stopwatch.elapsed() < Duration::from_secs(10));
    let alive = |process: &u32| std::path::Path::new(&format!("/proc/{process}/exe")).exists();
    until("its runners have ended", || (!runners.iter().any(alive)).then_some(()));
}

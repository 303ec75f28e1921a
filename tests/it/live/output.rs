//! `GET /admin/executions/:id/stream`.

use serde_json::{Value, json};

use crate::harness::{GATED, Happening, Server, Stream, until};

/// Writes lines in bursts, with pauses in between, so that chunks of output go to the store meanwhile.
const TALKER: &str = "module.exports = async ({ lines, pause }) => {
  for (let n = 0; n < lines; n += 1) {
    console.log('line ' + n);
    if (n % 100 === 99) await new Promise((go) => setTimeout(go, pause));
  }
};";

/// Waits at the gate, then writes and ends.
const GATED_TALKER: &str = "module.exports = async () => {
  console.log('line 0');
  for (;;) {
    try { require('./gate.json'); break; } catch { await new Promise((go) => setTimeout(go, 20)); }
  }
  for (let n = 1; n < 10; n += 1) console.warn('line ' + n);
  return 'through';
};";

fn path(execution: &Value) -> String {
    format!("/admin/executions/{}/stream", execution.as_str().expect("an id"))
}

/// The numbers and the texts of the lines in events.
fn lines(seen: &[Happening]) -> Vec<(u64, String)> {
    let lists = seen.iter().filter(|event| event.name == "lines").filter_map(|event| event.data.as_array());
    let text = |line: &Value| line["message"].as_str().expect("a text").to_owned();
    lists.flatten().map(|line| (line["n"].as_u64().expect("a number"), text(line))).collect()
}

fn expected(range: std::ops::Range<u64>) -> Vec<(u64, String)> {
    range.map(|n| (n, format!("line {n}"))).collect()
}

fn start_run(server: &Server, id: &str, params: &Value) -> Value {
    let path = format!("/admin/scheduler/{id}/actions/run");
    server.client().post(&path, &json!({ "params": params })).expect(200)["executionId"].take()
}

#[test]
fn lines_come_while_the_handler_runs_and_its_end_comes_last() {
    let server = Server::start();
    let id = server.create_dormant("talker", GATED_TALKER, &Value::Null);
    let execution = start_run(&server, &id, &json!({}));
    let mut stream = server.client().open(&path(&execution));
    let first = stream.until("lines");
    assert_eq!(lines(&first), expected(0..1), "it waits at the gate");
    server.open_gate();
    let rest = stream.until("end");
    assert_eq!(lines(&rest), expected(1..10));
    let end = rest.last().expect("an end");
    assert_eq!(
        (end.id.as_str(), &end.data["status"], &end.data["result"]),
        ("end", &json!("completed"), &json!("through"))
    );
    assert!(rest.iter().any(|event| event.name == "execution-ended" && event.data["taskId"] == *id));
    assert_eq!(stream.next(), None, "nothing comes after the end");
    let level = &rest.iter().find(|event| event.name == "lines").expect("lines").data[0]["level"];
    assert_eq!(level, "warn");
}

#[test]
fn followers_get_each_line_once_whenever_they_come() {
    let server = Server::start();
    let id = server.create_dormant("talker", TALKER, &Value::Null);
    let execution = start_run(&server, &id, &json!({ "lines": 4000, "pause": 40 }));
    let mut early = server.client().open(&path(&execution));
    let mut seen = early.until("lines");
    until("some output is stored", || {
        let stored = server.execution(&id, &execution)["output"].as_array().map_or(0, Vec::len);
        (stored > 500).then_some(())
    });
    let mut late = server.client().open(&path(&execution));
    let single = server.client().open(&format!("{}?batch=0", path(&execution)));
    seen.extend(early.until("end"));
    assert_eq!(lines(&seen), expected(0..4000));
    assert_eq!(lines(&late.until("end")), expected(0..4000));
    let single: Vec<_> = single.filter(|event| event.name == "line").collect();
    assert!(single.iter().zip(0..).all(|(event, n)| event.id == n.to_string() && event.data["n"] == n));
    assert_eq!(single.len(), 4000);
}

#[test]
fn a_client_that_comes_back_goes_on_after_the_line_it_has() {
    let server = Server::start();
    let id = server.create_dormant("talker", TALKER, &Value::Null);
    let execution = server.run_with(&id, &json!({ "lines": 1000, "pause": 0 }))["id"].clone();
    let path = path(&execution);
    let whole = server.client().open(&path).until("end");
    assert_eq!(lines(&whole), expected(0..1000), "an ended run is replayed");
    let rest = server.client().open_after(&path, Some("899")).until("end");
    assert_eq!(lines(&rest), expected(900..1000));
    let rest = server.client().open(&format!("{path}?lastEventId=999")).until("end");
    assert_eq!(lines(&rest), []);
    for after_end in [format!("{path}?lastEventId=end"), path.clone()] {
        let request = server.client().request("GET", &after_end).header("last-event-id", "end");
        assert_eq!(server.client().send(request, "").status, 204, "nothing more comes");
    }
    server.client().get(&format!("{path}?lastEventId=x")).expect(400);
    server.client().get("/admin/executions/exec-00000000000000000000000000/stream").expect(404);
    server.client().get("/admin/executions/nonsense/stream").expect(404);
}

#[test]
fn a_follower_of_a_server_that_is_killed_comes_back_to_what_is_stored() {
    let mut server = Server::start();
    let id = server.create_dormant("talker", TALKER, &Value::Null);
    let execution = start_run(&server, &id, &json!({ "lines": 1_000_000, "pause": 30 }));
    let mut stream = server.client().open(&path(&execution));
    let mut seen = Vec::new();
    while lines(&seen).len() < 1500 {
        seen.extend(stream.until("lines"));
    }
    server.kill();
    seen.extend(stream.by_ref());
    server.start_again();
    let mut back = server.client().open_after(&path(&execution), Some(stream.last_id()));
    seen.extend(back.until("end"));
    let seen_lines = lines(&seen);
    assert_eq!(seen_lines, expected(0..seen_lines.len() as u64), "none is lost or doubled");
    let stored = server.execution(&id, &execution)["output"].as_array().map_or(0, Vec::len);
    assert!(stored <= seen_lines.len(), "{stored} are stored");
    assert_eq!(seen.last().map(|end| end.data["reason"].clone()), Some(json!("lost")));
}

#[test]
fn a_client_that_reads_slowly_misses_nothing_and_holds_nobody_up() {
    let server = Server::start();
    let id = server.create_dormant("talker", TALKER, &Value::Null);
    let run = json!({ "lines": 8000, "pause": 5 });
    let execution = start_run(&server, &id, &run);
    // More than the sockets hold; nothing of it is read before the run is over.
    let mut idle: Vec<Stream> = (0..3).map(|_| server.client().open(&path(&execution))).collect();
    server.until_rows(&id, "completed", 1);
    for stream in &mut idle {
        assert_eq!(lines(&stream.until("end")), expected(0..8000));
    }
}

#[test]
fn progress_is_told_as_it_changes() {
    let server = Server::start();
    let source = GATED.replace("console.log('at the gate');", "ctx.progress(0.25, 'at the gate');");
    let id = server.create_dormant("gated", &source.replace("async ()", "async (params, ctx)"), &Value::Null);
    let execution = start_run(&server, &id, &json!({}));
    let mut stream = server.client().open(&path(&execution));
    let told = stream.until("progress");
    assert_eq!(
        told.last().map(|event| event.data.clone()),
        Some(json!({ "fraction": 0.25, "text": "at the gate" }))
    );
    server.open_gate();
    stream.until("end");
}

//! Runs, their output and events from the command line.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Stdio},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{command, out, run};
use crate::harness::{ENDLESS, GATED, Server, signal_process, until};

const TALKS: &str = "module.exports = (params) => {
  console.log('hello');
  console.warn('careful');
  console.debug('detail');
  if (params.fail) throw new Error('no luck');
  return { answer: 42 };
};";

/// A command that goes on, with its output to read.
fn begin(server: &Server, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = command(server, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    (child, out)
}

fn read_line(out: &mut impl BufRead) -> String {
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    line
}

fn code(child: &mut Child) -> Option<i32> {
    until("the command ends", || child.try_wait().expect("its state")).code()
}

#[test]
fn a_run_that_is_followed_shows_its_output_and_ends_as_the_run_does() {
    let server = Server::start();
    server.create_dormant("talks", TALKS, &Value::Null);
    let ran = run(&server, &["task", "run", "talks", "--follow"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "hello\ndetail\n{\n  \"answer\": 42\n}\n"));
    assert!(ran.err.starts_with("careful\ncompleted after "), "{}", ran.err);
    let failed = run(&server, &["task", "run", "talks", "--wait", "--params", r#"{"fail": true}"#]);
    assert_eq!((failed.code, failed.out.as_str()), (Some(1), ""), "the output is not followed");
    assert!(failed.err.starts_with("failed (exception) after "), "{}", failed.err);
    assert!(failed.err.contains(" no luck\n"), "{}", failed.err);
    let json = run(&server, &["task", "run", "talks", "--wait", "--json"]);
    let execution: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!([&execution["status"], &execution["result"]["answer"]], [&json!("completed"), &json!(42)]);
    let started = run(&server, &["task", "run", "talks"]);
    assert!(started.out.starts_with("Task \"talks\" execution started: exec-"), "{}", started.out);
}

#[test]
fn a_run_that_the_task_does_not_allow_now_is_a_conflict() {
    let server = Server::start();
    let id = server.create_dormant("gated", GATED, &Value::Null);
    server.act(&id, "run").expect(200);
    let refused = run(&server, &["task", "run", "gated", "--wait"]);
    assert_eq!(refused.code, Some(3));
    assert!(refused.err.contains("Task is already running"), "{}", refused.err);
}

#[test]
fn an_interruption_ends_the_command_and_the_run_only_if_it_is_asked_to() {
    let server = Server::start();
    for (name, flags, status) in
        [("stays", &[][..], "running"), ("goes", &["--cancel-on-interrupt"][..], "cancelled")]
    {
        let id = server.create_dormant(name, ENDLESS, &json!({ "overlap": "skip" }));
        let arguments = [&["task", "run", name, "--follow"], flags].concat();
        let (mut child, mut read) = begin(&server, &arguments);
        assert_eq!(read_line(&mut read), "started\n");
        signal_process(child.id(), Signal::INT);
        assert_eq!(code(&mut child), Some(130));
        server.until_rows(&id, status, 1);
        server.act(&id, "cancel");
    }
}

#[test]
fn logs_show_the_newest_run_and_follow_the_next_ones() {
    let server = Server::start();
    let id = server.create_dormant("talks", TALKS, &Value::Null);
    assert!(run(&server, &["logs", "talks"]).err.contains("the task has not run yet"));
    let execution = server.run(&id);
    assert_eq!(out(&server, &["logs", "talks"]), "hello\ndetail\n");
    let ran = run(&server, &["logs", execution["id"].as_str().expect("an id"), "--level", "warn"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "careful\n"));
    let json = out(&server, &["logs", "talks", "--json"]);
    let first: Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!([&first["level"], &first["message"]], ["log", "hello"]);
    let stamped = out(&server, &["logs", "talks", "-t"]);
    assert!(
        stamped.lines().all(|line| line.as_bytes()[2] == b':' && line.as_bytes()[8] == b'.'),
        "{stamped}"
    );
    assert_eq!(out(&server, &["logs", "talks", "--since", "0s"]), "");

    let (mut child, mut read) = begin(&server, &["logs", "talks", "--follow"]);
    assert_eq!([read_line(&mut read), read_line(&mut read)], ["hello\n", "detail\n"]);
    server.run(&id);
    assert_eq!([read_line(&mut read), read_line(&mut read)], ["hello\n", "detail\n"]);
    child.kill().expect("killed");
    child.wait().expect("ended");
}

#[test]
fn a_follower_outlives_a_restart_of_the_server() {
    let mut server = Server::start();
    let source = "module.exports = async () => {
      for (let n = 0; ; n += 1) { console.log('line ' + n); await new Promise((go) => setTimeout(go, 10)); }
    };";
    let id = server.create_dormant("counts", source, &Value::Null);
    // The same port, so that the command finds the server again.
    let port = server.client().address().rsplit_once(':').expect("a port").1.to_owned();
    let (mut child, mut read) = begin(&server, &["task", "run", "counts", "--follow"]);
    let mut lines: Vec<_> = (0..100).map(|_| read_line(&mut read)).collect();
    server.kill();
    server.start_again_on(&port);
    assert_eq!(code(&mut child), Some(1), "the run is lost");
    lines.extend(read.lines().map(|line| line.expect("a line") + "\n"));
    let expected: Vec<_> = (0..lines.len()).map(|n| format!("line {n}\n")).collect();
    assert_eq!(lines, expected, "no line is lost or doubled");
    assert_eq!(server.until_rows(&id, "failed", 1)[0]["reason"], "lost");
}

#[test]
fn events_are_shown_as_lines_or_as_json() {
    let server = Server::start();
    let id = server.create_dormant("talks", TALKS, &Value::Null);
    server.run(&id);
    let held = out(&server, &["events", "--held", "--count", "3"]);
    let kinds: Vec<_> = held.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(kinds, ["task-created", "execution-started", "execution-ended"], "{held}");
    assert!(held.lines().all(|line| line.contains("talks")), "{held}");
    let ended = out(
        &server,
        &["events", "--held", "--type", "execution-ended", "--count", "1", "--json", "--task", "talks"],
    );
    let event: Value = serde_json::from_str(&ended).expect("JSON");
    assert_eq!([&event["type"], &event["status"]], ["execution-ended", "completed"]);
}

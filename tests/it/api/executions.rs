//! Documents of executions: completed, failed, skipped, in progress, listed.

use insta::assert_json_snapshot;
use serde_json::json;

use crate::harness::{GATED, Server, redact, task};

#[test]
fn a_completed_execution_has_its_result_and_its_output() {
    let _guard = redact();
    let server = Server::start();
    let source = "module.exports = () => { console.info('one'); console.warn({ two: 2 }); return [1] }";
    let id = server.create_dormant("fine", source, &json!({}));
    let ran = server.run(&id);
    let read = server
        .client()
        .get(&format!("/admin/scheduler/{id}/executions/{}", ran["id"].as_str().expect("an id")));
    let read = read.expect(200);
    assert_json_snapshot!(read, @r#"
    {
      "execution": {
        "id": "[execution id]",
        "taskId": "[task id]",
        "taskName": "fine",
        "handler": "fine",
        "handlerHash": "[sha-256]",
        "filesHash": "[sha-256]",
        "status": "completed",
        "reason": null,
        "trigger": "manual",
        "scheduledFor": "[time]",
        "attempt": 1,
        "startTime": "[time]",
        "duration": "[ms]",
        "error": null,
        "stack": null,
        "result": [
          1
        ],
        "outputTruncated": false,
        "usage": {
          "cpuMs": "[ms]",
          "peakHeapBytes": "[bytes]",
          "requests": 0,
          "bytesReceived": 0,
          "bytesSent": 0
        },
        "progress": null,
        "steps": [],
        "skippedCount": null,
        "params": {},
        "paramsHash": null,
        "lateness": "[ms]",
        "by": "config",
        "rerunOf": null,
        "createdAt": "[time]",
        "updatedAt": "[time]",
        "output": [
          {
            "time": "[time]",
            "level": "info",
            "message": "one"
          },
          {
            "time": "[time]",
            "level": "warn",
            "message": "{ two: 2 }"
          }
        ]
      },
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);
    assert_eq!(read["execution"], ran, "whoever waited for it saw the same");
}

#[test]
fn a_failed_execution_has_a_reason_an_error_and_the_frames_of_its_own_files() {
    let _guard = redact();
    let server = Server::start();
    let source = "function inner() {\n  throw new TypeError('no such thing');\n}\n\
                  module.exports = async () => {\n  inner();\n};\n";
    let id = server.create_dormant("broken", source, &json!({}));
    assert_json_snapshot!(server.run(&id), @r#"
    {
      "id": "[execution id]",
      "taskId": "[task id]",
      "taskName": "broken",
      "handler": "broken",
      "handlerHash": "[sha-256]",
      "filesHash": "[sha-256]",
      "status": "failed",
      "reason": "exception",
      "trigger": "manual",
      "scheduledFor": "[time]",
      "attempt": 1,
      "startTime": "[time]",
      "duration": "[ms]",
      "error": "TypeError: no such thing",
      "stack": "at inner (tasks/broken.js:2:9)\nat module.exports (tasks/broken.js:5:3)",
      "result": null,
      "outputTruncated": false,
      "usage": {
        "cpuMs": "[ms]",
        "peakHeapBytes": "[bytes]",
        "requests": 0,
        "bytesReceived": 0,
        "bytesSent": 0
      },
      "progress": null,
      "steps": [],
      "skippedCount": null,
      "params": {},
      "paramsHash": null,
      "lateness": "[ms]",
      "by": "config",
      "rerunOf": null,
      "createdAt": "[time]",
      "updatedAt": "[time]",
      "output": []
    }
    "#);
    assert_json_snapshot!(server.task(&id)["lastExecution"], @r#"
    {
      "id": "[execution id]",
      "status": "failed",
      "time": "[time]",
      "duration": "[ms]",
      "error": "TypeError: no such thing"
    }
    "#);
}

#[test]
fn a_skip_says_how_many_occurrences_it_stands_for() {
    let _guard = redact();
    let server = Server::start();
    server.home.write("slow", GATED);
    let id = server.create(&task("slow", "slow", "every 200ms", &json!({ "recurring": true })));
    server.until_rows(&id, "skipped", 1);
    server.act(&id, "pause").expect(200);
    server.open_gate();
    server.until_rows(&id, "completed", 1);
    let mut skips = server.until_rows(&id, "skipped", 1);
    assert!(skips[0]["skippedCount"].as_u64() >= Some(1), "{skips:?}");
    skips[0]["skippedCount"] = json!("[count]");
    assert_json_snapshot!(skips[0], @r#"
    {
      "id": "[execution id]",
      "taskId": "[task id]",
      "taskName": "slow",
      "handler": "slow",
      "handlerHash": null,
      "filesHash": null,
      "status": "skipped",
      "reason": "overlap",
      "trigger": "schedule",
      "scheduledFor": "[time]",
      "attempt": 0,
      "startTime": null,
      "duration": null,
      "error": null,
      "stack": null,
      "result": null,
      "outputTruncated": false,
      "usage": null,
      "progress": null,
      "steps": [],
      "skippedCount": "[count]",
      "params": null,
      "paramsHash": null,
      "lateness": null,
      "by": null,
      "rerunOf": null,
      "createdAt": "[time]",
      "updatedAt": "[time]",
      "output": []
    }
    "#);
}

#[test]
fn an_execution_in_progress_has_no_end_yet() {
    let _guard = redact();
    let server = Server::start();
    let id = server.create_at_gate("gated");
    let rows = server.executions(&id);
    assert_json_snapshot!(rows[0], @r#"
    {
      "id": "[execution id]",
      "taskId": "[task id]",
      "taskName": "gated",
      "handler": "gated",
      "handlerHash": "[sha-256]",
      "filesHash": "[sha-256]",
      "status": "running",
      "reason": null,
      "trigger": "immediate",
      "scheduledFor": "[time]",
      "attempt": 1,
      "startTime": "[time]",
      "duration": null,
      "error": null,
      "stack": null,
      "result": null,
      "outputTruncated": false,
      "usage": null,
      "progress": null,
      "steps": [],
      "skippedCount": null,
      "params": {},
      "paramsHash": null,
      "lateness": "[ms]",
      "by": null,
      "rerunOf": null,
      "createdAt": "[time]",
      "updatedAt": "[time]",
      "output": [
        {
          "time": "[time]",
          "level": "log",
          "message": "at the gate"
        }
      ]
    }
    "#);
    let task = server.task(&id);
    assert_eq!(task["status"], "running");
    assert_eq!(task["lastExecution"]["status"], "running");
}

#[test]
fn the_history_of_a_task_is_a_page_with_the_real_total() {
    let _guard = redact();
    let server = Server::start();
    let id = server.create_dormant("fine", "module.exports = () => null", &json!({}));
    server.run(&id);
    server.run(&id);
    let mut page = server.client().get(&format!("/admin/scheduler/{id}/executions?limit=1")).expect(200);
    assert_eq!(page["executions"].as_array().map(Vec::len), Some(1));
    page["executions"] = json!([]);
    assert_json_snapshot!(page, @r#"
    {
      "taskId": "[task id]",
      "taskName": "fine",
      "executions": [],
      "totalExecutions": 2,
      "skip": 0,
      "limit": 1,
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);
}

//! The answers of the actions on a task.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::harness::{GATED, Server, redact};

const HANDLER: &str = "module.exports = (params) => params";

/// A server with a task that is never due.
fn server_with_task() -> (Server, String) {
    let server = Server::start();
    server.home.write("echo", HANDLER);
    let body = json!({
        "name": "echo", "description": "Says what it is told", "handler": "echo",
        "schedule": "@daily", "recurring": true, "params": { "from": "the task" }
    });
    let id = server.create(&body);
    (server, id)
}

/// The answer without the task's document; checks that a read shows the same document.
fn without_task(server: &Server, id: &str, mut answer: Value) -> Value {
    assert_eq!(answer["task"], server.task(id));
    answer["task"] = json!("[the task]");
    answer
}

#[test]
fn run_answers_at_once_with_the_id_of_the_execution() {
    let _guard = redact();
    let (server, id) = server_with_task();
    let answer = server.act(&id, "run").expect(200);
    assert_json_snapshot!(answer, @r#"
    {
      "success": true,
      "taskId": "[task id]",
      "taskName": "echo",
      "executionId": "[execution id]",
      "meta": {
        "message": "Task \"echo\" execution started",
        "execTime": "[seconds]"
      }
    }
    "#);
    assert_eq!(answer["taskId"], id);
    let rows = server.until_rows(&id, "completed", 1);
    assert_eq!(rows[0]["id"], answer["executionId"]);
    assert_eq!(rows[0]["trigger"], "manual");
}

#[test]
fn run_can_wait_for_the_end_and_take_parameters_for_once() {
    let _guard = redact();
    let (server, id) = server_with_task();
    let path = format!("/admin/scheduler/{id}/actions/run");
    let waited = server.client().post(&format!("{path}?wait=true"), &json!({})).expect(200);
    assert_json_snapshot!(waited, @r#"
    {
      "success": true,
      "taskId": "[task id]",
      "taskName": "echo",
      "executionId": "[execution id]",
      "execution": {
        "id": "[execution id]",
        "taskId": "[task id]",
        "taskName": "echo",
        "handler": "echo",
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
        "result": {
          "from": "the task"
        },
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
        "params": {
          "from": "the task"
        },
        "paramsHash": null,
        "lateness": "[ms]",
        "by": "config",
        "rerunOf": null,
        "createdAt": "[time]",
        "updatedAt": "[time]",
        "output": []
      },
      "meta": {
        "message": "Task \"echo\" execution started",
        "execTime": "[seconds]"
      }
    }
    "#);
    assert_eq!(waited["execution"]["id"], waited["executionId"]);

    let given = json!({ "params": { "n": 1 } });
    let once = server.client().post(&format!("{path}?wait=true"), &given).expect(200);
    assert_eq!(once["execution"]["result"], json!({ "n": 1 }), "they replace the stored ones");
    let not_waiting = server.client().post(&format!("{path}?wait=false"), &json!({})).expect(200);
    assert!(not_waiting.get("execution").is_none(), "{not_waiting}");
    server.until_rows(&id, "completed", 3);
    assert_eq!(server.task(&id)["params"], json!({ "from": "the task" }));
}

#[test]
fn pause_resume_and_reset_retries_answer_with_the_task() {
    let _guard = redact();
    let (server, id) = server_with_task();
    let paused = server.act(&id, "pause").expect(200);
    assert_eq!(paused["task"]["status"], "paused");
    assert_json_snapshot!(without_task(&server, &id, paused), @r#"
    {
      "success": true,
      "task": "[the task]",
      "meta": {
        "message": "Task \"echo\" paused successfully",
        "execTime": "[seconds]"
      }
    }
    "#);
    let resumed = server.act(&id, "resume").expect(200);
    assert_eq!(resumed["task"]["status"], "active");
    assert_json_snapshot!(without_task(&server, &id, resumed), @r#"
    {
      "success": true,
      "task": "[the task]",
      "meta": {
        "message": "Task \"echo\" resumed successfully",
        "execTime": "[seconds]"
      }
    }
    "#);
    let reset = server.act(&id, "reset-retries").expect(200);
    assert_json_snapshot!(without_task(&server, &id, reset), @r#"
    {
      "success": true,
      "task": "[the task]",
      "meta": {
        "message": "Retry count for task \"echo\" has been reset",
        "execTime": "[seconds]"
      }
    }
    "#);
}

#[test]
fn cancel_answers_with_what_it_ended() {
    let _guard = redact();
    let (server, id) = server_with_task();
    server.home.write("echo", GATED);
    let run = server.act(&id, "run").expect(200);
    server.until_output(&id);
    let mut answer = server.act(&id, "cancel").expect(200);
    assert_eq!(answer["cancelled"], json!([run["executionId"]]));
    answer["cancelled"] = json!(["[execution id]"]);
    assert_json_snapshot!(answer, @r#"
    {
      "success": true,
      "cancelled": [
        "[execution id]"
      ],
      "meta": {
        "message": "Task \"echo\" cancelled successfully",
        "execTime": "[seconds]"
      }
    }
    "#);
    let execution = server.execution(&id, &run["executionId"]);
    assert_eq!([&execution["status"], &execution["reason"]], ["cancelled", "cancelled"]);
    assert_eq!(execution["result"], json!(null));
    assert_eq!(execution["output"][0]["message"], "at the gate");
    assert_eq!(server.task(&id)["status"], "active");
}

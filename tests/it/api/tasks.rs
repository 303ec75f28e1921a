//! Documents of tasks: created, read, listed, changed, deleted.

use insta::assert_json_snapshot;
use serde_json::json;

use crate::harness::{Home, Options, Server, id_of, redact};

const HANDLER: &str = "module.exports = () => ({ success: true })";

#[test]
fn a_task_created_with_the_least_gets_every_default_and_a_location() {
    let _guard = redact();
    let server = Server::start();
    server.home.write("clean", HANDLER);
    let answer = server.client().post(
        "/admin/scheduler",
        &json!({ "name": "nightly", "description": "Cleans", "handler": "clean", "schedule": "0 3 * * *" }),
    );
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = id_of(&answer.body["task"]);
    assert_eq!(answer.header("location"), format!("/admin/scheduler/{id}"));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_json_snapshot!(answer.body, @r#"
    {
      "task": {
        "_key": "[task id]",
        "name": "nightly",
        "description": "Cleans",
        "type": "script",
        "handler": "clean",
        "params": {},
        "schedule": "0 3 * * *",
        "timezone": "UTC",
        "recurring": false,
        "maxRetries": 0,
        "retryDelay": 60000,
        "retryBackoff": "fixed",
        "timeout": 300000,
        "overlap": "skip",
        "misfire": "once",
        "onExhausted": "continue",
        "keepExecutions": 100,
        "tags": [],
        "startAt": null,
        "endAt": null,
        "maxRuns": null,
        "jitter": 0,
        "priority": 0,
        "concurrencyKey": null,
        "after": null,
        "alerts": null,
        "scheduleType": "daily",
        "nextRun": "[time]",
        "period": 86400000,
        "retryCount": 0,
        "lastRetry": null,
        "status": "active",
        "runsLeft": null,
        "backfill": null,
        "waiting": [],
        "managedBy": null,
        "createdAt": "[time]",
        "updatedAt": "[time]",
        "lastExecution": null,
        "executions": [],
        "stats": {
          "p50": null,
          "p95": null,
          "streak": 0,
          "lastSuccess": null,
          "lastFailure": null,
          "runs": 0
        },
        "recent": []
      },
      "meta": {
        "message": "Task created successfully",
        "execTime": "[seconds]"
      }
    }
    "#);
}

#[test]
fn every_field_of_a_task_can_be_given_and_comes_back() {
    let _guard = redact();
    let home = Home::new();
    let channel = "[alerts.ops]\nkind = \"webhook\"\nurl = \"https://hooks.example/\"\n";
    std::fs::write(home.path().join("isochron.toml"), channel).expect("the settings written");
    let server =
        Options::default().start_in(home).unwrap_or_else(|said| panic!("the server did not start: {said}"));
    server.home.write("reports/sales", HANDLER);
    let given = json!({
        "name": "sales report", "description": "Every quarter of an hour", "type": "script",
        "handler": "reports/sales",
        "params": { "region": "EMEA", "limits": [1, 2.5, -3], "deep": { "er": null } },
        "schedule": "every 15m", "timezone": "Europe/Berlin", "recurring": true,
        "maxRetries": 10, "retryDelay": 1000, "retryBackoff": "exponential", "timeout": 86_400_000,
        "overlap": "queue", "misfire": "all", "onExhausted": "stop", "keepExecutions": 10_000,
        "tags": ["nightly", "für Kunden"], "startAt": 4_070_908_800_000_i64, "endAt": 4_102_444_800_000_i64,
        "maxRuns": 12, "jitter": 60_000,
        "alerts": [{ "channel": "ops", "on": ["failure", "recovery"], "after": 3, "autoPause": true }]
    });
    let body = server.client().post("/admin/scheduler", &given).expect(201);
    for (key, value) in given.as_object().expect("an object") {
        assert_eq!(&body["task"][key], value, "{key}");
    }
    assert_json_snapshot!(body["task"], @r#"
    {
      "_key": "[task id]",
      "name": "sales report",
      "description": "Every quarter of an hour",
      "type": "script",
      "handler": "reports/sales",
      "params": {
        "region": "EMEA",
        "limits": [
          1,
          2.5,
          -3
        ],
        "deep": {
          "er": null
        }
      },
      "schedule": "every 15m",
      "timezone": "Europe/Berlin",
      "recurring": true,
      "maxRetries": 10,
      "retryDelay": 1000,
      "retryBackoff": "exponential",
      "timeout": 86400000,
      "overlap": "queue",
      "misfire": "all",
      "onExhausted": "stop",
      "keepExecutions": 10000,
      "tags": [
        "nightly",
        "für Kunden"
      ],
      "startAt": 4070908800000,
      "endAt": 4102444800000,
      "maxRuns": 12,
      "jitter": 60000,
      "priority": 0,
      "concurrencyKey": null,
      "after": null,
      "alerts": [
        {
          "channel": "ops",
          "on": [
            "failure",
            "recovery"
          ],
          "after": 3,
          "autoPause": true
        }
      ],
      "scheduleType": "interval",
      "nextRun": "[time]",
      "period": 900000,
      "retryCount": 0,
      "lastRetry": null,
      "status": "active",
      "runsLeft": 12,
      "backfill": null,
      "waiting": [],
      "managedBy": null,
      "createdAt": "[time]",
      "updatedAt": "[time]",
      "lastExecution": null,
      "executions": [],
      "stats": {
        "p50": null,
        "p95": null,
        "streak": 0,
        "lastSuccess": null,
        "lastFailure": null,
        "runs": 0
      },
      "recent": []
    }
    "#);
}

#[test]
fn a_task_is_read_with_its_newest_executions_and_listed_with_a_page_around_it() {
    let _guard = redact();
    let server = Server::start();
    server.home.write("clean", "module.exports = () => { console.log('cleaning'); return 7 }");
    let body = json!({
        "name": "nightly", "description": "Cleans", "handler": "clean", "schedule": "@daily",
        "recurring": true
    });
    let id = server.create(&body);
    server.run(&id);
    let read = server.client().get(&format!("/admin/scheduler/{id}")).expect(200);
    assert_json_snapshot!(read, @r#"
    {
      "task": {
        "_key": "[task id]",
        "name": "nightly",
        "description": "Cleans",
        "type": "script",
        "handler": "clean",
        "params": {},
        "schedule": "@daily",
        "timezone": "UTC",
        "recurring": true,
        "maxRetries": 0,
        "retryDelay": 60000,
        "retryBackoff": "fixed",
        "timeout": 300000,
        "overlap": "skip",
        "misfire": "once",
        "onExhausted": "continue",
        "keepExecutions": 100,
        "tags": [],
        "startAt": null,
        "endAt": null,
        "maxRuns": null,
        "jitter": 0,
        "priority": 0,
        "concurrencyKey": null,
        "after": null,
        "alerts": null,
        "scheduleType": "daily",
        "nextRun": "[time]",
        "period": 86400000,
        "retryCount": 0,
        "lastRetry": null,
        "status": "active",
        "runsLeft": null,
        "backfill": null,
        "waiting": [],
        "managedBy": null,
        "createdAt": "[time]",
        "updatedAt": "[time]",
        "lastExecution": {
          "id": "[execution id]",
          "status": "completed",
          "time": "[time]",
          "duration": "[ms]",
          "error": null
        },
        "executions": [
          {
            "id": "[execution id]",
            "taskId": "[task id]",
            "taskName": "nightly",
            "handler": "clean",
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
            "result": 7,
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
            "updatedAt": "[time]"
          }
        ],
        "stats": {
          "p50": "[ms]",
          "p95": "[ms]",
          "streak": 0,
          "lastSuccess": "[time]",
          "lastFailure": null,
          "runs": 1
        },
        "recent": [
          {
            "status": "completed",
            "start": "[time]",
            "duration": "[ms]"
          }
        ]
      },
      "executions": [
        {
          "id": "[execution id]",
          "taskId": "[task id]",
          "taskName": "nightly",
          "handler": "clean",
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
          "result": 7,
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
              "level": "log",
              "message": "cleaning"
            }
          ]
        }
      ],
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);

    for _ in 0..11 {
        server.run(&id);
    }
    let read = server.client().get(&format!("/admin/scheduler/{id}")).expect(200);
    assert_eq!(read["executions"].as_array().map(Vec::len), Some(5));
    assert_eq!(read["task"]["executions"].as_array().map(Vec::len), Some(10));
    assert_eq!(read["executions"][0]["id"], read["task"]["executions"][0]["id"], "newest first");

    let mut list = server.client().get("/admin/scheduler").expect(200);
    assert_eq!(list["tasks"][0], read["task"], "one document, wherever it is shown");
    list["tasks"] = json!([]);
    assert_json_snapshot!(list, @r#"
    {
      "tasks": [],
      "total": 1,
      "skip": 0,
      "limit": 20,
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let _guard = redact();
    let server = Server::start();
    server.home.write("clean", HANDLER);
    let body = json!({
        "name": "nightly", "description": "Cleans", "handler": "clean", "schedule": "0 3 * * *",
        "recurring": true, "params": { "olderThan": 30, "dryRun": false }, "maxRetries": 2
    });
    let id = server.create(&body);
    let before = server.task(&id);
    let path = format!("/admin/scheduler/{id}");
    let answer = server.client().put(&path, &json!({ "params": { "olderThan": 7 }, "timeout": 1000 }));
    let changed = answer.expect(200);
    let mut expected = before.clone();
    // Parameters are replaced, not merged.
    expected["params"] = json!({ "olderThan": 7 });
    expected["timeout"] = json!(1000);
    expected["updatedAt"] = changed["task"]["updatedAt"].clone();
    assert_eq!(changed["task"], expected);
    assert!(changed["task"]["updatedAt"].as_i64() >= before["updatedAt"].as_i64());
    assert_eq!(server.task(&id), expected);
    assert_json_snapshot!(changed["meta"], @r#"
    {
      "message": "Task updated successfully",
      "execTime": "[seconds]"
    }
    "#);

    let untouched = server.client().put(&path, &json!({})).expect(200);
    assert_eq!(untouched["task"], expected, "an empty update changes nothing");

    let moved = server.client().put(&path, &json!({ "schedule": "every 1h", "timezone": "Asia/Tokyo" }));
    let moved = moved.expect(200)["task"].take();
    assert_eq!(moved["scheduleType"], "interval");
    assert_eq!(moved["period"], 3_600_000);
    assert_ne!(moved["nextRun"], expected["nextRun"], "a new schedule plans afresh");
}

#[test]
fn a_deleted_task_is_gone_and_its_name_is_free() {
    let _guard = redact();
    let server = Server::start();
    server.home.write("clean", HANDLER);
    let body =
        json!({ "name": "say \"hi\"", "description": "", "handler": "clean", "schedule": "0 3 * * *" });
    let id = server.create(&body);
    let deleted = server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    assert_json_snapshot!(deleted, @r#"
    {
      "success": true,
      "meta": {
        "message": "Task \"say \"hi\"\" deleted successfully",
        "execTime": "[seconds]"
      }
    }
    "#);
    assert_eq!(server.client().get(&format!("/admin/scheduler/{id}")).status, 404);
    assert_eq!(server.client().get("/admin/scheduler").expect(200)["total"], 0);
    assert_ne!(server.create(&body), id);
}

#[test]
fn the_kind_of_schedule_and_its_nominal_period_follow_from_the_expression() {
    let server = Server::start();
    server.home.write("clean", HANDLER);
    let (hour, day) = (3_600_000_i64, 86_400_000_i64);
    let cases = [
        ("now", false, "once", 0),
        ("2099-01-01T00:00:00Z", false, "once", 0),
        ("4070908800000", false, "once", 0),
        ("@hourly", true, "hourly", hour),
        ("30 * * * *", true, "hourly", hour),
        ("@daily", true, "daily", day),
        ("@Midnight", true, "daily", day),
        ("30 4 * * *", true, "daily", day),
        ("@weekly", true, "weekly", 7 * day),
        ("0 9 * * 1", true, "weekly", 7 * day),
        ("@monthly", true, "monthly", 30 * day),
        ("0 0 15 * *", true, "monthly", 30 * day),
        ("every 90s", true, "interval", 90_000),
        ("every 250ms", true, "interval", 250),
        ("every 1d", true, "interval", day),
        ("*/15 * * * *", true, "cron", 900_000),
        ("*/10 * * * * *", true, "cron", 10_000),
    ];
    for (number, (schedule, recurring, kind, period)) in cases.into_iter().enumerate() {
        let body = json!({
            "name": format!("task {number}"), "description": "", "handler": "clean",
            "schedule": schedule, "recurring": recurring
        });
        let task = server.client().post("/admin/scheduler", &body).expect(201)["task"].take();
        assert_eq!((&task["scheduleType"], &task["period"]), (&json!(kind), &json!(period)), "{schedule}");
    }
}

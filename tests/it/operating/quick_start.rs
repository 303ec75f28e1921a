//! The first minute with isochron: the requests of a new user.

use serde_json::json;

use crate::harness::{Options, Server, field, until};

const DAY: i64 = 86_400_000;
const THREE_O_CLOCK: i64 = 3 * 3_600_000;

fn with_shipped_handlers() -> Server {
    Options::default().with_shipped_handlers().start()
}

#[test]
fn a_cleanup_at_three_every_night_is_created_run_paused_resumed_and_forgiven() {
    let server = with_shipped_handlers();
    let answer = server.client().post(
        "/admin/scheduler",
        &json!({
            "name": "daily-cleanup", "description": "Removes old history", "type": "script",
            "handler": "cleanup-logs", "params": { "olderThan": 30 }, "schedule": "0 3 * * *",
            "recurring": true, "maxRetries": 3, "retryDelay": 300_000
        }),
    );
    let created = answer.expect(201)["task"].take();
    let id = created["_key"].as_str().expect("an id").to_owned();
    assert_eq!(
        field(&created, ["status", "scheduleType", "period", "maxRetries", "retryDelay", "retryCount"]),
        [json!("active"), json!("daily"), json!(DAY), json!(3), json!(300_000), json!(0)]
    );
    let (next, now) = (created["nextRun"].as_i64().expect("a time"), created["createdAt"].as_i64());
    let ahead = next - now.expect("a time");
    assert!(
        next % DAY == THREE_O_CLOCK && (1..=DAY).contains(&ahead),
        "{next} is not the next three o'clock"
    );

    let execution = server.run(&id);
    assert_eq!(
        field(&execution, ["status", "trigger", "attempt", "handler"]),
        [json!("completed"), json!("manual"), json!(1), json!("cleanup-logs")]
    );
    let result = json!({ "success": true, "executions": 0, "audit": 0, "totalRemoved": 0, "dryRun": false });
    assert_eq!(execution["result"], result);
    assert_eq!(server.task(&id)["nextRun"], next, "a run by hand moves the schedule");

    let paused = server.act(&id, "pause").expect(200)["task"].take();
    assert_eq!(field(&paused, ["status", "nextRun"]), [json!("paused"), json!(null)]);
    let resumed = server.act(&id, "resume").expect(200)["task"].take();
    assert_eq!(field(&resumed, ["status", "nextRun"]), [json!("active"), json!(next)]);
    let forgiven = server.act(&id, "reset-retries").expect(200)["task"].take();
    assert_eq!(
        field(&forgiven, ["status", "retryCount", "lastRetry"]),
        [json!("active"), json!(0), json!(null)]
    );
}

#[test]
fn a_report_wanted_now_runs_once_and_its_result_and_output_can_be_read() {
    let server = with_shipped_handlers();
    let id = server.create(&json!({
        "name": "generate-monthly-report", "description": "The report for October",
        "handler": "generate-report", "schedule": "now",
        "params": { "reportType": "sales", "month": 10, "year": 2026, "format": "json" }
    }));
    let task = server.until_status(&id, "completed");
    assert_eq!(field(&task, ["scheduleType", "nextRun", "period"]), [json!("once"), json!(null), json!(0)]);

    let rows = server.executions(&id);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        field(&rows[0], ["status", "trigger", "reason", "error", "outputTruncated"]),
        [json!("completed"), json!("immediate"), json!(null), json!(null), json!(false)]
    );
    let expected = json!({
        "success": true, "reportType": "sales", "period": "2026-10", "format": "json",
        "days": 31, "weekdays": 22,
        "report": { "title": "sales 2026-10", "days": 31, "weekdays": 22 }
    });
    assert_eq!(rows[0]["result"], expected);
    let lines: Vec<_> = rows[0]["output"].as_array().expect("lines").iter().collect();
    assert_eq!(lines[0]["message"], "Generating the sales report for October 2026 (attempt 1)");
    assert_eq!(lines[1]["message"], "31 days, 22 of them weekdays");
    assert_eq!(field(lines[2], ["level", "message"]), [json!("info"), json!("Report ready")]);

    // A manual run for another month does not change the stored parameters.
    let again = server.run_with(&id, &json!({ "month": 2, "year": 2028 }));
    assert_eq!(again["result"]["days"], 29);
    assert_eq!(server.task(&id)["params"]["month"], 10);
}

#[test]
fn the_statistics_handler_counts_what_is_there_and_remembers_its_figures() {
    let server = with_shipped_handlers();
    let id = server.create(&json!({
        "name": "database-stats", "description": "", "handler": "database-stats",
        "params": { "detailed": true }, "schedule": "@daily", "recurring": true
    }));
    let first = server.run(&id)["result"].take();
    assert_eq!(first["success"], true);
    let collections = first["collections"].as_array().expect("collections");
    assert_eq!(first["totalCollections"], collections.len());
    let documents: u64 = collections.iter().filter_map(|collection| collection["count"].as_u64()).sum();
    assert!(documents >= 2, "a task and its execution: {first}");
    assert_eq!(first["totalDocuments"], documents);
    assert!(first["totalSizeMB"].is_number(), "{first}");

    let second = server.run(&id);
    assert!(second["result"]["totalDocuments"].as_u64() > Some(documents), "{second}");
    let lines = second["output"].to_string();
    assert!(lines.contains("since the last run: "), "{lines}");
}

#[test]
fn old_history_is_cleaned_up_and_a_dry_run_only_counts() {
    let server = with_shipped_handlers();
    let noisy = server.create_dormant("noisy", "module.exports = () => 1", &json!({}));
    for _ in 0..3 {
        server.run(&noisy);
    }
    let cleanup = server.create(&json!({
        "name": "cleanup", "description": "", "handler": "cleanup-logs", "schedule": "@daily",
        "recurring": true, "params": { "olderThan": 0, "dryRun": true }
    }));
    let dry = server.run(&cleanup)["result"].take();
    assert_eq!(
        field(&dry, ["success", "executions", "totalRemoved", "dryRun"]),
        [json!(true), json!(3), json!(0), json!(true)]
    );
    assert_eq!(server.executions(&noisy).len(), 3);

    // The dry run has ended and is old enough too; the removing run is in progress.
    let wet = server.run_with(&cleanup, &json!({ "olderThan": 0 }));
    assert_eq!(field(&wet["result"], ["executions", "dryRun"]), [json!(4), json!(false)]);
    until("the history is gone", || server.executions(&noisy).is_empty().then_some(()));
    let left = until("one run is left", || Some(server.executions(&cleanup)).filter(|left| left.len() <= 1));
    assert_eq!(left.len(), 1, "a run in progress was removed: {left:?}");
    assert_eq!(left[0]["id"], wet["id"]);
}

#[test]
fn a_cleanup_with_a_parameter_that_is_none_removes_nothing() {
    let server = Options::default().with_shipped_handlers().start();
    let body = json!({
        "name": "cleanup", "description": "", "handler": "cleanup-logs", "schedule": "@daily",
        "recurring": true, "params": { "olderThan": 0, "dryrun": true }
    });
    let id = server.create(&body);
    assert_eq!(server.run(&id)["error"], "dryrun is no parameter; there are olderThan and dryRun");
}

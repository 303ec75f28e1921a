//! Handlers that fail: retries, their end, and no effect on other tasks.

use serde_json::{Value, json};

use crate::harness::{Options, Server, field, task, until};

fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

#[test]
fn a_handler_that_throws_twice_and_then_succeeds_leaves_three_rows_and_no_trace_of_trouble() {
    let server = Server::start();
    server.home.write(
        "third-time-lucky",
        "module.exports = (params, ctx) => {
           console.log(`attempt ${ctx.attempt} of ${ctx.maxAttempts} by ${ctx.trigger}`);
           if (ctx.attempt < 3) throw new Error(`not yet, ${ctx.attempt}`);
           return { success: true, attempt: ctx.attempt };
         };",
    );
    let more = json!({ "maxRetries": 3, "retryDelay": 1000 });
    let id = server.create(&task("lucky", "third-time-lucky", "now", &more));
    let task = server.until_status(&id, "completed");
    assert_eq!(field(&task, ["retryCount", "lastRetry", "nextRun"]), [json!(0), json!(null), json!(null)]);
    assert_eq!(task["lastExecution"]["status"], "completed");

    let mut rows = server.executions(&id);
    rows.reverse();
    assert_eq!(column(&rows, "attempt"), [1, 2, 3]);
    assert_eq!(column(&rows, "status"), ["failed", "failed", "completed"]);
    assert_eq!(column(&rows, "trigger"), ["immediate", "retry", "retry"]);
    assert_eq!(column(&rows, "reason"), [json!("exception"), json!("exception"), json!(null)]);
    assert_eq!(column(&rows, "error"), [json!("not yet, 1"), json!("not yet, 2"), json!(null)]);
    assert_eq!(rows[1]["output"][0]["message"], "attempt 2 of 4 by retry");
    assert_eq!(rows[2]["result"], json!({ "success": true, "attempt": 3 }));
    for pair in rows.windows(2) {
        assert_eq!(pair[0]["scheduledFor"], pair[1]["scheduledFor"], "a retry belongs to its occurrence");
        let ended = pair[0]["startTime"].as_i64().zip(pair[0]["duration"].as_i64()).map(|(a, b)| a + b);
        let waited = pair[1]["startTime"].as_i64().zip(ended).map(|(start, end)| start - end);
        // Two clocks are involved, so the times may differ by a few milliseconds.
        assert!(waited >= Some(980), "waited {waited:?} ms of 1000");
    }
}

#[test]
fn a_handler_that_reports_failure_every_time_ends_failed_after_its_last_attempt() {
    let server = Server::start();
    server.home.write("no", "module.exports = async () => ({ success: false, error: 'no', tried: 1 })");
    let id = server.create(&task("never", "no", "now", &json!({ "maxRetries": 2, "retryDelay": 1000 })));
    let task = server.until_status(&id, "failed");
    assert_eq!(field(&task["lastExecution"], ["status", "error"]), [json!("failed"), json!("no")]);
    assert_eq!(task["nextRun"], json!(null));
    let rows = server.executions(&id);
    assert_eq!(column(&rows, "attempt"), [3, 2, 1]);
    assert_eq!(column(&rows, "status"), ["failed"; 3]);
    assert_eq!(column(&rows, "reason"), ["returned-failure"; 3]);
    assert_eq!(column(&rows, "error"), ["no"; 3]);
    assert_eq!(rows[0]["result"]["tried"], 1, "what it returned is kept");
}

#[test]
fn a_pending_retry_shows_when_it_is_due_and_a_success_by_hand_clears_it() {
    let server = Server::start();
    server
        .home
        .write("picky", "module.exports = (p) => { if (!p.please) throw new TypeError('say please') }");
    let more = json!({ "maxRetries": 1, "retryDelay": 3_600_000 });
    let id = server.create(&task("picky", "picky", "now", &more));
    let waiting = server.until_status(&id, "retry-scheduled");
    assert_eq!(waiting["retryCount"], 1);
    let failed_at = waiting["lastRetry"].as_i64().expect("a time");
    assert_eq!(waiting["nextRun"], failed_at + 3_600_000);
    assert_eq!(waiting["lastExecution"]["error"], "TypeError: say please");

    let forgiven = server.act(&id, "reset-retries").expect(200)["task"].take();
    assert_eq!(
        field(&forgiven, ["status", "retryCount", "lastRetry", "nextRun"]),
        [json!("retry-scheduled"), json!(0), json!(null), json!(failed_at + 3_600_000)],
        "a pending retry keeps its time"
    );
    assert_eq!(server.run_with(&id, &json!({ "please": true }))["status"], "completed");
    let task = server.task(&id);
    assert_eq!(field(&task, ["status", "nextRun"]), [json!("completed"), json!(null)]);
}

#[test]
fn a_recurring_task_whose_attempts_are_used_up_goes_on_or_stops_as_it_was_told() {
    let server = Server::start();
    server.home.write("broken", "module.exports = () => { throw new Error('broken') }");
    let body = |name: &str, rule: &str| {
        task(name, "broken", "every 200ms", &json!({ "recurring": true, "onExhausted": rule }))
    };
    let goes_on = server.create(&body("goes on", "continue"));
    let stops = server.create(&body("stops", "stop"));
    server.until_rows(&goes_on, "failed", 3);
    let stopped = server.until_status(&stops, "failed");
    assert_eq!(stopped["nextRun"], json!(null));
    // On a busy machine the next planned time comes before the first run has ended, and is skipped.
    let rows = server.executions(&stops);
    let ran: Vec<_> = rows.iter().filter(|row| row["status"] != "skipped").collect();
    assert_eq!(ran.len(), 1, "it has stopped, while the other one went on: {ran:?}");

    let reset = server.act(&stops, "reset-retries").expect(200)["task"].take();
    assert_eq!(reset["status"], "active");
    assert!(reset["nextRun"].is_i64(), "{reset}");
    server.until_rows(&stops, "failed", 2);
}

#[test]
fn an_endless_loop_ends_at_its_timeout_while_its_neighbour_keeps_its_pace() {
    let server = Server::start();
    server.home.write("tick", "module.exports = () => 'tick'");
    let neighbour = server.create(&task("tick", "tick", "every 1s", &json!({ "recurring": true })));
    let stuck =
        server.create_dormant("stuck", "module.exports = () => { for (;;); }", &json!({ "timeout": 500 }));
    let execution = server.run(&stuck);
    assert_eq!(field(&execution, ["status", "reason"]), [json!("failed"), json!("timeout")]);
    let took = execution["duration"].as_i64().expect("a duration");
    assert!((500..30_000).contains(&took), "it took {took} ms");
    let error = execution["error"].as_str().unwrap_or_default();
    assert!(error.contains("500"), "the error does not name the limit: {error}");

    server.client().put(&format!("/admin/scheduler/{stuck}"), &json!({ "timeout": 120_000 })).expect(200);
    server.act(&stuck, "run").expect(200);
    let start = server.until_rows(&stuck, "running", 1)[0]["startTime"].as_i64().expect("a time");
    until("the neighbour runs beside it", || {
        let rows = server.executions(&neighbour);
        let beside = |row: &Value| row["status"] == "completed" && row["startTime"].as_i64() > Some(start);
        rows.iter().any(beside).then_some(())
    });
    assert_eq!(server.task(&stuck)["status"], "running", "the loop goes on");
    server.act(&stuck, "cancel").expect(200);
    let rows = server.executions(&neighbour);
    assert!(!rows.iter().any(|row| row["status"] == "failed"), "{rows:?}");
}

#[test]
fn a_handler_that_eats_memory_ends_and_nobody_else_does() {
    let server = Options::default().set("LIMITS__HEAP", "32 MiB").start();
    let hungry = "module.exports = () => {
        console.log('eating');
        const eaten = [];
        for (;;) eaten.push(new Array(1000).fill(eaten.length));
    };";
    let execution = server.run_source("hungry", hungry, &json!({}));
    assert_eq!(execution["status"], "failed");
    let reason = execution["reason"].as_str().unwrap_or_default();
    assert!(["memory-limit", "crashed"].contains(&reason), "{execution}");
    assert_eq!(execution["output"][0]["message"], "eating");
    server.check_health();
}

#[test]
fn every_limit_has_a_reason_of_its_own() {
    let settings = Options::default().set("LIMITS__CPU", "300").set("LIMITS__BUFFERS", "2 MiB");
    let server = settings.set("LIMITS__HEAP", "24 MiB").start();
    let reason = |name: &str, body: &str| {
        let source = format!("module.exports = async () => {{ {body} }}");
        let execution = server.run_source(name, &source, &json!({ "timeout": 20_000 }));
        execution["reason"].as_str().map(str::to_owned)
    };
    assert_eq!(reason("thinks", "for (;;);").as_deref(), Some("cpu-limit"));
    assert_eq!(
        reason("heap", "const a = []; for (;;) a.push({ n: a.length })").as_deref(),
        Some("memory-limit")
    );
    assert_eq!(reason("buffers", "return new ArrayBuffer(3 * 2 ** 20)").as_deref(), Some("memory-limit"));
    // Waiting takes no CPU time, so this run may last longer than the limit.
    assert_eq!(reason("waits", "await new Promise((go) => setTimeout(go, 600))"), None);
    assert_eq!(reason("fits", "return new ArrayBuffer(2 ** 20).byteLength"), None);
}

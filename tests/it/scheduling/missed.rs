//! Planned times that pass while the server is down: none vanishes, none runs twice.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Options, Server, Stopwatch, task, until};

const INTERVAL: i64 = 200;

/// How many planned times a row stands for.
fn stands_for(row: &Value) -> i64 {
    if row["status"] == "skipped" { row["skippedCount"].as_i64().expect("a count") } else { 1 }
}

/// Every planned time from the first one on belongs to exactly one row.
#[track_caller]
fn check_account(name: &str, rows: &[Value], created: i64) {
    if let Err(wrong) = account(rows, created) {
        panic!("{name}: {wrong}");
    }
}

/// Checks the same; the error says what is wrong.
pub(crate) fn account(rows: &[Value], created: i64) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{what}:{}", describe(rows, created)));
    let mut accounted = BTreeSet::new();
    for row in rows {
        let first = row["scheduledFor"].as_i64().expect("a time");
        if (first - created) % INTERVAL != 0 {
            return wrong(format!("{first} is not anchored at the creation"));
        }
        // The times of one skip follow each other; times that ran in between are not among them.
        let mut time = first;
        for _ in 0..stands_for(row) {
            while row["status"] == "skipped" && runs_at(rows, time) {
                time += INTERVAL;
            }
            if !accounted.insert(time) {
                return wrong(format!("{} is accounted for twice", time - created));
            }
            time += INTERVAL;
        }
    }
    let last = *accounted.last().expect("a row");
    let planned: BTreeSet<_> = (1..=(last - created) / INTERVAL).map(|n| created + n * INTERVAL).collect();
    let vanished: Vec<_> = planned.difference(&accounted).map(|time| time - created).collect();
    if vanished.is_empty() { Ok(()) } else { wrong(format!("{vanished:?} vanished")) }
}

/// The rows in short, one line each, with planned times relative to the creation.
fn describe(rows: &[Value], created: i64) -> String {
    let line = |row: &Value| {
        let [status, trigger, reason, count, attempt] =
            ["status", "trigger", "reason", "skippedCount", "attempt"].map(|name| &row[name]);
        let planned = row["scheduledFor"].as_i64().unwrap_or_default() - created;
        let (started, changed) = (&row["createdAt"], &row["updatedAt"]);
        format!("\n  {planned}: {status} {trigger} {reason} {count} attempt {attempt}, {started}..{changed}")
    };
    rows.iter().map(line).collect()
}

fn runs_at(rows: &[Value], time: i64) -> bool {
    rows.iter().any(|row| row["status"] != "skipped" && row["scheduledFor"] == time)
}

fn of_kind<'a>(rows: &'a [Value], field: &str, value: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row[field] == value).collect()
}

/// The skips of missed times. A time that is due when the task is paused is a misfire too, but not
/// late.
fn misfires(rows: &[Value]) -> Vec<&Value> {
    let late = |row: &&Value| {
        let times = row["createdAt"].as_i64().zip(row["scheduledFor"].as_i64());
        times.is_some_and(|(created, planned)| created - planned > 1500)
    };
    of_kind(rows, "reason", "misfire").into_iter().filter(late).collect()
}

/// Pauses a task, waits until no run is left, and returns all rows, oldest planned time first.
pub(crate) fn pause_and_list(server: &Server, id: &str) -> Vec<Value> {
    server.act(id, "pause").expect(200);
    server.until_status(id, "paused");
    let mut rows = Vec::new();
    loop {
        let path = format!("/admin/scheduler/{id}/executions?limit=50&skip={}", rows.len());
        let mut page = server.client().get(&path).expect(200);
        rows.append(page["executions"].as_array_mut().expect("executions"));
        if page["totalExecutions"] == rows.len() {
            break;
        }
    }
    rows.sort_by_key(|row| row["scheduledFor"].as_i64());
    rows
}

#[test]
fn times_missed_while_the_server_was_down_are_made_up_for_as_each_task_wants_it() {
    let mut server = Options::default().set("MISFIRE_AFTER", "1500").start();
    server.home.write("ticks", "module.exports = () => 'tick'");
    let ids = ["once", "skip", "all"].map(|misfire| {
        let more = json!({ "recurring": true, "misfire": misfire, "keepExecutions": 10_000 });
        server.create(&task(misfire, "ticks", "every 200ms", &more))
    });
    for id in &ids {
        server.until_rows(id, "completed", 1);
    }
    server.kill();
    let stopwatch = Stopwatch::start();
    until("the server has been down for a while", || {
        (stopwatch.elapsed() > Duration::from_millis(3500)).then_some(())
    });
    server.start_again();
    for id in &ids {
        until("it is back at its pace", || {
            let rows = server.executions(id);
            let newest = rows.iter().find(|row| row["status"] == "completed")?;
            (newest["trigger"] == "schedule"
                && newest["startTime"].as_i64() > rows.last()?["startTime"].as_i64().map(|t| t + 4500))
            .then_some(())
        });
    }
    let [once, skip, all] = ids.map(|id| {
        let created = server.task(&id)["createdAt"].as_i64().expect("a time");
        let rows = pause_and_list(&server, &id);
        check_account(&id, &rows, created);
        rows
    });

    // On a busy machine a time may be missed after the start as well, which is made up for apart.
    let caught_up = of_kind(&once, "trigger", "catch-up");
    let missed = misfires(&once);
    assert!(!caught_up.is_empty() && !missed.is_empty(), "one run, and one row for the others: {once:?}");
    let newest = missed[0]["scheduledFor"].as_i64().map(|first| first + INTERVAL * stands_for(missed[0]));
    assert_eq!(caught_up[0]["scheduledFor"].as_i64(), newest, "it stands for the newest missed time");
    assert!(stands_for(missed[0]) >= 5, "{missed:?}");

    assert_eq!(of_kind(&skip, "trigger", "catch-up").len(), 0, "{skip:?}");
    let missed = misfires(&skip);
    assert!(!missed.is_empty() && stands_for(missed[0]) >= 5, "{missed:?}");

    let caught_up = of_kind(&all, "trigger", "catch-up");
    assert!(caught_up.len() >= 5, "each missed time: {all:?}");
    assert_eq!(misfires(&all).len(), 0, "{all:?}");
    let starts: Vec<_> = caught_up.iter().map(|row| row["startTime"].as_i64()).collect();
    assert!(starts.is_sorted(), "they run in order: {starts:?}");
}

#[test]
fn a_moment_that_passed_while_the_server_was_down_is_made_up_for_once() {
    let mut server = Options::default().set("MISFIRE_AFTER", "100").start();
    server.home.write("ticks", "module.exports = () => 'tick'");
    let now = server.task(&server.create(&task("first", "ticks", "now", &Value::Null)))["createdAt"].as_i64();
    // Time to create the next one, and to kill the server.
    let moment = now.expect("a time") + 5000;
    let id = server.create(&task("moment", "ticks", &moment.to_string(), &Value::Null));
    server.kill();
    let stopwatch = Stopwatch::start();
    until("the moment has passed", || (stopwatch.elapsed() > Duration::from_millis(5500)).then_some(()));
    for _ in 0..2 {
        server.start_again();
        let task = server.until_status(&id, "completed");
        assert_eq!(task["nextRun"], json!(null));
        let rows = server.executions(&id);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((&rows[0]["trigger"], &rows[0]["scheduledFor"]), (&json!("catch-up"), &json!(moment)));
        server.kill();
    }
}

#[test]
fn kills_again_and_again_neither_lose_nor_repeat_a_planned_time() {
    let mut server = Options::default().set("MISFIRE_AFTER", "400").start();
    server
        .home
        .write("ticks", "module.exports = async () => { await new Promise((go) => setTimeout(go, 60)) }");
    let more = json!({ "recurring": true, "misfire": "skip", "keepExecutions": 10_000, "overlap": "allow" });
    let id = server.create(&task("ticks", "ticks", "every 200ms", &more));
    let created = server.task(&id)["createdAt"].as_i64().expect("a time");
    for round in 1..=4 {
        server.until_rows(&id, "completed", round * 2);
        server.kill();
        server.start_again();
    }
    let before = server.until_rows(&id, "completed", 9).len();
    let rows = pause_and_list(&server, &id);
    check_account("ticks", &rows, created);
    assert!(of_kind(&rows, "status", "completed").len() >= before);
    for row in of_kind(&rows, "status", "failed") {
        assert_eq!(row["reason"], "lost", "{row}");
    }
}

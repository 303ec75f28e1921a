//! After a restart: every acknowledged change is there, and none is there twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    model::{Known, Unanswered, lines, starts},
    work::Driver,
};
use crate::harness::{Server, until};

/// Counts of checked things.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Checked {
    pub(super) documents: usize,
    pub(super) executions: usize,
    pub(super) lost_runs: usize,
    /// Entries and finished steps of handlers.
    pub(super) kept: usize,
}

/// Compares a driver's model with the server, and resolves its unanswered requests.
pub(super) fn check_driver(server: &Server, driver: &mut Driver, started_at: i64, checked: &mut Checked) {
    for mut known in std::mem::take(&mut driver.tasks) {
        if check_task(server, &mut known, started_at, checked) {
            driver.tasks.push(known);
        } else {
            driver.deleted.extend(known.id);
        }
    }
    for id in driver.deleted.iter().rev().take(20) {
        let answer = server.client().get(&format!("/admin/scheduler/{id}"));
        assert_eq!(answer.status, 404, "it was deleted: {}", answer.body);
    }
}

/// Checks a task; returns whether it exists.
fn check_task(server: &Server, known: &mut Known, started_at: i64, checked: &mut Checked) -> bool {
    if known.id.is_none() {
        let mut page = server.client().get(&format!("/admin/scheduler?name={}", known.name)).expect(200);
        let Some(found) = page["tasks"].get_mut(0).map(Value::take) else { return false };
        assert_eq!(page["total"], 1);
        known.check(&found);
        known.take(found);
    }
    let mut answer = server.client().get(&known.path(""));
    if matches!(known.unanswered, Some(Unanswered::Delete)) && answer.status == 404 {
        return false;
    }
    assert_eq!(answer.status, 200, "{} is lost: {}", known.name, answer.body);
    let found = answer.body["task"].take();
    known.check(&found);
    checked.documents += 1;
    known.perhaps += usize::from(matches!(known.unanswered, Some(Unanswered::Run)));
    let rows = rows(server, known.id.as_deref().expect("its id"));
    check_rows(known, &rows, started_at);
    checked.kept += check_state(server, known, &rows);
    checked.executions += rows.len();
    checked.lost_runs += rows.iter().filter(|row| row["reason"] == "lost").count();
    known.unanswered = None;
    known.take(found);
    true
}

/// All executions of a task, newest first.
fn rows(server: &Server, id: &str) -> Vec<Value> {
    until("a list that did not change while it was read", || {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let path = format!("/admin/scheduler/{id}/executions?limit=50&skip={}", rows.len());
            let mut page = server.client().get(&path).expect(200);
            let more = page["executions"].as_array_mut().expect("executions");
            // A new row has moved the others to the next page.
            let moved = more.iter().any(|row| rows.iter().any(|known| known["id"] == row["id"]));
            if moved {
                return None;
            }
            rows.append(more);
            if page["totalExecutions"].as_u64() <= Some(rows.len() as u64) {
                return Some(rows);
            }
        }
    })
}

fn check_rows(known: &mut Known, rows: &[Value], started_at: i64) {
    let name = &known.name;
    let find = |id: &Value| rows.iter().find(|row| &row["id"] == id);
    for ended in &known.ended {
        let found = find(&ended["id"]).unwrap_or_else(|| panic!("{name}: an execution is lost: {ended}"));
        assert_eq!(found, ended, "{name}: an execution is not what it was");
    }
    let mut ended = Vec::new();
    for id in &known.started {
        let found = find(&json!(id)).unwrap_or_else(|| panic!("{name}: the execution {id} is lost"));
        // From now on the model has the whole row.
        if found["status"] != "running" {
            ended.push(found.clone());
        }
    }
    known.started.retain(|id| !ended.iter().any(|row| row["id"] == id.as_str()));
    known.ended.append(&mut ended);

    let mut attempts = BTreeSet::new();
    let mut by_hand = 0;
    for row in rows {
        let attempt = (row["scheduledFor"].as_i64(), row["attempt"].as_i64());
        let alone = row["status"] == "skipped" || attempts.insert(attempt);
        let same = |other: &&Value| other["scheduledFor"] == row["scheduledFor"];
        assert!(alone, "{name}: one attempt, two rows: {:#?}", rows.iter().filter(same).collect::<Vec<_>>());
        let starts = starts(row);
        let mine = format!("{} {}", row["id"].as_str().unwrap_or_default(), row["attempt"]);
        assert!(
            starts.len() <= 1 && starts.iter().all(|start| *start == mine),
            "{name}: it ran twice: {row}"
        );
        if row["status"] == "completed" {
            assert_eq!(starts.len(), 1, "{name}: a line of it is lost: {row}");
        }
        let of_old = row["status"] == "running" && row["startTime"].as_i64() < Some(started_at);
        assert!(!of_old, "{name}: nobody runs this since the restart: {row}");
        by_hand += usize::from(row["trigger"] == "manual");
    }
    let asked_for = |row: &&Value| row["trigger"] == "manual";
    let most = known.ended.iter().filter(asked_for).count() + known.started.len() + known.perhaps;
    assert!(by_hand <= most, "{name}: {by_hand} runs by hand, and {most} were asked for: {rows:?}");
}

/// Checks that everything is there that a run was told is kept, and that no finished step ran again;
/// returns the number of entries and steps looked at.
fn check_state(server: &Server, known: &Known, rows: &[Value]) -> usize {
    let name = &known.name;
    let mut looked_at = 0;
    // By planned time and attempt: whether the step ran, and whether it is finished.
    let mut counts = BTreeMap::new();
    // A row names the handler that its task has at the end, and an edit may have changed it.
    let keeps = |row: &&Value| !lines(row, "counts").is_empty() || row["steps"][0]["name"] == "count";
    for row in rows.iter().filter(keeps) {
        let time = row["scheduledFor"].as_i64().expect("a time");
        let kept = lines(row, "kept ");
        if row["status"] == "completed" {
            assert_eq!(kept.len(), 1, "{name}: {row}");
        }
        if let Some(count) = kept.first() {
            let path = known.path(&format!("/kv/run%2F{time}"));
            let entry = server.client().get(&path).expect(200)["entry"].take();
            assert_eq!(entry["value"].to_string(), **count, "{name}: an entry is lost: {row}");
            looked_at += 1;
        }
        let finished = row["steps"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|step| step["name"] == "count" && step["status"] == "completed");
        counts.insert((time, row["attempt"].as_i64()), (!lines(row, "counts").is_empty(), finished));
        looked_at += usize::from(finished);
    }
    for ((time, attempt), (ran, _)) in &counts {
        let before = counts.range((*time, None)..(*time, *attempt));
        let finished = before.into_iter().any(|(_, (_, finished))| *finished);
        assert!(!(*ran && finished), "{name}: a finished step ran again: {rows:#?}");
    }
    looked_at
}

/// The list, its filters and its totals agree with the documents.
pub(super) fn check_lists(server: &Server, drivers: &[Driver]) {
    let expected: BTreeSet<_> =
        drivers.iter().flat_map(|driver| &driver.tasks).map(|known| known.name.as_str()).collect();
    let all = listed(server, "name=driven-");
    let names: BTreeSet<_> = all.iter().map(|task| task["name"].as_str().expect("a name")).collect();
    assert_eq!(names, expected);
    assert_eq!(all.len(), expected.len(), "one of them is listed twice");
    let paused = all.iter().filter(|task| task["status"] == "paused").count();
    assert_eq!(listed(server, "name=driven-&status=paused").len(), paused);
    for (handler, _) in super::model::HANDLERS {
        let of_handler = all.iter().filter(|task| task["handler"] == handler).count();
        assert_eq!(listed(server, &format!("name=driven-&handler={handler}")).len(), of_handler, "{handler}");
    }
}

/// As above for every status, once no task changes by itself.
pub(super) fn check_statuses(server: &Server) {
    until("nothing runs and nothing waits", || {
        let busy =
            ["running", "retry-scheduled"].map(|status| listed(server, &format!("status={status}")).len());
        (busy == [0, 0]).then_some(())
    });
    let all = listed(server, "name=driven-");
    let mut sum = 0;
    for status in ["active", "paused", "running", "retry-scheduled", "completed", "failed"] {
        let with = listed(server, &format!("name=driven-&status={status}"));
        assert!(with.iter().all(|task| task["status"] == status), "{status}: {with:?}");
        sum += with.len();
    }
    assert_eq!(sum, all.len());
}

fn listed(server: &Server, filter: &str) -> Vec<Value> {
    let mut tasks = Vec::new();
    loop {
        let path = format!("/admin/scheduler?limit=100&sortBy=name&skip={}&{filter}", tasks.len());
        let mut page = server.client().get(&path).expect(200);
        tasks.append(page["tasks"].as_array_mut().expect("tasks"));
        if page["total"].as_u64() <= Some(tasks.len() as u64) {
            return tasks;
        }
    }
}

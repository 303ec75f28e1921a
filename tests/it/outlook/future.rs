//! Planned runs, forecasts, conflicts.

use serde_json::{Value, json};

use crate::harness::{Server, task, until};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn get(server: &Server, path: &str) -> Value {
    server.client().get(path).expect(200)
}

fn recurring(server: &Server, name: &str, schedule: &str) -> String {
    server.create(&task(name, "works", schedule, &json!({ "recurring": true })))
}

fn start() -> Server {
    let server = Server::start();
    server.home.write("works", "module.exports = () => 1");
    server
}

/// A midnight UTC to come.
fn midnight(server: &Server) -> i64 {
    let id = recurring(server, "clock", "0 0 * * *");
    let next = server.task(&id)["nextRun"].as_i64().expect("a time");
    server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    next
}

/// Pairs of minutes after a time and names.
fn times(answer: &Value, after: i64) -> Vec<(i64, String)> {
    let occurrences = answer["occurrences"].as_array().expect("occurrences");
    let pair = |occurrence: &Value| {
        let time = occurrence["time"].as_i64().expect("a time");
        ((time - after) / 60_000, occurrence["taskName"].as_str().expect("a name").to_owned())
    };
    occurrences.iter().map(pair).collect()
}

#[test]
fn planned_runs_of_all_tasks_are_told_in_the_order_of_time_but_not_of_paused_ones() {
    let server = start();
    let midnight = midnight(&server);
    let daily = recurring(&server, "daily", "30 1 * * *");
    recurring(&server, "hourly", "0 * * * *");
    let paused = recurring(&server, "paused", "* * * * *");
    server.act(&paused, "pause").expect(200);
    let once = task("once", "works", &(midnight + 90 * 60_000 + 1).to_string(), &json!({}));
    server.create(&once);
    let span = format!("from={midnight}&to={}", midnight + 2 * HOUR);
    let answer = get(&server, &format!("/admin/upcoming?{span}"));
    let expected = [(0, "hourly"), (60, "hourly"), (90, "daily"), (90, "once")];
    assert_eq!(times(&answer, midnight), expected.map(|(minute, name)| (minute, name.to_owned())));
    assert_eq!(answer["truncated"], json!(false));
    let kinds: Vec<_> =
        answer["occurrences"].as_array().expect("a list").iter().map(|o| &o["kind"]).collect();
    assert_eq!(kinds, ["schedule", "schedule", "schedule", "once"]);
    let two = get(&server, &format!("/admin/upcoming?{span}&limit=2"));
    assert_eq!((times(&two, midnight).len(), &two["truncated"]), (2, &json!(true)));
    let one = get(&server, &format!("/admin/upcoming?{span}&taskId={daily}"));
    assert_eq!(times(&one, midnight), [(90, "daily".to_owned())]);
    server.client().put(&format!("/admin/scheduler/{daily}"), &json!({ "tags": ["night"] })).expect(200);
    let tagged = get(&server, &format!("/admin/upcoming?{span}&tag=night"));
    assert_eq!(times(&tagged, midnight), [(90, "daily".to_owned())]);
    assert_eq!(get(&server, &format!("/admin/upcoming?{span}&handler=other"))["occurrences"], json!([]));
    let far = format!("/admin/upcoming?from={midnight}&to={}", midnight + 32 * DAY);
    assert!(server.client().get(&far).message(400).contains("31 days"));
}

#[test]
fn a_preview_is_what_then_runs() {
    let server = start();
    // Each planned time has a run, however slow the machine is.
    let more = json!({ "recurring": true, "overlap": "allow", "misfire": "all" });
    let ids: Vec<_> = [("a", "*/2 * * * * *"), ("b", "every 700ms"), ("c", "*/3 * * * * *")]
        .map(|(name, schedule)| server.create(&task(&format!("task {name}"), "works", schedule, &more)))
        .into();
    let preview = get(&server, "/admin/upcoming?limit=30");
    let planned: Vec<(i64, String)> = preview["occurrences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|o| (o["time"].as_i64().expect("a time"), o["taskId"].as_str().expect("an id").to_owned()))
        .collect();
    assert_eq!(planned.len(), 30);
    for (time, id) in planned.iter().filter(|(_, id)| ids.contains(id)) {
        until(&format!("{id} has run at {time}"), || {
            let rows = server.executions(id);
            rows.iter()
                .any(|row| row["scheduledFor"] == json!(time) && row["status"] == "completed")
                .then_some(())
        });
    }
    // And nothing else has run up to the last of them.
    let last = planned.last().expect("30 times").0;
    let mut ran: Vec<(i64, String)> = Vec::new();
    for id in &ids {
        let rows = server.executions(id);
        ran.extend(rows.iter().map(|row| (row["scheduledFor"].as_i64().expect("a time"), id.clone())));
    }
    let first = planned[0].0;
    ran.retain(|(time, _)| (first..=last).contains(time));
    ran.sort_unstable();
    let mut planned = planned;
    planned.sort_unstable();
    // Others at the time of the last one may lie beyond the limit of the preview.
    ran.retain(|run| run.0 < last || planned.contains(run));
    assert_eq!(ran, planned);
}

#[test]
fn a_forecast_counts_the_planned_runs_of_every_task_per_hour_and_day() {
    let server = start();
    let midnight = midnight(&server);
    for name in ["one", "two", "three"] {
        recurring(&server, name, "15 */6 * * *");
    }
    let paused = recurring(&server, "paused", "* * * * *");
    server.act(&paused, "pause").expect(200);
    let span = format!("from={midnight}&to={}", midnight + DAY);
    let answer = get(&server, &format!("/admin/forecast?{span}&bucket=hour"));
    assert_eq!((&answer["schedules"], &answer["exact"]), (&json!(1), &json!(true)));
    let starts = |answer: &Value| -> Vec<u64> {
        let buckets = answer["buckets"].as_array().expect("buckets");
        buckets.iter().map(|bucket| bucket["starts"].as_u64().expect("a number")).collect()
    };
    let hours = starts(&answer);
    assert_eq!((hours.len(), hours[0], hours[1], hours[6]), (24, 3, 0, 3));
    assert_eq!(starts(&get(&server, &format!("/admin/forecast?{span}&bucket=day"))), [12]);
}

#[test]
fn a_new_schedule_is_compared_with_the_others_and_quieter_minutes_are_proposed() {
    let server = start();
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(recurring(&server, &format!("task {n}"), "0 3 * * *"));
    }
    let path = "/admin/scheduler/conflicts?schedule=0+3+*+*+*";
    let answer = get(&server, path);
    assert_eq!(answer["times"].as_array().map(Vec::len), Some(10));
    assert_eq!((&answer["times"][0]["starts"], &answer["complete"]), (&json!(4), &json!(true)));
    assert!(answer["times"][0]["capacity"].as_u64() > Some(0));
    assert_eq!(answer["quieter"][0]["schedule"], "1 3 * * *");
    let excluded = get(&server, &format!("{path}&excludeId={}", ids[0]));
    assert_eq!(excluded["times"][0]["starts"], json!(3));
    let wrong = server.client().get("/admin/scheduler/conflicts?schedule=61+3+*+*+*").message(400);
    assert!(wrong.contains("schedule"), "{wrong}");
    assert!(server.client().get("/admin/scheduler/conflicts").message(400).contains("is required"));
}

#[test]
fn a_simulation_tells_where_more_is_due_than_runs_at_once() {
    let server = crate::harness::Options::default().set("RUNNERS__MAX", "2").set("RUNNERS__MIN", "1").start();
    server.home.write("works", "module.exports = () => 1");
    let midnight = midnight(&server);
    for n in 0..5 {
        recurring(&server, &format!("task {n}"), "0 3 * * *");
    }
    let answer = get(&server, &format!("/admin/simulate?from={midnight}&to={}", midnight + DAY));
    let peak = json!({ "time": midnight + 3 * HOUR, "starts": 5, "concurrent": 5 });
    assert_eq!((&answer["peaks"], &answer["capacity"]), (&json!([peak]), &json!(2)));
    assert_eq!((&answer["highest"], &answer["complete"]), (&json!(5), &json!(true)));
    assert!(answer["suggestions"][0]["text"].as_str().is_some_and(|text| text.contains("runners.max")));
}

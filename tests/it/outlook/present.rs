//! The overview, the timeline, and why a task ran or did not.

use serde_json::{Value, json};

use crate::harness::{Server, task, until};

fn get(server: &Server, path: &str) -> Value {
    server.client().get(path).expect(200)
}

fn start() -> Server {
    let server = Server::start();
    server.home.write("works", "module.exports = () => 1");
    server.home.write("fails", "module.exports = () => { throw new Error('no luck') }");
    server.home.write("waits", "module.exports = () => new Promise((go) => setTimeout(go, 60000))");
    server
}

fn dormant(server: &Server, name: &str) -> String {
    // A yearly schedule alone would be near at the end of a year.
    let more = json!({ "recurring": true, "startAt": 4_070_908_800_000_i64 });
    server.create(&task(name, name, "0 0 1 1 *", &more))
}

#[test]
fn the_overview_has_what_runs_what_failed_and_what_is_next() {
    let server = start();
    let [works, fails, waits] = ["works", "fails", "waits"].map(|name| dormant(&server, name));
    server.run(&works);
    server.run(&fails);
    server.act(&waits, "run").expect(200);
    let overview = until("the run is in progress", || {
        let overview = get(&server, "/admin/overview");
        (overview["runningTotal"] == 1).then_some(overview)
    });
    assert_eq!(overview["tasks"]["running"], json!(1));
    assert_eq!(overview["tasks"]["failed"], json!(1));
    let running = &overview["running"][0];
    assert_eq!((&running["taskId"], &running["taskName"]), (&json!(waits), &json!("waits")));
    assert_eq!(running["usual"], Value::Null);
    let failures = overview["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 1);
    assert_eq!((&failures[0]["taskId"], &failures[0]["reason"]), (&json!(fails), &json!("exception")));
    assert!(failures[0]["error"].as_str().is_some_and(|error| error.contains("no luck")));
    assert_eq!(overview["next"].as_array().map(Vec::len), Some(0), "none within a month");
    let today = &overview["today"];
    assert_eq!([&today["completed"], &today["failed"]], [&json!(1), &json!(1)]);
    assert_eq!(
        overview["alerts"],
        json!({ "firing": 0, "undelivered": 0, "troubled": [], "mutedUntil": null })
    );
    assert_eq!(overview["ready"]["ready"], json!(true));
    server.act(&waits, "cancel").expect(200);
}

#[test]
fn a_timeline_has_the_runs_and_the_planned_times_of_each_task() {
    let server = start();
    let works = dormant(&server, "works");
    let row = server.run(&works);
    let often = server.create(&task("often", "fails", "0 * * * *", &json!({ "recurring": true })));
    let next = server.task(&often)["nextRun"].as_i64().expect("a time");
    let timeline = get(&server, &format!("/admin/timeline?to={}", next + 3_600_001));
    let lanes = timeline["lanes"].as_array().expect("lanes");
    let lane = |id: &str| lanes.iter().find(|lane| lane["taskId"] == id).expect("its lane");
    let runs = lane(&works)["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0]["id"], &runs[0]["status"]), (&row["id"], &json!("completed")));
    let took = runs[0]["end"].as_i64().expect("an end") - runs[0]["start"].as_i64().expect("a start");
    assert_eq!(json!(took), row["duration"]);
    assert_eq!(lane(&often)["planned"], json!([next, next + 3_600_000]));
    assert!(timeline["capacity"].as_u64() > Some(0));
    let load = timeline["load"].as_array().expect("load");
    assert_eq!(load.iter().map(|load| load["started"].as_u64().expect("a number")).sum::<u64>(), 3);
    // A lane at a time.
    let first = get(&server, "/admin/timeline?lanes=1");
    let cursor = first["nextCursor"].as_str().expect("there are more");
    let second = get(&server, &format!("/admin/timeline?lanes=1&cursor={cursor}"));
    assert_ne!(first["lanes"][0]["taskId"], second["lanes"][0]["taskId"]);
    assert_eq!(second["nextCursor"], Value::Null);
    let named = get(&server, "/admin/timeline?handler=fails");
    assert_eq!(named["lanes"].as_array().map(Vec::len), Some(1));
    assert!(server.client().get("/admin/timeline?from=0&to=700000000").message(400).contains("7 days"));
}

#[test]
fn each_planned_time_is_explained() {
    let server = start();
    let id = server.create(&task("often", "works", "*/1 * * * * *", &json!({ "recurring": true })));
    let rows = until("two runs in a row are completed", || {
        let time = |row: &Value| row["scheduledFor"].as_i64().expect("a time");
        let rows = server.executions(&id);
        let pair = rows.windows(2).find(|pair| {
            pair.iter().all(|row| row["status"] == "completed") && time(&pair[0]) == time(&pair[1]) + 1000
        });
        pair.map(<[Value]>::to_vec)
    });
    let [first, second] = [&rows[1], &rows[0]].map(|row| row["scheduledFor"].as_i64().expect("a time"));
    let path = format!("/admin/scheduler/{id}/explain");
    let answer = get(&server, &format!("{path}?from={first}&to={}", second + 1));
    let times = answer["times"].as_array().expect("times");
    assert_eq!(times.len(), 2, "{answer}");
    assert_eq!((&times[0]["time"], &times[0]["outcome"]), (&json!(first), &json!("completed")));
    assert_eq!(times[0]["executionId"], rows[1]["id"]);
    assert!(times[0]["text"].as_str().is_some_and(|text| text.contains(" completed in ")), "{answer}");
    assert_eq!((&answer["certain"], &answer["timezone"]), (&json!(true), &json!("UTC")));
    server.act(&id, "pause").expect(200);
    let paused = server.task(&id)["updatedAt"].as_i64().expect("a time");
    let after = get(&server, &format!("{path}?from={}&to={}", paused + 1000, paused + 2500));
    let outcomes: Vec<_> =
        after["times"].as_array().expect("times").iter().map(|time| &time["outcome"]).collect();
    assert!(!outcomes.is_empty() && outcomes.iter().all(|outcome| **outcome == "paused"), "{after}");
    assert!(after["times"][0]["text"].as_str().is_some_and(|text| text.contains("paused by config from")));
    server.client().put(&format!("/admin/scheduler/{id}"), &json!({ "schedule": "0 0 3 1 1 *" })).expect(200);
    let moved = get(&server, &format!("{path}?from={}&to={}", first - 3_600_000, first - 3_599_000));
    assert_eq!((&moved["times"], &moved["certain"]), (&json!([]), &json!(true)), "before the task");
    let moved = get(&server, &format!("{path}?from={}&to={}", second + 1, second + 2));
    let text = moved["times"][0]["text"].as_str().expect("a text");
    assert!(text.contains("was not planned: the schedule was `*/1 * * * * *` until"), "{text}");
    assert_eq!(moved["times"][0]["outcome"], "none");
    server.client().get("/admin/scheduler/task-01HZZZZZZZZZZZZZZZZZZZZZZZ/explain").expect(404);
}

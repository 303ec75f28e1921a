//! `GET /admin/events`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Happening, Server, Stopwatch, Stream, until};

const QUICK: &str = "module.exports = () => 1;";

fn names(seen: &[Happening]) -> Vec<&str> {
    seen.iter().map(|event| event.name.as_str()).collect()
}

/// A running server with one task that runs by hand, and the task's id.
fn start() -> (Server, String) {
    let server = Server::start();
    let id = server.create_dormant("quick", QUICK, &Value::Null);
    (server, id)
}

#[test]
fn a_client_hears_of_a_task_from_its_creation_to_its_end() {
    let server = Server::start();
    let mut stream = server.client().open("/admin/events");
    let id = server.create_dormant("quick", QUICK, &Value::Null);
    let run = server.run(&id);
    server.client().put(&format!("/admin/scheduler/{id}"), &json!({ "description": "new" })).expect(200);
    server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    let mut seen = stream.until("task-deleted");
    // The server may see the new file at any moment.
    seen.retain(|event| event.name != "handlers-changed");
    let expected = ["task-created", "execution-started", "execution-ended", "task-updated", "task-deleted"];
    assert_eq!(names(&seen), expected);
    let ended = &seen[2].data;
    assert_eq!(
        json!([ended["executionId"], ended["status"], ended["taskName"]]),
        json!([run["id"], "completed", "quick"])
    );
    assert_eq!([&ended["duration"], &ended["scheduledFor"]], [&run["duration"], &run["scheduledFor"]]);
    assert_eq!(ended["task"]["status"], "active");
    assert!(seen.iter().all(|event| event.data["taskId"] == *id), "{seen:?}");
}

#[test]
fn a_client_that_comes_back_hears_each_event_that_it_missed_once() {
    let (server, id) = start();
    let mut first = server.client().open("/admin/events?type=execution-started,execution-ended");
    server.run(&id);
    let seen = first.until("execution-ended");
    drop(first);
    server.run(&id);
    for after in [&seen[0].id, &seen[1].id] {
        let mut back = server.client().open_after("/admin/events", Some(after));
        let mut page = server.client().open(&format!("/admin/events?lastEventId={after}"));
        let missed = |stream: &mut Stream| {
            let mut missed = if *after == seen[0].id { stream.until("execution-ended") } else { Vec::new() };
            missed.extend(stream.until("execution-ended"));
            missed
        };
        let missed_by_header = missed(&mut back);
        assert_eq!(missed_by_header, missed(&mut page));
        let started = missed_by_header.iter().filter(|event| event.name == "execution-started").count();
        assert_eq!(started, 1, "{missed_by_header:?}");
    }
}

#[test]
fn a_client_that_has_heard_nothing_yet_comes_back_without_a_gap() {
    let (server, id) = start();
    let mut first = server.client().open("/admin/events?type=task-deleted");
    server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    first.until("task-deleted");
    let after = first.last_id().to_owned();
    drop(first);
    let other = server.create_dormant("other", QUICK, &Value::Null);
    let mut seen = server.client().open_after("/admin/events", Some(&after)).until("task-created");
    // The folder of handlers is looked at now and then.
    seen.retain(|event| event.name != "handlers-changed");
    assert_eq!((names(&seen), &seen[0].data["taskId"]), (vec!["task-created"], &json!(other)));
}

#[test]
fn a_hundred_clients_hear_each_event_once_and_in_order() {
    // As many as may be open at once: 20 of each token.
    const TOKENS: usize = 5;
    const OF_TOKEN: usize = 20;
    const RUNS: usize = 5;
    const OWN: &str = "/admin/events?type=execution-started,execution-ended,task-deleted";
    let (server, id) = start();
    let clients = (0..TOKENS).map(|number| {
        let body = json!({ "name": format!("listener {number}"), "role": "viewer" });
        let made = server.client().post("/admin/tokens", &body).expect(201);
        server.client().with(made["token"].as_str().expect("a token"))
    });
    let mut streams: Vec<_> =
        clients.flat_map(|client| (0..OF_TOKEN).map(move |_| client.open(OWN)).collect::<Vec<_>>()).collect();
    let refused = server.client().get("/admin/events").message(503);
    assert_eq!(refused, "100 streams are open, and no more can be");
    let runs: Vec<_> = (0..RUNS).map(|_| server.run(&id)["id"].clone()).collect();
    server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    let heard = streams[0].until("task-deleted");
    assert_eq!(heard.len(), 2 * RUNS + 1);
    for (number, pair) in heard.chunks(2).take(RUNS).enumerate() {
        assert_eq!(names(pair), ["execution-started", "execution-ended"]);
        assert!(pair.iter().all(|event| event.data["executionId"] == runs[number]), "{pair:?}");
    }
    for stream in &mut streams[1..] {
        assert_eq!(stream.until("task-deleted"), heard, "every client hears the same");
    }
    let figures = server.client().text(server.client().request("GET", "/metrics"));
    assert!(figures.contains("\nisochron_events_dropped_total 0"), "{figures}");
}

#[test]
fn a_client_of_an_earlier_start_is_told_to_read_the_lists_anew() {
    let (mut server, id) = start();
    let mut stream = server.client().open("/admin/events");
    server.run(&id);
    stream.until("execution-ended");
    server.kill();
    server.start_again();
    let mut back = server.client().open_after("/admin/events", Some(stream.last_id()));
    let gap = back.until("gap");
    assert_eq!(gap.len(), 1);
    let mut again = server.client().open_after("/admin/events", Some(&gap[0].id));
    server.run(&id);
    let run = ["execution-started", "execution-ended"];
    for stream in [&mut back, &mut again] {
        assert_eq!(names(&stream.until("execution-ended")), run, "no second gap");
    }
}

#[test]
fn a_client_hears_only_of_the_task_and_the_events_that_it_asks_for() {
    let (server, id) = start();
    let other = server.create_dormant("other", QUICK, &Value::Null);
    let path = format!("/admin/events?taskId={id}&type=execution-ended,task-deleted");
    let mut stream = server.client().open(&path);
    server.run(&other);
    server.run(&id);
    server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    assert_eq!(names(&stream.until("task-deleted")), ["execution-ended", "task-deleted"]);

    let get = |query: &str| server.client().get(&format!("/admin/events?{query}"));
    let unknown = get("type=execution-ended,dance").message(400);
    assert!(unknown.contains("task-created, task-updated") && unknown.contains("\"dance\""), "{unknown}");
    get("coalesce=-1").expect(400);
    get("colour=red").expect(400);
    get(&format!("taskId={id}")).expect(404);
}

#[test]
fn a_page_gets_the_last_event_of_each_kind_in_one_batch() {
    let (server, id) = start();
    let mut stream =
        server.client().open("/admin/events?coalesce=700&type=execution-started,execution-ended");
    let runs: Vec<_> = (0..6).map(|_| server.run(&id)["id"].clone()).collect();
    let (mut batches, mut events) = (0, Vec::new());
    // The last end is told, whatever the windows were.
    while events
        .last()
        .is_none_or(|last: &Value| last["executionId"] != runs[5] || last["type"] != "execution-ended")
    {
        let batch = stream.next().expect("a batch");
        assert_eq!((batch.name.as_str(), &batch.data["dropped"]), ("batch", &json!(0)));
        let list = batch.data["events"].as_array().expect("a list");
        assert!(list.len() <= 2, "one start and one end of the task at most: {list:?}");
        events.extend(list.iter().cloned());
        batches += 1;
    }
    assert!(batches <= events.len() && stream.last_id().starts_with("a."), "{batches} batches");
}

#[test]
fn no_more_than_20_streams_of_a_token_are_open_and_a_closed_one_makes_room() {
    let (server, _) = start();
    let mut open: Vec<_> = (0..20).map(|_| server.client().open("/admin/events")).collect();
    let refused = server.client().get("/admin/events");
    assert_eq!(refused.header("retry-after"), "5");
    let message = refused.message(503);
    assert!(message.contains("20 streams"), "{message}");
    open.pop();
    until("there is room", || {
        let request = server.client().request("GET", "/admin/events?type=alert&lastEventId=gap");
        server.client().status(request).filter(|status| *status == 200)
    });
}

#[test]
fn a_stop_says_good_bye_and_does_not_wait_for_listeners() {
    let (mut server, _) = start();
    let open: Vec<_> = (0..5).map(|_| server.client().open("/admin/events?type=alert")).collect();
    let stopwatch = Stopwatch::start();
    server.signal(Signal::TERM);
    for stream in open {
        let said: Vec<_> = stream.collect();
        assert_eq!(names(&said), ["bye"]);
    }
    assert!(server.exit().success());
    assert!(stopwatch.elapsed().as_secs() < 10, "{:?}", stopwatch.elapsed());
}

#[test]
fn a_change_in_the_folder_of_handlers_is_news() {
    let server = Server::start();
    let mut stream = server.client().open("/admin/events?type=handlers-changed");
    server.home.write("another", QUICK);
    stream.until("handlers-changed");
    std::fs::remove_file(server.home.tasks().join("another.js")).expect("it goes");
    assert_eq!(stream.until("handlers-changed").len(), 1);
    // It is still being loaded when the list that has asked for its check is answered.
    server.home.write("slow.mjs", "await new Promise((go) => setTimeout(go, 2500)); export default () => 1;");
    stream.until("handlers-changed");
    let checked = || {
        let handlers = server.client().get("/admin/handlers").expect(200)["handlers"].take();
        handlers.as_array().expect("a list").iter().find(|one| one["name"] == "slow").expect("it").clone()
    };
    assert_eq!(checked()["checking"], true);
    while checked()["checking"] == true {
        stream.until("handlers-changed");
    }
}

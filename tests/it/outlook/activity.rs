//! The ends of runs over time.

use serde_json::{Value, json};

use crate::harness::{Server, field};

const DAY: i64 = 86_400_000;

fn activity(server: &Server, query: &str) -> Value {
    server.client().get(&format!("/admin/activity?{query}")).expect(200)
}

/// The sums of completed, failed and skipped runs of an answer.
fn sums(answer: &Value) -> [u64; 3] {
    let buckets = answer["buckets"].as_array().expect("buckets");
    ["completed", "failed", "skipped"]
        .map(|name| buckets.iter().map(|bucket| bucket[name].as_u64().expect("a number")).sum())
}

#[test]
fn ends_of_runs_are_counted_over_all_tasks_and_of_one_and_survive_a_restart() {
    let mut server = Server::start();
    let works = server.create_dormant("works", "module.exports = () => 1", &json!({}));
    let fails =
        server.create_dormant("fails", "module.exports = () => { throw new Error('no') }", &json!({}));
    for id in [&works, &works, &fails] {
        server.run(id);
    }
    for bucket in ["minute", "hour", "day"] {
        let answer = activity(&server, &format!("bucket={bucket}"));
        assert_eq!((sums(&answer), &answer["bucket"]), ([2, 1, 0], &json!(bucket)));
        assert_eq!(sums(&activity(&server, &format!("bucket={bucket}&taskId={works}"))), [2, 0, 0]);
    }
    let answer = activity(&server, "bucket=day");
    let bucket = &answer["buckets"][0];
    assert!(bucket["durationP50"].as_i64() <= bucket["durationP95"].as_i64(), "{bucket}");
    assert!(bucket["durationP95"].is_i64(), "{bucket}");
    assert_eq!(bucket["latenessP95"], Value::Null, "runs by hand have no planned time");
    assert_eq!(answer["complete"], json!(true));
    server.kill();
    server.start_again();
    server.run(&works);
    assert_eq!(sums(&activity(&server, "bucket=hour")), [3, 1, 0]);
    // A deleted task's runs stay counted.
    server.client().delete(&format!("/admin/scheduler/{fails}")).expect(200);
    assert_eq!(sums(&activity(&server, "bucket=hour")), [3, 1, 0]);
    let verified = server.client().get("/ready").expect(200);
    assert_eq!(verified["store"]["start"]["missing"], json!([]));
}

#[test]
fn a_span_of_too_many_buckets_and_unknown_names_are_refused() {
    let server = Server::start();
    let get = |query: &str| server.client().get(&format!("/admin/activity?{query}")).message(400);
    assert!(get(&format!("from=0&to={}&bucket=hour", 100 * DAY)).contains("at most 1500 buckets"));
    assert!(get("from=2&to=1").contains("must not be later"));
    assert!(get("bucket=week").contains("minute"));
    assert!(get("bucketing=day").contains("bucketing"));
    server.client().get("/admin/activity?taskId=task-01HZZZZZZZZZZZZZZZZZZZZZZZ").expect(404);
    let [buckets, complete] =
        field(&activity(&server, "from=0&to=1000&bucket=minute"), ["buckets", "complete"]);
    assert_eq!((buckets, complete), (json!([]), json!(false)), "minutes of 1970 are not kept");
}

//! The text of a scrape.

use serde_json::json;

use crate::harness::{Options, Server, task};

/// The value of a series; `None` if there is none.
pub(super) fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?.parse().ok()
}

fn scrape(server: &Server) -> String {
    let client = server.client();
    client.text(client.request("GET", "/metrics"))
}

#[test]
fn a_scrape_tells_what_ran_what_waits_and_how_the_server_is() {
    let server = Server::start();
    let works = server.create_dormant("works", "module.exports = () => 1", &json!({}));
    let fails =
        server.create_dormant("fails", "module.exports = () => { throw new Error('no') }", &json!({}));
    for id in [&works, &works, &fails] {
        server.run(id);
    }
    let text = scrape(&server);
    let run = |labels: &str| value(&text, &format!("isochron_executions_total{{{labels}}}"));
    assert_eq!(run("handler=\"works\",status=\"completed\",reason=\"\",trigger=\"manual\""), Some(2.0));
    assert_eq!(run("handler=\"fails\",status=\"failed\",reason=\"exception\",trigger=\"manual\""), Some(1.0));
    let at_least = |series: &str, least: f64| {
        let found = value(&text, series);
        assert!(found.is_some_and(|found| found >= least), "{series}: {found:?}\n{text}");
    };
    assert_eq!(value(&text, "isochron_execution_duration_seconds_count{handler=\"works\"}"), Some(2.0));
    assert_eq!(value(&text, "isochron_tasks{status=\"failed\"}"), Some(1.0));
    assert_eq!(value(&text, "isochron_task_streak_max"), Some(1.0));
    assert_eq!(value(&text, "isochron_running"), Some(0.0));
    assert_eq!(value(&text, "isochron_alerts_undelivered"), Some(0.0));
    assert_eq!(value(&text, "isochron_events_dropped_total"), Some(0.0));
    assert_eq!(
        value(&text, "isochron_api_requests_total{route=\"/admin/scheduler\",status=\"201\"}"),
        Some(2.0)
    );
    at_least("isochron_store_commit_seconds_count", 6.0);
    at_least("isochron_store_bytes", 1.0);
    at_least("isochron_runners{state=\"idle\"}", 0.0);
    at_least("process_cpu_seconds_total", 0.001);
    assert_eq!(
        value(&text, "isochron_lateness_seconds_count"),
        Some(0.0),
        "runs by hand have no planned time"
    );
    assert!(!text.contains("isochron_task_last_success"), "tasks have no series of their own");
}

#[test]
fn a_killed_runner_is_counted_with_the_cause() {
    let server = Server::start();
    let source = "module.exports = () => { for (;;); }";
    let row = server.run_source("spins", source, &json!({ "timeout": 300 }));
    assert_eq!(row["reason"], "timeout");
    let text = scrape(&server);
    let series = "isochron_executions_total{handler=\"spins\",status=\"failed\",reason=\"timeout\",trigger=\"manual\"}";
    assert_eq!(value(&text, series), Some(1.0));
}

#[test]
fn metrics_need_a_token_unless_a_setting_opens_them() {
    let server = Server::start();
    let client = server.client();
    client.send(client.anonymous("GET", "/metrics"), "").expect(401);
    let open = Options::default().set("METRICS__PUBLIC", "true").start();
    let client = open.client();
    assert!(client.text(client.anonymous("GET", "/metrics")).contains("isochron_build_info{version=\""));
    client.send(client.anonymous("GET", "/admin/scheduler"), "").expect(401);
    assert!(client.send(client.request("GET", "/metrics?x=1"), "").message(400).contains('x'));
}

#[test]
fn tasks_have_series_of_their_own_where_the_settings_ask_for_them() {
    let server = Options::default().set("METRICS__TASKS", "all").start();
    let works = server.create_dormant("works", "module.exports = () => 1", &json!({}));
    server.create(&task("waits", "works", "0 0 1 1 *", &json!({ "recurring": true })));
    server.run(&works);
    let text = scrape(&server);
    let success = value(&text, "isochron_task_last_success_timestamp_seconds{task=\"works\"}");
    let ended = server.task(&works)["updatedAt"].as_f64().expect("a time") / 1000.0;
    assert!(success.is_some_and(|time| (time - ended).abs() < 5.0), "{success:?} {ended}");
    assert_eq!(value(&text, "isochron_task_last_success_timestamp_seconds{task=\"waits\"}"), None);
    assert!(
        value(&text, "isochron_task_next_run_timestamp_seconds{task=\"waits\"}")
            .is_some_and(|time| time > ended)
    );
    assert_eq!(value(&text, "isochron_task_paused{task=\"works\"}"), Some(0.0));
}

#[test]
fn the_form_is_the_one_that_the_client_accepts() {
    let server = Server::start();
    let client = server.client();
    let open =
        client.request("GET", "/metrics").header("accept", "application/openmetrics-text;version=1.0.0");
    let text = client.text(open);
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE isochron_schedule_skipped counter"), "{text}");
    assert!(!scrape(&server).contains("# EOF"));
}

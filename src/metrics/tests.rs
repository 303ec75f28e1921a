//! The text of metrics.

use std::sync::Arc;

use super::*;
use crate::domain::{
    Millis,
    execution::{ExecutionStatus, Trigger},
    facts::TaskStatus,
    ids::TaskId,
    step::{Subject, TaskState},
};

const NOON: Millis = 1_772_452_800_000;

fn row(status: ExecutionStatus) -> Row {
    Row {
        execution: ExecutionId::from_bytes([1; 16]),
        status,
        reason: None,
        trigger: Trigger::Schedule,
        scheduled_for: NOON,
        attempt: 1,
        start_time: Some(NOON + 3),
        duration: Some(20),
        error: None,
        skipped: 0,
    }
}

fn event(handler: &str, news: fn(Box<Row>, TaskState) -> News, row: Row) -> Event {
    let subject =
        Subject { task: TaskId::from_bytes([2; 16]), name: "nightly".into(), handler: handler.into() };
    let state = TaskState { status: TaskStatus::Active, next_run: None, streak: 0 };
    Event { time: NOON, subject: Some(Arc::new(subject)), news: news(Box::new(row), state) }
}

fn text(metrics: &Metrics) -> String {
    metrics.text(Present::default(), Format::Prometheus).expect("it encodes")
}

/// The value of a series; fails the test if there is none.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().expect("a number")
}

#[test]
fn ends_of_runs_are_counted_with_their_duration_and_lateness() {
    let metrics = Metrics::default();
    metrics.observe(&event("reports/sales", News::Ended, row(ExecutionStatus::Completed)));
    let failed = Row {
        reason: Some(Reason::Timeout),
        attempt: 2,
        trigger: Trigger::Retry,
        ..row(ExecutionStatus::Failed)
    };
    metrics.observe(&event("reports/sales", News::Ended, failed));
    let text = text(&metrics);
    let run = |labels: &str| format!("isochron_executions_total{{handler=\"reports/sales\",{labels}}}");
    assert_eq!(value(&text, &run("status=\"completed\",reason=\"\",trigger=\"schedule\"")), 1.0);
    assert_eq!(value(&text, &run("status=\"failed\",reason=\"timeout\",trigger=\"retry\"")), 1.0);
    let bucket = "isochron_execution_duration_seconds_bucket{handler=\"reports/sales\",le=\"0.025\"}";
    assert_eq!(value(&text, bucket), 2.0);
    assert_eq!(value(&text, "isochron_lateness_seconds_count"), 1.0, "a retry has no lateness");
    assert_eq!(value(&text, "isochron_lateness_seconds_bucket{le=\"0.002\"}"), 0.0);
    assert_eq!(value(&text, "isochron_lateness_seconds_bucket{le=\"0.005\"}"), 1.0);
}

#[test]
fn a_skip_that_grows_counts_its_new_occurrences_only() {
    let metrics = Metrics::default();
    let skip = |skipped| Row {
        reason: Some(Reason::Overlap),
        start_time: None,
        duration: None,
        skipped,
        ..row(ExecutionStatus::Skipped)
    };
    for skipped in [1, 2, 5] {
        metrics.observe(&event("a", News::Skipped, skip(skipped)));
    }
    let text = text(&metrics);
    assert_eq!(value(&text, "isochron_schedule_skipped_total{reason=\"overlap\"}"), 5.0);
    assert_eq!(value(&text, "isochron_schedule_skipped_total{reason=\"misfire\"}"), 0.0);
}

#[test]
fn handlers_beyond_the_bound_share_a_label_and_the_first_ones_keep_theirs() {
    let metrics = Metrics::default();
    metrics.observe(&event("kept", News::Ended, row(ExecutionStatus::Completed)));
    for number in 0..300 {
        metrics.observe(&event(&format!("handler-{number}"), News::Ended, row(ExecutionStatus::Completed)));
    }
    metrics.observe(&event("kept", News::Ended, row(ExecutionStatus::Completed)));
    let text = text(&metrics);
    let series = |handler: &str| {
        format!(
            "isochron_executions_total{{handler=\"{handler}\",status=\"completed\",reason=\"\",trigger=\"schedule\"}}"
        )
    };
    assert_eq!(value(&text, &series("other")), 101.0);
    assert_eq!(value(&text, &series("handler-198")), 1.0);
    assert_eq!(value(&text, &series("kept")), 2.0);
}

#[test]
fn requests_are_counted_by_route_and_status() {
    let metrics = Metrics::default();
    metrics.count_request(Some("/admin/scheduler/{id}"), 200, 0.004);
    metrics.count_request(None, 404, 0.0001);
    let text = text(&metrics);
    assert_eq!(
        value(&text, "isochron_api_requests_total{route=\"/admin/scheduler/{id}\",status=\"200\"}"),
        1.0
    );
    assert_eq!(value(&text, "isochron_api_requests_total{route=\"none\",status=\"404\"}"), 1.0);
    assert_eq!(value(&text, "isochron_api_seconds_count{route=\"/admin/scheduler/{id}\"}"), 1.0);
}

#[test]
fn figures_of_the_present_are_those_of_the_scrape() {
    let task =
        TaskFigures { name: "a \"b\"\n".to_owned(), last_success: Some(12.5), ..TaskFigures::default() };
    let present = Present {
        version: "1.2.3".to_owned(),
        tasks: vec![("active", 3), ("failed", 1)],
        runner_deaths: vec![("crashed", 2)],
        commits: vec![(0.001, 4), (0.01, 1), (f64::INFINITY, 1)],
        commit_seconds: 0.25,
        by_task: vec![task],
        ..Present::default()
    };
    let text = Metrics::default().text(present, Format::Prometheus).expect("it encodes");
    assert_eq!(value(&text, "isochron_build_info{version=\"1.2.3\"}"), 1.0);
    assert_eq!(value(&text, "isochron_tasks{status=\"active\"}"), 3.0);
    assert_eq!(value(&text, "isochron_runner_deaths_total{reason=\"crashed\"}"), 2.0);
    assert_eq!(value(&text, "isochron_store_commit_seconds_bucket{le=\"0.01\"}"), 5.0);
    assert_eq!(value(&text, "isochron_store_commit_seconds_bucket{le=\"+Inf\"}"), 6.0);
    let series = "isochron_task_last_success_timestamp_seconds{task=\"a \\\"b\\\"\\n\"}";
    assert_eq!(value(&text, series), 12.5);
    assert!(value(&text, "process_resident_memory_bytes") > 1e6);
    assert!(value(&text, "process_start_time_seconds") > 1.7e9);
    assert!(!text.contains("isochron_backup_age_seconds"), "a figure that is not known is left out");
}

#[test]
fn the_text_has_the_form_that_the_client_accepts() {
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    assert_eq!(Format::accepted(accept), Format::OpenMetrics);
    assert_eq!(Format::accepted("text/plain"), Format::Prometheus);
    let metrics = Metrics::default();
    let open = metrics.text(Present::default(), Format::OpenMetrics).expect("it encodes");
    assert!(open.ends_with("# EOF\n"), "{open}");
    assert_eq!(open.matches("# EOF").count(), 1);
    assert!(!text(&metrics).contains("EOF"));
}

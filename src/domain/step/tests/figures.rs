//! The figures that a task keeps over its ended occurrences.

use super::*;
use crate::domain::recent::{Ended, Stats};

/// Outcome and start of the last ended occurrences, newest first.
fn recent(life: &Life) -> Vec<String> {
    let name = |ended: &Ended| format!("{}s {:?}", seconds(ended.start), ended.status);
    life.task.facts.recent.list().iter().map(name).collect()
}

#[test]
fn an_occurrence_counts_once_at_its_end_and_not_at_each_attempt() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 1);
    life.at(3600).due();
    life.at(3601).fails();
    assert_eq!((recent(&life), life.task.stats()), (vec![], Stats::default()), "it waits for its retry");
    life.at(3661).due();
    life.at(3662).fails();
    assert_eq!(recent(&life), ["3661s Failed"]);
    let stats = life.task.stats();
    assert_eq!((stats.runs, stats.streak, stats.last_failure), (1, 1, Some(START + 3662 * SECOND)));
    life.at(7200).due();
    let verdict = Verdict { started: Some(life.now + 7), duration: Some(40), ..completed() };
    life.at(7201).end(verdict);
    assert_eq!(recent(&life), ["7200s Completed", "3661s Failed"]);
    let expected = Stats {
        p50: Some(40),
        p95: Some(40),
        streak: 0,
        last_success: Some(START + 7201 * SECOND),
        last_failure: Some(START + 3662 * SECOND),
        runs: 2,
    };
    assert_eq!(life.task.stats(), expected);
    assert_eq!(life.task.facts.recent.list()[0].start, START + 7200 * SECOND + 7);
}

#[test]
fn only_failures_of_the_handler_make_a_streak() {
    let mut life = Life::with("@hourly", |_| {});
    let lost = || Verdict::failed(Reason::Lost, "the server died");
    let verdicts = [Verdict::failed(Reason::Timeout, "slow"), lost(), cancelled(), lost()];
    for (hour, verdict) in (1..).zip(verdicts) {
        life.at(hour * 3600).due();
        life.end(verdict);
        assert_eq!(life.task.facts.streak, 1, "hour {hour}");
    }
    assert_eq!(life.task.facts.runs, 4);
    assert_eq!(recent(&life)[..2], ["14400s Failed", "10800s Cancelled"]);
    life.at(18_000).due();
    life.fails();
    assert_eq!(life.task.facts.streak, 2);
    life.at(21_600).due();
    life.succeeds();
    assert_eq!(life.task.facts.streak, 0);
}

#[test]
fn skipped_occurrences_and_retries_that_are_no_longer_allowed_count_as_what_they_are() {
    let mut life = Life::with("* * * * *", |task| task.max_retries = 3);
    life.at(60).due();
    life.at(130).due();
    assert_eq!(life.history()[1], "120s skipped overlap x1");
    assert_eq!(recent(&life), Vec::<String>::new());
    life.at(131).fails();
    assert_eq!(life.task.facts.runs, 0);
    life.at(132).update(&json!({"maxRetries": 0}));
    assert_eq!((recent(&life), life.task.facts.streak), (vec!["60s Failed".to_owned()], 1));
}

//! The messages about a task.

use super::*;
use crate::domain::{
    alerts::{Beats, Kind},
    draft::read_rules,
};

/// A task with these rules that runs every hour, and is watched from its creation on.
fn watched(rules: &Value) -> Life {
    watched_with("@hourly", rules, |_| {})
}

fn watched_with(schedule: &str, rules: &Value, change: impl FnOnce(&mut Definition)) -> Life {
    let rules = read_rules("alerts", rules).expect("valid rules");
    let mut life = Life::with(schedule, |task| {
        task.alerts = Some(rules);
        change(task);
    });
    life.task.begin_watch(&life.alerts);
    life
}

impl Life {
    /// Runs the occurrence that is due at `seconds`; the messages of its start and its end.
    fn run(&mut self, seconds: i64, verdict: Verdict) -> Vec<String> {
        let mut told = self.at(seconds).decide();
        told.extend(messages(&self.at(seconds + 1).end(verdict)));
        told
    }

    fn decide(&mut self) -> Vec<String> {
        messages(&self.step(Input::Due))
    }

    /// Lets the clock bring the messages that are due.
    fn clock(&mut self, seconds: i64) -> Vec<String> {
        self.at(seconds);
        let mut told = Vec::new();
        while self.task.alarm_due().is_some_and(|due| due <= self.now) {
            told.extend(messages(&self.step(Input::Watch)));
        }
        told
    }
}

fn messages(step: &Step) -> Vec<String> {
    let text = |alert: &Alert| {
        let again = if alert.reminder { " again" } else { "" };
        let paused = if alert.paused { ", paused" } else { "" };
        format!("{} to {}: {}{again}{paused}", alert.kind.name(), alert.channel, alert.count)
    };
    step.alerts.iter().map(text).collect()
}

fn failed() -> Verdict {
    Verdict::failed(Reason::Exception, "no luck")
}

const NONE: [&str; 0] = [];

#[test]
fn a_streak_has_one_failure_and_one_recovery() {
    let mut life = watched(&json!([{ "channel": "ops" }]));
    assert_eq!(life.run(3600, failed()), ["failure to ops: 1"]);
    assert_eq!(life.run(7200, failed()), NONE);
    assert_eq!(life.run(10_800, completed()), ["recovery to ops: 2"]);
    assert_eq!(life.run(14_400, completed()), NONE);
    assert_eq!(life.run(18_000, failed()), ["failure to ops: 1"], "a new streak");
}

#[test]
fn a_recovery_follows_the_failure_that_it_ends() {
    let mut life = watched(&json!([{ "channel": "ops" }]));
    life.at(3600).due();
    let failure = life.at(3601).fails().alerts.remove(0);
    life.at(7200).due();
    let recovery = life.at(7201).succeeds().alerts.remove(0);
    assert_eq!(recovery.follows, Some(failure.id));
    assert_eq!((recovery.since, failure.since), (Some(START + 3601 * SECOND), Some(START + 3601 * SECOND)));
    let cause = failure.cause.expect("an execution");
    assert_eq!((cause.error.as_deref(), cause.attempt), (Some("no luck"), 1));
    assert!(cause.execution != recovery.cause.expect("an execution").execution);
}

#[test]
fn a_failure_is_told_after_so_many_in_a_row_and_when_all_attempts_are_used_up() {
    let rules = json!([{ "channel": "ops", "after": 2 }, { "channel": "boss", "after": 3 }]);
    let mut life = watched_with("@hourly", &rules, |task| (task.max_retries, task.retry_delay) = (1, 10_000));
    assert_eq!(life.run(3600, failed()), NONE);
    assert_eq!(life.run(3611, failed()), NONE, "the first occurrence");
    assert_eq!(life.run(7200, failed()), NONE);
    assert_eq!(life.run(7211, failed()), ["failure to ops: 2"]);
    life.run(10_800, failed());
    assert_eq!(life.run(10_811, failed()), ["failure to boss: 3"]);
    assert_eq!(life.run(14_400, completed()), ["recovery to ops: 3", "recovery to boss: 3"]);
    life.run(18_000, failed());
    assert_eq!(life.run(18_011, completed()), NONE, "nothing was told");
}

#[test]
fn runs_that_are_lost_or_cancelled_count_neither_way() {
    let lost = || Verdict::failed(Reason::Lost, "the server died");
    let mut life = watched(&json!([{ "channel": "ops", "after": 2, "autoPause": true }]));
    assert_eq!(life.run(3600, failed()), NONE);
    for hour in 2..6 {
        assert_eq!(life.run(hour * 3600, if hour % 2 == 0 { lost() } else { cancelled() }), NONE);
    }
    assert_eq!(life.run(21_600, failed()), ["failure to ops: 2, paused"]);
}

#[test]
fn a_failure_pauses_the_task_and_a_resumption_begins_anew() {
    let mut life = watched(&json!([{ "channel": "ops", "after": 2, "autoPause": true }]));
    life.run(3600, failed());
    assert_eq!(life.run(7200, failed()), ["failure to ops: 2, paused"]);
    assert_eq!((life.status(), life.next_run()), ("paused", None));
    let paused_by = life.task.facts.paused_by.clone().expect("it says why");
    assert_eq!((paused_by.by.as_str(), paused_by.why.as_str()), ("alert", "it has failed 2 times in a row"));
    assert_eq!(paused_by.since, START + 7201 * SECOND);
    life.at(9000).step(Input::Resume);
    assert_eq!(life.task.facts.paused_by, None);
    assert_eq!(life.run(10_800, failed()), NONE, "one failure since the resumption");
    assert_eq!(life.run(14_400, failed()), ["failure to ops: 2, paused"]);
    life.at(15_000).step(Input::Resume);
    assert_eq!(life.run(18_000, completed()), ["recovery to ops: 0"], "the failure that was told is over");
}

#[test]
fn a_task_that_stops_is_told_of_once() {
    let rules = json!([{ "channel": "ops", "on": ["exhausted"] }]);
    let mut life = watched_with("@hourly", &rules, |task| task.on_exhausted = OnExhausted::Stop);
    assert_eq!(life.run(3600, failed()), ["exhausted to ops: 1"]);
    life.at(5000).step(Input::Resume);
    assert!(!life.task.is_firing(), "it goes on");
    assert_eq!(life.run(7200, failed()), ["exhausted to ops: 2"]);
}

#[test]
fn skips_in_a_row_are_told_once_until_a_planned_run_starts() {
    let rules = json!([{ "channel": "ops", "on": ["skipped"], "after": 3 }]);
    let mut life = watched_with("* * * * *", &rules, |_| {});
    life.at(60).decide();
    assert_eq!(life.at(120).decide(), NONE);
    assert_eq!(life.at(180).decide(), NONE);
    assert_eq!(life.at(240).decide(), ["skipped to ops: 3"]);
    assert_eq!(life.at(300).decide(), NONE, "it was told");
    life.at(310).succeeds();
    assert_eq!(life.at(360).decide(), NONE);
    assert!(!life.task.is_firing(), "a run has started");
}

#[test]
fn a_late_start_is_told_with_its_lateness() {
    let mut life = watched(&json!([{ "channel": "ops", "on": ["late"], "late": 5000 }]));
    assert_eq!(life.at(3605).decide(), NONE);
    life.at(3606).succeeds();
    assert_eq!(life.at(7206).decide(), ["late to ops: 6000"]);
    life.at(7207).succeeds();
    life.at(9000).by_hand();
    assert_eq!(life.at(9001).succeeds().alerts, [], "a run by hand is never late");
}

#[test]
fn a_slow_run_is_told_of_while_it_goes_on() {
    let rules = json!([{ "channel": "ops", "on": ["slow"], "slow": { "factor": 2, "floor": 1000 } }]);
    let mut life = watched(&rules);
    let took = |millis| Verdict { duration: Some(millis), ..completed() };
    for hour in 1..10 {
        life.run(hour * 3600, took(10_000));
    }
    life.at(36_000).decide();
    assert_eq!(life.task.alarm_due(), None, "nine runs are too few to know what is usual");
    life.at(36_001).end(took(10_000));
    life.at(39_600).decide();
    assert_eq!(life.task.alarm_due(), Some(START + 39_620 * SECOND));
    assert_eq!(life.clock(39_619), NONE);
    assert_eq!(life.clock(39_620), ["slow to ops: 20000"]);
    assert_eq!((life.task.alarm_due(), life.task.is_firing()), (None, true));
    life.at(39_700).end(took(100_000));
    assert!(!life.task.is_firing());
}

#[test]
fn a_success_that_is_missing_is_told_and_its_return_too() {
    let rules = json!([{ "channel": "ops", "on": ["missed", "recovery"], "silence": 7_200_000 }]);
    let mut life = watched(&rules);
    assert_eq!(life.clock(7199), NONE);
    assert_eq!(life.clock(7200), ["missed to ops: 7200000"]);
    assert_eq!(life.run(7300, completed()), ["recovery to ops: 0"]);
    assert_eq!(life.task.alarm_due(), Some(START + (7301 + 7200) * SECOND), "a success moves it");
    life.at(10_000).step(Input::Pause);
    assert_eq!(life.task.alarm_due(), None, "nothing is awaited of a paused task");
    life.at(50_000).step(Input::Resume);
    assert_eq!(life.task.alarm_due(), Some(START + 57_200 * SECOND));
}

#[test]
fn a_failure_that_lasts_is_repeated_until_it_is_over() {
    let rules = json!([{ "channel": "ops", "remindEvery": 7_200_000 }]);
    let mut life = watched(&rules);
    assert_eq!(life.run(3600, failed()), ["failure to ops: 1"]);
    assert_eq!(life.run(7200, failed()), NONE);
    assert_eq!(life.clock(3601 + 7200), ["failure to ops: 2 again"]);
    assert_eq!(life.clock(3601 + 14_399), NONE);
    assert_eq!(life.clock(3601 + 14_400), ["failure to ops: 2 again"]);
    life.run(21_600, completed());
    assert_eq!(life.task.alarm_due(), None);
}

#[test]
fn tasks_without_rules_have_those_of_the_server_and_an_empty_list_has_none() {
    let default = read_rules("alerts.default", &json!([{ "channel": "all" }])).expect("valid");
    let settings = Arc::new(AlertSettings { default, ..AlertSettings::default() });
    let mut life = Life::with("@hourly", |_| {});
    life.alerts = settings.clone();
    assert_eq!(life.run(3600, failed()), ["failure to all: 1"]);
    let mut silent = Life::with("@hourly", |task| task.alerts = Some(Vec::new()));
    silent.alerts = settings;
    assert_eq!(silent.run(3600, failed()), NONE);
    assert_eq!(silent.task.facts.alarms, None, "nothing is kept of a task without alerts");
}

#[test]
fn a_run_that_an_alert_asks_for_raises_none() {
    let mut life = watched_with("@hourly", &json!([{ "channel": "ops" }]), |task| {
        (task.max_retries, task.retry_delay) = (1, 10_000);
    });
    let execution = life.new_id();
    let asked = life.at(10).step(Input::RunByAlert { execution, params: Map::new() });
    assert_eq!(asked.start[0].trigger, Trigger::Alert);
    assert_eq!(life.at(11).fails().alerts, []);
    life.at(21).due();
    assert_eq!(life.at(22).fails().alerts, [], "nor does its retry");
    life.at(3600).due();
    life.at(3601).fails();
    life.at(3611).due();
    assert_eq!(messages(&life.at(3612).fails()), ["failure to ops: 1"], "a planned run does");
}

#[test]
fn a_heartbeat_channel_gets_beats_and_no_messages() {
    let beats = |start, fail| Beats { start, fail };
    let heartbeats = [("pulse", beats(false, false)), ("full", beats(true, true))];
    let heartbeats = heartbeats.map(|(name, beats)| (name.to_owned(), beats)).into();
    let mut life = watched(&json!([{ "channel": "pulse" }, { "channel": "full", "on": ["slow"] }]));
    life.alerts = Arc::new(AlertSettings { heartbeats, ..AlertSettings::default() });
    assert_eq!(
        life.run(3600, completed()),
        ["start to full: 0", "success to pulse: 0", "success to full: 0"]
    );
    assert_eq!(life.run(7200, failed()), ["start to full: 0", "fail to full: 0"]);
    assert!(!life.task.is_firing(), "no message was sent that could last");
}

#[test]
fn a_rule_for_a_heartbeat_channel_still_pauses_its_task_after_failures() {
    let mut life = watched(&json!([{ "channel": "pulse", "after": 2, "autoPause": true }]));
    let heartbeats = [("pulse".to_owned(), Beats::default())].into();
    life.alerts = Arc::new(AlertSettings { heartbeats, ..AlertSettings::default() });
    life.run(3600, failed());
    assert!(!life.task.facts.paused);
    life.run(7200, failed());
    assert!(life.task.facts.paused && !life.task.is_firing());
}

#[test]
fn the_newest_message_about_a_lasting_failure_is_known() {
    let mut life = watched(&json!([{ "channel": "ops", "remindEvery": 3_600_000 }]));
    life.at(3600).due();
    let first = life.at(3601).fails().alerts.remove(0).id;
    let firing = |life: &Life| {
        let firing = &life.task.facts.alarms.as_ref().expect("alarms").firing[0];
        (firing.alert, firing.last)
    };
    assert_eq!(firing(&life), (first, None));
    life.at(7202);
    let reminder = life.step(Input::Watch).alerts.remove(0).id;
    assert_eq!(firing(&life), (first, Some(reminder)));
}

#[test]
fn a_changed_source_since_the_last_success_is_named() {
    let mut life = watched(&json!([{ "channel": "ops" }]));
    let of = |hash: &str, verdict: Verdict| Verdict { handler_hash: Some(hash.to_owned()), ..verdict };
    life.run(3600, of("a", completed()));
    life.at(7200).due();
    let alert = life.at(7201).end(of("b", failed())).alerts.remove(0);
    assert_eq!((alert.kind, alert.source_changed), (Kind::Failure, Some(true)));
}

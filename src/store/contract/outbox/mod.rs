//! Alerts on their way.

use super::*;
use crate::{
    domain::{
        alerts::{AlertId, Delivery, Rule, State},
        draft::read_rules,
    },
    store::{
        OutboxQuery, Place, WaitingAlerts,
        copy::{Cursor, Import, Record},
    },
};

fn rules(value: &serde_json::Value) -> Option<Vec<Rule>> {
    Some(read_rules("alerts", value).expect("valid"))
}

/// Makes a task that tells two channels of failures.
fn watched(bench: &mut Bench, name: &str) -> Task {
    let alerts = rules(&json!([{ "channel": "ops" }, { "channel": "op", "on": ["failure", "late"] }]));
    bench.create(name, Definition { alerts, ..definition("@hourly") })
}

/// Lets a run of the task fail.
fn fail(bench: &mut Bench, task: TaskId, now: Millis) -> Step {
    let execution = bench.run_by_hand(task, now);
    let verdict = Box::new(Verdict::failed(Reason::Exception, "no luck"));
    bench.step(task, now + 1, Input::Ended { execution, verdict }).expect("it is in progress")
}

fn read(bench: &Bench, place: Place, channel: Option<&str>, after: Option<AlertId>) -> Vec<Delivery> {
    let query = OutboxQuery {
        place,
        channel: channel.map(str::to_owned),
        after,
        newest_first: place == Place::Over,
        limit: 2,
    };
    bench.wait(bench.store().deliveries(query)).expect("it reads")
}

fn settle(bench: &Bench, old: &[Delivery], state: State) -> Vec<Delivery> {
    let new: Vec<_> = old.iter().map(|delivery| Delivery { state, ..delivery.clone() }).collect();
    bench.wait(bench.store().settle(old.to_vec(), new.clone())).expect("it is written");
    new
}

pub(crate) fn the_alerts_of_a_step_wait_in_their_channels_in_order(bench: &mut Bench) {
    let mut expected = Vec::new();
    for name in ["first", "second", "third"] {
        let task = watched(bench, name);
        let alerts = fail(bench, task.id, START).alerts;
        assert_eq!(alerts.iter().map(|alert| alert.channel.as_str()).collect::<Vec<_>>(), ["ops", "op"]);
        expected.push(Delivery::new(alerts[0].clone()));
    }
    let first = read(bench, Place::Pending, Some("ops"), None);
    assert_eq!(first, expected[..2]);
    assert_eq!(read(bench, Place::Pending, Some("ops"), Some(first[1].alert.id)), expected[2..]);
    assert_eq!(read(bench, Place::Pending, Some("o"), None), []);
    let counts = |pending, held| WaitingAlerts { pending, held };
    let waiting = |bench: &Bench| bench.wait(bench.store().waiting()).expect("it reads");
    let both = ["op", "ops"].map(str::to_owned);
    assert_eq!(waiting(bench), both.clone().map(|name| (name, counts(3, 0))).into());
    settle(bench, &first, State::Held);
    assert_eq!(read(bench, Place::Pending, Some("ops"), None), expected[2..]);
    assert_eq!(read(bench, Place::Held, Some("ops"), None).len(), 2);
    let [op, ops] = both;
    assert_eq!(waiting(bench), [(op, counts(3, 0)), (ops, counts(1, 2))].into());
}

pub(crate) fn deliveries_that_are_over_are_listed_newest_first(bench: &mut Bench) {
    let mut over = Vec::new();
    for name in ["first", "second", "third"] {
        let task = watched(bench, name);
        fail(bench, task.id, START);
        let pending = read(bench, Place::Pending, Some("ops"), None);
        over.splice(0..0, settle(bench, &pending, State::Delivered { at: START }));
    }
    let first = read(bench, Place::Over, None, None);
    assert_eq!(first, over[..2]);
    assert_eq!(read(bench, Place::Over, None, Some(first[1].alert.id)), over[2..]);
    bench.wait(bench.store().settle(over.clone(), Vec::new())).expect("they are removed");
    assert_eq!(read(bench, Place::Over, None, None), []);
}

pub(crate) fn the_task_whose_alerts_wait_for_the_earliest_time_is_known(bench: &mut Bench) {
    let next = |bench: &Bench| bench.wait(bench.store().next_alarm()).expect("it reads");
    let firing = |bench: &Bench, after| -> Vec<TaskId> {
        let tasks = bench.wait(bench.store().alarmed(after, 10)).expect("it reads");
        tasks.iter().map(|task| task.id).collect()
    };
    assert_eq!((next(bench), firing(bench, None)), (None, vec![]));
    let mut tasks = Vec::new();
    for (name, silence) in [("slow", 20_000), ("quick", 10_000)] {
        let alerts = rules(&json!([{ "channel": "ops", "on": ["missed"], "silence": silence }]));
        let mut task = bench.task(name, Definition { alerts, ..definition("@hourly") });
        task.begin_watch(&crate::domain::alerts::AlertSettings::default());
        bench.wait(bench.store().create(task.clone(), None)).expect("created");
        tasks.push(task.id);
    }
    assert_eq!(next(bench), Some((START + 10_000, tasks[1])));
    bench.step(tasks[1], START + 10_000, Input::Watch).expect("its time has come");
    assert_eq!((next(bench), firing(bench, None)), (Some((START + 20_000, tasks[0])), vec![tasks[1]]));
    assert_eq!(firing(bench, Some(tasks[1])), []);
    bench.step(tasks[0], START + 15_000, Input::Pause).expect("paused");
    assert_eq!(next(bench), None);
    bench.wait(bench.store().delete(tasks[1], None)).expect("deleted");
    assert_eq!(firing(bench, None), []);
    assert_eq!(read(bench, Place::Pending, Some("ops"), None).len(), 1, "its message is still delivered");
}

pub(crate) fn alerts_survive_reopening_and_copies(bench: &mut Bench) {
    let task = watched(bench, "task");
    fail(bench, task.id, START);
    let ops = read(bench, Place::Pending, Some("ops"), None);
    let over = settle(bench, &ops, State::GivenUp { at: START });
    let op = read(bench, Place::Pending, Some("op"), None);
    bench.reopen();
    assert_eq!(
        (read(bench, Place::Pending, Some("op"), None), read(bench, Place::Over, None, None)),
        (op.clone(), over.clone())
    );
    let mut other = Bench::new(bench.open);
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor.take() {
        let part = bench.wait(bench.store().export(from)).expect("it exports");
        let again: Vec<_> =
            part.records.iter().filter(|record| matches!(record, Record::Alert(_))).cloned().collect();
        other.wait(other.store().import(Import::Records(part.records))).expect("it is taken in");
        if !again.is_empty() {
            assert_eq!(again.len(), 2);
            assert!(
                other.wait(other.store().import(Import::Records(again))).is_err(),
                "an alert is there once"
            );
        }
        cursor = part.rest;
    }
    other.wait(other.store().import(Import::Complete)).expect("it is complete");
    other.reopen();
    assert_eq!(other.store().report().rebuilt, Vec::<String>::new());
    assert_eq!(
        (read(&other, Place::Pending, Some("op"), None), read(&other, Place::Over, None, None)),
        (op, over)
    );
    assert_eq!(other.wait(other.store().alarmed(None, 10)).expect("it reads").len(), 1);
}

//! Accounts of planned times, as outcomes and texts.

use super::*;
use crate::domain::{
    audit::Audit,
    draft::tests::definition,
    execution::Trigger,
    facts::{Occurrence, PendingRetry},
    ids::TaskId,
    schedule::Timetable,
    step::Skip,
};

const MIDNIGHT: Millis = 1_772_409_600_000;
const HOUR: Millis = 3_600_000;

fn task(schedule: &str) -> Task {
    Task::new(TaskId::from_bytes([1; 16]), definition(schedule), MIDNIGHT)
}

fn id(number: u8) -> ExecutionId {
    ExecutionId::from_bytes([number; 16])
}

fn ended(task: &Task, number: u8, time: Millis, status: ExecutionStatus, duration: Millis) -> Execution {
    let skip = Skip { reason: Reason::Overlap, scheduled_for: time, count: 1 };
    Execution {
        status,
        reason: None,
        skipped_count: None,
        attempt: 1,
        start_time: Some(time),
        duration: Some(duration),
        ..Execution::skipped(task, id(number), skip, time)
    }
}

fn skipped(task: &Task, number: u8, reason: Reason, time: Millis, count: u64) -> Execution {
    Execution::skipped(task, id(number), Skip { reason, scheduled_for: time, count }, time)
}

fn change(hour: Millis, pauses: Option<bool>) -> Change {
    Change { time: MIDNIGHT + hour * HOUR / 2, actor: "alice".to_owned(), pauses, before: None }
}

/// The accounts of a span of hours, as outcomes and texts.
fn accounts(known: &Known<'_>, from: Millis, until: Millis) -> Vec<(Outcome, String)> {
    let (accounts, _) = explain(known, MIDNIGHT + from * HOUR, MIDNIGHT + until * HOUR);
    accounts.into_iter().map(|account| (account.outcome, account.text)).collect()
}

fn known<'a>(task: &'a Task, rows: &'a [Execution], changes: &'a [Change]) -> Known<'a> {
    let (now, zone) = (MIDNIGHT + 12 * HOUR + 1, task.definition.timezone);
    Known { task, rows, changes, since: MIDNIGHT, changes_since: MIDNIGHT, now, zone }
}

#[test]
fn a_time_with_a_row_is_told_by_its_last_attempt() {
    let mut task = task("@hourly");
    let mut failed = ended(&task, 2, MIDNIGHT + 2 * HOUR, ExecutionStatus::Failed, 5);
    failed.error = Some("no\nstack".to_owned());
    let rows = [ended(&task, 1, MIDNIGHT + HOUR, ExecutionStatus::Completed, 2500), failed];
    assert_eq!(
        accounts(&known(&task, &rows, &[]), 1, 3),
        [
            (Outcome::Completed, "01:00 completed in 2.5 s.".to_owned()),
            (Outcome::Failed, "02:00 failed: no.".to_owned()),
        ]
    );
    let occurrence = Occurrence::planned(MIDNIGHT + 2 * HOUR);
    task.facts.retries.push(PendingRetry { attempt: 2, due: MIDNIGHT + 13 * HOUR, occurrence, failed: None });
    let waiting = (Outcome::Waiting, "02:00 failed: no. Attempt 2 is at 13:00.".to_owned());
    assert_eq!(accounts(&known(&task, &rows, &[]), 2, 3), [waiting]);
}

#[test]
fn a_lost_attempt_is_told_beside_the_one_that_followed_it() {
    let task = task("@hourly");
    let died = || Some("the server died while the handler ran".to_owned());
    let lost = |number, time| Execution {
        reason: Some(Reason::Lost),
        error: died(),
        duration: None,
        ..ended(&task, number, time, ExecutionStatus::Failed, 0)
    };
    let again = Execution {
        trigger: Trigger::Retry,
        attempt: 2,
        start_time: Some(MIDNIGHT + HOUR + 60_000),
        created_at: MIDNIGHT + HOUR + 60_000,
        ..ended(&task, 2, MIDNIGHT + HOUR, ExecutionStatus::Completed, 2500)
    };
    let rows = [again, lost(1, MIDNIGHT + HOUR), lost(3, MIDNIGHT + 2 * HOUR)];
    assert_eq!(
        accounts(&known(&task, &rows, &[]), 1, 3),
        [
            (
                Outcome::Completed,
                "01:00 completed in 2.5 s at attempt 2, which began at 01:01. Attempt 1 was lost: the server \
                 died while the handler ran."
                    .to_owned()
            ),
            (Outcome::Failed, "02:00 was lost: the server died while the handler ran.".to_owned()),
        ]
    );
    let (told, _) = explain(&known(&task, &rows, &[]), MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR);
    assert_eq!((told[0].attempts, told[0].execution_id), (2, Some(id(2))));
}

#[test]
fn a_run_by_hand_is_no_planned_time_and_is_named_where_it_is_in_the_way() {
    let task = task("@hourly");
    let by_hand = MIDNIGHT + HOUR - 60_000;
    let row = |trigger, attempt| Execution {
        trigger,
        attempt,
        ..ended(&task, attempt as u8, by_hand, ExecutionStatus::Failed, HOUR)
    };
    let rows = [
        row(Trigger::Manual, 1),
        row(Trigger::Retry, 2),
        skipped(&task, 3, Reason::Overlap, MIDNIGHT + HOUR, 1),
    ];
    let text = "01:00 was skipped: the run that a user asked for at 00:59 still ran (until 01:59).";
    assert_eq!(accounts(&known(&task, &rows, &[]), 0, 2)[1..], [(Outcome::Skipped, text.to_owned())]);
    let alert = Execution { trigger: Trigger::Alert, ..row(Trigger::Manual, 1) };
    let (told, _) = explain(&known(&task, &[alert], &[]), by_hand, by_hand + 1);
    assert_eq!(told, [], "a run that an alert asked for");
}

#[test]
fn a_backfill_tells_the_attempt_that_it_makes_up_for() {
    let task = task("@hourly");
    let failed = ended(&task, 1, MIDNIGHT + HOUR, ExecutionStatus::Failed, 5);
    let failed = Execution { error: Some("no".to_owned()), ..failed };
    let later = ended(&task, 2, MIDNIGHT + HOUR, ExecutionStatus::Completed, 1000);
    let later = Execution { trigger: Trigger::Backfill, created_at: MIDNIGHT + 5 * HOUR, ..later };
    let text = "01:00 completed in 1 s in a backfill. Attempt 1 failed: no.";
    assert_eq!(accounts(&known(&task, &[later, failed], &[]), 1, 2), [(Outcome::Completed, text.to_owned())]);
}

#[test]
fn all_times_of_the_texts_are_in_the_zone_that_is_asked_for() {
    let task = task("0 20 * * *");
    let timezone = Tz::UTC;
    let before = Some(Planned { schedule: Timetable::parse("0 3 * * *").expect("a schedule"), timezone });
    let changes = [Change { before, ..change(20, None) }];
    let known = Known { zone: Tz::Asia__Tokyo, ..known(&task, &[], &changes) };
    let text =
        "13:00 was not planned: the schedule was `0 3 * * *` in UTC until 19:00, when alice changed it.";
    assert_eq!(accounts(&known, 4, 5), [(Outcome::None, text.to_owned())]);
}

#[test]
fn a_skip_explains_each_time_that_it_stands_for() {
    let task = task("@hourly");
    let rows = [
        ended(&task, 1, MIDNIGHT + HOUR, ExecutionStatus::Completed, 2 * HOUR + 7 * 60_000),
        skipped(&task, 2, Reason::Overlap, MIDNIGHT + 2 * HOUR, 2),
        skipped(&task, 3, Reason::Misfire, MIDNIGHT + 4 * HOUR, 1),
    ];
    let still = "the run of 01:00 still ran (until 03:07).";
    assert_eq!(
        accounts(&known(&task, &rows, &[]), 2, 5),
        [
            (Outcome::Skipped, format!("02:00 was skipped: {still}")),
            (Outcome::Skipped, format!("03:00 was skipped: {still}")),
            (
                Outcome::Skipped,
                "04:00 was skipped: its time was missed: the server was down, or too busy.".to_owned()
            ),
        ]
    );
}

#[test]
fn a_pause_is_told_with_who_made_it_and_who_ended_it() {
    let task = task("@hourly");
    let changes = [change(3, Some(true)), change(7, Some(false))];
    let paused = "did not run: paused by alice from 01:30 to 03:30.";
    assert_eq!(
        accounts(&known(&task, &[], &changes), 2, 4),
        [(Outcome::Paused, format!("02:00 {paused}")), (Outcome::Paused, format!("03:00 {paused}")),]
    );
    let still = accounts(&known(&task, &[], &changes[..1]), 20, 21);
    assert_eq!(still, [(Outcome::Paused, "20:00 did not run: paused by alice from 01:30.".to_owned())]);
}

#[test]
fn a_time_without_a_row_is_planned_or_unknown_or_before_the_task() {
    let task = task("@hourly");
    let known = known(&task, &[], &[]);
    assert_eq!(accounts(&known, 13, 14), [(Outcome::Planned, "13:00 is planned.".to_owned())]);
    assert_eq!(accounts(&known, 5, 6), [(Outcome::Unknown, "No record of 05:00 is kept.".to_owned())]);
    assert_eq!(accounts(&known, -5, -2), []);
    assert!(!explain(&known, MIDNIGHT + 5 * HOUR, MIDNIGHT + 6 * HOUR).1);
    assert!(explain(&known, MIDNIGHT + 13 * HOUR, MIDNIGHT + 14 * HOUR).1);
}

#[test]
fn times_of_another_schedule_are_told_by_the_one_that_the_task_had() {
    let task = task("0 20 * * *");
    let before = |text: &str, timezone| {
        Some(Planned { schedule: Timetable::parse(text).expect("a schedule"), timezone })
    };
    let first = Change { before: before("0 3 * * *", Tz::UTC), ..change(20, None) };
    let changes = [first, Change { before: before("0 5 * * *", Tz::Europe__Berlin), ..change(22, None) }];
    let not = |time: &str, schedule: &str, until: &str| {
        let text = format!(
            "{time} was not planned: the schedule was {schedule} until {until}, when alice changed it."
        );
        vec![(Outcome::None, text)]
    };
    let known = known(&task, &[], &changes);
    assert_eq!(accounts(&known, 4, 5), not("04:00", "`0 3 * * *`", "10:00"), "no time of any schedule");
    assert_eq!(accounts(&known, 10, 11), not("10:00", "`0 5 * * *` in Europe/Berlin", "11:00"));
    let lost = (Outcome::Unknown, "No record of 03:00 is kept.".to_owned());
    assert_eq!(accounts(&known, 2, 5), [lost], "a time of the schedule of then");
    let tomorrow = (Outcome::Planned, "20:00 is planned.".to_owned());
    assert_eq!(accounts(&known, 13, 24), [tomorrow]);
    let task = Task { created_at: MIDNIGHT - 48 * HOUR, ..task.clone() };
    let known = Known { task: &task, since: task.created_at, changes_since: task.created_at, ..known };
    let asked = not("20:00 on 2026-03-01", "`0 3 * * *`", "10:00");
    assert_eq!(accounts(&known, -5, -3), asked, "a time of the schedule of now");
}

#[test]
fn changes_of_a_task_come_from_its_audit() {
    use crate::domain::audit::{Action, Actor, FieldChange, Holder, Via};
    let task = task("0 20 * * *");
    let holder = Holder { name: "alice".to_owned(), via: Via::Token, ..Holder::default() };
    let alice = Actor { holder, ..Actor::default() };
    let record = |time, action: Action| alice.record(action, time).about(&task);
    let moved = |time, field: &str, from: &str, to: &str| {
        let (field, from, to) = (field.to_owned(), from.into(), to.into());
        Audit { changes: vec![FieldChange { field, from, to }], ..record(time, Action::Update) }
    };
    let records = [
        Actor::of_system("alert", String::new()).record(Action::Pause, 6).about(&task),
        moved(5, "timezone", "Europe/Berlin", "UTC"),
        record(4, Action::Resume).refused("The task is not paused"),
        moved(3, "schedule", "0 3 * * *", "0 20 * * *"),
        moved(2, "description", "a", "b"),
        record(1, Action::Create),
    ];
    let found: Vec<_> = changes(&task, &records)
        .into_iter()
        .map(|change| {
            let before = change.before.map(|before| format!("{} {}", before.schedule, before.timezone));
            (change.time, change.actor, change.pauses, before)
        })
        .collect();
    let alice = || "alice".to_owned();
    assert_eq!(
        found,
        [
            (1, alice(), Some(false), None),
            (3, alice(), None, Some("0 3 * * * Europe/Berlin".to_owned())),
            (5, alice(), None, Some("0 20 * * * Europe/Berlin".to_owned())),
            (6, "an alert".to_owned(), Some(true), None),
        ]
    );
}

#[test]
fn nothing_is_certain_of_a_time_from_before_the_changes_that_are_known() {
    let task = task("@hourly");
    let known = Known { changes_since: MIDNIGHT + 12 * HOUR, ..known(&task, &[], &[]) };
    let certain = |hour: Millis| explain(&known, MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR).1;
    assert_eq!((certain(11), certain(13)), (false, true));
}

#[test]
fn a_time_that_the_clocks_left_out_is_told() {
    // In Berlin the clocks went from 02:00 to 03:00 on 29 March 2026.
    let mut task = task("30 2 * * *");
    task.definition.timezone = Tz::Europe__Berlin;
    task.created_at = MIDNIGHT - 24 * HOUR;
    let moved = 1_774_746_000_000;
    let rows = [ended(&task, 1, moved, ExecutionStatus::Completed, 1000)];
    let (accounts, _) = explain(&known(&task, &rows, &[]), moved, moved + 1);
    assert_eq!(accounts.len(), 1);
    let text = &accounts[0].text;
    assert!(
        text.starts_with("03:00 on 2026-03-29 completed in 1 s. 02:30 on 2026-03-29 does not exist"),
        "{text}"
    );
}

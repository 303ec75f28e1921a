//! Explain: why a task did, or did not, run at a time.
//!
//! The account is given from the rows of the task, from the times of its schedule, and from the changes
//! that users made. A time without a row is explained by the first of these that applies: it is still to
//! come, the task was paused or did not exist, or nothing is known of it any more.

use std::collections::BTreeMap;

use chrono::TimeZone;
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Reason},
    facts::Task,
    ids::ExecutionId,
    text::duration_in_words,
};

/// The planned times that are explained at most, the newest of the span.
pub const MOST: usize = 200;

/// The fate of a planned time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its last attempt completed.
    Completed,
    /// Its last attempt failed.
    Failed,
    /// Its last attempt was cancelled.
    Cancelled,
    /// An attempt is in progress.
    Running,
    /// It waits for its turn or for its next attempt.
    Waiting,
    /// It was skipped.
    Skipped,
    /// The task was, or is, paused.
    Paused,
    /// It is still to come.
    Planned,
    /// It was no planned time.
    None,
    /// Nothing is known of it.
    Unknown,
}

/// The account of a planned time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The planned time.
    pub time: Millis,
    /// Its fate.
    pub outcome: Outcome,
    /// Why it did not complete.
    pub reason: Option<Reason>,
    /// The row of its last attempt, or of the skip.
    pub execution_id: Option<ExecutionId>,
    /// A sentence for people, with times of the task's zone.
    pub text: String,
}

/// A change of a task by a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Epoch milliseconds.
    pub time: Millis,
    /// Such as `pause` or `update`.
    pub action: String,
    /// Who made it.
    pub actor: String,
    /// The schedule before it, if it changed that.
    pub schedule_before: Option<String>,
}

/// Everything that is known of a task in a span of time.
pub struct Known<'a> {
    /// The task as it is now.
    pub task: &'a Task,
    /// Its rows, in any order.
    pub rows: &'a [Execution],
    /// The changes of the task, oldest first.
    pub changes: &'a [Change],
    /// All rows created from this time on are known.
    pub since: Millis,
    /// The present.
    pub now: Millis,
}

/// The accounts of the planned times in `[from, until)`, and whether all of them are certain.
#[must_use]
pub fn explain(known: &Known<'_>, from: Millis, until: Millis) -> (Vec<Account>, bool) {
    let rescheduled = known.changes.iter().rev().find(|change| change.schedule_before.is_some());
    let valid_from = rescheduled.map_or(known.task.created_at, |change| change.time);
    let mut accounts: BTreeMap<Millis, Account> = BTreeMap::new();
    for row in known.rows.iter().filter(|row| (from..until).contains(&row.scheduled_for)) {
        accounts.entry(row.scheduled_for).or_insert_with(|| known.account(row.scheduled_for));
    }
    for time in known.planned(from.max(valid_from), until) {
        accounts.entry(time).or_insert_with(|| known.account(time));
    }
    if accounts.is_empty()
        && let Some(change) = rescheduled.filter(|change| from < change.time)
    {
        let account = known.rescheduled(from, change);
        accounts.insert(from, account);
    }
    let accounts: Vec<Account> = accounts.into_values().rev().take(MOST).collect();
    let certain = accounts.iter().all(|account| account.outcome != Outcome::Unknown)
        && (from >= known.since || known.since <= known.task.created_at);
    (accounts.into_iter().rev().collect(), certain)
}

impl Known<'_> {
    fn zone(&self) -> Tz {
        self.task.definition.timezone
    }

    /// The times of the schedule in a span.
    fn planned(&self, from: Millis, until: Millis) -> Vec<Millis> {
        let task = self.task;
        if task.definition.recurring {
            return task.plan().newest_between(from - 1, until - 1, MOST);
        }
        task.facts.next.filter(|next| (from..until).contains(next)).into_iter().collect()
    }

    fn account(&self, time: Millis) -> Account {
        let account =
            self.attempts(time).or_else(|| self.skip(time)).unwrap_or_else(|| self.without_row(time));
        let mut account = account;
        // A time that the clocks left out, or showed twice.
        for warning in self.task.definition.schedule.warnings(self.zone(), &[time]) {
            if warning.contains(" in ") {
                account.text = format!("{} {warning}", account.text);
            }
        }
        account
    }

    fn attempts(&self, time: Millis) -> Option<Account> {
        let rows = self.rows.iter().filter(|row| row.scheduled_for == time && row.attempt > 0);
        let row = rows.max_by_key(|row| row.attempt)?;
        let at = self.clock(time);
        let (outcome, text) = match row.status {
            ExecutionStatus::Completed => (Outcome::Completed, format!("{at} completed{}.", self.took(row))),
            ExecutionStatus::Running => (Outcome::Running, format!("{at} is running.")),
            ExecutionStatus::Cancelled => {
                (Outcome::Cancelled, format!("{at} was cancelled{}.", quoted(row.error.as_deref())))
            }
            ExecutionStatus::Failed | ExecutionStatus::Skipped => {
                let attempts =
                    if row.attempt > 1 { format!(" {} times", row.attempt) } else { String::new() };
                (Outcome::Failed, format!("{at} failed{attempts}{}.", quoted(row.error.as_deref())))
            }
        };
        let retry = self.task.facts.retries.iter().find(|retry| retry.occurrence.scheduled_for == time);
        let (outcome, text) = match retry {
            Some(retry) => {
                let next = self.clock(retry.due);
                (Outcome::Waiting, format!("{text} Attempt {} is at {next}.", retry.attempt))
            }
            None => (outcome, text),
        };
        Some(Account { time, outcome, reason: row.reason, execution_id: Some(row.id), text })
    }

    /// The skip that stands for a time, alone or with the times before it.
    fn skip(&self, time: Millis) -> Option<Account> {
        let plan = self.task.plan();
        let row = self.rows.iter().find(|row| {
            // The place of the time among those that the row stands for, from 1 on.
            let place = || match time == row.scheduled_for {
                true => 1,
                false => plan.count_between(row.scheduled_for - 1, time).count,
            };
            row.status == ExecutionStatus::Skipped
                && row.scheduled_for <= time
                && (1..=row.skipped_count.unwrap_or(1)).contains(&place())
        })?;
        let at = self.clock(time);
        let why = match row.reason {
            Some(Reason::Overlap) => match self.in_progress_at(time) {
                Some(other) => format!(
                    "the run of {} still ran{}",
                    self.clock(other.scheduled_for),
                    end_of(other).map(|end| format!(" (until {})", self.clock(end))).unwrap_or_default()
                ),
                None => "another run of the task was in progress".to_owned(),
            },
            Some(Reason::Retrying) => "a failed run before it was waiting for its next attempt".to_owned(),
            _ => "its time was missed: the server was down, or too busy".to_owned(),
        };
        let text = format!("{at} was skipped: {why}.");
        Some(Account {
            time,
            outcome: Outcome::Skipped,
            reason: row.reason,
            execution_id: Some(row.id),
            text,
        })
    }

    fn without_row(&self, time: Millis) -> Account {
        let at = self.clock(time);
        let facts = &self.task.facts;
        let waits = facts.waiting.iter().any(|waiting| waiting.occurrence.scheduled_for == time);
        let (outcome, text) = if waits {
            (Outcome::Waiting, format!("{at} waits for its turn."))
        } else if time < self.task.created_at {
            let created = self.clock(self.task.created_at);
            (Outcome::None, format!("{at} was not planned: the task was created at {created}."))
        } else if let Some(text) = self.paused_at(time) {
            (Outcome::Paused, format!("{at} did not run: {text}."))
        } else if time > self.now {
            (Outcome::Planned, format!("{at} is planned."))
        } else if facts.next == Some(time) {
            (Outcome::Waiting, format!("{at} is due now."))
        } else {
            (Outcome::Unknown, format!("No record of {at} is kept."))
        };
        Account { time, outcome, reason: None, execution_id: None, text }
    }

    /// Says who had paused the task at a time; `None` if it was not paused, as far as it is known.
    fn paused_at(&self, time: Millis) -> Option<String> {
        let is_turn = |change: &&Change| ["pause", "resume"].contains(&change.action.as_str());
        let before = self.changes.iter().filter(is_turn).rev().find(|change| change.time <= time);
        let after = self.changes.iter().filter(is_turn).find(|change| change.time > time);
        match (before, after) {
            (Some(pause), end) if pause.action == "pause" => {
                let end = match end.filter(|end| end.action == "resume") {
                    Some(end) => format!(" to {}", self.clock(end.time)),
                    None => String::new(),
                };
                Some(format!("paused by {} from {}{end}", pause.actor, self.clock(pause.time)))
            }
            (None, None) if self.task.facts.paused => Some("the task is paused".to_owned()),
            (None, Some(end)) if end.action == "resume" => {
                Some(format!("paused until {}, when {} resumed it", self.clock(end.time), end.actor))
            }
            _ => None,
        }
    }

    fn rescheduled(&self, time: Millis, change: &Change) -> Account {
        let before = change.schedule_before.as_deref().unwrap_or_default();
        let text = format!(
            "{} was not planned: the schedule was `{before}` until {}, when {} changed it.",
            self.clock(time),
            self.clock(change.time),
            change.actor
        );
        Account { time, outcome: Outcome::None, reason: None, execution_id: None, text }
    }

    fn in_progress_at(&self, time: Millis) -> Option<&Execution> {
        let began_before = |row: &&Execution| row.start_time.is_some_and(|start| start <= time);
        let rows = self.rows.iter().filter(|row| row.status != ExecutionStatus::Skipped);
        rows.filter(began_before)
            .filter(|row| end_of(row).is_none_or(|end| end >= time))
            .max_by_key(|row| row.start_time)
    }

    fn took(&self, row: &Execution) -> String {
        let duration = row.duration.map(|duration| format!(" in {}", duration_in_words(duration)));
        duration.unwrap_or_default()
    }

    /// A time by the clocks of the task's zone; with the day, if it is not that of the present.
    fn clock(&self, time: Millis) -> String {
        let wall = |time: Millis| self.zone().timestamp_millis_opt(time).single();
        let (Some(at), Some(now)) = (wall(time), wall(self.now)) else { return time.to_string() };
        let seconds = if time.rem_euclid(60_000) >= 1000 { ":%S" } else { "" };
        let day = if at.date_naive() == now.date_naive() { "" } else { " on %Y-%m-%d" };
        at.format(&format!("%H:%M{seconds}{day}")).to_string()
    }
}

fn end_of(row: &Execution) -> Option<Millis> {
    Some(row.start_time?.saturating_add(row.duration?))
}

fn quoted(error: Option<&str>) -> String {
    let line = error.and_then(|error| error.lines().next()).map(|line| line.trim_end_matches('.'));
    line.map(|line| format!(": {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        draft::tests::definition,
        facts::{Occurrence, PendingRetry},
        ids::TaskId,
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

    fn change(hour: Millis, action: &str) -> Change {
        let (action, actor) = (action.to_owned(), "alice".to_owned());
        Change { time: MIDNIGHT + hour * HOUR / 2, action, actor, schedule_before: None }
    }

    /// The accounts of a span of hours, as outcomes and texts.
    fn accounts(known: &Known<'_>, from: Millis, until: Millis) -> Vec<(Outcome, String)> {
        let (accounts, _) = explain(known, MIDNIGHT + from * HOUR, MIDNIGHT + until * HOUR);
        accounts.into_iter().map(|account| (account.outcome, account.text)).collect()
    }

    fn known<'a>(task: &'a Task, rows: &'a [Execution], changes: &'a [Change]) -> Known<'a> {
        Known { task, rows, changes, since: MIDNIGHT, now: MIDNIGHT + 12 * HOUR + 1 }
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
        task.facts.retries.push(PendingRetry {
            attempt: 2,
            due: MIDNIGHT + 13 * HOUR,
            occurrence,
            failed: None,
        });
        let waiting = (Outcome::Waiting, "02:00 failed: no. Attempt 2 is at 13:00.".to_owned());
        assert_eq!(accounts(&known(&task, &rows, &[]), 2, 3), [waiting]);
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
        let changes = [change(3, "pause"), change(7, "resume")];
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
    fn times_of_an_earlier_schedule_are_told_as_such() {
        let task = task("0 20 * * *");
        let before = Some("0 3 * * *".to_owned());
        let changes = [Change { schedule_before: before, ..change(20, "update") }];
        let text = "04:00 was not planned: the schedule was `0 3 * * *` until 10:00, when alice changed it.";
        assert_eq!(accounts(&known(&task, &[], &changes), 4, 5), [(Outcome::None, text.to_owned())]);
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
}

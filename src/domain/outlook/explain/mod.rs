//! Explain: why a task did, or did not, run at a time.
//!
//! The account is given from the rows of the task, from the times of its schedule, and from the changes
//! that users made. A time without a row is explained by the first of these that applies: it is still to
//! come, the task was paused or did not exist, or nothing is known of it any more. Runs that no plan asked
//! for have no account; they are named where one was in the way.

mod attempts;
mod changes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::TimeZone;
use chrono_tz::Tz;
use serde::Serialize;

pub use self::changes::{Change, Planned, changes};
use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Reason},
    facts::Task,
    ids::ExecutionId,
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
    /// The attempts that are known; 0 if it did not start.
    pub attempts: usize,
    /// Sentences for people, with times of one zone.
    pub text: String,
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
    /// All changes from this time on are known.
    pub changes_since: Millis,
    /// The present.
    pub now: Millis,
    /// The zone of the times in the texts.
    pub zone: Tz,
}

/// The accounts of the planned times in `[from, until)`, and whether all of them are certain.
#[must_use]
pub fn explain(known: &Known<'_>, from: Millis, until: Millis) -> (Vec<Account>, bool) {
    let mut accounts: BTreeMap<Millis, Account> = BTreeMap::new();
    let of_plan = |row: &&Execution| (from..until).contains(&row.scheduled_for) && known.is_of_plan(row);
    for row in known.rows.iter().filter(of_plan) {
        accounts.entry(row.scheduled_for).or_insert_with(|| known.account(row.scheduled_for));
    }
    for time in known.planned_earlier(from, until) {
        accounts.entry(time).or_insert_with(|| known.account(time));
    }
    // A time of the present schedule, before it was the task's, is one that a user may ask for.
    for time in known.planned(from.max(known.task.created_at), until) {
        accounts.entry(time).or_insert_with(|| match known.rescheduled_after(time) {
            Some((change, before)) => known.rescheduled(time, change, before),
            None => known.account(time),
        });
    }
    if accounts.is_empty()
        && from >= known.task.created_at
        && let Some((change, before)) = known.rescheduled_after(from)
    {
        accounts.insert(from, known.rescheduled(from, change, before));
    }
    let accounts: Vec<Account> = accounts.into_values().rev().take(MOST).collect();
    let knows_since = |since: Millis| from >= since || since <= known.task.created_at;
    let certain = accounts.iter().all(|account| account.outcome != Outcome::Unknown)
        && knows_since(known.since)
        && knows_since(known.changes_since);
    (accounts.into_iter().rev().collect(), certain)
}

impl Known<'_> {
    /// The times of the schedule in a span.
    fn planned(&self, from: Millis, until: Millis) -> Vec<Millis> {
        let task = self.task;
        if task.definition.recurring {
            return task.plan().newest_between(from - 1, until - 1, MOST);
        }
        task.facts.next.filter(|next| (from..until).contains(next)).into_iter().collect()
    }

    /// The times of the schedules that the task had before, in a span.
    fn planned_earlier(&self, from: Millis, until: Millis) -> Vec<Millis> {
        let mut times = Vec::new();
        let mut since = self.task.created_at.max(self.changes_since);
        for change in self.changes {
            let Some(before) = &change.before else { continue };
            let (begin, end) = (from.max(since), until.min(change.time));
            since = change.time;
            if begin < end {
                times.extend(before.between(self.task, begin, end, MOST));
            }
        }
        times
    }

    /// The first change of the schedule after a time.
    fn rescheduled_after(&self, time: Millis) -> Option<(&Change, &Planned)> {
        let mut rescheduled = self.changes.iter().filter(|change| change.time > time);
        rescheduled.find_map(|change| Some((change, change.before.as_ref()?)))
    }

    fn account(&self, time: Millis) -> Account {
        let account =
            self.attempts(time).or_else(|| self.skip(time)).unwrap_or_else(|| self.without_row(time));
        let mut account = account;
        // A time that the clocks left out, or showed twice.
        for warning in self.task.definition.schedule.warnings(self.task.definition.timezone, &[time]) {
            if warning.contains(" in ") {
                account.text = format!("{} {warning}", account.text);
            }
        }
        account
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
                    "{} still ran{}",
                    self.name_run(other),
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
            attempts: 0,
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
        Account { time, outcome, reason: None, execution_id: None, attempts: 0, text }
    }

    /// Says who had paused the task at a time; `None` if it was not paused, as far as it is known.
    fn paused_at(&self, time: Millis) -> Option<String> {
        let before = self.changes.iter().rev().find(|change| change.pauses.is_some() && change.time <= time);
        let after = self.changes.iter().find(|change| change.pauses.is_some() && change.time > time);
        match (before, after) {
            (Some(pause), end) if pause.pauses == Some(true) => {
                let end = match end.filter(|end| end.pauses == Some(false)) {
                    Some(end) => format!(" to {}", self.clock(end.time)),
                    None => String::new(),
                };
                Some(format!("paused by {} from {}{end}", pause.actor, self.clock(pause.time)))
            }
            (None, None) if self.task.facts.paused => Some("the task is paused".to_owned()),
            (None, Some(end)) if end.pauses == Some(false) => {
                Some(format!("paused until {}, when {} resumed it", self.clock(end.time), end.actor))
            }
            _ => None,
        }
    }

    fn rescheduled(&self, time: Millis, change: &Change, before: &Planned) -> Account {
        let zone = if before.timezone == self.zone {
            String::new()
        } else {
            format!(" in {}", before.timezone.name())
        };
        let text = format!(
            "{} was not planned: the schedule was `{}`{zone} until {}, when {} changed it.",
            self.clock(time),
            before.schedule,
            self.clock(change.time),
            change.actor
        );
        Account { time, outcome: Outcome::None, reason: None, execution_id: None, attempts: 0, text }
    }

    fn in_progress_at(&self, time: Millis) -> Option<&Execution> {
        let began_before = |row: &&Execution| row.start_time.is_some_and(|start| start <= time);
        let rows = self.rows.iter().filter(|row| row.status != ExecutionStatus::Skipped);
        rows.filter(began_before)
            .filter(|row| end_of(row).is_none_or(|end| end >= time))
            .max_by_key(|row| row.start_time)
    }

    /// A time by the clocks of the texts' zone; with the day, if it is not that of the present.
    fn clock(&self, time: Millis) -> String {
        let wall = |time: Millis| self.zone.timestamp_millis_opt(time).single();
        let (Some(at), Some(now)) = (wall(time), wall(self.now)) else { return time.to_string() };
        let seconds = if time.rem_euclid(60_000) >= 1000 { ":%S" } else { "" };
        let day = if at.date_naive() == now.date_naive() { "" } else { " on %Y-%m-%d" };
        at.format(&format!("%H:%M{seconds}{day}")).to_string()
    }
}

fn end_of(row: &Execution) -> Option<Millis> {
    Some(row.start_time?.saturating_add(row.duration?))
}

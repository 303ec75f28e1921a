//! The changes of a task that explain its planned times, from the audit.

use chrono_tz::Tz;

use crate::domain::{
    Millis,
    audit::{Audit, Outcome, Via},
    definition::Definition,
    facts::Task,
    schedule::{Schedule, Timetable},
    zone::parse_zone,
};

/// A change of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Epoch milliseconds.
    pub time: Millis,
    /// Who made it, as in a sentence.
    pub actor: String,
    /// Whether the task is paused after it; `None`: as before.
    pub pauses: Option<bool>,
    /// The schedule before it, if it changed that.
    pub before: Option<Planned>,
}

/// A schedule with its zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The schedule.
    pub schedule: Timetable,
    /// The zone whose clocks it follows.
    pub timezone: Tz,
}

impl Planned {
    /// The newest `most` times in `[from, until)`. Of an interval whose start is no longer known there are
    /// none.
    pub(super) fn between(&self, task: &Task, from: Millis, until: Millis, most: usize) -> Vec<Millis> {
        if !task.definition.recurring || !matches!(*self.schedule, Schedule::Cron(_)) {
            return Vec::new();
        }
        let (schedule, timezone) = (self.schedule.clone(), self.timezone);
        let definition = Definition { schedule, timezone, ..task.definition.clone() };
        definition.plan(task.facts.anchor, task.id).newest_between(from - 1, until - 1, most)
    }
}

/// The changes of a task, oldest first, from its audit records, newest first.
#[must_use]
pub fn changes(task: &Task, records: &[Audit]) -> Vec<Change> {
    let (schedule, timezone) = (task.definition.schedule.clone(), task.definition.timezone);
    let mut after = Planned { schedule, timezone };
    let mut found = Vec::new();
    for record in records.iter().filter(|record| record.outcome == Outcome::Done && record.target.is_none()) {
        let pauses = match record.action.as_str() {
            "pause" | "release" => Some(true),
            "resume" | "create" => Some(false),
            _ => None,
        };
        let before = before(record, &after);
        if pauses.is_some() || before.is_some() {
            after = before.clone().unwrap_or(after);
            found.push(Change { time: record.time, actor: name(record), pauses, before });
        }
    }
    found.reverse();
    found
}

/// The schedule before a change, if that changed it.
fn before(record: &Audit, after: &Planned) -> Option<Planned> {
    let text = |field: &str| {
        let change = record.changes.iter().find(|change| change.field == field);
        change.and_then(|change| change.from.as_str())
    };
    let schedule = text("schedule").and_then(|text| Timetable::parse(text).ok());
    let timezone = text("timezone").and_then(|text| parse_zone(text).ok());
    if schedule.is_none() && timezone.is_none() {
        return None;
    }
    Some(Planned {
        schedule: schedule.unwrap_or_else(|| after.schedule.clone()),
        timezone: timezone.unwrap_or(after.timezone),
    })
}

/// The actor of a record, as in a sentence.
fn name(record: &Audit) -> String {
    match &record.actor {
        // A record of 0.1.0.
        None => "a user".to_owned(),
        Some(actor) if actor.via == Via::System && actor.name == "alert" => "an alert".to_owned(),
        Some(actor) if actor.via == Via::File => format!("the file {}", actor.name),
        Some(actor) => actor.name.clone(),
    }
}

//! Documents of the audit, and the accounts of planned times that come from it.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::{
    Millis,
    audit::{FieldChange, Holder, Outcome, Target, Via},
};

/// A page of the audit, newest first.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct AuditList {
    pub(in crate::dashboard) records: Vec<AuditRecord>,
    pub(in crate::dashboard) next_cursor: Option<String>,
    pub(in crate::dashboard) complete: bool,
}

/// A record of the audit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct AuditRecord {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) time: Millis,
    pub(in crate::dashboard) action: String,
    pub(in crate::dashboard) outcome: Outcome,
    pub(in crate::dashboard) reason: Option<String>,
    pub(in crate::dashboard) actor: Option<Holder>,
    pub(in crate::dashboard) address: Option<String>,
    pub(in crate::dashboard) target: Option<Target>,
    pub(in crate::dashboard) task_id: Option<String>,
    pub(in crate::dashboard) task_name: Option<String>,
    pub(in crate::dashboard) changes: Vec<FieldChange>,
}

impl AuditRecord {
    pub(in crate::dashboard) fn is_refused(&self) -> bool {
        self.outcome == Outcome::Refused
    }

    /// Who did it.
    pub(in crate::dashboard) fn who(&self) -> &str {
        self.actor.as_ref().map_or("nobody known", |actor| actor.name.as_str())
    }

    /// The way in which it came, with the role.
    pub(in crate::dashboard) fn way(&self) -> String {
        let Some(actor) = &self.actor else { return String::new() };
        let way = match actor.via {
            Via::Token => "with a token",
            Via::Session => "in a browser",
            Via::File => "a file of tasks",
            Via::System => "the server",
        };
        actor.role.map_or(way.to_owned(), |role| format!("{}, {way}", role.name()))
    }

    /// The thing besides a task that it is about.
    pub(in crate::dashboard) fn thing(&self) -> Option<(&str, &str)> {
        let target = self.target.as_ref().filter(|target| target.kind != "task")?;
        Some((&target.kind, target.name.as_ref().unwrap_or(&target.id)))
    }

    /// The fields that it has changed, each with its values before and after.
    pub(in crate::dashboard) fn fields(&self) -> Vec<(&str, String, String)> {
        self.changes
            .iter()
            .map(|change| (change.field.as_str(), value_text(&change.from), value_text(&change.to)))
            .collect()
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Why a task did, or did not, run at its planned times.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Explanation {
    pub(in crate::dashboard) task_name: String,
    /// Oldest first.
    pub(in crate::dashboard) times: Vec<Explained>,
    pub(in crate::dashboard) certain: bool,
}

/// The account of a planned time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Explained {
    pub(in crate::dashboard) time: Millis,
    pub(in crate::dashboard) outcome: String,
    pub(in crate::dashboard) reason: Option<String>,
    pub(in crate::dashboard) execution_id: Option<String>,
    pub(in crate::dashboard) attempts: usize,
    pub(in crate::dashboard) text: String,
}

impl Explained {
    /// Whether another time had the same fate for the same cause: their sentences differ in numbers alone.
    pub(in crate::dashboard) fn is_like(&self, other: &Self) -> bool {
        let sentence = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        let fate = |one: &Self| (one.outcome.clone(), one.reason.clone(), one.attempts);
        fate(self) == fate(other)
            && (self.outcome == "completed" || sentence(&self.text) == sentence(&other.text))
    }

    /// The outcome in words.
    pub(in crate::dashboard) fn word(&self) -> &str {
        match self.outcome.as_str() {
            "completed" => "Completed",
            "failed" => "Failed",
            "cancelled" => "Cancelled",
            "running" => "Running",
            "waiting" => "Waits",
            "skipped" => "Skipped",
            "paused" => "Paused",
            "planned" => "Planned",
            "none" => "Not planned",
            _ => "Not known",
        }
    }
}

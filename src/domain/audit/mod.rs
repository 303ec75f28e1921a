//! The audit: who did what, and what it changed.

mod action;
mod changes;
mod refusals;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    action::Action,
    changes::{changed, changes_of_task, shorten},
    refusals::Refusals,
};
use super::{
    Millis,
    access::Role,
    definition::Definition,
    facts::Task,
    ids::{TaskId, TokenId},
    network::trace::TraceContext,
};

/// The way in which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// With a token.
    Token,
    /// With a session.
    Session,
    /// From a file of tasks.
    File,
    /// From the server itself, or from a command on the server's machine.
    #[default]
    System,
}

/// The holder of a token, a file of tasks, or a part of the server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holder {
    /// The token; `None`: the configuration's, or no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TokenId>,
    /// The name of the token or of the file.
    pub name: String,
    /// The role of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The way in which the request came.
    pub via: Via,
}

/// The user, program or file behind a request.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// The holder of the token, or the file.
    pub holder: Holder,
    /// The address of the client.
    pub address: Option<String>,
    /// The id of the HTTP request, or the name of the file of tasks.
    pub request_id: String,
    /// The span of the request, if traces are recorded.
    pub trace: Option<TraceContext>,
}

impl Actor {
    /// A file of tasks.
    #[must_use]
    pub fn of_file(file: &str) -> Self {
        let holder = Holder { name: file.to_owned(), via: Via::File, ..Holder::default() };
        Self { holder, request_id: file.to_owned(), ..Self::default() }
    }

    /// A part of the server, such as `alert`, or a command.
    #[must_use]
    pub fn of_system(name: &str, request_id: String) -> Self {
        let holder = Holder { name: name.to_owned(), ..Holder::default() };
        Self { holder, request_id, ..Self::default() }
    }

    /// The name of the token, if the actor has one.
    #[must_use]
    pub fn token_name(&self) -> Option<&str> {
        matches!(self.holder.via, Via::Token | Via::Session).then_some(self.holder.name.as_str())
    }

    /// The record of an action that is done.
    #[must_use]
    pub fn record(&self, action: Action, time: Millis) -> Audit {
        Audit {
            time,
            action: action.name().to_owned(),
            actor: Some(self.holder.clone()),
            address: self.address.clone(),
            request_id: self.request_id.clone(),
            ..Audit::default()
        }
    }
}

/// A thing besides tasks that an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Such as `token` or `secret`.
    pub kind: String,
    /// The id, the key or the name.
    pub id: String,
    /// The name, where it is not the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Target {
    /// A thing that is known by its name.
    #[must_use]
    pub fn new(kind: &str, id: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), id: id.into(), name: None }
    }
}

/// A field that an action has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The name; a parameter as `params.` and its key.
    pub field: String,
    /// The value before, at most [`LONGEST`] bytes of JSON; null if there was none.
    pub from: Value,
    /// The value after, likewise; null if there is none.
    pub to: Value,
}

/// The longest value that a record keeps whole, in bytes of its JSON. Of a longer one it keeps the beginning.
pub const LONGEST: usize = 1024;

/// Whether the action was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    #[default]
    Done,
    /// It was refused.
    Refused,
}

impl Outcome {
    /// Whether it was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        *self == Self::Done
    }
}

/// A record of the audit: one action.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Epoch milliseconds.
    pub time: Millis,
    /// The name of an [`Action`].
    pub action: String,
    /// Whether it was done.
    #[serde(default, skip_serializing_if = "Outcome::is_done")]
    pub outcome: Outcome,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `None` in records of 0.1.0, and for a login that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Holder>,
    /// The address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The task that the action is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The task's name at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// The thing that the action is about; `None`: the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The fields that it has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// The id of the HTTP request, or the name of the file of tasks.
    pub request_id: String,
}

impl Audit {
    /// The record about a task.
    #[must_use]
    pub fn about(self, task: &Task) -> Self {
        Self { task_id: Some(task.id), task_name: Some(task.definition.name.clone()), ..self }
    }

    /// The record about a thing besides tasks.
    #[must_use]
    pub fn on(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// The record of an action that was refused.
    #[must_use]
    pub fn refused(self, reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Refused, reason: Some(reason.into()), ..self }
    }

    /// The record with the fields in which two definitions of its task differ.
    #[must_use]
    pub fn with_changes(self, old: &Definition, new: &Definition) -> Self {
        if old == new { self } else { Self { changes: changes_of_task(old, new), ..self } }
    }

    /// The record of a step that no request has asked for: the pause of a task by an alert.
    #[must_use]
    pub fn of_step(old: &Task, new: &Task) -> Option<Self> {
        let paused = new.facts.paused_by.as_ref().filter(|_| !old.facts.paused && new.facts.paused)?;
        let actor = Actor::of_system(&paused.by, String::new());
        Some(Self {
            reason: Some(paused.why.clone()),
            ..actor.record(Action::Pause, paused.since).about(new)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_of_the_first_release_is_read() {
        let old = json!({ "time": 5, "action": "pause", "taskId": "task-01arz3ndektsv4rrffq69g5fav",
            "taskName": "a", "requestId": "r" });
        let audit: Audit = serde_json::from_value(old.clone()).expect("it is read");
        assert_eq!(
            (audit.task_name.as_deref(), audit.outcome, &audit.actor),
            (Some("a"), Outcome::Done, &None)
        );
        assert_eq!(serde_json::to_value(audit).expect("it is written"), old);
    }
}

//! State: the entries that handlers keep under keys, and the finished steps of their occurrences.
//!
//! Every write of a run names its execution ([`Fence`]); the store refuses it, in the change itself,
//! once that execution is no longer in progress. So an attempt that was lost, timed out or was cancelled
//! writes nothing beside the next one.
//!
//! An entry whose time has passed is never shown. It is removed later, in small parts beside other changes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Audit;
use crate::domain::{
    Millis,
    audit::changed,
    execution::{Execution, Hashes, Progress, StepNote, StepStatus},
    ids::{ExecutionId, TaskId},
};

/// The longest key, in bytes.
pub const LONGEST_KEY: usize = 512;
/// The longest value of an entry and result of a step, in bytes of JSON.
pub const LONGEST_VALUE: usize = 64 * 1024;
/// The longest time for which an entry is shown, in milliseconds: a hundred years.
pub const LONGEST_TTL: u64 = 36_525 * 86_400_000;

/// The execution in whose name a write is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// Its task.
    pub task: TaskId,
    /// The execution, which must be in progress.
    pub execution: ExecutionId,
}

/// The state of a run that its row shows while it goes on. A part of `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunNote {
    /// The last progress that the run reported.
    pub progress: Option<Progress>,
    /// The hashes of its own file and over all its files so far.
    pub hashes: Option<Hashes>,
}

impl RunNote {
    /// The row with the note.
    #[must_use]
    pub fn put_into(self, mut row: Execution) -> Execution {
        row.progress = self.progress.or(row.progress);
        if let Some(Hashes { handler, files }) = self.hashes {
            (row.handler_hash, row.files_hash) = (Some(handler), Some(files));
        }
        row
    }
}

/// The owner of entries. Written as a task's id, or `null` for the entries that all tasks share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Option<TaskId>", into = "Option<TaskId>")]
pub enum Owner {
    /// All tasks.
    Shared,
    /// One task; its entries go when it is deleted.
    Task(TaskId),
}

impl From<Option<TaskId>> for Owner {
    fn from(task: Option<TaskId>) -> Self {
        task.map_or(Self::Shared, Self::Task)
    }
}

impl From<Owner> for Option<TaskId> {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Shared => None,
            Owner::Task(task) => Some(task),
        }
    }
}

/// An entry without its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Any JSON.
    pub value: Value,
    /// Grows with every write to the owner's entries: no version of an owner is ever given twice.
    pub version: u64,
    /// Epoch milliseconds from which the entry is no longer shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}

impl Entry {
    /// Whether the entry is still to be shown at `now`.
    #[must_use]
    pub fn is_live(&self, now: Millis) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

/// A part of an owner's entries.
#[derive(Debug, Clone, Default)]
pub struct EntryQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Only keys after this one.
    pub after: Option<String>,
    /// Entries to return at most.
    pub limit: usize,
}

/// Entries in the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryPage {
    /// At most the query's limit.
    pub entries: Vec<(String, Entry)>,
    /// Whether there may be more after the last one.
    pub more: bool,
}

/// A change of one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The owner; a task must exist.
    pub owner: Owner,
    /// 1 to 512 bytes.
    pub key: String,
    /// The change.
    pub change: Change,
    /// The run that makes it; `None` for a user.
    pub fence: Option<Fence>,
    /// The most that the owner may have.
    pub quota: Quota,
    /// The audit record of a user's edit, to be written if the edit changes the entry.
    pub audit: Option<Box<Audit>>,
}

impl Edit {
    /// The audit record, with the versions before and after the edit.
    pub(super) fn audit_of(&self, old: Option<&Entry>, new: Option<&Entry>) -> Option<Audit> {
        let version = |entry: Option<&Entry>| entry.map_or(Value::Null, |entry| Value::from(entry.version));
        let changes = changed("version", version(old), version(new)).into_iter().collect();
        Some(Audit { changes, ..self.audit.as_deref()?.clone() })
    }
}

/// The change of an [`Edit`].
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets the value.
    Set {
        /// Any JSON.
        value: Value,
        /// Milliseconds from the store's time on for which the entry is shown; `None`: for good.
        ttl: Option<Millis>,
        /// The version that there must be.
        expected: Expected,
    },
    /// Removes the entry.
    Delete {
        /// The version that there must be.
        expected: Expected,
    },
    /// Adds to a number; an entry that does not exist counts as 0. The time of its end stays.
    Increment {
        /// The number to add.
        by: f64,
    },
}

/// The version that a change needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any, or none.
    Any,
    /// There must be no entry.
    Absent,
    /// This one.
    Version(u64),
}

impl Expected {
    /// Whether an entry with this version (`None`: no entry) is the expected one.
    #[must_use]
    pub fn allows(self, version: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

/// The most entries and bytes of an owner. The bytes are those of the keys and of the entries as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Entries.
    pub entries: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The result of an edit.
#[derive(Debug, Clone, PartialEq)]
pub enum Edited {
    /// The entry as it is now.
    Set(Entry),
    /// The entry is gone.
    Removed,
    /// Nothing was changed: the version is this one (`None`: no entry).
    Unchanged(Option<u64>),
}

/// Why a write to the state is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The fence does not hold.
    #[error("the run is over by the server's account ({0} is not in progress), so it writes nothing more")]
    NotRunning(ExecutionId),
    /// The owner has the most entries.
    #[error("there are {0} entries already, the most that may be (limits.kvEntries): delete some first")]
    TooManyEntries(u64),
    /// The owner would have more than the most bytes.
    #[error("the entries would take {would} bytes; {most} are the most (limits.kvBytes)")]
    TooManyBytes {
        /// Bytes after the write.
        would: u64,
        /// The quota.
        most: u64,
    },
    /// The value is no number, or the sum is none.
    #[error("increment needs a number under the key, and there is {0}")]
    NotANumber(&'static str),
}

/// A step that is finished, with its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishedStep {
    /// Unique within the occurrence; 1 to 200 characters.
    pub name: String,
    /// Counts the finished steps of the occurrence from 0.
    pub number: u32,
    /// The result.
    pub value: Value,
    /// The attempt that called its function.
    pub attempt: u32,
    /// Milliseconds that its function took.
    pub duration: Millis,
}

impl FinishedStep {
    /// The step as executions show it.
    #[must_use]
    pub fn into_note(self) -> StepNote {
        let Self { name, attempt, duration, .. } = self;
        StepNote { name, status: StepStatus::Completed, duration: Some(duration), attempt }
    }
}

/// The bytes that an entry counts as, `json` being those of the entry itself.
#[must_use]
pub(super) fn size(key: &str, json: usize) -> u64 {
    (key.len() + json) as u64
}

/// The entries of an owner, counted, and the last version given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Entries.
    pub(super) entries: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// The last version given, 0 for none.
    pub(super) version: u64,
}

/// The account and the entry after a change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) account: Account,
    /// `None`: it is removed.
    pub(super) entry: Option<Entry>,
}

/// Decides about a change: the outcome to write, or the answer if there is nothing to write. `old` is the
/// stored entry, shown or not, with its size.
pub(super) fn decide(
    edit: &Edit,
    old: Option<(&Entry, u64)>,
    account: Account,
    now: Millis,
) -> Result<Result<Outcome, Edited>, StateError> {
    let shown = old.map(|(entry, _)| entry).filter(|entry| entry.is_live(now));
    let version = shown.map(|entry| entry.version);
    let without = Account {
        entries: account.entries - u64::from(old.is_some()).min(account.entries),
        bytes: account.bytes - old.map_or(0, |(_, size)| size).min(account.bytes),
        version: account.version + 1,
    };
    let (value, expires_at) = match &edit.change {
        Change::Set { expected, .. } | Change::Delete { expected } if !expected.allows(version) => {
            return Ok(Err(Edited::Unchanged(version)));
        }
        Change::Delete { .. } if shown.is_none() => return Ok(Err(Edited::Unchanged(None))),
        Change::Delete { .. } => return Ok(Ok(Outcome { account: without, entry: None })),
        Change::Set { value, ttl, .. } => (value.clone(), ttl.map(|ttl| now.saturating_add(ttl))),
        Change::Increment { by } => {
            (add(shown.map(|entry| &entry.value), *by)?, shown.and_then(|entry| entry.expires_at))
        }
    };
    let entry = Entry { value, version: without.version, expires_at };
    let bytes = size(&edit.key, serde_json::to_vec(&entry).map_or(0, |json| json.len()));
    let after = Account { entries: without.entries + 1, bytes: without.bytes + bytes, ..without };
    if after.entries > edit.quota.entries && after.entries > account.entries {
        return Err(StateError::TooManyEntries(edit.quota.entries));
    }
    if after.bytes > edit.quota.bytes && after.bytes > account.bytes {
        return Err(StateError::TooManyBytes { would: after.bytes, most: edit.quota.bytes });
    }
    Ok(Ok(Outcome { account: after, entry: Some(entry) }))
}

/// The largest whole number up to which floats have every whole number.
const EXACT: f64 = 9_007_199_254_740_991.0;

fn add(value: Option<&Value>, by: f64) -> Result<Value, StateError> {
    let before = match value {
        None => 0.0,
        Some(Value::Number(number)) => number.as_f64().unwrap_or(f64::NAN),
        Some(Value::Null) => return Err(StateError::NotANumber("null")),
        Some(Value::Bool(_)) => return Err(StateError::NotANumber("a boolean")),
        Some(Value::String(_)) => return Err(StateError::NotANumber("a string")),
        Some(Value::Array(_)) => return Err(StateError::NotANumber("an array")),
        Some(Value::Object(_)) => return Err(StateError::NotANumber("an object")),
    };
    let sum = before + by;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    if sum.fract() == 0.0 && sum.abs() <= EXACT {
        return Ok(Value::from(sum as i64));
    }
    serde_json::Number::from_f64(sum).map(Value::Number).ok_or(StateError::NotANumber("a sum out of range"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_grows_as_javascript_adds_and_anything_else_is_refused_by_its_kind() {
        for (value, by, sum) in [
            (None, 1.0, json!(1)),
            (Some(json!(41)), 1.0, json!(42)),
            (Some(json!(-0.5)), 0.25, json!(-0.25)),
            (Some(json!(0.5)), 0.5, json!(1)),
            (Some(json!(9_007_199_254_740_991_i64)), 1.0, json!(9_007_199_254_740_992.0)),
        ] {
            assert_eq!(add(value.as_ref(), by), Ok(sum));
        }
        for (value, kind) in [(json!("1"), "a string"), (json!(null), "null"), (json!([1]), "an array")] {
            assert_eq!(add(Some(&value), 1.0), Err(StateError::NotANumber(kind)));
        }
        assert!(add(Some(&json!(f64::MAX)), f64::MAX).is_err());
    }
}

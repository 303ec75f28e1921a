//! Copies: all records of a store, independent of its backend.
//!
//! A store gives a copy in parts ([`Copies::export`](super::Copies::export)), so that it serves other
//! operations in between; an empty store takes the parts in the same order
//! ([`Copies::import`](super::Copies::import)). Indexes and counters follow from the records and are
//! not in a copy: the importing store makes its own.
//!
//! A task is read together with the rows of its executions in progress, so they agree in a copy. Two
//! tasks of one copy may be from different times.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    audit::Audit,
    figures::Span,
    sources::Runs,
    state::{Entry, FinishedStep, Owner},
    words::Output,
};
use crate::domain::{
    Millis,
    access::record::TokenRecord,
    activity::Bucket,
    alerts::Delivery,
    binding::{Binding, Kind},
    execution::Execution,
    facts::Task,
    ids::{ExecutionId, TaskId},
};

/// A record that a store keeps; indexes and counters are none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Record {
    /// A task with its facts.
    Task(Box<Task>),
    /// An execution of the last task before this record.
    Execution(Box<Execution>),
    /// Output of an execution of the last task before this record.
    Output(Output),
    /// An action of a user.
    Audit(Audit),
    /// A value under a key.
    Value {
        /// Unique in a copy.
        key: String,
        /// Any JSON.
        value: Value,
    },
    /// A finished step of the last task before this record.
    Step {
        /// The task.
        task: TaskId,
        /// The occurrence's planned time.
        #[serde(rename = "scheduledFor")]
        scheduled_for: Millis,
        /// The step.
        step: FinishedStep,
    },
    /// The last version given to entries of the last task before this record, or to shared ones.
    Version {
        /// The owner of the entries.
        owner: Owner,
        /// 1 or more.
        version: u64,
    },
    /// An entry of the last task before this record, or a shared one.
    Entry {
        /// The owner.
        owner: Owner,
        /// Unique for the owner.
        key: String,
        /// Value, version and end.
        entry: Entry,
    },
    /// A secret, sealed, or a variable.
    Binding(Binding),
    /// Long parameters of runs of the last task before this record.
    Params(KeptParams),
    /// A version of a handler, with its source if that is kept.
    Source(KeptVersion),
    /// A bucket of activity.
    Activity {
        /// Its place.
        span: Span,
        /// Its start and its tally.
        bucket: Bucket,
    },
    /// A token, without its text.
    Token(Box<TokenRecord>),
    /// An alert and what has become of it.
    Alert(Box<Delivery>),
    /// A record in quarantine.
    #[serde(rename = "setAside")]
    Quarantine(Quarantined),
}

/// Long parameters of runs of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptParams {
    /// The task.
    pub task: TaskId,
    /// Epoch milliseconds of the first run that had them.
    pub time: Millis,
    /// SHA-256 of the JSON text, hexadecimal.
    pub hash: String,
    /// The parameters.
    pub params: Map<String, Value>,
}

/// A version of a handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptVersion {
    /// The handler.
    pub handler: String,
    /// SHA-256 of its file, hexadecimal.
    #[serde(with = "hexadecimal")]
    pub hash: Vec<u8>,
    /// Its runs.
    pub runs: Runs,
    /// The text of its file, if that is kept.
    pub text: Option<String>,
}

/// A record that did not verify. Key and bytes mean something to the backend that wrote them only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quarantined {
    /// The record's former key, hexadecimal.
    #[serde(rename = "place", with = "hexadecimal")]
    pub key: Vec<u8>,
    /// The record as it was found, hexadecimal.
    #[serde(with = "hexadecimal")]
    pub bytes: Vec<u8>,
}

/// Where the next part of a copy begins; the default is the beginning. Opaque to all but the backend.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// The backend's key of the record copied last.
    pub(super) after: Vec<u8>,
    /// The rows, output and entries of the task copied last that are still to be copied.
    pub(super) left: VecDeque<Left>,
}

/// A part of a task that is still to be copied.
#[derive(Debug, Clone)]
pub(super) enum Left {
    /// A row and its output.
    Row(ExecutionId),
    /// Output of a row, from this chunk on.
    Output(ExecutionId, u32),
    /// Entries after this key of the backend.
    Entries(Vec<u8>),
}

/// A part of a copy.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// In the order that an import needs.
    pub records: Vec<Record>,
    /// Where the next part begins; none after the last part.
    pub rest: Option<Cursor>,
}

/// A step of an import into an empty store. Until [`Import::Complete`] use the store for nothing else.
#[derive(Debug, Clone)]
pub enum Import {
    /// The next records, in the order of the export.
    Records(Vec<Record>),
    /// All records of the copy are in the store.
    Complete,
    /// The copy is wrong or incomplete: remove its records again.
    Abandon,
}

/// Numbers of records of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Tasks.
    pub tasks: u64,
    /// Executions.
    pub executions: u64,
    /// Chunks of output.
    pub output: u64,
    /// Audit records.
    pub audit: u64,
    /// Values.
    pub values: u64,
    /// Entries that handlers keep.
    #[serde(default)]
    pub entries: u64,
    /// Owners of entries whose last version is known.
    #[serde(default)]
    pub versions: u64,
    /// Finished steps of occurrences that go on.
    #[serde(default)]
    pub steps: u64,
    /// Secrets, sealed.
    #[serde(default)]
    pub secrets: u64,
    /// Variables.
    #[serde(default)]
    pub variables: u64,
    /// Figures of activity.
    #[serde(default)]
    pub activity: u64,
    /// Tokens.
    #[serde(default)]
    pub tokens: u64,
    /// Alerts.
    #[serde(default)]
    pub alerts: u64,
    /// Long parameters of runs.
    #[serde(default)]
    pub params: u64,
    /// Versions of handlers.
    #[serde(default)]
    pub sources: u64,
    /// Records in quarantine.
    #[serde(rename = "setAside")]
    pub quarantined: u64,
}

impl Counts {
    /// Counts a record under its kind.
    pub fn add(&mut self, record: &Record) {
        *match record {
            Record::Task(_) => &mut self.tasks,
            Record::Execution(_) => &mut self.executions,
            Record::Output(_) => &mut self.output,
            Record::Audit(_) => &mut self.audit,
            Record::Value { .. } => &mut self.values,
            Record::Entry { .. } => &mut self.entries,
            Record::Version { .. } => &mut self.versions,
            Record::Step { .. } => &mut self.steps,
            Record::Binding(binding) => match binding.kind() {
                Kind::Secret => &mut self.secrets,
                Kind::Variable => &mut self.variables,
            },
            Record::Activity { .. } => &mut self.activity,
            Record::Token(_) => &mut self.tokens,
            Record::Alert(_) => &mut self.alerts,
            Record::Params(_) => &mut self.params,
            Record::Source(_) => &mut self.sources,
            Record::Quarantine(_) => &mut self.quarantined,
        } += 1;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            tasks,
            executions,
            output,
            audit,
            values,
            entries,
            versions: _,
            steps,
            secrets,
            variables,
            activity,
            tokens,
            alerts,
            params,
            sources,
            quarantined,
        } = self;
        write!(
            f,
            "{tasks} tasks, {executions} executions, {output} pieces of output, {audit} audit records, \
             {values} values, {entries} entries of handlers, {steps} steps, {secrets} secrets, \
             {variables} variables, {tokens} tokens, {activity} figures of activity, {alerts} alerts, \
             {params} long parameters, {sources} versions of handlers, {quarantined} in quarantine"
        )
    }
}

/// Bytes as hexadecimal text.
mod hexadecimal {
    use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .map_err(|_| de::Error::custom("not an even number of hexadecimal digits"))
    }
}

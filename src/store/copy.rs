//! Copies: everything a store holds, as records that know no backend.
//!
//! A store is asked for a copy in parts, one after the other ([`Copies::export`](super::Copies::export)),
//! so that others are served in between; an empty store takes the parts in the same way
//! ([`Copies::import`](super::Copies::import)). Indexes and counters follow from the records and are
//! not in a copy: the importing store makes its own.
//!
//! A task, the executions that it counts as running and their rows are read together, so they agree
//! in a copy. Tasks of one copy may be from different moments.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::{Audit, Output};
use crate::domain::{execution::Execution, facts::Task, ids::ExecutionId};

/// Something that a store keeps for its own sake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Record {
    /// A task with its facts.
    Task(Box<Task>),
    /// An execution of the task before it.
    Execution(Box<Execution>),
    /// Output of an execution of the task before it.
    Output(Output),
    /// What a user did.
    Audit(Audit),
    /// A value and its key.
    Value {
        /// The key.
        key: String,
        /// The value.
        value: Value,
    },
    /// A record in quarantine.
    #[serde(rename = "setAside")]
    Quarantine(Quarantined),
}

/// Bytes that did not verify, with the key where they lay. Only the backend that they are from
/// can read either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quarantined {
    /// The key under which they lay, hexadecimal.
    #[serde(rename = "place", with = "hexadecimal")]
    pub key: Vec<u8>,
    /// The bytes, hexadecimal.
    #[serde(with = "hexadecimal")]
    pub bytes: Vec<u8>,
}

/// Where a copy goes on; at first at the beginning. What is in it means something to the backend only.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// What has been copied last.
    pub(super) after: Vec<u8>,
    /// What belongs to that and is still to come.
    pub(super) left: VecDeque<Left>,
}

/// Something of a task that is still to be copied.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left {
    /// A row and its output.
    Row(ExecutionId),
    /// Output of a row, from this piece on.
    Output(ExecutionId, u32),
}

/// A part of a copy.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// In the order in which an import wants them.
    pub records: Vec<Record>,
    /// Where the next part begins; none when this was the last one.
    pub rest: Option<Cursor>,
}

/// A step of taking a copy into an empty store. The store is not to be used for anything else
/// until it is complete.
#[derive(Debug, Clone)]
pub enum Import {
    /// The next records, in the order in which an export gave them.
    Records(Vec<Record>),
    /// There are no more, and all of them are right.
    Complete,
    /// Something is wrong: the store is to be empty again.
    Abandon,
}

/// How many records of each kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Tasks.
    pub tasks: u64,
    /// Executions.
    pub executions: u64,
    /// Pieces of output.
    pub output: u64,
    /// Audit records.
    pub audit: u64,
    /// Values.
    pub values: u64,
    /// Records that did not verify.
    #[serde(rename = "setAside")]
    pub quarantined: u64,
}

impl Counts {
    /// Counts a record.
    pub fn add(&mut self, record: &Record) {
        *match record {
            Record::Task(_) => &mut self.tasks,
            Record::Execution(_) => &mut self.executions,
            Record::Output(_) => &mut self.output,
            Record::Audit(_) => &mut self.audit,
            Record::Value { .. } => &mut self.values,
            Record::Quarantine(_) => &mut self.quarantined,
        } += 1;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tasks, executions, output, audit, values, quarantined } = self;
        write!(
            f,
            "{tasks} tasks, {executions} executions, {output} pieces of output, {audit} audit records, \
             {values} values, {quarantined} in quarantine"
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

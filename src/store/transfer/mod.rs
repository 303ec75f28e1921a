//! Transfer: everything a store holds, as records that know no backend.
//!
//! A copy is made of parts that the store is asked for one after the other
//! ([`Store::export`]), so that others are served in between, and is taken in by an empty
//! store the same way ([`Store::import`]). What follows from the records (indexes, counters)
//! is not in a copy: whoever takes it in makes its own. In a file ([`file`]) a record is a
//! line of JSON ([`lines`]); before anything of a file reaches a store all of it is checked
//! ([`order`]).
//!
//! What holds at every moment for a task, what it runs and the rows of that, holds in a copy
//! too: they are read together. Tasks of one copy may be from different moments.
//!
//! Misuse to avoid: importing records that [`order`] has not seen, which may stand there twice.

pub mod file;
pub mod lines;
pub mod order;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Audit, Output, Store};
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
    /// Something that did not verify, as it was found.
    SetAside(SetAside),
}

/// Bytes that are no record, with the place where they lay; both mean something to the backend
/// that they are from only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetAside {
    /// Where it lay, hexadecimal.
    #[serde(with = "hexadecimal")]
    pub place: Vec<u8>,
    /// What lay there, hexadecimal.
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

/// Bytes as text.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::lines::hexadecimal(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u8>> =
            text.chars().map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok())).collect();
        digits
            .filter(|digits| digits.len().is_multiple_of(2))
            .map(|digits| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
            .ok_or_else(|| de::Error::custom("not an even number of hexadecimal digits"))
    }
}

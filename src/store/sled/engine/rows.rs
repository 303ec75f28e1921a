//! Keys of the indexes that follow from the rows of executions, and of their long parameters.
//!
//! All but the index by id are ordered by creation. Their values are the words of a row that filters ask
//! for, so that a list decides about most executions without reading them.

use crate::{
    domain::{
        Millis,
        execution::{Execution, ExecutionStatus, Reason, Trigger},
        ids::{ExecutionId, TaskId},
    },
    store::{
        HistoryPlace,
        sled::engine::keys::{self, Entry, join, last_execution, last_sixteen, millis, read_millis},
    },
};

/// Executions that have not completed, by status and creation.
pub(crate) const OUTCOME: u8 = b'Y';
/// Executions that have ended, by handler, status and creation.
pub(crate) const BY_HANDLER: u8 = b'j';
/// Tasks by execution.
pub(crate) const LOCATION: u8 = b'z';

/// The indexes that follow from rows alone, and their names.
pub(crate) const INDEXES: [(u8, &str); 3] =
    [(OUTCOME, "outcomes"), (BY_HANDLER, "executions by handler"), (LOCATION, "executions by id")];

/// The bytes of a place in an index.
pub(crate) const PLACE: usize = 40;

/// The key of the mark of a store in which every row is in the indexes.
pub(crate) fn complete() -> Vec<u8> {
    keys::meta("row-indexes")
}

/// The order of these bytes is the order of places.
pub(crate) fn place(created: Millis, task: TaskId, execution: ExecutionId) -> [u8; PLACE] {
    let mut bytes = [0; PLACE];
    bytes[..8].copy_from_slice(&millis(created));
    bytes[8..24].copy_from_slice(&task.to_bytes());
    bytes[24..].copy_from_slice(&execution.to_bytes());
    bytes
}

/// The place at the end of a key.
pub(crate) fn place_of(key: &[u8]) -> Option<HistoryPlace> {
    let bytes = key.get(key.len().checked_sub(PLACE)?..)?;
    Some(HistoryPlace {
        created: read_millis(bytes)?,
        task: keys::last_task(&bytes[..24])?,
        execution: last_execution(bytes)?,
    })
}

pub(crate) fn outcome(status: ExecutionStatus) -> Vec<u8> {
    vec![OUTCOME, status_byte(status)]
}

pub(crate) fn by_handler(handler: &str, status: ExecutionStatus) -> Vec<u8> {
    join(BY_HANDLER, &[handler.as_bytes(), &[0, status_byte(status)]])
}

pub(crate) fn location(execution: ExecutionId) -> Vec<u8> {
    join(LOCATION, &[&execution.to_bytes()])
}

/// The prefix of the long parameters of a task's runs.
pub(crate) fn task_params(task: TaskId) -> Vec<u8> {
    join(keys::PARAMS, &[&task.to_bytes()])
}

pub(crate) fn params(task: TaskId, time: Millis, hash: &str) -> Vec<u8> {
    join(keys::PARAMS, &[&task.to_bytes(), &millis(time), hash.as_bytes()])
}

/// The prefix of a source that was run, by its hash.
pub(crate) fn source(hash: &[u8; 32]) -> Vec<u8> {
    join(keys::SOURCE, &[hash])
}

pub(crate) fn source_of(hash: &[u8; 32], handler: &str) -> Vec<u8> {
    join(keys::SOURCE, &[hash, handler.as_bytes()])
}

/// The prefix of the versions of a handler.
pub(crate) fn versions(handler: &str) -> Vec<u8> {
    join(keys::VERSION, &[handler.as_bytes(), &[0]])
}

pub(crate) fn version(handler: &str, hash: &[u8; 32]) -> Vec<u8> {
    join(keys::VERSION, &[handler.as_bytes(), &[0], hash])
}

/// The handler and the hash in the key of a version.
pub(crate) fn version_of(key: &[u8]) -> Option<(&str, [u8; 32])> {
    let (rest, hash) = key.get(1..)?.split_last_chunk::<32>()?;
    let handler = std::str::from_utf8(rest.strip_suffix(&[0])?).ok()?;
    Some((handler, *hash))
}

/// The hash in the key of long parameters.
pub(crate) fn hash_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(25..)?).ok()
}

/// The execution of a key of any of the indexes.
pub(crate) fn execution_of(key: &[u8]) -> Option<ExecutionId> {
    last_sixteen(key).map(ExecutionId::from_bytes)
}

/// The entry of a row in the index by age, with its trigger.
pub(crate) fn retention(row: &Execution) -> Entry {
    (keys::retention(row.created_at, row.task_id, row.id), vec![trigger_byte(row.trigger)])
}

/// The trigger in the value of a key of the index by age; an entry of an early version has none.
pub(crate) fn trigger_of_retention(value: &[u8]) -> Option<Trigger> {
    trigger_of(*value.first()?)
}

/// The index entries of a row.
pub(crate) fn entries(row: &Execution) -> Vec<Entry> {
    let mut entries = vec![(location(row.id), row.task_id.to_bytes().to_vec())];
    entries.extend(outcome_entries(row));
    entries
}

/// The index entries of a row that has ended; none while it is in progress.
pub(crate) fn outcome_entries(row: &Execution) -> Vec<Entry> {
    if row.status == ExecutionStatus::Running {
        return Vec::new();
    }
    let words = vec![reason_byte(row.reason), trigger_byte(row.trigger)];
    let place = place(row.created_at, row.task_id, row.id);
    let mut entries = vec![([&by_handler(&row.handler, row.status)[..], &place].concat(), words.clone())];
    if row.status != ExecutionStatus::Completed {
        entries.push(([&outcome(row.status)[..], &place].concat(), words));
    }
    entries
}

/// The reason and the trigger in the value of an entry.
pub(crate) fn words_of(value: &[u8]) -> (Option<Option<Reason>>, Option<Trigger>) {
    let &[reason, trigger] = value else { return (None, None) };
    (reason_of(reason), trigger_of(trigger))
}

fn status_byte(status: ExecutionStatus) -> u8 {
    match status {
        ExecutionStatus::Running => 0,
        ExecutionStatus::Completed => 1,
        ExecutionStatus::Failed => 2,
        ExecutionStatus::Cancelled => 3,
        ExecutionStatus::Skipped => 4,
    }
}

/// 0 stands for no reason.
fn reason_byte(reason: Option<Reason>) -> u8 {
    let Some(reason) = reason else { return 0 };
    match reason {
        Reason::Exception => 1,
        Reason::ReturnedFailure => 2,
        Reason::Timeout => 3,
        Reason::CpuLimit => 4,
        Reason::MemoryLimit => 5,
        Reason::NeverSettled => 6,
        Reason::BadResult => 7,
        Reason::LoadError => 8,
        Reason::Cancelled => 9,
        Reason::Crashed => 10,
        Reason::Lost => 11,
        Reason::Overlap => 12,
        Reason::Misfire => 13,
        Reason::Retrying => 14,
        Reason::Ended => 15,
    }
}

fn reason_of(byte: u8) -> Option<Option<Reason>> {
    if byte == 0 {
        return Some(None);
    }
    Reason::ALL.into_iter().find(|reason| reason_byte(Some(*reason)) == byte).map(Some)
}

fn trigger_byte(trigger: Trigger) -> u8 {
    match trigger {
        Trigger::Schedule => 1,
        Trigger::Immediate => 2,
        Trigger::Retry => 3,
        Trigger::Manual => 4,
        Trigger::CatchUp => 5,
        Trigger::Backfill => 6,
        Trigger::After => 7,
        Trigger::Alert => 8,
    }
}

fn trigger_of(byte: u8) -> Option<Trigger> {
    Trigger::ALL.into_iter().find(|trigger| trigger_byte(*trigger) == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_from_its_byte() {
        for reason in Reason::ALL.into_iter().map(Some).chain([None]) {
            for trigger in Trigger::ALL {
                let value = [reason_byte(reason), trigger_byte(trigger)];
                assert_eq!(words_of(&value), (Some(reason), Some(trigger)));
            }
        }
        assert_eq!(words_of(&[]), (None, None));
        assert_eq!(words_of(&[200, 0]), (None, None), "a word of a later version");
    }
}

//! Keys: a prefix byte, then fields whose byte order is their order.

use super::pieces;
use crate::domain::{
    Millis,
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
};

/// Task by id.
pub(super) const TASK: u8 = b't';
/// Task id by name.
pub(super) const NAME: u8 = b'n';
/// Tasks by due time.
pub(super) const DUE: u8 = b'd';
/// Tasks by status and next run.
pub(super) const STATUS: u8 = b's';
/// Tasks by handler, status and next run.
pub(super) const HANDLER: u8 = b'h';
/// Tasks by last change.
pub(super) const UPDATED: u8 = b'u';
/// Executions in progress.
pub(super) const RUNNING: u8 = b'r';
/// Executions by task.
pub(super) const EXECUTION: u8 = b'e';
/// Executions by time, for removal of old ones.
pub(super) const RETENTION: u8 = b'x';
/// Output by execution.
pub(super) const OUTPUT: u8 = b'o';
/// Audit records by time.
pub(super) const AUDIT: u8 = b'a';
/// Values by key.
pub(super) const VALUE: u8 = b'k';
/// Counters.
pub(super) const COUNTER: u8 = b'c';
/// Schema, epoch.
pub(super) const META: u8 = b'm';
/// Records that did not verify, under their former key.
pub(super) const SET_ASIDE: u8 = b'q';
/// Pieces of large values, by the value's key and their number.
pub(super) const PIECE: u8 = b'p';
/// Tasks whose history is still to be removed.
pub(super) const GARBAGE: u8 = b'g';

/// The indexes that follow from task records alone, with their names.
pub(super) const INDEXES: [(u8, &str); 6] = [
    (NAME, "names"),
    (DUE, "due"),
    (STATUS, "status"),
    (HANDLER, "handler"),
    (UPDATED, "updated"),
    (RUNNING, "running"),
];

/// Eight bytes in the order of the numbers, negative ones included.
pub(super) fn millis(time: Millis) -> [u8; 8] {
    (time.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The number of eight such bytes.
pub(super) fn read_millis(bytes: &[u8]) -> Option<Millis> {
    let bytes: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

fn join(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![prefix];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub(super) fn task(id: TaskId) -> Vec<u8> {
    join(TASK, &[&id.to_bytes()])
}

pub(super) fn name(name: &str) -> Vec<u8> {
    join(NAME, &[name.as_bytes()])
}

pub(super) fn due(time: Millis, id: TaskId) -> Vec<u8> {
    join(DUE, &[&millis(time), &id.to_bytes()])
}

/// The due index up to and including `time`.
pub(super) fn due_until(time: Millis) -> std::ops::Range<Vec<u8>> {
    vec![DUE]..join(DUE, &[&millis(time.saturating_add(1))])
}

/// A status and whether there is a next run: what stands before the time in two indexes.
fn placed(status: TaskStatus, planned: bool) -> [u8; 2] {
    [status as u8, u8::from(!planned)]
}

fn next_run(task: &Task) -> [u8; 8] {
    millis(task.next_run().unwrap_or(Millis::MAX))
}

pub(super) fn status_prefix(status: TaskStatus, planned: bool) -> Vec<u8> {
    join(STATUS, &[&placed(status, planned)])
}

pub(super) fn handler_prefix(handler: &str, status: TaskStatus, planned: bool) -> Vec<u8> {
    join(HANDLER, &[handler.as_bytes(), &[0], &placed(status, planned)])
}

pub(super) fn running(task: TaskId, execution: ExecutionId) -> Vec<u8> {
    join(RUNNING, &[&task.to_bytes(), &execution.to_bytes()])
}

pub(super) fn execution(task: TaskId, execution: ExecutionId) -> Vec<u8> {
    join(EXECUTION, &[&task.to_bytes(), &execution.to_bytes()])
}

pub(super) fn executions(task: TaskId) -> Vec<u8> {
    join(EXECUTION, &[&task.to_bytes()])
}

pub(super) fn retention(created: Millis, task: TaskId, execution: ExecutionId) -> Vec<u8> {
    join(RETENTION, &[&millis(created), &task.to_bytes(), &execution.to_bytes()])
}

pub(super) fn output(execution: ExecutionId, chunk: u32, piece: u32) -> Vec<u8> {
    join(OUTPUT, &[&execution.to_bytes(), &chunk.to_be_bytes(), &piece.to_be_bytes()])
}

pub(super) fn outputs(execution: ExecutionId) -> Vec<u8> {
    join(OUTPUT, &[&execution.to_bytes()])
}

pub(super) fn audit(time: Millis, sequence: u64) -> Vec<u8> {
    join(AUDIT, &[&millis(time), &sequence.to_be_bytes()])
}

/// Everything under `prefix` (a kind whose keys start with a time) before `time`.
pub(super) fn before(prefix: u8, time: Millis) -> std::ops::Range<Vec<u8>> {
    vec![prefix]..join(prefix, &[&millis(time)])
}

pub(super) fn value(key: &str) -> Vec<u8> {
    join(VALUE, &[key.as_bytes()])
}

pub(super) fn meta(key: &str) -> Vec<u8> {
    join(META, &[key.as_bytes()])
}

pub(super) fn history_count(task: TaskId) -> Vec<u8> {
    join(COUNTER, &[b"e", &task.to_bytes()])
}

pub(super) fn status_count(status: TaskStatus) -> Vec<u8> {
    join(COUNTER, &[b"s", &[status as u8]])
}

fn handler_count(handler: &str, status: TaskStatus) -> Vec<u8> {
    join(COUNTER, &[b"h", handler.as_bytes(), &[0, status as u8]])
}

/// The counters of a handler's tasks, one for each of these statuses.
pub(super) fn handler_counts(handler: &str, statuses: &[TaskStatus]) -> Vec<Vec<u8>> {
    statuses.iter().map(|status| handler_count(handler, *status)).collect()
}

/// What the counters of [`counters`] begin with.
pub(super) const TASK_COUNTERS: [[u8; 2]; 2] = [[COUNTER, b's'], [COUNTER, b'h']];

/// The counters that count a task.
pub(super) fn counters(task: &Task) -> [Vec<u8>; 2] {
    let status = task.status();
    [status_count(status), handler_count(&task.definition.handler, status)]
}

pub(super) fn set_aside(key: &[u8]) -> Vec<u8> {
    join(SET_ASIDE, &[key])
}

pub(super) fn garbage(task: TaskId) -> Vec<u8> {
    join(GARBAGE, &[&task.to_bytes()])
}

/// The task id at the end of an index key.
pub(super) fn last_task(key: &[u8]) -> Option<TaskId> {
    last_sixteen(key).map(TaskId::from_bytes)
}

/// The execution id at the end of a key.
pub(super) fn last_execution(key: &[u8]) -> Option<ExecutionId> {
    last_sixteen(key).map(ExecutionId::from_bytes)
}

/// The task id behind the prefix of a task's or an execution's key.
pub(super) fn task_of(key: &[u8]) -> Option<TaskId> {
    key.get(..17).and_then(last_task)
}

/// Which chunk a key of output belongs to.
pub(super) fn chunk_of(key: &[u8]) -> Option<u32> {
    key.get(17..21)?.try_into().ok().map(u32::from_be_bytes)
}

/// A record's key for people.
pub(super) fn describe(key: &[u8]) -> String {
    let Some((kind, text)) = key.split_first() else { return "what has no key".to_owned() };
    let text = String::from_utf8_lossy(text);
    let execution = || key.get(1..17).and_then(last_execution);
    match (*kind, task_of(key), last_execution(key)) {
        (TASK, Some(task), _) => task.to_string(),
        (EXECUTION, Some(task), Some(id)) => format!("{id} of {task}"),
        (OUTPUT, ..) => {
            execution().map_or_else(|| format!("output {key:02x?}"), |id| format!("output of {id}"))
        }
        (AUDIT, ..) => format!("audit record of {}", read_millis(&key[1..]).unwrap_or_default()),
        (VALUE, ..) => format!("value \"{text}\""),
        (PIECE, ..) => {
            let owner = pieces::owner(key).filter(|owner| pieces::may_be_large(owner));
            format!("a piece of {}", owner.map_or_else(|| "nothing known".to_owned(), describe))
        }
        _ => format!("{key:02x?}"),
    }
}

fn last_sixteen(key: &[u8]) -> Option<[u8; 16]> {
    key.len().checked_sub(16).and_then(|at| key[at..].try_into().ok())
}

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// A task's own entries in the indexes of [`INDEXES`]; the name's value is the id.
pub(super) fn index_entries(task: &Task) -> Vec<Entry> {
    let id = task.id.to_bytes();
    let place = placed(task.status(), task.next_run().is_some());
    let next_run = next_run(task);
    let mut entries = vec![
        (name(&task.definition.name), id.to_vec()),
        (join(STATUS, &[&place, &next_run, &id]), Vec::new()),
        (join(HANDLER, &[task.definition.handler.as_bytes(), &[0], &place, &next_run, &id]), Vec::new()),
        (join(UPDATED, &[&millis(task.updated_at), &id]), Vec::new()),
    ];
    if let Some(time) = task.due() {
        entries.push((due(time, task.id), Vec::new()));
    }
    for run in &task.facts.running {
        entries.push((running(task.id, run.execution), Vec::new()));
    }
    entries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_of_key_bytes_is_the_order_of_time(a: i64, b: i64, x: u128, y: u128) {
            let (x, y) = (TaskId::from_bytes(x.to_be_bytes()), TaskId::from_bytes(y.to_be_bytes()));
            prop_assert_eq!(due(a, x).cmp(&due(b, y)), (a, x).cmp(&(b, y)));
            prop_assert_eq!(read_millis(&millis(a)), Some(a));
            prop_assert_eq!(due_until(a).contains(&due(b, y)), b <= a || a == i64::MAX);
        }
    }
}

//! Keys: a prefix byte for the kind, then fields. The byte order of a field is the order of its values.

#[cfg(test)]
mod tests;

use super::due;
pub(crate) use super::due::{millis, read_millis};
use crate::{
    domain::{
        Millis,
        access::record::TokenHash,
        facts::{Task, TaskStatus},
        ids::{ExecutionId, TaskId, TokenId},
    },
    store::Owner,
};

/// Task by id.
pub(crate) const TASK: u8 = b't';
/// Task id by name.
pub(crate) const NAME: u8 = b'n';
/// Tasks by status and next run.
pub(crate) const STATUS: u8 = b's';
/// Tasks by handler, status and next run.
pub(crate) const HANDLER: u8 = b'h';
/// Tasks by tag and next run.
pub(crate) const TAG: u8 = b'l';
/// Tasks by the task that they run after.
pub(crate) const FOLLOWER: u8 = b'P';
/// Tasks with an end that successors are still to be told of.
pub(crate) const UNTOLD: u8 = b'O';
/// Tasks with a run that waits for a slot of a concurrency key, by key.
pub(crate) const KEYED: u8 = b'W';
/// Tasks by last change.
pub(crate) const UPDATED: u8 = b'u';
/// Executions in progress.
pub(crate) const RUNNING: u8 = b'r';
/// Executions by task.
pub(crate) const EXECUTION: u8 = b'e';
/// Executions by time of creation, for the removal of old ones.
pub(crate) const RETENTION: u8 = b'x';
/// Output by execution.
pub(crate) const OUTPUT: u8 = b'o';
/// Audit records by time.
pub(crate) const AUDIT: u8 = b'a';
/// Values by key.
pub(crate) const VALUE: u8 = b'k';
/// Secrets and variables by name.
pub(crate) const BINDING: u8 = b'b';
/// Counters.
pub(crate) const COUNTER: u8 = b'c';
/// Schema, epoch.
pub(crate) const META: u8 = b'm';
/// Records in quarantine, by their former key.
pub(crate) const QUARANTINE: u8 = b'q';
/// Overflow pieces, by the value's key and the piece's number.
pub(crate) const PIECE: u8 = b'p';
/// Deleted tasks whose history and state are still to be removed.
pub(crate) const GARBAGE: u8 = b'g';
/// Entries of handlers by owner and key.
pub(crate) const ENTRY: u8 = b'v';
/// Entries of handlers by the time from which they are no longer shown.
pub(crate) const EXPIRY: u8 = b'y';
/// Tokens by id.
pub(crate) const TOKEN: u8 = b'T';
/// Sessions by the hash of their cookie.
pub(crate) const SESSION: u8 = b'S';
/// Long parameters of runs by task, time of the first run, and hash.
pub(crate) const PARAMS: u8 = b'R';
/// Sources that were run, by hash and handler.
pub(crate) const SOURCE: u8 = b'F';
/// Versions of handlers by handler and hash.
pub(crate) const VERSION: u8 = b'V';
/// Finished steps by task, planned time and name.
pub(crate) const STEP: u8 = b'f';
/// Activity by size of the bucket and its start.
pub(crate) const ACTIVITY: u8 = b'A';

/// Alerts on their way: by place, channel and id, or by id once they are over.
pub(crate) const OUTBOX: u8 = b'Q';
/// Tasks by the time of the next decision about their alerts.
pub(crate) const ALARM: u8 = b'M';
/// Tasks that have a message whose occasion lasts.
pub(crate) const FIRING: u8 = b'N';

/// The indexes that follow from task records alone, and their names.
pub(crate) const INDEXES: [(u8, &str); 13] = [
    (NAME, "names"),
    (due::PLAIN, "due"),
    (due::RANKED, "priority"),
    (STATUS, "status"),
    (HANDLER, "handler"),
    (TAG, "tags"),
    (FOLLOWER, "followers"),
    (UNTOLD, "untold ends"),
    (KEYED, "concurrency keys"),
    (UPDATED, "updated"),
    (RUNNING, "running"),
    (ALARM, "alarms"),
    (FIRING, "firing"),
];

pub(super) fn join(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![prefix];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub(crate) fn task(id: TaskId) -> Vec<u8> {
    join(TASK, &[&id.to_bytes()])
}

pub(crate) fn name(name: &str) -> Vec<u8> {
    join(NAME, &[name.as_bytes()])
}

/// The two bytes before the next run's time in the indexes by status and by handler.
fn status_bytes(status: TaskStatus, planned: bool) -> [u8; 2] {
    [status as u8, u8::from(!planned)]
}

fn next_run(task: &Task) -> [u8; 8] {
    millis(task.next_run().unwrap_or(Millis::MAX))
}

pub(crate) fn status_prefix(status: TaskStatus, planned: bool) -> Vec<u8> {
    join(STATUS, &[&status_bytes(status, planned)])
}

pub(crate) fn handler_prefix(handler: &str, status: TaskStatus, planned: bool) -> Vec<u8> {
    join(HANDLER, &[handler.as_bytes(), &[0], &status_bytes(status, planned)])
}

pub(crate) fn tag_prefix(tag: &str, planned: bool) -> Vec<u8> {
    join(TAG, &[tag.as_bytes(), &[0, u8::from(!planned)]])
}

/// The prefix of the tasks that run after a task.
pub(crate) fn followers(task: TaskId) -> Vec<u8> {
    join(FOLLOWER, &[&task.to_bytes()])
}

pub(crate) fn follower(task: TaskId, successor: TaskId) -> Vec<u8> {
    join(FOLLOWER, &[&task.to_bytes(), &successor.to_bytes()])
}

pub(crate) fn untold(task: TaskId) -> Vec<u8> {
    join(UNTOLD, &[&task.to_bytes()])
}

pub(crate) fn running(task: TaskId, execution: ExecutionId) -> Vec<u8> {
    join(RUNNING, &[&task.to_bytes(), &execution.to_bytes()])
}

pub(crate) fn execution(task: TaskId, execution: ExecutionId) -> Vec<u8> {
    join(EXECUTION, &[&task.to_bytes(), &execution.to_bytes()])
}

pub(crate) fn executions(task: TaskId) -> Vec<u8> {
    join(EXECUTION, &[&task.to_bytes()])
}

pub(crate) fn retention(created: Millis, task: TaskId, execution: ExecutionId) -> Vec<u8> {
    join(RETENTION, &[&millis(created), &task.to_bytes(), &execution.to_bytes()])
}

/// The length of the prefix that all keys of a chunk of output share, in bytes.
pub(crate) const CHUNK: usize = 21;

pub(crate) fn output(execution: ExecutionId, chunk: u32, piece: u32) -> Vec<u8> {
    join(OUTPUT, &[&execution.to_bytes(), &chunk.to_be_bytes(), &piece.to_be_bytes()])
}

pub(crate) fn outputs(execution: ExecutionId) -> Vec<u8> {
    join(OUTPUT, &[&execution.to_bytes()])
}

/// The range of keys before `time` of a kind whose keys start with a time.
pub(crate) fn before(prefix: u8, time: Millis) -> std::ops::Range<Vec<u8>> {
    vec![prefix]..join(prefix, &[&millis(time)])
}

pub(crate) fn value(key: &str) -> Vec<u8> {
    join(VALUE, &[key.as_bytes()])
}

pub(crate) fn binding(name: &str) -> Vec<u8> {
    join(BINDING, &[name.as_bytes()])
}

pub(crate) fn token(id: TokenId) -> Vec<u8> {
    join(TOKEN, &[&id.to_bytes()])
}

pub(crate) fn session(hash: TokenHash) -> Vec<u8> {
    join(SESSION, &[&hash.0])
}

pub(crate) fn meta(key: &str) -> Vec<u8> {
    join(META, &[key.as_bytes()])
}

pub(crate) fn history_count(task: TaskId) -> Vec<u8> {
    join(COUNTER, &[b"e", &task.to_bytes()])
}

pub(crate) fn status_count(status: TaskStatus) -> Vec<u8> {
    join(COUNTER, &[b"s", &[status as u8]])
}

pub(crate) fn handler_count(handler: &str, status: TaskStatus) -> Vec<u8> {
    join(COUNTER, &[b"h", handler.as_bytes(), &[0, status as u8]])
}

/// The handler in the key of a counter of its tasks.
pub(crate) fn handler_of_counter(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(2..key.len().checked_sub(2)?)?).ok()
}

/// The counters of a handler's tasks, one per status.
pub(crate) fn handler_counts(handler: &str, statuses: &[TaskStatus]) -> Vec<Vec<u8>> {
    statuses.iter().map(|status| handler_count(handler, *status)).collect()
}

pub(crate) fn tag_count(tag: &str) -> Vec<u8> {
    join(COUNTER, &[b"l", tag.as_bytes()])
}

pub(crate) fn quarantine(key: &[u8]) -> Vec<u8> {
    join(QUARANTINE, &[key])
}

pub(crate) fn garbage(task: TaskId) -> Vec<u8> {
    join(GARBAGE, &[&task.to_bytes()])
}

/// The owner in a key: a task's id, or zeros, which are no task's.
fn owner_bytes(owner: Owner) -> [u8; 16] {
    match owner {
        Owner::Shared => [0; 16],
        Owner::Task(task) => task.to_bytes(),
    }
}

fn read_owner(bytes: [u8; 16]) -> Owner {
    if bytes == [0; 16] { Owner::Shared } else { Owner::Task(TaskId::from_bytes(bytes)) }
}

/// The prefix of an owner's entries.
pub(crate) fn entries(owner: Owner) -> Vec<u8> {
    join(ENTRY, &[&owner_bytes(owner)])
}

pub(crate) fn entry(owner: Owner, key: &str) -> Vec<u8> {
    join(ENTRY, &[&owner_bytes(owner), key.as_bytes()])
}

/// The owner and the key in the key of an entry.
pub(crate) fn entry_of(key: &[u8]) -> Option<(Owner, &str)> {
    let (owner, key) = key.get(1..)?.split_first_chunk()?;
    Some((read_owner(*owner), std::str::from_utf8(key).ok()?))
}

pub(crate) fn expiry(time: Millis, owner: Owner, key: &str) -> Vec<u8> {
    join(EXPIRY, &[&millis(time), &owner_bytes(owner), key.as_bytes()])
}

/// The range of the entries that are no longer shown at `now`.
pub(crate) fn expired(now: Millis) -> std::ops::Range<Vec<u8>> {
    vec![EXPIRY]..join(EXPIRY, &[&millis(now.saturating_add(1))])
}

/// The time, the owner and the key in a key of the index by expiry.
pub(crate) fn expiry_of(key: &[u8]) -> Option<(Millis, Owner, &str)> {
    let time = read_millis(key.get(1..)?)?;
    let (owner, key) = entry_of(key.get(8..)?)?;
    Some((time, owner, key))
}

/// The prefix of the accounts of owners.
pub(crate) const ACCOUNTS: [u8; 2] = [COUNTER, b'v'];

pub(crate) fn account(owner: Owner) -> Vec<u8> {
    join(COUNTER, &[b"v", &owner_bytes(owner)])
}

/// The owner in the key of an account.
pub(crate) fn account_of(key: &[u8]) -> Option<Owner> {
    key.strip_prefix(&ACCOUNTS)?.try_into().ok().map(read_owner)
}

/// The prefix of the steps of a task.
pub(crate) fn task_steps(task: TaskId) -> Vec<u8> {
    join(STEP, &[&task.to_bytes()])
}

/// The prefix of the steps of an occurrence.
pub(crate) fn steps(task: TaskId, scheduled_for: Millis) -> Vec<u8> {
    join(STEP, &[&task.to_bytes(), &millis(scheduled_for)])
}

pub(crate) fn step(task: TaskId, scheduled_for: Millis, name: &str) -> Vec<u8> {
    join(STEP, &[&task.to_bytes(), &millis(scheduled_for), name.as_bytes()])
}

/// The task and the planned time in the key of a step.
pub(crate) fn step_of(key: &[u8]) -> Option<(TaskId, Millis)> {
    Some((task_of(key)?, read_millis(key.get(17..)?)?))
}

/// The task id at the end of an index key.
pub(crate) fn last_task(key: &[u8]) -> Option<TaskId> {
    last_sixteen(key).map(TaskId::from_bytes)
}

/// The execution id at the end of a key.
pub(crate) fn last_execution(key: &[u8]) -> Option<ExecutionId> {
    last_sixteen(key).map(ExecutionId::from_bytes)
}

/// The task id after the prefix of a task's, an execution's or a running entry's key.
pub(crate) fn task_of(key: &[u8]) -> Option<TaskId> {
    key.get(..17).and_then(last_task)
}

/// The chunk number in a key of output.
pub(crate) fn chunk_of(key: &[u8]) -> Option<u32> {
    key.get(17..CHUNK)?.try_into().ok().map(u32::from_be_bytes)
}

pub(super) fn last_sixteen(key: &[u8]) -> Option<[u8; 16]> {
    key.len().checked_sub(16).and_then(|at| key[at..].try_into().ok())
}

/// Kinds whose values may need overflow pieces.
const LARGE_KINDS: [u8; 13] = [
    TASK, EXECUTION, AUDIT, VALUE, BINDING, QUARANTINE, ENTRY, STEP, ACTIVITY, TOKEN, OUTBOX, PARAMS, SOURCE,
];

/// Whether the value under `key` may have overflow pieces, so that a write needs the old value.
pub(crate) fn may_be_large(key: &[u8]) -> bool {
    key.first().is_some_and(|kind| LARGE_KINDS.contains(kind))
}

/// The key of an overflow piece: the value's key and the piece's number.
pub(crate) fn piece(key: &[u8], number: u32) -> Vec<u8> {
    join(PIECE, &[key, &number.to_be_bytes()])
}

/// The key of the value that an overflow piece belongs to.
pub(crate) fn owner(piece: &[u8]) -> Option<&[u8]> {
    Some(piece.get(1..)?.split_last_chunk::<4>()?.0)
}

/// The smallest key larger than every key with this prefix.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; 64]
}

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// A task's entries in the [`INDEXES`]. The value of the name entry is the task's id, all others are empty.
pub(crate) fn index_entries(task: &Task) -> Vec<Entry> {
    let id = task.id.to_bytes();
    let status = status_bytes(task.status(), task.next_run().is_some());
    let next_run = next_run(task);
    let mut entries = vec![
        (name(&task.definition.name), id.to_vec()),
        (join(STATUS, &[&status, &next_run, &id]), Vec::new()),
        (join(HANDLER, &[task.definition.handler.as_bytes(), &[0], &status, &next_run, &id]), Vec::new()),
        (join(UPDATED, &[&millis(task.updated_at), &id]), Vec::new()),
    ];
    for tag in &task.definition.tags {
        let prefix = tag_prefix(tag, task.next_run().is_some());
        entries.push((join(prefix[0], &[&prefix[1..], &next_run, &id]), Vec::new()));
    }
    if let Some(after) = task.definition.after {
        entries.push((follower(after.task_id, task.id), Vec::new()));
    }
    if !task.facts.untold.is_empty() {
        entries.push((untold(task.id), Vec::new()));
    }
    if let Some(concurrency_key) =
        task.definition.concurrency_key.as_ref().filter(|_| task.waits_since().is_some())
    {
        entries.push((join(KEYED, &[concurrency_key.as_bytes(), &[0], &id]), Vec::new()));
    }
    if let Some(time) = task.due() {
        entries.push((due::key(task, time), Vec::new()));
    }
    let alarm = task.alarm_due().map(|time| join(ALARM, &[&millis(time), &id]));
    let firing = task.is_firing().then(|| join(FIRING, &[&id]));
    entries.extend(alarm.into_iter().chain(firing).map(|key| (key, Vec::new())));
    for run in &task.facts.running {
        entries.push((running(task.id, run.execution), Vec::new()));
    }
    entries
}

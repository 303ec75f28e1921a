//! Reads straight from the tree. A record that does not verify is reported and left out; the others are
//! returned.

use crate::{
    domain::{
        Millis,
        access::{record::TokenRecord, session::Session},
        binding::Binding,
        execution::{Execution, Line},
        facts::{Task, TaskStatus},
        ids::{ExecutionId, TaskId},
    },
    store::{
        Entry, EntryPage, EntryQuery, ExecutionQuery, FinishedStep, Owner, Page, StoreError, TaskView,
        sled::{
            engine::{
                Bytes, EngineResult,
                chunks::chunks,
                due, keys, record, rows,
                txn::{self, backend},
            },
            read::view::View,
        },
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub(crate) fn get<T: DeserializeOwned>(tree: &View, key: &[u8]) -> Result<Option<T>, StoreError> {
    Ok(tree.get_durable(key)?.and_then(|bytes| decode(tree, key, &bytes)))
}

pub(crate) fn find(tree: &View, name: &str) -> Result<Option<TaskId>, StoreError> {
    let found = tree.get(&keys::name(name)).map_err(backend("read the store"))?;
    Ok(found.and_then(|id| keys::last_task(&id)))
}

pub(super) fn decode<T: DeserializeOwned>(tree: &View, key: &[u8], bytes: &[u8]) -> Option<T> {
    record::decode(bytes).inspect_err(|_| tree.report_damage(key)).ok()
}

pub(crate) fn keyed(tree: &View) -> Result<Vec<TaskId>, StoreError> {
    let mut found = Vec::new();
    for key in tree.prefix_keys(&[keys::KEYED]) {
        found.extend(keys::last_task(&key.map_err(backend("scan the store"))?));
    }
    Ok(found)
}

pub(crate) fn next_due(tree: &View) -> Result<Option<Millis>, StoreError> {
    let first =
        |prefix: &[u8]| tree.prefix_keys(prefix).next().transpose().map_err(backend("scan the store"));
    let mut due = first(&[due::PLAIN])?.and_then(|key| keys::read_millis(&key[1..]));
    if first(&[due::RANKED])?.is_some() {
        for priority in due::priorities().filter(|priority| *priority != 0) {
            let prefix = due::prefix(priority);
            let next = first(&prefix)?.and_then(|key| keys::read_millis(&key[prefix.len()..]));
            due = due.into_iter().chain(next).min();
        }
    }
    Ok(due)
}

pub(crate) fn running(tree: &View) -> Result<Vec<(TaskId, ExecutionId)>, StoreError> {
    let mut found = Vec::new();
    for key in tree.prefix_keys(&[keys::RUNNING]) {
        let key = key.map_err(backend("scan the store"))?;
        if let (Some(task), Some(id)) =
            (keys::last_task(&key[..key.len().min(17)]), keys::last_execution(&key))
        {
            found.push((task, id));
        }
    }
    Ok(found)
}

pub(crate) fn executions(
    tree: &View,
    task: TaskId,
    query: &ExecutionQuery,
) -> Result<Page<Execution>, StoreError> {
    let filtered = query.status.is_some() || query.trigger.is_some();
    let mut page = Page { items: Vec::new(), total: 0 };
    for entry in tree.scan_prefix(&keys::executions(task)).rev() {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        let Some(bytes) = tree.durable_value(&key, bytes) else { continue };
        let in_reach = page.total < query.skip.saturating_add(query.limit) as u64;
        if !filtered && !in_reach {
            break;
        }
        if !filtered && page.total < query.skip as u64 {
            page.total += 1;
            continue;
        }
        let Some(row) = decode::<Execution>(tree, &key, &bytes) else { continue };
        if query.status.is_some_and(|s| s != row.status) || query.trigger.is_some_and(|t| t != row.trigger) {
            continue;
        }
        if in_reach && page.total >= query.skip as u64 {
            page.items.push(row);
        }
        page.total += 1;
    }
    if !filtered {
        page.total = counter(tree, &keys::history_count(task))?;
    }
    Ok(page)
}

/// Reads an owner's entries that are shown at `now`.
pub(crate) fn entries(
    tree: &View,
    owner: Owner,
    query: &EntryQuery,
    now: Millis,
) -> Result<EntryPage, StoreError> {
    let prefix = keys::entry(owner, &query.prefix);
    let after = query.after.as_ref().map(|after| [&keys::entry(owner, after)[..], &[0]].concat());
    let from = after.into_iter().chain([prefix.clone()]).max().unwrap_or_default();
    let mut page = EntryPage { entries: Vec::new(), more: false };
    let end = keys::after_prefix(&prefix);
    if from >= end {
        return Ok(page);
    }
    for found in tree.range(from..end) {
        let (key, bytes) = found.map_err(backend("scan the store"))?;
        let Some(bytes) = tree.durable_value(&key, bytes) else { continue };
        let Some((_, name)) = keys::entry_of(&key) else { continue };
        let Some(entry) = decode::<Entry>(tree, &key, &bytes).filter(|entry| entry.is_live(now)) else {
            continue;
        };
        if page.entries.len() == query.limit {
            page.more = true;
            break;
        }
        page.entries.push((name.to_owned(), entry));
    }
    Ok(page)
}

/// Reads the finished steps of an occurrence, in the order in which they finished.
pub(crate) fn steps(
    tree: &View,
    task: TaskId,
    scheduled_for: Millis,
) -> Result<Vec<FinishedStep>, StoreError> {
    let mut steps = Vec::new();
    for found in tree.scan_prefix(&keys::steps(task, scheduled_for)) {
        let (key, bytes) = found.map_err(backend("scan the store"))?;
        let Some(bytes) = tree.durable_value(&key, bytes) else { continue };
        steps.extend(decode::<FinishedStep>(tree, &key, &bytes));
    }
    steps.sort_by_key(|step| step.number);
    Ok(steps)
}

/// Reads all secrets and variables, in the order of their names.
pub(crate) fn bindings(tree: &View) -> Result<Vec<Binding>, StoreError> {
    all(tree, keys::BINDING)
}

/// Reads the values whose keys begin with a text, in the order of their keys.
pub(crate) fn values(tree: &View, prefix: &str) -> Result<Vec<(String, Value)>, StoreError> {
    let mut found = Vec::new();
    for entry in tree.scan_prefix(&keys::value(prefix)) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        let Some(bytes) = tree.durable_value(&key, bytes) else { continue };
        let text = String::from_utf8_lossy(&key[keys::value("").len()..]).into_owned();
        found.extend(decode(tree, &key, &bytes).map(|value| (text, value)));
    }
    Ok(found)
}

/// Reads all tokens, in the order of their ids.
pub(crate) fn tokens(tree: &View) -> Result<Vec<TokenRecord>, StoreError> {
    all(tree, keys::TOKEN)
}

/// Reads all sessions.
pub(crate) fn sessions(tree: &View) -> Result<Vec<Session>, StoreError> {
    all(tree, keys::SESSION)
}

/// Reads all records of a kind, in the order of their keys.
fn all<T: DeserializeOwned>(tree: &View, kind: u8) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    for entry in tree.scan_prefix(&[kind]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        let Some(bytes) = tree.durable_value(&key, bytes) else { continue };
        found.extend(decode::<T>(tree, &key, &bytes));
    }
    Ok(found)
}

/// Adds a task's newest executions to it.
pub(crate) fn view(tree: &View, task: Task, newest: usize) -> Result<TaskView, StoreError> {
    let query = ExecutionQuery { limit: newest, ..ExecutionQuery::default() };
    let newest = if newest == 0 { Vec::new() } else { executions(tree, task.id, &query)?.items };
    Ok(TaskView { task, newest })
}

pub(crate) fn counter(tree: &View, key: &[u8]) -> Result<u64, StoreError> {
    let bytes = tree.get(key).map_err(backend("read the store"))?;
    Ok(bytes.map_or(0, |bytes| txn::read_counter(&bytes)))
}

/// Reads all output, or the last `tail` bytes of its text; the first line may be cut at its beginning.
pub(crate) fn output(tree: &View, id: ExecutionId, tail: Option<usize>) -> Result<Vec<Line>, StoreError> {
    let mut found: Vec<Vec<Line>> = Vec::new();
    let mut size = 0;
    for chunk in chunks(tree.scan_prefix(&keys::outputs(id)).rev()) {
        let chunk = chunk.map_err(backend("scan the store"))?;
        chunk.damaged().for_each(|key| tree.report_damage(key));
        // A damaged chunk has no lines.
        let lines = chunk.lines().unwrap_or_default();
        size += lines.iter().map(|line| line.message.len()).sum::<usize>();
        found.push(lines);
        if tail.is_some_and(|tail| size >= tail) {
            break;
        }
    }
    let lines = found.into_iter().rev().flatten().collect();
    Ok(match tail {
        Some(tail) => last_bytes(lines, tail),
        None => lines,
    })
}

fn last_bytes(lines: Vec<Line>, tail: usize) -> Vec<Line> {
    let mut left = tail;
    let mut kept = Vec::new();
    for mut line in lines.into_iter().rev() {
        if left == 0 {
            break;
        }
        if line.message.len() > left {
            let mut cut = line.message.len() - left;
            while !line.message.is_char_boundary(cut) {
                cut += 1;
            }
            line.message.drain(..cut);
            // The room left is smaller than a letter.
            left = 0;
        }
        left = left.saturating_sub(line.message.len());
        kept.push(line);
    }
    kept.reverse();
    kept
}

/// Counts records and bytes of each kind; `detailed` adds indexes, statuses and the ends of the history.
pub(crate) fn statistics(
    tree: &View,
    bytes_on_disk: u64,
    detailed: bool,
) -> Result<Map<String, Value>, StoreError> {
    const KINDS: [(u8, &str); 14] = [
        (keys::TASK, "tasks"),
        (keys::EXECUTION, "executions"),
        (keys::OUTPUT, "output"),
        (keys::AUDIT, "audit"),
        (keys::VALUE, "values"),
        (keys::ENTRY, "entries"),
        (keys::STEP, "steps"),
        (keys::BINDING, "bindings"),
        (keys::TOKEN, "tokens"),
        (keys::OUTBOX, "alerts"),
        (keys::PARAMS, "params"),
        (keys::SOURCE, "sources"),
        (keys::VERSION, "versions"),
        (keys::QUARANTINE, "setAside"),
    ];
    let mut collections = Map::new();
    for (prefix, name) in KINDS {
        let (count, bytes) = measure(tree, prefix)?;
        collections.insert(name.to_owned(), json!({ "count": count, "bytes": bytes }));
    }
    let mut answer = Map::new();
    answer.insert("collections".to_owned(), Value::Object(collections));
    answer.insert("bytesOnDisk".to_owned(), bytes_on_disk.into());
    if detailed {
        let mut statuses = Map::new();
        for status in TaskStatus::ALL {
            statuses.insert(status.name().to_owned(), counter(tree, &keys::status_count(status))?.into());
        }
        answer.insert("taskStatus".to_owned(), Value::Object(statuses));
        let mut records = tree.prefix_keys(&[keys::RETENTION]);
        let time = |key: Option<EngineResult<Bytes>>| key?.ok().and_then(|key| keys::read_millis(&key[1..]));
        answer.insert("oldestExecution".to_owned(), json!(time(records.next())));
        let mut records = tree.prefix_keys(&[keys::RETENTION]);
        answer.insert("newestExecution".to_owned(), json!(time(records.next_back())));
        let mut indexes = Map::new();
        for (prefix, name) in
            keys::INDEXES.into_iter().chain(rows::INDEXES).chain([(keys::RETENTION, "retention")])
        {
            let (count, bytes) = measure(tree, prefix)?;
            indexes.insert(name.to_owned(), json!({ "count": count, "bytes": bytes }));
        }
        answer.insert("indexes".to_owned(), Value::Object(indexes));
    }
    Ok(answer)
}

fn measure(tree: &View, prefix: u8) -> Result<(u64, u64), StoreError> {
    let mut sum = (0, 0);
    for entry in tree.scan_prefix(&[prefix]) {
        let (key, value) = entry.map_err(backend("scan the store"))?;
        sum.0 += 1;
        sum.1 += (key.len() + value.len()) as u64;
    }
    Ok(sum)
}

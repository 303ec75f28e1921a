//! The writes of each operation.

use crate::{
    domain::{
        Millis,
        execution::{Execution, ExecutionStatus},
        facts::Task,
        ids::{ExecutionId, TaskId},
        step::Step,
    },
    store::{
        Output, Removal, StoreError,
        sled::{
            engine::{due, figures as figure_keys, keys, record, rows, txn::Txn},
            write::{audit, kept, outbox, state},
        },
    },
};

/// A chunk of output is cut into pieces of at most this many bytes, so that no page of the tree grows large.
const PIECE: usize = 32 * 1024;
/// Old rows that one change prunes at most, so that one task's history does not delay other changes.
const PRUNED_AT_ONCE: usize = 64;

pub(crate) fn create(txn: &mut Txn<'_>, task: &Task) -> Result<(), StoreError> {
    ensure_name_free(txn, &task.definition.name)?;
    write_task(txn, None, task)
}

fn ensure_name_free(txn: &Txn<'_>, name: &str) -> Result<(), StoreError> {
    match txn.get(&keys::name(name))? {
        Some(_) => Err(StoreError::NameTaken(name.to_owned())),
        None => Ok(()),
    }
}

pub(crate) fn read_task(txn: &Txn<'_>, id: TaskId) -> Result<Task, StoreError> {
    txn.record(&keys::task(id))?.ok_or(StoreError::NotFound)
}

/// Writes a step: the task, its rows and their entries in every index.
pub(crate) fn step(txn: &mut Txn<'_>, old: &Task, step: &Step) -> Result<(), StoreError> {
    if old.definition.name != step.task.definition.name {
        ensure_name_free(txn, &step.task.definition.name)?;
    }
    if *old != step.task {
        write_task(txn, Some(old), &step.task)?;
        state::remove_steps(txn, old, &step.task)?;
    }
    for row in &step.rows {
        write_row(txn, row)?;
    }
    outbox::add(txn, &step.alerts)?;
    kept::params(txn, step)?;
    if !step.rows.is_empty() {
        prune(txn, &step.task)?;
    }
    Ok(())
}

pub(crate) fn write_task(txn: &mut Txn<'_>, old: Option<&Task>, new: &Task) -> Result<(), StoreError> {
    let before = old.map(keys::index_entries).unwrap_or_default();
    let after = keys::index_entries(new);
    for (key, _) in before.iter().filter(|entry| !after.contains(entry)) {
        txn.remove(key.clone());
    }
    for (key, value) in &after {
        // A task that was held back has no entry in the due index.
        if due::contains(key) || !before.iter().any(|(old, _)| old == key) {
            txn.put(key.clone(), value.clone());
        }
    }
    let (before, after) = (old.map(figure_keys::counters).unwrap_or_default(), figure_keys::counters(new));
    for (counter, share) in before.iter().filter(|counter| !after.contains(counter)) {
        txn.add(counter.clone(), -share.cast_signed())?;
    }
    for (counter, share) in after.into_iter().filter(|counter| !before.contains(counter)) {
        txn.add(counter, share.cast_signed())?;
    }
    txn.put_record(keys::task(new.id), new)
}

pub(crate) fn write_row(txn: &mut Txn<'_>, row: &Execution) -> Result<(), StoreError> {
    let key = keys::execution(row.task_id, row.id);
    match txn.get(&key)? {
        None => {
            txn.add(keys::history_count(row.task_id), 1)?;
            let (retention, trigger) = rows::retention(row);
            txn.put(retention, trigger);
            txn.put(rows::location(row.id), row.task_id.to_bytes().to_vec());
        }
        // Only the row of a skip is written again after its end: it grows.
        Some(bytes) if row.status == ExecutionStatus::Skipped => {
            let old = record::decode::<Execution>(&bytes).ok();
            old.iter().flat_map(rows::outcome_entries).for_each(|(key, _)| txn.remove(key));
        }
        Some(_) => {}
    }
    for (key, value) in rows::outcome_entries(row) {
        txn.put(key, value);
    }
    txn.put_record(key, row)
}

/// Removes the oldest rows beyond the task's `keepExecutions`, never one in progress.
fn prune(txn: &mut Txn<'_>, task: &Task) -> Result<(), StoreError> {
    let count = txn.counter(&keys::history_count(task.id))?;
    let surplus =
        usize::try_from(count.saturating_sub(task.definition.keep_executions)).unwrap_or(usize::MAX);
    let surplus = surplus.min(PRUNED_AT_ONCE);
    if surplus == 0 {
        return Ok(());
    }
    let in_progress = task.facts.running.len();
    let mut removed = 0;
    for key in txn.prefixed(&keys::executions(task.id), surplus + in_progress)? {
        if removed == surplus {
            break;
        }
        removed += usize::from(remove_row(txn, &key)?);
    }
    Ok(())
}

/// Removes the execution under `key` and its output, unless it is in progress; whether it was removed.
fn remove_row(txn: &mut Txn<'_>, key: &[u8]) -> Result<bool, StoreError> {
    let Some(bytes) = txn.get(key)? else { return Ok(false) };
    let Some(id) = keys::last_execution(key) else { return Ok(false) };
    match record::decode::<Execution>(&bytes) {
        Ok(row) if row.status == ExecutionStatus::Running => return Ok(false),
        Ok(row) => {
            txn.remove(keys::retention(row.created_at, row.task_id, row.id));
            rows::outcome_entries(&row).into_iter().for_each(|(key, _)| txn.remove(key));
            txn.add(keys::history_count(row.task_id), -1)?;
        }
        // The row's time is unknown, so its retention entry stays until a removal of history reaches it.
        Err(_) => {
            txn.put(keys::quarantine(key), bytes.to_vec());
            if let Some(task) = key.get(..17).and_then(keys::last_task) {
                txn.add(keys::history_count(task), -1)?;
            }
        }
    }
    remove_output(txn, id)?;
    txn.remove(rows::location(id));
    txn.remove(key.to_vec());
    Ok(true)
}

fn remove_output(txn: &mut Txn<'_>, id: ExecutionId) -> Result<(), StoreError> {
    for key in txn.prefixed(&keys::outputs(id), usize::MAX)? {
        txn.remove(key);
    }
    Ok(())
}

pub(crate) fn append(txn: &mut Txn<'_>, output: &Output) -> Result<(), StoreError> {
    let json = serde_json::to_vec(&output.lines)
        .map_err(|e| StoreError::Backend { doing: "encode output", why: e.to_string() })?;
    for (piece, bytes) in (0..).zip(json.chunks(PIECE)) {
        txn.put(keys::output(output.execution, output.chunk, piece), record::encode_bytes(bytes));
    }
    Ok(())
}

/// Removes a task and marks its history and its state as garbage, which [`sweep`] removes in small parts.
pub(crate) fn delete(txn: &mut Txn<'_>, id: TaskId) -> Result<Task, StoreError> {
    let task = read_task(txn, id)?;
    if !task.facts.running.is_empty() {
        let running = task.facts.running.iter().map(|r| r.execution).collect();
        return Err(StoreError::InProgress(running));
    }
    for (key, _) in keys::index_entries(&task) {
        txn.remove(key);
    }
    for (counter, share) in figure_keys::counters(&task) {
        txn.add(counter, -share.cast_signed())?;
    }
    txn.remove(keys::task(id));
    txn.put(keys::garbage(id), Vec::new());
    Ok(task)
}

/// Removes a part of the history and of the state of deleted tasks; whether more may be left.
pub(crate) fn sweep(txn: &mut Txn<'_>) -> Result<bool, StoreError> {
    let Some(garbage) = txn.prefixed(&[keys::GARBAGE], 1)?.pop() else { return Ok(false) };
    let Some(id) = keys::last_task(&garbage) else {
        txn.remove(garbage);
        return Ok(true);
    };
    let rows = txn.prefixed(&keys::executions(id), PRUNED_AT_ONCE)?;
    for key in &rows {
        remove_row(txn, key)?;
        txn.remove(key.clone());
    }
    if rows.is_empty() && !state::remove_part(txn, id)? {
        kept::remove_params(txn, id)?;
        txn.remove(keys::history_count(id));
        txn.remove(garbage);
    }
    Ok(true)
}

/// Counts executions and audit records from before a time.
pub(crate) fn count_history(txn: &Txn<'_>, before: Millis) -> Result<Removal, StoreError> {
    let mut executions = 0;
    for key in txn.keys(keys::before(keys::RETENTION, before), usize::MAX)? {
        let Some(row) = key.get(9..).map(|ids| [&[keys::EXECUTION], ids].concat()) else { continue };
        let Some(bytes) = txn.get(&row)? else { continue };
        // A removal includes damaged rows.
        let in_progress =
            record::decode::<Execution>(&bytes).is_ok_and(|row| row.status == ExecutionStatus::Running);
        executions += u64::from(!in_progress);
    }
    let audit = txn.keys(keys::before(keys::AUDIT, before), usize::MAX)?.len() as u64;
    Ok(Removal { executions, audit })
}

/// Removes a part of the executions and audit records from before a time; `None` when none are left.
/// `passed` collects the retention keys of executions that stay, so that they are read once.
pub(crate) fn remove_history(
    txn: &mut Txn<'_>,
    before: Millis,
    passed: &mut std::collections::BTreeSet<Vec<u8>>,
) -> Result<Option<Removal>, StoreError> {
    let mut removal = Removal::default();
    let most = PRUNED_AT_ONCE + passed.len();
    let found = txn.keys(keys::before(keys::RETENTION, before), most)?;
    let mut progress = false;
    for key in found {
        if passed.contains(&key) {
            continue;
        }
        progress = true;
        let Some(row) = key.get(9..).map(|ids| [&[keys::EXECUTION], ids].concat()) else { continue };
        if txn.get(&row)?.is_none() {
            txn.remove(key);
        } else if remove_row(txn, &row)? {
            removal.executions += 1;
            txn.remove(key);
        } else {
            passed.insert(key);
        }
    }
    removal.audit += audit::remove(txn, before, PRUNED_AT_ONCE)?;
    progress |= removal.audit > 0;
    Ok(progress.then_some(removal))
}

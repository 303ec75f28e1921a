//! Invariants of a running process: no execution starts before it is durable, none stays in progress
//! after a recovery, no due task waits while a runner is free, no output is invented.

use std::collections::BTreeSet;

use crate::{
    domain::{
        Millis,
        execution::{Execution, ExecutionStatus, Reason},
        facts::{Facts, Task, Waiting},
        ids::{ExecutionId, TaskId},
    },
    simulation::{
        actors::plans::KEYS,
        oracle::{record::Record, rules::has_turns},
    },
    store::memory::disk::Data,
};

/// An execution given to a runner is durable and in progress, and is given to a runner only once.
pub(crate) fn check_start(
    record: &mut Record,
    data: &Data,
    task: TaskId,
    execution: ExecutionId,
    attempt: u32,
) {
    assert!(record.started.insert(execution), "{execution} is started twice");
    let row = data.rows.get(&(task, execution)).expect("an execution starts before it is durable");
    assert_eq!(
        (row.status, row.attempt),
        (ExecutionStatus::Running, attempt),
        "{execution} is not in progress"
    );
    let promised = record.accounts.get(&task).and_then(|account| account.rows.get(&execution));
    let row = Execution { node: None, ..row.clone() };
    assert_eq!(promised, Some(&row), "{execution} starts before its claim was answered");
    if let Some(key) = record.keys.get(&execution) {
        let at_once = running_with(record, data, key);
        let limit = KEYS.iter().find(|(known, _)| known == key).map_or(1, |(_, limit)| *limit as usize);
        assert!(at_once <= limit, "{at_once} executions with the key {key}, {limit} are allowed");
    }
}

/// The executions in progress that started with a concurrency key.
fn running_with(record: &Record, data: &Data, key: &str) -> usize {
    let running = data.tasks.values().flat_map(|task| &task.facts.running);
    running.filter(|running| record.keys.get(&running.execution).is_some_and(|of| of == key)).count()
}

/// No execution of an earlier process is still in progress.
pub(crate) fn check_recovered(data: &Data) {
    let left: Vec<_> = data.rows.values().filter(|row| row.status == ExecutionStatus::Running).collect();
    assert!(left.is_empty(), "left in progress after a recovery: {left:#?}");
    assert!(data.tasks.values().all(|task| task.facts.running.is_empty()));
}

/// The store's next due time is the earliest due time of all tasks.
pub(crate) fn check_next_due(data: &Data, said: Option<Millis>) {
    assert!(data.held_back.is_empty(), "sound tasks are held back: {:?}", data.held_back);
    assert_eq!(said, data.tasks.values().filter_map(Task::due).min());
}

/// Work that the scheduler should do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToDo {
    /// Start a queued execution: its task is idle.
    Start(TaskId, ExecutionId),
    /// Claim a task: this due time has come.
    Decide(TaskId, Millis),
    /// End an execution in progress: no runner has it.
    End(TaskId, ExecutionId),
}

/// Lists the work to do. No item may stay for long while a runner is free.
pub(crate) fn check_waiting(
    record: &Record,
    data: &Data,
    runs: &BTreeSet<ExecutionId>,
    now: Millis,
) -> Vec<ToDo> {
    let to_do = |task: &Task| {
        let Facts { waiting, running, retries, paused, .. } = &task.facts;
        let orphan = running.iter().find(|running| !runs.contains(&running.execution));
        if let Some(running) = orphan {
            return Some(ToDo::End(task.id, running.execution));
        }
        // Queued executions wait for an idle task, not for a time, unless the clock was set back between
        // the end of one execution and the start of the next.
        let between = record.accounts.get(&task.id).is_none_or(|account| account.changed > now);
        // A task waits for its key as long as others have all slots.
        let key = task.definition.concurrency_key.as_ref();
        let between = between || key.is_some_and(|key| running_with(record, data, key) > 0);
        let free = |waiting: &&Waiting| {
            let asked_for = waiting.occurrence.by_hand && waiting.attempt == 1;
            asked_for || !paused && (retries.is_empty() || waiting.attempt > 1)
        };
        if let Some(waiting) = waiting.iter().find(free).filter(|_| has_turns(task) && !between) {
            return Some(ToDo::Start(task.id, waiting.execution));
        }
        Some(ToDo::Decide(task.id, task.due().filter(|due| *due <= now)?))
    };
    data.tasks.values().filter_map(to_do).collect()
}

/// Once an execution has ended, the store has all its output; of a lost execution it has the first part. An execution
/// whose claim the store has lost may have run twice, and the first time has said what no one keeps.
pub(crate) fn check_output(record: &Record, data: &Data, complete: bool) {
    for (execution, said) in &record.said {
        let Some(row) = data.rows.values().find(|row| row.id == *execution) else { continue };
        let chunks = data.output.range((*execution, 0)..=(*execution, u32::MAX));
        let found: Vec<_> = chunks.flat_map(|(_, lines)| lines).collect();
        let ended = row.status != ExecutionStatus::Running && row.reason != Some(Reason::Lost);
        let ran_twice = record.losses.has_execution(*execution);
        let whole = !complete || !ended || ran_twice || found.len() == said.len();
        let none_made_up = found.iter().all(|line| said.contains(line));
        assert!(whole && none_made_up, "{execution} said {said:?}, the store has {found:?}");
    }
}

//! Invariants of a running process: nothing starts before it is durable, nothing is left in progress
//! after a recovery, nothing due waits while there is room, no output is made up.

use std::collections::BTreeSet;

use crate::{
    domain::{
        Millis,
        execution::{ExecutionStatus, Reason},
        facts::{Facts, Task, Waiting},
        ids::{ExecutionId, TaskId},
    },
    simulation::oracle::{account::has_turns, record::Record},
    store::memory::disk::Data,
};

/// A runner is given `execution`. It is durable, it is in progress, and nobody has had it before.
pub(crate) fn check_start(
    record: &mut Record,
    data: &Data,
    task: TaskId,
    execution: ExecutionId,
    attempt: u32,
) {
    assert!(record.started.insert(execution), "{execution} is started twice");
    let row = data.rows.get(&(task, execution)).expect("it starts before it is durable");
    assert_eq!(
        (row.status, row.attempt),
        (ExecutionStatus::Running, attempt),
        "{execution} is not in progress"
    );
    let promised = record.accounts.get(&task).and_then(|account| account.rows.get(&execution));
    assert_eq!(promised, Some(row), "it starts before its claim was answered");
}

/// What an earlier process left behind is settled.
pub(crate) fn check_recovered(data: &Data) {
    let left: Vec<_> = data.rows.values().filter(|row| row.status == ExecutionStatus::Running).collect();
    assert!(left.is_empty(), "left in progress after a recovery: {left:#?}");
    assert!(data.tasks.values().all(|task| task.facts.running.is_empty()));
}

/// What the store says is due next is the earliest that any task says.
pub(crate) fn check_next_due(data: &Data, said: Option<Millis>) {
    assert!(data.held_back.is_empty(), "held back although it is sound: {:?}", data.held_back);
    assert_eq!(said, data.tasks.values().filter_map(Task::due).min());
}

/// Something that is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToDo {
    /// It waits for its task to be idle, and that is so.
    Start(TaskId, ExecutionId),
    /// Its time has come.
    Decide(TaskId, Millis),
    /// It is in progress, but no runner has it.
    End(TaskId, ExecutionId),
}

/// What is to be done. Nothing of it may stay for long while there is room.
pub(crate) fn check_waiting(
    record: &Record,
    data: &Data,
    runs: &BTreeSet<ExecutionId>,
    now: Millis,
) -> Vec<ToDo> {
    let to_do = |task: &Task| {
        let Facts { waiting, running, retries, paused, .. } = &task.facts;
        let nobodys = running.iter().find(|running| !runs.contains(&running.execution));
        if let Some(running) = nobodys {
            return Some(ToDo::End(task.id, running.execution));
        }
        // Those who wait for the task to be idle wait for no moment, wherever the clock stands;
        // unless it was set back in the very moment between the end and the start.
        let between = record.accounts.get(&task.id).is_none_or(|account| account.changed > now);
        let free = |waiting: &&Waiting| waiting.occurrence.by_hand || !paused && retries.is_empty();
        if let Some(waiting) = waiting.iter().find(free).filter(|_| has_turns(task) && !between) {
            return Some(ToDo::Start(task.id, waiting.execution));
        }
        Some(ToDo::Decide(task.id, task.due().filter(|due| *due <= now)?))
    };
    data.tasks.values().filter_map(to_do).collect()
}

/// What a handler said is there once its end is; of one that was lost, the first part of it.
pub(crate) fn check_output(record: &Record, data: &Data, complete: bool) {
    for (execution, said) in &record.said {
        let Some(row) = data.rows.values().find(|row| row.id == *execution) else { continue };
        let chunks = data.output.range((*execution, 0)..=(*execution, u32::MAX));
        let found: Vec<_> = chunks.flat_map(|(_, lines)| lines).collect();
        let ended = row.status != ExecutionStatus::Running && row.reason != Some(Reason::Lost);
        let whole = !complete || !ended || found.len() == said.len();
        let none_made_up = found.iter().all(|line| said.contains(line));
        assert!(whole && none_made_up, "{execution} said {said:?}, and what is kept is {found:?}");
    }
}

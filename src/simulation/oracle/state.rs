//! The state of handlers as it must be: entries, steps and progress, beside the tasks.

use std::collections::BTreeMap;

use crate::{
    domain::{
        Millis,
        execution::{ExecutionStatus, Progress, StepNote, StepStatus},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{Edit, Edited, Entry, Fence, FinishedStep, Owner, memory::disk::Data},
};

/// A write to the state that the store took.
#[derive(Debug, Clone)]
pub(crate) enum Wrote {
    Entry(Owner, String, Option<Entry>),
    Step(Millis, FinishedStep),
    Progress(ExecutionId, Progress),
}

/// Everything that the tasks and their handlers have in the store, besides rows and output.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct World {
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    entries: BTreeMap<(Owner, String), Entry>,
    steps: BTreeMap<(TaskId, Millis, String), FinishedStep>,
    /// Of the executions in progress.
    progress: BTreeMap<(TaskId, ExecutionId), Progress>,
}

impl World {
    /// The content of a disk.
    pub(crate) fn of(data: &Data) -> Self {
        let running = data.rows.iter().filter(|(_, row)| row.status == ExecutionStatus::Running);
        let progress = running.filter_map(|(key, row)| Some((*key, row.progress.clone()?))).collect();
        Self { tasks: data.tasks.clone(), entries: data.entries.clone(), steps: data.steps.clone(), progress }
    }

    /// A task is created or changed. Steps of occurrences that are not open go.
    pub(crate) fn put_task(&mut self, task: &Task) {
        self.tasks.insert(task.id, task.clone());
        let open: Vec<Millis> = task.facts.open_times().collect();
        self.steps.retain(|(of, time, _), _| *of != task.id || open.contains(time));
        let running: Vec<_> = task.facts.running.iter().map(|run| run.execution).collect();
        self.progress.retain(|(of, execution), _| *of != task.id || running.contains(execution));
    }

    /// A task is deleted, with all that is its own.
    pub(crate) fn remove_task(&mut self, task: TaskId) {
        self.tasks.remove(&task);
        self.entries.retain(|(owner, _), _| *owner != Owner::Task(task));
        self.steps.retain(|(of, ..), _| *of != task);
        self.progress.retain(|(of, _), _| *of != task);
    }

    pub(crate) fn put(&mut self, task: TaskId, wrote: &Wrote) {
        match wrote {
            Wrote::Entry(owner, key, Some(entry)) => {
                self.entries.insert((*owner, key.clone()), entry.clone());
            }
            Wrote::Entry(owner, key, None) => {
                self.entries.remove(&(*owner, key.clone()));
            }
            Wrote::Step(time, step) => {
                self.steps.insert((task, *time, step.name.clone()), step.clone());
            }
            Wrote::Progress(execution, progress) => {
                self.progress.insert((task, *execution), progress.clone());
            }
        }
    }

    /// Whether an execution of a task is in progress.
    pub(crate) fn runs(&self, task: TaskId, execution: ExecutionId) -> bool {
        let task = self.tasks.get(&task);
        task.is_some_and(|task| task.facts.running.iter().any(|running| running.execution == execution))
    }

    /// Whether a step of an occurrence is finished.
    pub(crate) fn is_finished(&self, task: TaskId, time: Millis, name: &str) -> bool {
        self.steps.contains_key(&(task, time, name.to_owned()))
    }

    /// The steps that a lost execution of an occurrence shows.
    pub(crate) fn notes(&self, task: TaskId, time: Millis) -> Vec<StepNote> {
        let mut steps: Vec<_> = self
            .steps
            .iter()
            .filter(|((of, at, _), _)| (*of, *at) == (task, time))
            .map(|(_, step)| step)
            .collect();
        steps.sort_by_key(|step| step.number);
        let note = |step: &FinishedStep| StepNote {
            name: step.name.clone(),
            status: StepStatus::Completed,
            duration: Some(step.duration),
            attempt: step.attempt,
        };
        steps.into_iter().map(note).collect()
    }
}

/// The write that an edit made, if it changed anything. A write of a run that is not in progress by the
/// store's account, `tip` being its task, is a broken fence.
pub(crate) fn wrote(edit: &Edit, edited: &Edited, tip: Option<&Task>) -> Option<Wrote> {
    let entry = match edited {
        Edited::Unchanged(_) => return None,
        Edited::Set(entry) => Some(entry.clone()),
        Edited::Removed => None,
    };
    check_fence(edit.fence, tip);
    Some(Wrote::Entry(edit.owner, edit.key.clone(), entry))
}

pub(crate) fn check_fence(fence: Option<Fence>, tip: Option<&Task>) {
    let Some(fence) = fence else { return };
    let runs = tip.is_some_and(|task| task.facts.running.iter().any(|run| run.execution == fence.execution));
    assert!(runs, "{} writes although it is over", fence.execution);
}

//! Events: the news in a step, for listeners.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Step;
use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Progress, Reason, Trigger},
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
};

/// Characters of an execution's error that an event carries.
const ERROR: usize = 200;

/// News of a task or of the server, with everything that a row of a list shows of it. A listener
/// that needs more reads the record that has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Epoch milliseconds.
    pub time: Millis,
    /// The task; `None` for news of the server.
    pub subject: Option<Arc<Subject>>,
    /// The news.
    pub news: News,
}

/// The task of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub task: TaskId,
    /// Its name at that time.
    pub name: Box<str>,
    /// Its handler at that time.
    pub handler: Box<str>,
}

/// The state of a task after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskState {
    /// The status.
    pub status: TaskStatus,
    /// The next run, epoch milliseconds.
    pub next_run: Option<Millis>,
    /// The last occurrences that failed one after the other.
    pub streak: u32,
}

/// The row of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The id.
    pub execution: ExecutionId,
    /// The status.
    pub status: ExecutionStatus,
    /// Why it did not complete.
    pub reason: Option<Reason>,
    /// The cause of its start.
    pub trigger: Trigger,
    /// The planned time, epoch milliseconds.
    pub scheduled_for: Millis,
    /// 1-based; 0 for a skip.
    pub attempt: u32,
    /// Epoch milliseconds.
    pub start_time: Option<Millis>,
    /// Milliseconds.
    pub duration: Option<Millis>,
    /// The first [`ERROR`] characters of its error.
    pub error: Option<Box<str>>,
    /// The number of occurrences that a skip stands for by now; otherwise 0.
    pub skipped: u64,
}

/// The kinds of news.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A task was created.
    TaskCreated(TaskState),
    /// The definition or the facts of a task changed otherwise than by a run.
    TaskUpdated(TaskState),
    /// A task was deleted, and its history with it.
    TaskDeleted,
    /// An attempt was claimed: its handler starts.
    Started(Box<Row>, TaskState),
    /// An attempt is over and its row is closed.
    Ended(Box<Row>, TaskState),
    /// Occurrences were skipped.
    Skipped(Box<Row>, TaskState),
    /// An attempt has reported its progress.
    Progress(ExecutionId, Box<Progress>),
    /// Files of handlers were added, changed or removed.
    HandlersChanged,
    /// An alert began, ended or was delivered; the details for listeners.
    Alert(Box<Map<String, Value>>),
    /// A setting was changed while the server runs; the details for listeners.
    Config(Box<Map<String, Value>>),
}

impl News {
    /// Every name, in the order of the API's documentation.
    pub const NAMES: [&'static str; 10] = [
        "task-created",
        "task-updated",
        "task-deleted",
        "execution-started",
        "execution-ended",
        "execution-skipped",
        "progress",
        "handlers-changed",
        "alert",
        "config",
    ];

    /// The name in the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let index = match self {
            Self::TaskCreated(_) => 0,
            Self::TaskUpdated(_) => 1,
            Self::TaskDeleted => 2,
            Self::Started(..) => 3,
            Self::Ended(..) => 4,
            Self::Skipped(..) => 5,
            Self::Progress(..) => 6,
            Self::HandlersChanged => 7,
            Self::Alert(_) => 8,
            Self::Config(_) => 9,
        };
        Self::NAMES[index]
    }
}

impl Event {
    /// News of a task as it is after a change.
    #[must_use]
    pub fn of_task(task: &Task, news: fn(TaskState) -> News) -> Self {
        Self { time: task.updated_at, subject: Some(subject(task)), news: news(state(task)) }
    }

    /// News of an execution of a task that is as a store has both.
    #[must_use]
    pub fn of_row(task: &Task, row: &Execution) -> Self {
        let news = news_of(row, state(task));
        Self { time: row.updated_at, subject: Some(subject(task)), news }
    }

    /// The deletion of a task.
    #[must_use]
    pub fn deleted(task: &Task, time: Millis) -> Self {
        Self { time, subject: Some(subject(task)), news: News::TaskDeleted }
    }

    /// The task that the event is about.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        self.subject.as_ref().map(|subject| subject.task)
    }

    /// The row or the attempt that the event is about.
    #[must_use]
    pub fn execution(&self) -> Option<ExecutionId> {
        match &self.news {
            News::Started(row, _) | News::Ended(row, _) | News::Skipped(row, _) => Some(row.execution),
            News::Progress(execution, _) => Some(*execution),
            _ => None,
        }
    }

    /// Whether nothing further happens to an execution of a task after this.
    #[must_use]
    pub fn closes(&self, task: TaskId, execution: ExecutionId) -> bool {
        match &self.news {
            News::Ended(row, _) | News::Skipped(row, _) => row.execution == execution,
            News::TaskDeleted => self.task() == Some(task),
            _ => false,
        }
    }
}

fn subject(task: &Task) -> Arc<Subject> {
    let definition = &task.definition;
    Arc::new(Subject {
        task: task.id,
        name: definition.name.as_str().into(),
        handler: definition.handler.as_str().into(),
    })
}

fn state(task: &Task) -> TaskState {
    TaskState { status: task.status(), next_run: task.next_run(), streak: task.facts.streak }
}

fn row(row: &Execution) -> Box<Row> {
    let cut = |text: &str| {
        let end = text.char_indices().nth(ERROR).map_or(text.len(), |(index, _)| index);
        text[..end].into()
    };
    let skips = row.status == ExecutionStatus::Skipped;
    Box::new(Row {
        execution: row.id,
        status: row.status,
        reason: row.reason,
        trigger: row.trigger,
        scheduled_for: row.scheduled_for,
        attempt: row.attempt,
        start_time: row.start_time,
        duration: row.duration,
        error: row.error.as_deref().map(cut),
        skipped: if skips { row.skipped_count.unwrap_or(1) } else { 0 },
    })
}

fn news_of(found: &Execution, state: TaskState) -> News {
    let row = row(found);
    match found.status {
        ExecutionStatus::Running => News::Started(row, state),
        ExecutionStatus::Skipped => News::Skipped(row, state),
        ExecutionStatus::Completed | ExecutionStatus::Failed | ExecutionStatus::Cancelled => {
            News::Ended(row, state)
        }
    }
}

/// The events of a step that was taken from `before`: its rows in their order, each with the task as
/// it is then; the task by itself only if no row tells of it, or its definition changed.
pub(super) fn events(before: &Task, step: &Step) -> Vec<Event> {
    let task = &step.task;
    let changed = if step.rows.is_empty() { task != before } else { task.definition != before.definition };
    if step.rows.is_empty() && !changed {
        return Vec::new();
    }
    let (subject, state) = (subject(task), state(task));
    let event = |news| Event { time: task.updated_at, subject: Some(subject.clone()), news };
    let rows = step.rows.iter().map(|row| event(news_of(row, state)));
    rows.chain(changed.then(|| event(News::TaskUpdated(state)))).collect()
}

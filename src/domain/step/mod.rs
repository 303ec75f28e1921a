//! Step: `(task, input, circumstances) → task'`, the only way in which a task's facts change.
//!
//! A step also has consequences: rows to write in the same transaction and, once that is
//! durable, attempts to start, executions to cancel and events to publish. An input that the
//! facts do not allow is refused with an error that names both.
//!
//! [`due`] decides about planned times, [`ended`] about attempts that are over, [`control`]
//! about requests of users, [`declared`] about files of tasks. [`alerts`] and [`events`] derive the
//! messages and the events from the rest of a step.

mod alerts;
mod backfill;
mod control;
mod declared;
mod due;
mod ended;
mod events;
mod follow;
mod policy;
mod refused;
mod rows;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use self::{
    events::{Event, News, Row, Subject, TaskState},
    follow::EndedOccurrence,
    policy::Policy,
    refused::Refused,
    rows::Skip,
};
use super::{
    Millis,
    alerts::Alert,
    definition::{Definition, after::Predecessor},
    draft::Draft,
    execution::{Execution, ExecutionStatus, Reason, Trigger, Verdict},
    facts::{Facts, LastExecution, Occurrence, Origin, Running, Task, Waiting},
    ids::{ExecutionId, TaskId},
    recent::Recent,
    schedule::{Passed, Plan, Schedule},
};

/// An occasion on which a task changes.
#[derive(Debug, Clone)]
pub enum Input {
    /// The task's due time has come.
    Due,
    /// An execution of the task is over.
    Ended {
        /// The execution.
        execution: ExecutionId,
        /// The verdict on it.
        verdict: Box<Verdict>,
    },
    /// A user wants a run now.
    RunByHand {
        /// The id of the new execution.
        execution: ExecutionId,
        /// Parameters instead of the task's.
        params: Option<Map<String, Value>>,
        /// The user, and the execution that is run again.
        origin: Origin,
    },
    /// An alert wants a run now.
    RunByAlert {
        /// The id of the new execution.
        execution: ExecutionId,
        /// The message.
        params: Map<String, Value>,
    },
    /// The time of a decision about the task's alerts has come.
    Watch,
    /// A slot of this concurrency key is free for a run that waits.
    Admit {
        /// The key.
        key: String,
    },
    /// An occurrence of the task's predecessor has ended.
    Follow(Box<Predecessor>),
    /// A user pauses the task.
    Pause,
    /// A user resumes the task.
    Resume,
    /// A user resets its count of failures.
    ResetRetries,
    /// A user wants the planned times of a past span to run, one after the other.
    Backfill {
        /// The first moment of the span.
        from: Millis,
        /// The last one.
        to: Millis,
        /// The most planned times that run, from the first on.
        most: u64,
    },
    /// A user cancels its executions in progress.
    Cancel,
    /// A user cancels one of them.
    CancelOne(ExecutionId),
    /// A user changes its definition.
    Update(Box<Draft>),
    /// A file of tasks has the task.
    Declare {
        /// The definition in the file.
        definition: Box<Definition>,
        /// The file's name.
        file: String,
    },
    /// The task has left the file that had it.
    Release,
}

/// Everything that a step depends on besides the task and the input.
pub struct Circumstances<'a> {
    /// Epoch milliseconds.
    pub now: Millis,
    /// Chance in −1..1, for jitter.
    pub roll: f64,
    /// Makes ids of executions.
    pub new_id: &'a mut dyn FnMut() -> ExecutionId,
    /// The server's rules.
    pub policy: Policy,
}

/// The consequences of an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The changed task.
    pub task: Task,
    /// Rows to write.
    pub rows: Vec<Execution>,
    /// Attempts to start once that is durable.
    pub start: Vec<Start>,
    /// Executions to cancel once that is durable.
    pub cancel: Vec<ExecutionId>,
    /// The text for people that says who cancels them.
    pub cancelled_by: &'static str,
    /// Messages to write in the same change, and to deliver once that is durable.
    pub alerts: Vec<Alert>,
    /// Occurrences that have ended, skipped ones apart.
    pub ended: Vec<EndedOccurrence>,
    /// Events to publish once that is durable.
    pub events: Vec<Event>,
}

/// The canceller of an execution that gives way to a newer one.
pub const REPLACED: &str = "a newer run replaces it";
/// The canceller of an execution that a user cancels.
const BY_USER: &str = "cancelled by a user";

/// An attempt to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Its row.
    pub execution: ExecutionId,
    /// The task.
    pub task: TaskId,
    /// The task's definition when the attempt was claimed.
    pub definition: Definition,
    /// 1-based.
    pub attempt: u32,
    /// Why it starts.
    pub trigger: Trigger,
    /// The occurrence that it runs for.
    pub occurrence: Occurrence,
    /// The earliest start: a claim may be made durable a little ahead of it.
    pub not_before: Millis,
}

impl Task {
    /// A new task and its first planned time.
    #[must_use]
    pub fn new(id: TaskId, definition: Definition, now: Millis) -> Self {
        let mut facts = Facts {
            paused: false,
            anchor: now,
            next: None,
            stopped_after: None,
            retries: Vec::new(),
            retry_count: 0,
            last_retry: None,
            running: Vec::new(),
            waiting: Vec::new(),
            last: None,
            last_execution: None,
            recent: Recent::default(),
            streak: 0,
            last_success: None,
            last_failure: None,
            runs: 0,
            counted_runs: 0,
            backfill: None,
            paused_by: None,
            alarms: None,
            untold: Vec::new(),
        };
        facts.next = first_run(definition.plan(now, id), now);
        Self { id, definition, facts, created_at: now, updated_at: now, declared: None }
    }

    /// The consequences of `input`.
    ///
    /// # Errors
    /// [`Refused`], when the facts do not allow the input.
    pub fn step(&self, input: Input, circumstances: &mut Circumstances<'_>) -> Result<Step, Refused> {
        let mut stepper = Stepper { step: Step::to(self.clone()), circumstances };
        match input {
            Input::Due => stepper.decide_due(),
            Input::Ended { execution, verdict } => stepper.end(execution, *verdict)?,
            Input::RunByHand { execution, params, origin } => {
                stepper.run_by_hand(execution, Trigger::Manual, params, origin)?;
            }
            Input::RunByAlert { execution, params } => {
                stepper.run_by_hand(execution, Trigger::Alert, Some(params), Origin::default())?;
            }
            // The clock alone is the occasion.
            Input::Watch => {}
            Input::Admit { key } => stepper.admit(&key),
            Input::Follow(end) => stepper.follow(*end),
            Input::Pause => stepper.pause()?,
            Input::Resume => {
                stepper.resume()?;
                stepper.forget_file();
            }
            Input::ResetRetries => stepper.reset_retries(),
            Input::Backfill { from, to, most } => stepper.begin_backfill(from, to, most)?,
            Input::Cancel => stepper.cancel()?,
            Input::CancelOne(execution) => stepper.cancel_one(execution)?,
            Input::Update(draft) => stepper.update(&draft)?,
            Input::Declare { definition, file } => stepper.declare(*definition, file)?,
            Input::Release => stepper.release()?,
        }
        stepper.decide_alerts(self);
        let Stepper { mut step, circumstances } = stepper;
        for waiting in &mut step.task.facts.waiting {
            // They wait for the task to be idle, not for a clock that was set back to catch up.
            waiting.since = waiting.since.min(circumstances.now);
        }
        if let Some(backfill) = &mut step.task.facts.backfill {
            backfill.since = backfill.since.min(circumstances.now);
        }
        if step.task != *self {
            // Never backwards, whatever the clock does.
            step.task.updated_at = circumstances.now.max(self.updated_at);
        }
        step.events = events::events(self, &step);
        Ok(step)
    }
}

/// The first planned time of a new schedule: a moment already past is due at once.
fn first_run(plan: Plan<'_>, now: Millis) -> Option<Millis> {
    match plan.schedule {
        Schedule::Now => Some(now.saturating_add(plan.shift)),
        Schedule::At(moment) => Some(now.max(moment.saturating_add(plan.shift))),
        _ => plan.next_after(now),
    }
}

/// A step in the making.
struct Stepper<'a, 'b> {
    step: Step,
    circumstances: &'a mut Circumstances<'b>,
}

impl Stepper<'_, '_> {
    fn facts(&mut self) -> &mut Facts {
        &mut self.step.task.facts
    }

    fn plan(&self) -> Plan<'_> {
        self.step.task.plan()
    }

    /// The next planned time after `after`, for a task that has one.
    fn next_after(&self, after: Millis) -> Option<Millis> {
        let task = &self.step.task;
        let goes_on = task.definition.recurring && task.runs_left() != Some(0);
        if goes_on { self.plan().next_after(after) } else { None }
    }

    /// The first undecided planned time after now, for a task that goes on after a pause or a stop.
    fn next_afresh(&mut self) -> Option<Millis> {
        let now = self.circumstances.now;
        let after = self.facts().stopped_after.take().map_or(now, |decided| decided.max(now));
        self.next_after(after)
    }

    /// Starts an attempt: adds it to the facts, to the rows and to the attempts to start.
    fn start(&mut self, execution: ExecutionId, trigger: Trigger, attempt: u32, occurrence: Occurrence) {
        let now = self.circumstances.now;
        if attempt == 1 && !occurrence.is_asked_for() {
            self.count_run();
        }
        let running = Running {
            execution,
            attempt,
            trigger,
            claimed_at: now,
            occurrence: occurrence.clone(),
            former_params: None,
            skipped: None,
        };
        let task = &mut self.step.task;
        self.step.rows.push(Execution::started(task, &running));
        task.facts.running.push(running);
        task.facts.last_execution = Some(LastExecution {
            id: execution,
            status: ExecutionStatus::Running,
            time: now,
            duration: None,
            error: None,
        });
        self.step.start.push(Start {
            execution,
            task: task.id,
            definition: task.definition.clone(),
            attempt,
            trigger,
            occurrence,
            not_before: now,
        });
    }

    /// Counts a run that starts. After the last of `max_runs` nothing is planned, and nothing waits.
    fn count_run(&mut self) {
        if self.step.task.definition.max_runs.is_none() {
            return;
        }
        self.facts().counted_runs += 1;
        if self.step.task.runs_left() == Some(0) {
            self.facts().next = None;
            let waiting = std::mem::take(&mut self.facts().waiting);
            let (kept, dropped): (Vec<_>, Vec<_>) = waiting.into_iter().partition(Waiting::stays);
            self.facts().waiting = kept;
            if let Some(first) = dropped.first() {
                self.skip(Reason::Ended, first.occurrence.scheduled_for, dropped.len() as u64);
            }
        }
    }

    /// Records `count` occurrences, the first at `scheduled_for`, as skipped.
    fn skip(&mut self, reason: Reason, scheduled_for: Millis, count: u64) {
        if count == 0 {
            return;
        }
        let id = (self.circumstances.new_id)();
        let skip = Skip { reason, scheduled_for, count };
        let row = Execution::skipped(&self.step.task, id, skip, self.circumstances.now);
        self.step.rows.push(row);
        // The times of a row follow each other: a row from before these grows no more.
        self.facts().running.iter_mut().for_each(|running| running.skipped = None);
    }

    /// Records occurrences that passed while a run was in progress: one row per run, which grows as long as the
    /// times follow each other.
    fn skip_overlapping(&mut self, scheduled_for: Millis, count: u64) {
        if count == 0 {
            return;
        }
        let now = self.circumstances.now;
        let Some(mut running) = self.facts().running.pop() else {
            return self.skip(Reason::Overlap, scheduled_for, count);
        };
        let row = match running.skipped.take() {
            Some(row) => super::facts::SkipRow { count: row.count.saturating_add(count), ..row },
            None => super::facts::SkipRow {
                execution: (self.circumstances.new_id)(),
                scheduled_for,
                count,
                created_at: now,
            },
        };
        let skip = Skip { reason: Reason::Overlap, scheduled_for: row.scheduled_for, count: row.count };
        let mut written = Execution::skipped(&self.step.task, row.execution, skip, now);
        written.created_at = row.created_at;
        self.step.rows.retain(|r| r.id != written.id);
        self.step.rows.push(written);
        running.skipped = Some(row);
        self.facts().running.push(running);
    }

    /// Call before the schedule changes: records every planned time that is past but undecided as
    /// skipped, so that none is lost. While the task is paused nothing is recorded.
    fn skip_passed(&mut self) {
        let now = self.circumstances.now;
        let facts = &self.step.task.facts;
        let Some(first) = facts.next.filter(|next| *next <= now && !facts.paused) else { return };
        let count = 1 + self.count_passed(first, now).count;
        self.facts().next = self.next_after(now);
        let facts = &self.step.task.facts;
        if self.step.task.is_retrying() {
            self.skip(Reason::Retrying, first, count);
        } else if facts.running.is_empty() {
            self.skip(Reason::Misfire, first, count);
        } else {
            self.skip_overlapping(first, count);
        }
    }

    /// As [`Self::skip_passed`], of a recurring task; the one planned time of another task waits instead.
    fn skip_passed_of_recurring(&mut self) {
        if self.step.task.definition.recurring {
            self.skip_passed();
        }
    }

    /// The occurrences in `first..=until` besides `first`, which is one.
    fn count_passed(&self, first: Millis, until: Millis) -> Passed {
        if !self.step.task.definition.recurring {
            return Passed::default();
        }
        self.plan().count_between(first, until)
    }
}

//! Step: `(task, event, moment) → task'`, the only way in which a task's facts change.
//!
//! A step also says what follows from it: rows to write in the same transaction, and,
//! once that is durable, attempts to start and executions to cancel. An event that the
//! facts do not allow is refused with an error that names both.
//!
//! [`due`] decides about planned times, [`ended`] about attempts that are over,
//! [`control`] about what users ask for.

mod control;
mod due;
mod ended;
mod rows;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use self::rows::Skip;
use super::{
    Millis,
    definition::Definition,
    draft::{Draft, Problem},
    execution::{Execution, ExecutionStatus, Reason, Trigger, Verdict},
    facts::{Facts, LastExecution, MOST_AT_ONCE, MOST_PARAMS_BYTES, Occurrence, Running, Task},
    ids::{ExecutionId, TaskId},
    schedule::{Passed, Plan, Schedule},
};

/// Something that happens to a task.
#[derive(Debug, Clone)]
pub enum Event {
    /// Its due time has come.
    Due,
    /// One of its executions is over.
    Ended {
        /// Which one.
        execution: ExecutionId,
        /// What came of it.
        verdict: Box<Verdict>,
    },
    /// A user wants a run now.
    RunByHand {
        /// The id the execution gets.
        execution: ExecutionId,
        /// Parameters instead of the task's.
        params: Option<Map<String, Value>>,
    },
    /// A user holds it back.
    Pause,
    /// A user lets it go on.
    Resume,
    /// A user forgives its failures.
    ResetRetries,
    /// A user wants what runs of it to end.
    Cancel,
    /// A user changes its definition.
    Update(Box<Draft>),
}

/// When a step happens, and everything in it that is not a function of the task.
pub struct Moment<'a> {
    /// Epoch milliseconds.
    pub now: Millis,
    /// In −1..1, for jitter.
    pub roll: f64,
    /// Makes ids.
    pub new_id: &'a mut dyn FnMut() -> ExecutionId,
    /// The server's rules.
    pub policy: Policy,
}

/// The server's rules about missed times.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// An occurrence later than this many milliseconds was missed.
    pub misfire_after: Millis,
    /// `misfire: all` reaches back this many milliseconds at most.
    pub catch_up_window: Millis,
    /// And runs this many of them at most.
    pub catch_up_max: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { misfire_after: 60_000, catch_up_window: 86_400_000, catch_up_max: 100 }
    }
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The task as it is afterwards.
    pub task: Task,
    /// Rows to write.
    pub rows: Vec<Execution>,
    /// Attempts to start once that is durable.
    pub start: Vec<Start>,
    /// Executions to cancel once that is durable.
    pub cancel: Vec<ExecutionId>,
}

/// An attempt to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Its row.
    pub execution: ExecutionId,
    /// The task.
    pub task: TaskId,
    /// As it stood when the attempt was claimed.
    pub definition: Definition,
    /// 1-based.
    pub attempt: u32,
    /// What started it.
    pub trigger: Trigger,
    /// What it runs for.
    pub occurrence: Occurrence,
    /// Not before this moment: a claim may be made durable a little ahead of it.
    pub not_before: Millis,
}

/// An event that the facts do not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A run is asked for while one is in progress.
    #[error("Task is already running")]
    AlreadyRunning,
    /// A run is asked for while one waits in the queue.
    #[error("Task already has a run waiting")]
    AlreadyWaiting,
    /// A run is asked for while [`MOST_AT_ONCE`] are not over.
    #[error("Task already has {MOST_AT_ONCE} runs that run or wait")]
    TooManyOpen,
    /// The same, of their own parameters: [`MOST_PARAMS_BYTES`].
    #[error("Task would have more than {} MiB of parameters of runs that run or wait", MOST_PARAMS_BYTES >> 20)]
    TooLargeOpen,
    /// It is paused already.
    #[error("Task is already paused")]
    AlreadyPaused,
    /// It is not paused.
    #[error("Task is not paused")]
    NotPaused,
    /// Nothing of it runs.
    #[error("Task is not running")]
    Idle,
    /// It is to be decided about when its time has come.
    #[error("the task is not due yet")]
    NotYet,
    /// The execution is not in progress: its row is closed and stays as it is.
    #[error("execution {0} is not in progress, so its end changes nothing")]
    NotRunning(ExecutionId),
    /// What a user asks for does not fit what is there.
    #[error("the change does not fit the task")]
    Invalid(Vec<Problem>),
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
        };
        facts.next = first_run(definition.plan(now), now);
        Self { id, definition, facts, created_at: now, updated_at: now }
    }

    /// What follows from `event`.
    ///
    /// # Errors
    /// [`Refused`], when the facts do not allow the event.
    pub fn step(&self, event: Event, moment: &mut Moment<'_>) -> Result<Step, Refused> {
        let mut stepper = Stepper {
            step: Step { task: self.clone(), rows: Vec::new(), start: Vec::new(), cancel: Vec::new() },
            moment,
        };
        match event {
            Event::Due => stepper.due(),
            Event::Ended { execution, verdict } => stepper.ended(execution, *verdict)?,
            Event::RunByHand { execution, params } => stepper.run_by_hand(execution, params)?,
            Event::Pause => stepper.pause()?,
            Event::Resume => stepper.resume()?,
            Event::ResetRetries => stepper.reset_retries(),
            Event::Cancel => stepper.cancel()?,
            Event::Update(draft) => stepper.update(&draft)?,
        }
        let Stepper { mut step, moment, .. } = stepper;
        for waiting in &mut step.task.facts.waiting {
            // They wait for the task to be idle, not for a clock that was set back to catch up.
            waiting.since = waiting.since.min(moment.now);
        }
        if step.task != *self {
            // Never backwards, whatever the clock does.
            step.task.updated_at = moment.now.max(self.updated_at);
        }
        Ok(step)
    }
}

/// The first planned time of a new schedule: a moment already past is due at once.
fn first_run(plan: Plan<'_>, now: Millis) -> Option<Millis> {
    match plan.schedule {
        Schedule::Now => Some(now),
        Schedule::At(moment) => Some(now.max(*moment)),
        _ => plan.next_after(now),
    }
}

/// A step in the making.
struct Stepper<'a, 'b> {
    step: Step,
    moment: &'a mut Moment<'b>,
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
        if self.step.task.definition.recurring { self.plan().next_after(after) } else { None }
    }

    /// Plans on after a pause or a stop, with what comes after now and has not been decided about.
    fn next_afresh(&mut self) -> Option<Millis> {
        let now = self.moment.now;
        let after = self.facts().stopped_after.take().map_or(now, |decided| decided.max(now));
        self.next_after(after)
    }

    /// Starts an attempt: into the facts, a row, and the list of what to start.
    fn start(&mut self, execution: ExecutionId, trigger: Trigger, attempt: u32, occurrence: Occurrence) {
        let now = self.moment.now;
        let running = Running {
            execution,
            attempt,
            trigger,
            claimed_at: now,
            occurrence: occurrence.clone(),
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

    /// Records `count` occurrences, the first at `scheduled_for`, as skipped.
    fn skip(&mut self, reason: Reason, scheduled_for: Millis, count: u64) {
        if count == 0 {
            return;
        }
        let id = (self.moment.new_id)();
        let skip = Skip { reason, scheduled_for, count };
        let row = Execution::skipped(&self.step.task, id, skip, self.moment.now);
        self.step.rows.push(row);
    }

    /// Records occurrences that passed while a run was in progress: one row per run, which grows.
    fn skip_overlapping(&mut self, scheduled_for: Millis, count: u64) {
        if count == 0 {
            return;
        }
        let now = self.moment.now;
        let Some(mut running) = self.facts().running.pop() else {
            return self.skip(Reason::Overlap, scheduled_for, count);
        };
        let row = match running.skipped.take() {
            Some(row) => super::facts::SkipRow { count: row.count.saturating_add(count), ..row },
            None => super::facts::SkipRow {
                execution: (self.moment.new_id)(),
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

    /// Planned times that have come and were not decided about are recorded before what they
    /// were planned by changes: none vanishes, except while the task is paused.
    fn skip_passed(&mut self) {
        let now = self.moment.now;
        let facts = &self.step.task.facts;
        let Some(first) = facts.next.filter(|next| *next <= now && !facts.paused) else { return };
        let count = 1 + self.passed(first, now).count;
        self.facts().next = self.next_after(now);
        let facts = &self.step.task.facts;
        if !facts.retries.is_empty() {
            self.skip(Reason::Retrying, first, count);
        } else if facts.running.is_empty() {
            self.skip(Reason::Misfire, first, count);
        } else {
            self.skip_overlapping(first, count);
        }
    }

    /// The same of a recurring task; a moment that comes once waits instead.
    fn skip_passed_of_recurring(&mut self) {
        if self.step.task.definition.recurring {
            self.skip_passed();
        }
    }

    /// The occurrences in `first..=until` besides `first`, which is one.
    fn passed(&self, first: Millis, until: Millis) -> Passed {
        if !self.step.task.definition.recurring {
            return Passed::default();
        }
        self.plan().count_between(first, until)
    }
}

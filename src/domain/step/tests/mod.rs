//! Stories of tasks: each test lets things happen to one and reads what was recorded.
//!
//! Times in the stories are seconds after [`START`], a Monday at ten o'clock UTC.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::*;
use crate::domain::{
    alerts::AlertSettings,
    definition::{Misfire, OnExhausted, Overlap},
    draft::tests::definition,
    execution::Ending,
    facts::{LastOutcome, PendingRetry, TaskStatus},
};

mod alerts;
mod control;
mod declared;
mod due;
mod events;
mod figures;
mod follow;
mod misfire;
mod overlap;
mod plans;
mod random;
mod retries;

const START: Millis = 1_772_445_600_000;
const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// A task, the clock, and every row that was written.
#[derive(Debug, Clone)]
struct Life {
    task: Task,
    now: Millis,
    roll: f64,
    ids: u128,
    rows: BTreeMap<ExecutionId, Execution>,
    alerts: Arc<AlertSettings>,
}

impl Life {
    fn new(definition: Definition) -> Self {
        let task = Task::new(TaskId(Ulid(1)), definition, START);
        Self { task, now: START, roll: 0.0, ids: 1000, rows: BTreeMap::new(), alerts: Arc::default() }
    }

    /// A task with this schedule and these other fields.
    fn with(schedule: &str, change: impl FnOnce(&mut Definition)) -> Self {
        let mut definition = definition(schedule);
        change(&mut definition);
        Self::new(definition)
    }

    /// The clock shows so many seconds after the start, and nobody has looked yet.
    fn at(&mut self, seconds: i64) -> &mut Self {
        self.now = START + seconds * SECOND;
        self
    }

    fn try_step(&mut self, input: Input) -> Result<Step, Refused> {
        let ids = &mut self.ids;
        let mut new_id = || {
            *ids += 1;
            ExecutionId(Ulid(*ids))
        };
        let (now, roll) = (self.now, self.roll);
        let policy = Policy { alerts: self.alerts.clone(), ..Policy::default() };
        let mut moment = Circumstances { now, roll, new_id: &mut new_id, policy };
        let step = self.task.step(input, &mut moment)?;
        self.task = step.task.clone();
        self.rows.extend(step.rows.iter().map(|row| (row.id, row.clone())));
        Ok(step)
    }

    fn step(&mut self, input: Input) -> Step {
        self.try_step(input).unwrap_or_else(|refused| panic!("refused: {refused}"))
    }

    /// Decides about everything that is due, as the scheduler does.
    fn due(&mut self) -> Vec<Start> {
        let mut started = Vec::new();
        for _ in 0..200 {
            if self.task.due().is_none_or(|due| due > self.now) {
                return started;
            }
            started.extend(self.step(Input::Due).start);
        }
        panic!("still due after 200 decisions: {:?}", self.task.facts);
    }

    fn new_id(&mut self) -> ExecutionId {
        self.ids += 1;
        ExecutionId(Ulid(self.ids))
    }

    fn try_by_hand(&mut self) -> Result<Step, Refused> {
        let execution = self.new_id();
        self.try_step(Input::RunByHand { execution, params: None, origin: Origin::default() })
    }

    fn by_hand(&mut self) -> Step {
        self.try_by_hand().expect("a run by hand is allowed")
    }

    fn try_update(&mut self, fields: &Value) -> Result<Step, Refused> {
        let draft = Draft::read(fields.as_object().expect("an object")).expect("a valid draft");
        self.try_step(Input::Update(Box::new(draft)))
    }

    fn update(&mut self, fields: &Value) -> Step {
        self.try_update(fields).unwrap_or_else(|refused| panic!("{fields} is refused: {refused}"))
    }

    /// The end of the attempt that has been in progress longest.
    fn end(&mut self, verdict: Verdict) -> Step {
        let execution = self.task.facts.running.first().expect("an attempt in progress").execution;
        self.step(Input::Ended { execution, verdict: Box::new(verdict) })
    }

    fn succeeds(&mut self) -> Step {
        self.end(completed())
    }

    fn fails(&mut self) -> Step {
        self.end(Verdict::failed(Reason::Exception, "no luck"))
    }

    fn is_cancelled(&mut self) -> Step {
        self.end(cancelled())
    }

    fn status(&self) -> &'static str {
        self.task.status().name()
    }

    /// Seconds after the start.
    fn next_run(&self) -> Option<i64> {
        self.task.next_run().map(seconds)
    }

    /// Every row, oldest first: planned time, what it was and what came of it.
    fn history(&self) -> Vec<String> {
        self.rows.values().map(told).collect()
    }

    fn retrying(&self) -> (u32, Option<i64>) {
        (self.task.facts.retry_count, self.task.facts.last_retry.map(seconds))
    }
}

fn seconds(moment: Millis) -> i64 {
    (moment - START).div_euclid(SECOND)
}

fn told(row: &Execution) -> String {
    let word = |value: Value| value.as_str().unwrap_or("nothing").to_owned();
    let name = |status: ExecutionStatus| word(json!(status));
    let planned = seconds(row.scheduled_for);
    match row.skipped_count {
        Some(count) => format!("{planned}s {} {} x{count}", name(row.status), word(json!(row.reason))),
        None => format!("{planned}s {} #{} {}", word(json!(row.trigger)), row.attempt, name(row.status)),
    }
}

fn completed() -> Verdict {
    let ending = Ending::Completed { result: json!({"sum": 3}) };
    Verdict::of(ending)
}

fn cancelled() -> Verdict {
    let ending = Ending::Cancelled { error: "by a user".to_owned() };
    Verdict::of(ending)
}

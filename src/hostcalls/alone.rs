//! Runs without a server: a task of their own in a store, so that their host calls work and are fenced as
//! a server's are.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::explain;
use crate::{
    clock::{Clock, Ids},
    domain::{
        draft::{Defaults, Draft},
        execution::Verdict,
        facts::Task,
        ids::TaskId,
        step::{Circumstances, Input, Policy, Step},
        zone::parse_zone,
    },
    runtime::Attempt,
    store::Store,
};

/// The name of the task.
const NAME: &str = "isochron run";

/// The task of runs without a server.
pub struct Alone {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
    task: TaskId,
}

impl Alone {
    /// Creates a task for the handler.
    ///
    /// # Errors
    /// A sentence: the name of the handler is none, or the store fails.
    pub async fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, handler: &str) -> Result<Self, String> {
        let body = json!({ "name": NAME, "description": NAME, "handler": handler, "schedule": "now" });
        let body: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
        let now = clock.now();
        let timezone = parse_zone("UTC").map_err(explain)?;
        let draft = Draft::read_new(&body);
        let definition =
            draft.and_then(|draft| draft.create(&Defaults { timezone, keep_executions: 1 }, now));
        let definition = definition.map_err(|problems| {
            problems.iter().map(|p| format!("{} {}", p.field, p.problem)).collect::<Vec<_>>().join("; ")
        })?;
        let ids = Arc::new(Ids::new(clock.clone()));
        let task = Task::new(ids.task(now), definition, now);
        let id = task.id;
        store.create(task, None).await.map_err(explain)?;
        Ok(Self { store, clock, ids, task: id })
    }

    /// Begins a run.
    ///
    /// # Errors
    /// A sentence: the run before has not ended, or the store fails.
    pub async fn begin(&self) -> Result<Attempt, String> {
        let execution = self.ids.execution(self.clock.now());
        let step = self.take(Input::RunByHand { execution, params: None }).await?;
        let start = step.start.first().ok_or("the run does not start")?;
        Ok(Attempt { task: self.task, execution, number: 1, scheduled_for: start.occurrence.scheduled_for })
    }

    /// Ends a run: it writes nothing more.
    ///
    /// # Errors
    /// A sentence: the store fails.
    pub async fn end(&self, attempt: Attempt, verdict: &Verdict) -> Result<(), String> {
        let verdict = Box::new(verdict.clone());
        self.take(Input::Ended { execution: attempt.execution, verdict }).await.map(drop)
    }

    async fn take(&self, input: Input) -> Result<Step, String> {
        let ids = self.ids.clone();
        let decide = Box::new(move |task: &Task, now| {
            let mut new_id = || ids.execution(now);
            let policy = Policy::default();
            task.step(input.clone(), &mut Circumstances { now, roll: 0.0, new_id: &mut new_id, policy })
        });
        self.store.change(self.task, decide, None, None).await.map_err(explain)
    }
}

//! Runs without a server: a task of their own in a store, so that their host calls work and are fenced as
//! a server's are.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::explain;
use crate::{
    clock::{Clock, Ids},
    domain::{
        Millis,
        definition::Definition,
        draft::{Defaults, Draft, sentence},
        execution::{Reason, Verdict},
        facts::{Origin, Task},
        ids::TaskId,
        step::{Circumstances, Input, Policy, Step},
        zone::parse_zone,
    },
    runtime::Attempt,
    store::{Direction, Store, TaskQuery, TaskSort},
};

/// The most characters of a handler's name in the name of its task.
const LONGEST: usize = 32;

/// The task of runs without a server.
pub struct Alone {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
    task: TaskId,
}

impl Alone {
    /// Takes the handler's task in the store, or creates it. The task is paused and its time is far: a
    /// server that opens the store does not run it.
    ///
    /// # Errors
    /// A sentence: the name of the handler is none, or the store fails.
    pub async fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, handler: &str) -> Result<Self, String> {
        let ids = Arc::new(Ids::new(clock.clone()));
        let name = name_of(handler);
        if let Some(found) = find(&*store, &name).await? {
            let alone = Self { store, clock, ids, task: found.id };
            for running in found.facts.running {
                let verdict = Box::new(Verdict::failed(Reason::Lost, "isochron run was ended meanwhile"));
                alone.take(Input::Ended { execution: running.execution, verdict }).await?;
            }
            return Ok(alone);
        }
        let now = clock.now();
        let task = Task::new(ids.task(now), definition(handler, &name, now)?, now);
        let alone = Self { store, clock, ids, task: task.id };
        alone.store.create(task, None).await.map_err(explain)?;
        alone.take(Input::Pause).await?;
        Ok(alone)
    }

    /// Begins a run.
    ///
    /// # Errors
    /// A sentence: the run before has not ended, or the store fails.
    pub async fn begin(&self) -> Result<Attempt, String> {
        let execution = self.ids.execution(self.clock.now());
        let step = self.take(Input::RunByHand { execution, params: None, origin: Origin::default() }).await?;
        let start = step.start.first().ok_or("the run does not start")?;
        let scheduled_for = start.occurrence.scheduled_for;
        Ok(Attempt { task: self.task, execution, number: 1, scheduled_for, node: None })
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

/// The name of a handler's task: the end of a long name gives way to a part of its hash.
fn name_of(handler: &str) -> String {
    if handler.chars().count() <= LONGEST {
        return format!("isochron run {handler}");
    }
    let begin: String = handler.chars().take(LONGEST - 9).collect();
    let hash = HEXLOWER.encode(&Sha256::digest(handler));
    format!("isochron run {begin}-{}", &hash[..8])
}

fn definition(handler: &str, name: &str, now: Millis) -> Result<Definition, String> {
    let body = json!({ "name": name, "description": "The state of `isochron run --data`", "handler": handler,
        "schedule": "0 0 1 1 *", "recurring": true });
    let body: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    let timezone = parse_zone("UTC").map_err(explain)?;
    let draft = Draft::read_new(&body);
    let definition = draft.and_then(|draft| draft.create(&Defaults { timezone, keep_executions: 10 }, now));
    definition.map_err(|problems| {
        problems.iter().map(|p| sentence(&p.field, &p.problem)).collect::<Vec<_>>().join("; ")
    })
}

async fn find(store: &dyn Store, name: &str) -> Result<Option<Task>, String> {
    let query = TaskQuery {
        status: None,
        handler: None,
        tag: None,
        after: None,
        bound: None,
        name: Some(name.to_owned()),
        sort: TaskSort::CreatedAt,
        direction: Direction::Ascending,
        skip: 0,
        limit: usize::MAX,
        newest: 0,
    };
    let mut found = store.tasks(query).await.map_err(explain)?.items.into_iter().map(|view| view.task);
    Ok(found.find(|task| task.definition.name == name))
}

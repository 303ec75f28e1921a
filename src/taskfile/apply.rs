//! Carries out the difference between the file and the tasks that there are.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use serde_json::json;

use super::{
    Parts,
    find::{Found, NAMES, shown},
    finding::Finding,
    plan::{Change, Plan, plan},
    read::{HandlerUse, Reading, read, sort},
};
use crate::{
    domain::{facts::Task, step::Refused},
    scheduler::ControlError,
    store::{Direction, StoreError, TaskQuery, TaskSort},
};

/// The key of the store's value that says whether a file has ever had tasks.
const KEY: &str = "taskFile";
/// The most plans for one text: each is made because a user's change came in between.
const TRIES: usize = 8;

/// The numbers of changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    created: usize,
    updated: usize,
    released: usize,
    deleted: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, updated, released, deleted } = self;
        write!(f, "{created} created, {updated} updated, {released} released, {deleted} deleted")
    }
}

/// Makes the tasks as the file has them. Returns the number of tasks in the file, and of the changes.
///
/// # Errors
/// The mistakes in the file; then no task has changed.
pub(super) async fn apply(parts: &Parts, found: Found) -> Result<(usize, Counts), Vec<Finding>> {
    let (name, reading) = match found {
        Found::Text { name, text } => (name, read(name, &text, &parts.defaults, parts.clock.now())),
        Found::Broken(finding) => return Err(vec![finding]),
        Found::Absent | Found::NoFolder if !had_tasks(parts).await? => return Ok((0, Counts::default())),
        Found::Absent => (NAMES[0], Reading::default()),
        Found::NoFolder => {
            let problem = "the folder of the handlers is not there; the tasks of the file stay as they are";
            return Err(vec![Finding::whole(&shown(NAMES[0]), problem)]);
        }
    };
    let Reading { contents, handlers, findings } = &reading;
    if !contents.tasks.is_empty() && findings.is_empty() {
        parts.store.put(KEY.to_owned(), json!(true)).await.map_err(|error| failed(name, &error))?;
    }
    let mut counts = Counts::default();
    for round in 0.. {
        let tasks = all_tasks(parts).await.map_err(|error| failed(name, &error))?;
        // A task is created after the one that it follows, and deleted before it.
        if round > TRIES + contents.tasks.len() + tasks.len() {
            break;
        }
        let Plan { changes, more, conflicts } = plan(contents, name, &tasks);
        let mut wrong: Vec<_> = findings.iter().cloned().chain(conflicts).collect();
        wrong.extend(check_handlers(parts, name, handlers, &tasks).await);
        if !wrong.is_empty() {
            sort(&mut wrong);
            return Err(wrong);
        }
        if changes.is_empty() && !more {
            return Ok((contents.tasks.len(), counts));
        }
        let (before, mut refused) = (counts, None);
        for change in &changes {
            match carry_out(parts, name, change, &mut counts).await {
                Ok(()) => {}
                Err(ControlError::Store(
                    StoreError::NotFound | StoreError::NameTaken(_) | StoreError::Refused(Refused::Unmanaged),
                )) => tracing::debug!(?change, "a user was faster: the file is planned again"),
                // It may be right once other changes have been made.
                Err(
                    error @ ControlError::Store(
                        StoreError::Followed(_) | StoreError::Refused(Refused::Invalid(_)),
                    ),
                ) => refused = Some(error),
                Err(error) => return Err(failed(name, &error)),
            }
        }
        if let Some(error) = refused.filter(|_| counts == before) {
            return Err(failed(name, &error));
        }
    }
    Err(vec![Finding::whole(&shown(name), "its tasks keep being changed by users while they are applied")])
}

async fn had_tasks(parts: &Parts) -> Result<bool, Vec<Finding>> {
    let value = parts.store.get(KEY.to_owned()).await.map_err(|error| failed(NAMES[0], &error))?;
    Ok(value.is_some())
}

async fn all_tasks(parts: &Parts) -> Result<Vec<Task>, StoreError> {
    let query = TaskQuery {
        status: None,
        handler: None,
        tag: None,
        after: None,
        bound: None,
        name: None,
        sort: TaskSort::CreatedAt,
        direction: Direction::Ascending,
        skip: 0,
        limit: usize::MAX,
        newest: 0,
    };
    Ok(parts.store.tasks(query).await?.items.into_iter().map(|view| view.task).collect())
}

/// Checks that the handlers that are new to their tasks load, each once.
async fn check_handlers(parts: &Parts, name: &str, handlers: &[HandlerUse], tasks: &[Task]) -> Vec<Finding> {
    let present: HashMap<&str, &str> =
        tasks.iter().map(|task| (&*task.definition.name, &*task.definition.handler)).collect();
    let mut checked = HashMap::new();
    let mut findings = Vec::new();
    for HandlerUse { label, task, handler, at } in handlers {
        if present.get(task.as_str()) == Some(&handler.as_str()) {
            continue;
        }
        let error = match checked.entry(handler) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let error = parts.catalog.check(handler).await.err();
                unknown.insert(error.map(|error| error.to_string()))
            }
        };
        findings.extend(
            error.as_ref().map(|error| Finding::at(&shown(name), *at, format!("{label}: handler {error}"))),
        );
    }
    findings
}

async fn carry_out(
    parts: &Parts,
    file: &str,
    change: &Change<'_>,
    counts: &mut Counts,
) -> Result<(), ControlError> {
    let scheduler = &parts.scheduler;
    match change {
        Change::Create(definition) => {
            scheduler.create_declared(definition.clone(), file).await?;
            counts.created += 1;
        }
        Change::Declare(task, definition) => {
            scheduler.declare(task.id, definition.clone(), file).await?;
            counts.updated += 1;
        }
        Change::Release(task) => {
            scheduler.release(task.id, file).await?;
            counts.released += 1;
        }
        Change::Delete(task) => {
            scheduler.delete_declared(task.id, file).await?;
            counts.deleted += 1;
        }
    }
    Ok(())
}

/// The finding of an error that is no mistake in the file.
fn failed(name: &str, error: &impl fmt::Display) -> Vec<Finding> {
    vec![Finding::whole(&shown(name), format!("cannot be applied: {error}"))]
}

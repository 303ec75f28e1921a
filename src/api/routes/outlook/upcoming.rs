//! The planned runs of all active tasks, in the order of time.

use std::collections::{HashSet, VecDeque};

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{DAY, read_span};
use crate::{
    api::{
        auth::Caller, documents::Meta, error::ApiError, input::Fields, request::RequestInfo, state::Shared,
    },
    domain::{
        Millis,
        access::Grant,
        facts::Task,
        ids::TaskId,
        outlook::upcoming::{Kind, Planned, Upcoming as Merge},
    },
    store::{ComingQuery, Direction, StoreError, TaskQuery, TaskSort},
};

/// Tasks read from the store at once.
const PART: usize = 128;
/// Tasks that are passed over because they add nothing to the answer, at most.
const MOST_PASSED: usize = 20_000;

/// Planned runs.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Upcoming {
    occurrences: Vec<Occurrence>,
    /// Whether there are more within the span.
    truncated: bool,
    meta: Meta,
}

/// A planned run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Occurrence {
    time: Millis,
    task_id: TaskId,
    task_name: String,
    handler: String,
    kind: Kind,
}

impl From<Planned> for Occurrence {
    fn from(planned: Planned) -> Self {
        let Planned { time, kind, task, name, handler } = planned;
        Self { time, task_id: task, task_name: name, handler, kind }
    }
}

/// A question for planned runs in `[from, until)`; without `from` those that are late are included.
pub(in crate::api) struct Question {
    pub(in crate::api) from: Option<Millis>,
    pub(in crate::api) until: Millis,
    pub(in crate::api) handler: Option<String>,
    pub(in crate::api) tag: Option<String>,
    pub(in crate::api) task: Option<TaskId>,
    pub(in crate::api) limit: usize,
}

pub(in crate::api) async fn upcoming(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<Upcoming>, ApiError> {
    let now = api.clock.now();
    let given = fields.has("from");
    let (from, until) = read_span(&mut fields, now, DAY);
    let (handler, tag) = (fields.text("handler"), fields.text("tag"));
    let task: Option<Result<TaskId, _>> = fields.text("taskId").map(|id| id.parse());
    let limit = fields.number("limit", 1, 1000, 100);
    fields.finish()?;
    let task = task.transpose().map_err(|_| StoreError::NotFound)?;
    let question = Question { from: given.then_some(from), until, handler, tag, task, limit };
    let (occurrences, truncated) = answer(&api, question, &caller.grant).await?;
    Ok(Json(Upcoming { occurrences, truncated, meta: info.meta() }))
}

/// The planned runs, and whether there are more.
pub(in crate::api) async fn answer(
    api: &Shared,
    question: Question,
    grant: &Grant,
) -> Result<(Vec<Occurrence>, bool), ApiError> {
    let now = api.clock.now();
    let mut source = Source::new(api, &question);
    let mut merge = Merge::new(question.from.unwrap_or(Millis::MIN + 1), now);
    let mut found: Vec<Occurrence> = Vec::new();
    let mut passed = 0;
    loop {
        let next = source.next_time().await?.filter(|time| *time < question.until);
        let head = merge.next_time().filter(|time| *time < question.until);
        match (next, head) {
            (Some(next), head) if head.is_none_or(|head| next <= head) => {
                let task = source.take().filter(|task| grant.covers(&task.definition.handler));
                // Tasks that add nothing to the answer: they run too early, or are none of the token's.
                passed += usize::from(task.is_none() || question.from.is_some_and(|from| next < from));
                if passed > MOST_PASSED {
                    return Err(ApiError::bad_request(format!(
                        "More than {MOST_PASSED} tasks run before the first that is asked for: name a handler \
                         or a task, or use /admin/forecast"
                    )));
                }
                task.into_iter().for_each(|task| merge.add(task));
            }
            (_, Some(_)) if found.len() == question.limit => return Ok((found, true)),
            (_, Some(_)) => found.extend(merge.pop().map(Occurrence::from)),
            (Some(_), None) | (None, None) => return Ok((found, false)),
        }
    }
}

/// The tasks of a question in the order of their next runs, read from the store in parts.
struct Source<'a> {
    api: &'a Shared,
    query: ComingQuery,
    task: Option<TaskId>,
    tag: Option<String>,
    /// Tasks with the tag that were read.
    tagged: usize,
    read: VecDeque<(Millis, Task)>,
    /// A task that runs between two parts would come again.
    seen: HashSet<TaskId>,
    more: bool,
}

impl<'a> Source<'a> {
    fn new(api: &'a Shared, question: &Question) -> Self {
        let query = ComingQuery {
            handler: question.handler.clone(),
            after: None,
            until: question.until,
            limit: PART.min(question.limit.saturating_add(1)),
        };
        Self {
            api,
            query,
            task: question.task,
            tag: question.tag.clone(),
            tagged: 0,
            read: VecDeque::new(),
            seen: HashSet::new(),
            more: true,
        }
    }

    async fn next_time(&mut self) -> Result<Option<Millis>, ApiError> {
        while self.read.is_empty() && self.more {
            self.read_part().await?;
        }
        Ok(self.read.front().map(|(time, _)| *time))
    }

    fn take(&mut self) -> Option<Task> {
        let (_, task) = self.read.pop_front()?;
        self.seen.insert(task.id).then_some(task)
    }

    async fn read_part(&mut self) -> Result<(), ApiError> {
        if let Some(id) = self.task {
            self.more = false;
            let task = self.api.store.task(id).await?.ok_or(StoreError::NotFound)?;
            let named = self.query.handler.as_ref().is_none_or(|name| *name == task.definition.handler);
            let time = task.next_run().filter(|_| named);
            self.read.extend(time.map(|time| (time, task)));
            return Ok(());
        }
        if let Some(tag) = self.tag.clone() {
            return self.read_tagged(tag).await;
        }
        let part = self.api.store.coming(self.query.clone()).await?;
        self.more = part.len() == self.query.limit;
        self.query.after = part.last().map(|(time, task)| (*time, task.id));
        self.read.extend(part);
        Ok(())
    }

    async fn read_tagged(&mut self, tag: String) -> Result<(), ApiError> {
        let query = TaskQuery {
            bound: None,
            status: None,
            handler: self.query.handler.clone(),
            name: None,
            tag: Some(tag),
            sort: TaskSort::NextRun,
            direction: Direction::Ascending,
            skip: self.tagged,
            limit: PART,
            newest: 0,
            after: None,
        };
        let page = self.api.store.tasks(query).await?;
        self.tagged += page.items.len();
        let planned = page.items.iter().filter(|view| view.task.next_run().is_some()).count();
        // Those without a next run are last.
        self.more = planned == PART;
        let tasks = page.items.into_iter().map(|view| view.task);
        self.read.extend(tasks.filter_map(|task| Some((task.next_run()?, task))));
        Ok(())
    }
}

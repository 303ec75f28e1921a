//! The search of the palette: tasks by a part of their name, handlers, and ids pasted whole.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller, documents::Meta, error::ApiError, input::Fields, request::RequestInfo,
        routes::find_execution, state::Shared,
    },
    domain::{
        execution::ExecutionStatus,
        facts::{Task, TaskStatus},
        ids::{ExecutionId, TaskId},
    },
    store::NameSearch,
};

/// Tasks, and handlers, that are found at most.
const MOST: usize = 10;
/// Characters of a text that is searched for.
const LONGEST: usize = 100;

/// The tasks, handlers and executions that a text may mean.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Found {
    /// Names that begin with the text come first.
    tasks: Vec<TaskFound>,
    handlers: Vec<String>,
    executions: Vec<ExecutionFound>,
    /// False if not all names were looked at.
    complete: bool,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
struct TaskFound {
    id: TaskId,
    name: String,
    handler: String,
    status: TaskStatus,
}

impl From<Task> for TaskFound {
    fn from(task: Task) -> Self {
        let status = task.status();
        Self { id: task.id, name: task.definition.name, handler: task.definition.handler, status }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExecutionFound {
    id: ExecutionId,
    task_id: TaskId,
    task_name: String,
    status: ExecutionStatus,
}

pub(in crate::api) async fn search(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<Found>, ApiError> {
    let text = fields.text("q").unwrap_or_default();
    let length = text.chars().count();
    let text = text.trim().to_owned();
    if text.is_empty() || length > LONGEST {
        fields.report("q", format!("must be a text of 1 to {LONGEST} characters"));
    }
    fields.finish()?;
    let mut found = Found {
        tasks: Vec::new(),
        handlers: Vec::new(),
        executions: Vec::new(),
        complete: true,
        meta: info.meta(),
    };
    if let Ok(id) = text.parse::<TaskId>() {
        let task = api.store.task(id).await?.filter(|task| caller.grant.covers(&task.definition.handler));
        found.tasks.extend(task.map(TaskFound::from));
    } else if let Ok(id) = text.parse::<ExecutionId>() {
        if let Ok(row) = find_execution(&api, &caller, id).await {
            let (task_id, task_name, status) = (row.task_id, row.task_name, row.status);
            found.executions.push(ExecutionFound { id, task_id, task_name, status });
        }
    } else {
        let search = NameSearch { text: text.clone(), scope: caller.grant.handlers.clone(), limit: MOST };
        let (tasks, complete) = api.store.find_by_name(search).await?;
        found.tasks.extend(tasks.into_iter().map(TaskFound::from));
        found.complete = complete;
        let part = text.to_lowercase();
        let names = api.catalog.names().await.into_iter();
        let names = names.filter(|name| name.to_lowercase().contains(&part) && caller.grant.covers(name));
        found.handlers.extend(names.take(MOST));
    }
    found.meta = info.meta();
    Ok(Json(found))
}

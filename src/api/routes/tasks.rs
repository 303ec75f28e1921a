//! Tasks: list, create, read, update, delete.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{TAIL, alerts::unknown_channel, show_changed, show_executions};
use crate::{
    api::{
        auth::Caller,
        documents::{Deleted, ExecutionDocument, Meta, NEWEST, TaskDocument, read_only},
        error::ApiError,
        input::{Body, Fields, LARGEST_SKIP, NoQuery, TaskPath},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        draft::{Draft, Problem, Problems},
        facts::TaskStatus,
        ids::TaskId,
        step::Refused,
    },
    handlers::catalog::HandlerError,
    scheduler::ControlError,
    store::{Direction, StoreError, TaskQuery, TaskSort, TaskView},
};

/// The number of newest executions beside a task, with the end of their output.
const BESIDE: usize = 5;

/// A page of tasks.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    tasks: Vec<TaskDocument>,
    total: u64,
    skip: usize,
    limit: usize,
    meta: Meta,
}

/// One task.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Found {
    task: TaskDocument,
    /// The newest 5, newest first.
    executions: Vec<ExecutionDocument>,
    meta: Meta,
}

/// A task after a change.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Changed {
    task: TaskDocument,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<List>, ApiError> {
    let statuses = TaskStatus::ALL.map(|status| (status.name(), status));
    let brief = fields.choice("fields", &[("list", ())]).is_some();
    let query = TaskQuery {
        skip: fields.number("skip", 0, LARGEST_SKIP, 0),
        limit: fields.number("limit", 1, 100, 20),
        status: fields.choice("status", &statuses),
        handler: fields.text("handler"),
        tag: fields.text("tag"),
        after: None,
        bound: caller.grant.handlers,
        name: fields.text("name"),
        sort: fields
            .choice(
                "sortBy",
                &[
                    ("name", TaskSort::Name),
                    ("nextRun", TaskSort::NextRun),
                    ("createdAt", TaskSort::CreatedAt),
                    ("updatedAt", TaskSort::UpdatedAt),
                ],
            )
            .unwrap_or(TaskSort::NextRun),
        direction: fields
            .choice("sortOrder", &[("asc", Direction::Ascending), ("desc", Direction::Descending)])
            .unwrap_or(Direction::Ascending),
        newest: if brief { 0 } else { NEWEST },
    };
    fields.finish()?;
    let (skip, limit) = (query.skip, query.limit);
    let page = api.store.tasks(query).await?;
    let now = api.clock.now();
    let document = |view: TaskView| {
        if brief { TaskDocument::brief(view.task, now) } else { TaskDocument::new(view, now) }
    };
    let tasks = page.items.into_iter().map(document).collect();
    Ok(Json(List { tasks, total: page.total, skip, limit, meta: info.meta() }))
}

pub(in crate::api) async fn create(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let now = api.clock.now();
    let draft = Draft::read_new(&body).map_err(ApiError::invalid)?;
    let definition = draft.create(&api.defaults, now).map_err(ApiError::invalid)?;
    caller.ensure_handler(&definition.handler)?;
    check_handler(&api, &definition.handler).await?;
    check_channels(&api, &draft)?;
    check_predecessor(&api, &caller, draft.predecessor()).await?;
    let created = api.scheduler.create(definition, &caller.actor).await;
    let task = created.map_err(|error| without_names(&caller, error))?;
    let location = format!("{}/admin/scheduler/{}", api.base(), task.id);
    let task = show_changed(&api, task).await?;
    let body = Changed { task, meta: info.meta_saying("Task created successfully") };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(in crate::api) async fn read(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    _: NoQuery,
) -> Result<Json<Found>, ApiError> {
    let view = api.store.task_view(id, NEWEST).await?.ok_or(StoreError::NotFound)?;
    let beside = view.newest.iter().take(BESIDE).cloned().collect();
    let executions = show_executions(&api, beside, Some(TAIL)).await?;
    let task = TaskDocument::new(view, api.clock.now());
    Ok(Json(Found { task, executions, meta: info.meta() }))
}

pub(in crate::api) async fn update(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    TaskPath(id): TaskPath,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<Changed>, ApiError> {
    let view = api.store.task_view(id, NEWEST).await?.ok_or(StoreError::NotFound)?;
    let former = view.task.definition.after.map(|after| after.task_id);
    let document = TaskDocument::new(view, api.clock.now());
    let mut body = read_only::unwrap_answer(body);
    let mut problems = read_only::take_out(&mut body, &document)?;
    let draft = match Draft::read(&body) {
        Ok(draft) if problems.is_empty() => draft,
        read => {
            problems.extend(read.err().unwrap_or_default());
            return Err(ApiError::invalid(problems));
        }
    };
    if let Some(handler) = draft.handler() {
        caller.ensure_handler(handler)?;
        check_handler(&api, handler).await?;
    }
    check_channels(&api, &draft)?;
    // A document may be sent back whole.
    let predecessor = draft.predecessor().filter(|predecessor| Some(*predecessor) != former);
    check_predecessor(&api, &caller, predecessor).await?;
    let updated = api.scheduler.update(id, draft, &caller.actor).await;
    let task = updated.map_err(|error| without_names(&caller, error))?;
    let task = show_changed(&api, task).await?;
    Ok(Json(Changed { task, meta: info.meta_saying("Task updated successfully") }))
}

pub(in crate::api) async fn delete(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    TaskPath(id): TaskPath,
    _: NoQuery,
) -> Result<Json<Deleted>, ApiError> {
    let deleted = api.scheduler.delete(id, &caller.actor).await;
    let task = deleted.map_err(|error| without_names(&caller, error))?;
    let meta = info.meta_saying(format!("Task \"{}\" deleted successfully", task.definition.name));
    Ok(Json(Deleted::with(meta)))
}

/// Refuses a predecessor whose results the token may not see, as if it were not there.
async fn check_predecessor(api: &Shared, caller: &Caller, id: Option<TaskId>) -> Result<(), ApiError> {
    let Some(id) = id.filter(|_| caller.grant.handlers.is_some()) else { return Ok(()) };
    let task = api.store.task(id).await?;
    if task.is_some_and(|task| caller.grant.covers(&task.definition.handler)) {
        return Ok(());
    }
    Err(ApiError::invalid(vec![Problem::new("after.taskId", "names no task")]))
}

/// An error about a chain of tasks, without the names of tasks that the token may not be for.
fn without_names(caller: &Caller, error: ControlError) -> ApiError {
    if caller.grant.handlers.is_none() {
        return error.into();
    }
    match error {
        ControlError::Store(StoreError::Followed(_)) => {
            ApiError::conflict("Another task runs after it: change or delete that task first")
        }
        ControlError::Store(StoreError::Refused(Refused::Invalid(mut problems))) => {
            for circle in problems.iter_mut().filter(|problem| problem.field == "after.taskId") {
                "makes a circle, or a chain that is too long".clone_into(&mut circle.problem);
            }
            ApiError::invalid(problems)
        }
        error => error.into(),
    }
}

/// Refuses alerts to channels that the settings have not.
fn check_channels(api: &Shared, draft: &Draft) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    for (index, channel) in draft.channels().enumerate() {
        if !api.alerts.names().any(|name| name == channel) {
            let problem = unknown_channel(api, &Value::from(channel));
            problems.report(&format!("alerts[{index}].channel"), problem);
        }
    }
    problems.finish().map_err(ApiError::invalid)
}

async fn check_handler(api: &Shared, name: &str) -> Result<(), ApiError> {
    api.catalog.check(name).await.map_err(|error| match error {
        HandlerError::Unusable(problem) => ApiError::invalid(vec![Problem::new("handler", problem)]),
        HandlerError::Unknown(error) => ApiError::internal(format!("load {name}: {error}")),
    })
}

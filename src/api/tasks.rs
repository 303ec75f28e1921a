//! Tasks: list, create, read, update, delete.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Shared,
    error::ApiError,
    input::{Body, Fields, LARGEST_SKIP, TaskPath},
    model, read_only,
    request::RequestInfo,
};
use crate::{
    domain::{
        draft::{Draft, Problem},
        facts::TaskStatus,
    },
    handlers::catalog::HandlerError,
    store::{Direction, StoreError, TaskQuery, TaskSort},
};

/// Executions shown beside a task.
const NEWEST: usize = 5;

pub(super) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let statuses = TaskStatus::ALL.map(|status| (status.name(), status));
    let query = TaskQuery {
        skip: fields.number("skip", 0, LARGEST_SKIP, 0),
        limit: fields.number("limit", 1, 100, 20),
        status: fields.choice("status", &statuses),
        handler: fields.text("handler"),
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
        newest: model::NEWEST,
    };
    fields.finish()?;
    let (skip, limit) = (query.skip, query.limit);
    let page = api.store.tasks(query).await?;
    let now = api.clock.now();
    let tasks: Vec<_> = page.items.iter().map(|view| model::task(view, now)).collect::<Result<_, _>>()?;
    Ok(Json(json!({
        "tasks": tasks,
        "total": page.total,
        "skip": skip,
        "limit": limit,
        "meta": info.meta(),
    })))
}

pub(super) async fn create(
    State(api): State<Shared>,
    info: RequestInfo,
    fields: Fields,
    Body(body): Body,
) -> Result<Response, ApiError> {
    fields.finish()?;
    let now = api.clock.now();
    let draft = Draft::read_new(&body).map_err(ApiError::invalid)?;
    let definition = draft.create(&api.defaults, now).map_err(ApiError::invalid)?;
    check_handler(&api, &definition.handler).await?;
    let task = api.scheduler.create(definition, &info.asker()).await?;
    let location = format!("/admin/scheduler/{}", task.id);
    let body = json!({
        "task": model::changed(&*api.store, task, now).await?,
        "meta": info.meta_saying("Task created successfully"),
    });
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn read(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    fields.finish()?;
    let view = api.store.task_view(id, model::NEWEST).await?.ok_or(StoreError::NotFound)?;
    let newest = &view.newest[..view.newest.len().min(NEWEST)];
    let executions = model::listed(&*api.store, newest).await?;
    Ok(Json(json!({
        "task": model::task(&view, api.clock.now())?,
        "executions": executions,
        "meta": info.meta(),
    })))
}

pub(super) async fn update(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    fields: Fields,
    Body(mut body): Body,
) -> Result<Json<Value>, ApiError> {
    fields.finish()?;
    let view = api.store.task_view(id, model::NEWEST).await?.ok_or(StoreError::NotFound)?;
    let document = model::task(&view, api.clock.now())?;
    let mut problems = read_only::take_out(&mut body, &document);
    let draft = match Draft::read(&body) {
        Ok(draft) if problems.is_empty() => draft,
        read => {
            problems.extend(read.err().unwrap_or_default());
            return Err(ApiError::invalid(problems));
        }
    };
    if let Some(handler) = draft.handler() {
        check_handler(&api, handler).await?;
    }
    let task = api.scheduler.update(id, draft, &info.asker()).await?;
    Ok(Json(json!({
        "task": model::changed(&*api.store, task, api.clock.now()).await?,
        "meta": info.meta_saying("Task updated successfully"),
    })))
}

pub(super) async fn delete(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    fields.finish()?;
    let task = api.scheduler.delete(id, &info.asker()).await?;
    let message = format!("Task \"{}\" deleted successfully", task.definition.name);
    Ok(Json(json!({ "success": true, "meta": info.meta_saying(&message) })))
}

async fn check_handler(api: &Shared, name: &str) -> Result<(), ApiError> {
    api.catalog.check(name).await.map_err(|error| match error {
        HandlerError::Unusable(problem) => ApiError::invalid(vec![Problem::new("handler", problem)]),
        HandlerError::Unknown(error) => ApiError::internal(format!("load {name}: {error}")),
    })
}

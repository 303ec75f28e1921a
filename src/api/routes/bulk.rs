//! Bulk: one action on many tasks, named by their ids or by a filter.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{Body, NoQuery},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        access::Role,
        draft::{Problem, Problems, read_run, whole_number},
        facts::{Task, TaskStatus},
        ids::{ExecutionId, TaskId},
    },
    scheduler::{BulkAction, ControlError},
    store::{Direction, StoreError, TaskQuery, TaskSort},
};

/// The most tasks of one request.
const MOST: usize = 1000;
const FIELDS: [&str; 7] = ["action", "ids", "filter", "dryRun", "params", "confirm", "cursor"];

/// The answer to a bulk action.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Done {
    /// In the order of the ids, or of creation.
    results: Vec<Outcome>,
    /// The number of ids, or of the tasks that the filter lets through behind the cursor.
    matched: u64,
    /// Where the next request goes on; null after the last task.
    cursor: Option<TaskId>,
    dry_run: bool,
    meta: Meta,
}

/// The outcome for one task.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkOutcome)]
struct Outcome {
    id: String,
    name: Option<String>,
    ok: bool,
    /// After the action; of a task that is deleted or was left as it is, before it.
    status: Option<TaskStatus>,
    /// The execution of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<ExecutionId>,
    /// Why the action is refused.
    message: Option<String>,
}

/// The tasks of a request.
enum Chosen {
    Ids(Vec<String>),
    Filter { query: TaskQuery, confirm: Option<u64> },
}

/// A request.
struct Request {
    action: BulkAction,
    chosen: Chosen,
    dry_run: bool,
}

pub(in crate::api) async fn bulk(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<Done>, ApiError> {
    let Request { action, chosen, dry_run } = read(&body).map_err(ApiError::invalid)?;
    if action == BulkAction::Delete && !caller.grant.allows(Role::Editor) {
        return Err(ApiError::role_too_low(Role::Editor, caller.grant.role));
    }
    let (found, matched, cursor) = match chosen {
        Chosen::Ids(ids) => {
            let matched = ids.len() as u64;
            (find_all(&api, ids).await?, matched, None)
        }
        Chosen::Filter { query, confirm } => {
            let query = TaskQuery { bound: caller.grant.handlers.clone(), ..query };
            let page = api.store.tasks(query).await?;
            if let Some(confirm) = confirm.filter(|confirm| !dry_run && *confirm != page.total) {
                let total = page.total;
                let message = format!(
                    "The filter lets {total} tasks through now, not {confirm}: look again with dryRun"
                );
                return Err(ApiError::conflict(message));
            }
            let last = page.items.last().map(|view| view.task.id);
            let cursor = last.filter(|_| page.total > page.items.len() as u64);
            let tasks = page.items.into_iter().map(|view| (view.task.id.to_string(), Some(view.task)));
            (tasks.collect(), page.total, cursor)
        }
    };
    let covered = |task: Option<Task>| task.filter(|task| caller.grant.covers(&task.definition.handler));
    let found: Vec<_> = found.into_iter().map(|(id, task)| (id, covered(task))).collect();
    let results = if dry_run {
        found.into_iter().map(|(id, task)| try_one(&api, id, task, &action)).collect()
    } else {
        act(&api, found, &action, &caller).await?
    };
    Ok(Json(Done { results, matched, cursor, dry_run, meta: info.meta() }))
}

/// Reads the tasks of ids; an id that names none has none.
async fn find_all(api: &Shared, ids: Vec<String>) -> Result<Vec<(String, Option<Task>)>, ApiError> {
    let mut found = Vec::new();
    for text in ids {
        let task = match text.parse::<TaskId>() {
            Ok(id) => api.store.task(id).await?,
            Err(_) => None,
        };
        found.push((text, task));
    }
    Ok(found)
}

fn try_one(api: &Shared, id: String, task: Option<Task>, action: &BulkAction) -> Outcome {
    let Some(task) = task else { return missing(id) };
    let refused = api.scheduler.would_act(&task, action).err();
    Outcome {
        id,
        ok: refused.is_none(),
        status: Some(task.status()),
        execution_id: None,
        message: refused.map(|refused| refused.to_string()),
        name: Some(task.definition.name),
    }
}

async fn act(
    api: &Shared,
    found: Vec<(String, Option<Task>)>,
    action: &BulkAction,
    caller: &Caller,
) -> Result<Vec<Outcome>, ApiError> {
    let ids: Vec<_> = found.iter().filter_map(|(_, task)| task.as_ref().map(|task| task.id)).collect();
    let mut answers = api.scheduler.act_on_all(&ids, action, &caller.actor).await.into_iter();
    let mut results = Vec::new();
    for (id, task) in found {
        let Some((task, answer)) = task.and_then(|task| Some((task, answers.next()?))) else {
            results.push(missing(id));
            continue;
        };
        let (task, execution_id, refused) = match answer {
            Ok(done) => (done.task, done.execution, None),
            Err(ControlError::Store(error @ (StoreError::Refused(_) | StoreError::InProgress(_)))) => {
                (task, None, Some(error.to_string()))
            }
            Err(ControlError::Store(StoreError::NotFound)) => {
                results.push(missing(id));
                continue;
            }
            // The store fails or the server stops: the rest would fare no better.
            Err(error) => return Err(error.into()),
        };
        results.push(Outcome {
            id,
            ok: refused.is_none(),
            status: Some(task.status()),
            execution_id,
            message: refused,
            name: Some(task.definition.name),
        });
    }
    Ok(results)
}

fn missing(id: String) -> Outcome {
    let message = Some("Task not found".to_owned());
    Outcome { id, name: None, ok: false, status: None, execution_id: None, message }
}

fn read(body: &Map<String, Value>) -> Result<Request, Vec<Problem>> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &FIELDS);
    let action = read_action(body, &mut problems);
    let dry_run = match body.get("dryRun") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => {
            problems.report("dryRun", "must be true or false");
            false
        }
    };
    let chosen = match (body.get("ids"), body.get("filter")) {
        (Some(ids), None) => read_ids(ids, body, &mut problems),
        (None, Some(filter)) => read_filter(filter, body, &mut problems),
        _ => {
            problems.report("ids", "must be given, or filter: one of the two");
            None
        }
    };
    let needs_confirm = action == Some(BulkAction::Delete)
        && !dry_run
        && matches!(chosen, Some(Chosen::Filter { confirm: None, .. }));
    if needs_confirm {
        let problem = "must be the number of tasks that a dryRun has told: a filter may delete many";
        problems.report("confirm", problem);
    }
    problems.finish()?;
    action.zip(chosen).map(|(action, chosen)| Request { action, chosen, dry_run }).ok_or_else(Vec::new)
}

fn read_action(body: &Map<String, Value>, problems: &mut Problems) -> Option<BulkAction> {
    let choices = ["pause", "resume", "run", "cancel", "reset-retries", "delete"].map(|word| (word, word));
    let word = match body.get("action") {
        Some(Value::String(word)) => problems.choose("action", word, &choices)?,
        Some(_) => {
            problems.report("action", "must be a string");
            return None;
        }
        None => {
            problems.report("action", "is required");
            return None;
        }
    };
    let params = body.get("params").filter(|_| word != "run");
    if params.is_some() {
        problems.report("params", "are for the action run only");
    }
    Some(match word {
        "pause" => BulkAction::Pause,
        "resume" => BulkAction::Resume,
        "cancel" => BulkAction::Cancel,
        "reset-retries" => BulkAction::ResetRetries,
        "delete" => BulkAction::Delete,
        _ => {
            let own = body.iter().filter(|(name, _)| *name == "params");
            match read_run(&own.map(|(name, value)| (name.clone(), value.clone())).collect()) {
                Ok(params) => BulkAction::Run(params),
                Err(found) => {
                    found.into_iter().for_each(|Problem { field, problem }| problems.report(&field, problem));
                    return None;
                }
            }
        }
    })
}

fn read_ids(ids: &Value, body: &Map<String, Value>, problems: &mut Problems) -> Option<Chosen> {
    for name in ["confirm", "cursor"].into_iter().filter(|name| body.contains_key(*name)) {
        problems.report(name, "goes with filter only");
    }
    let texts: Option<Vec<_>> = ids.as_array().and_then(|ids| ids.iter().map(Value::as_str).collect());
    let Some(texts) = texts.filter(|texts| (1..=MOST).contains(&texts.len())) else {
        problems.report("ids", format!("must be an array of 1 to {MOST} ids of tasks"));
        return None;
    };
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = texts.iter().find(|id| !seen.insert(**id)) {
        problems.report("ids", format!("has {twice:?} twice"));
    }
    Some(Chosen::Ids(texts.into_iter().map(str::to_owned).collect()))
}

fn read_filter(filter: &Value, body: &Map<String, Value>, problems: &mut Problems) -> Option<Chosen> {
    let Value::Object(filter) = filter else {
        problems.report("filter", "must be an object, such as {\"tag\": \"nightly\"}");
        return None;
    };
    for name in filter.keys().filter(|name| !["status", "handler", "tag", "name"].contains(&name.as_str())) {
        let field = format!("filter.{name}");
        problems.report(&field, "is not known here; known are status, handler, tag, name");
    }
    let mut text = |name: &str| match filter.get(name) {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            problems.report(&format!("filter.{name}"), "must be a string");
            None
        }
    };
    let (status, handler, tag, name) = (text("status"), text("handler"), text("tag"), text("name"));
    let statuses = TaskStatus::ALL.map(|status| (status.name(), status));
    let status = status.and_then(|word| problems.choose("filter.status", &word, &statuses));
    let confirm = body.get("confirm").and_then(whole_number);
    if body.contains_key("confirm") && confirm.is_none() {
        problems.report("confirm", "must be a whole number");
    }
    let cursor = body.get("cursor").filter(|cursor| !cursor.is_null());
    let after = cursor.and_then(|cursor| cursor.as_str()?.parse().ok());
    if cursor.is_some() && after.is_none() {
        problems.report("cursor", "must be the cursor of an answer");
    }
    let query = TaskQuery {
        bound: None,
        status,
        handler,
        tag,
        name,
        after: Some(after.unwrap_or_else(|| TaskId::from_bytes([0; 16]))),
        sort: TaskSort::CreatedAt,
        direction: Direction::Ascending,
        skip: 0,
        limit: MOST,
        newest: 0,
    };
    Some(Chosen::Filter { query, confirm })
}

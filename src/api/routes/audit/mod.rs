//! The audit: who did what.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        documents::Meta,
        error::ApiError,
        input::{Fields, LATEST},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        audit::{Action, Audit, FieldChange, Holder, Outcome, Target},
        ids::TaskId,
    },
    store::{AuditPlace, AuditQuery},
};

/// The cursor of the next page of an answer of lines.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// A record as the API shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditRecord)]
struct Document {
    id: String,
    time: Millis,
    action: String,
    outcome: Outcome,
    /// Why it was refused, or why the server did it.
    reason: Option<String>,
    actor: Option<Holder>,
    address: Option<String>,
    target: Option<Target>,
    task_id: Option<TaskId>,
    task_name: Option<String>,
    changes: Vec<FieldChange>,
    request_id: String,
}

impl Document {
    fn new((place, audit): (AuditPlace, Audit)) -> Self {
        let task = || {
            Some(Target { name: audit.task_name.clone(), ..Target::new("task", audit.task_id?.to_string()) })
        };
        Self {
            id: write_cursor(place),
            target: audit.target.clone().or_else(task),
            time: audit.time,
            action: audit.action,
            outcome: audit.outcome,
            reason: audit.reason,
            actor: audit.actor,
            address: audit.address,
            task_id: audit.task_id,
            task_name: audit.task_name,
            changes: audit.changes,
            request_id: audit.request_id,
        }
    }
}

/// A part of the audit, newest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditList)]
pub(in crate::api) struct List {
    records: Vec<Document>,
    /// The `cursor` of the next page; null after the last one.
    next_cursor: Option<String>,
    /// Whether the page is full or the audit is at its end; otherwise the next page goes on looking.
    complete: bool,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    mut fields: Fields,
) -> Result<Response, ApiError> {
    let task: Option<Result<TaskId, _>> = fields.text("taskId").map(|id| id.parse());
    if let Some(Err(_)) = task {
        fields.report("taskId", "must be the id of a task");
    }
    let before = fields.text("cursor").map(|text| read_cursor(&text));
    if before == Some(None) {
        fields.report("cursor", "must be the nextCursor of an earlier answer");
    }
    let (from, until) = (fields.number("from", 0, LATEST, 0), fields.number("to", 0, LATEST, LATEST));
    if from > until {
        fields.report("from", "must not be later than \"to\"");
    }
    let query = AuditQuery {
        task: task.and_then(Result::ok),
        actor: fields.text("actor"),
        action: fields
            .choice("action", &Action::ALL.map(|action| (action.name(), action.name())))
            .map(str::to_owned),
        from,
        until,
        before: before.flatten(),
        limit: fields.number("limit", 1, 1000, 100),
    };
    let lines = fields.choice("format", &[("json", false), ("ndjson", true)]).unwrap_or(false);
    fields.finish()?;
    let page = api.store.audits(query).await?;
    let next_cursor = page.next.map(write_cursor);
    let records: Vec<_> = page.records.into_iter().map(Document::new).collect();
    if !lines {
        let list = List { records, next_cursor, complete: page.complete, meta: info.meta() };
        return Ok(Json(list).into_response());
    }
    let text: Result<String, _> =
        records.iter().map(|record| serde_json::to_string(record).map(|line| line + "\n")).collect();
    let text = text.map_err(|error| ApiError::internal(error.to_string()))?;
    let mut response = ([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response();
    let next = next_cursor.and_then(|next| HeaderValue::try_from(next).ok());
    response.headers_mut().extend(next.map(|next| (NEXT_CURSOR, next)));
    Ok(response)
}

fn write_cursor(AuditPlace { time, number }: AuditPlace) -> String {
    format!("{time}-{number}")
}

fn read_cursor(text: &str) -> Option<AuditPlace> {
    let (time, number) = text.rsplit_once('-')?;
    Some(AuditPlace { time: time.parse().ok()?, number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for place in [AuditPlace { time: 5, number: 7 }, AuditPlace { time: -5, number: u64::MAX }] {
            assert_eq!(read_cursor(&write_cursor(place)), Some(place));
        }
        assert_eq!((read_cursor("x"), read_cursor("5-x")), (None, None));
    }
}

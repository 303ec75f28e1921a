//! The executions of all tasks, newest first, a page at a time.

use axum::{Json, extract::State};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::{ExecutionRow, Meta},
        error::ApiError,
        input::Fields,
        request::RequestInfo,
        routes::add_live,
        state::Shared,
    },
    domain::{
        Millis,
        execution::{ExecutionStatus, Reason, Trigger},
        ids::{ExecutionId, TaskId},
    },
    store::{Direction, HistoryPage, HistoryPlace, HistoryQuery},
};

/// Bytes of the hash of the filters in a cursor.
const HASH: usize = 8;

/// A page of executions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct List {
    executions: Vec<ExecutionRow>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
    /// False if the page ended early, or if executions of an earlier version may be missing.
    complete: bool,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<List>, ApiError> {
    let mut query = read_query(&mut fields);
    query.scope.clone_from(&caller.grant.handlers);
    let filters = hash_filters(&query);
    if let Some(cursor) = fields.text("cursor") {
        query.after = read_cursor(&cursor, filters);
        if query.after.is_none() {
            fields.report("cursor", "must be the nextCursor of a page with the same filters");
        }
    }
    if query.scheduled_for.is_some() && query.task.is_none() {
        fields.report("scheduledFor", "needs a taskId beside it");
    }
    fields.finish()?;
    let HistoryPage { rows, next, complete } = api.store.history(query).await?;
    let rows = rows.into_iter().map(|row| ExecutionRow::from(add_live(&api, row, true)));
    Ok(Json(List {
        executions: rows.collect(),
        next_cursor: next.map(|place| write_cursor(place, filters)),
        complete,
        meta: info.meta(),
    }))
}

fn read_query(fields: &mut Fields) -> HistoryQuery {
    let everything = HistoryQuery::default();
    HistoryQuery {
        statuses: fields.choices("status", &ExecutionStatus::ALL.map(|status| (status.name(), status))),
        reasons: fields.choices("reason", &Reason::ALL.map(|reason| (reason.name(), reason))),
        triggers: fields.choices("trigger", &Trigger::ALL.map(|trigger| (trigger.name(), trigger))),
        handlers: fields.text("handler").map(|handler| vec![handler]),
        task: read_task(fields),
        tag: fields.text("tag"),
        scheduled_for: fields.optional_number("scheduledFor", 0, Millis::MAX),
        from: fields.number("from", 0, Millis::MAX, everything.from),
        to: fields.number("to", 0, Millis::MAX, everything.to),
        direction: fields
            .choice("order", &[("desc", Direction::Descending), ("asc", Direction::Ascending)])
            .unwrap_or(Direction::Descending),
        limit: fields.number("limit", 1, 100, 20),
        ..everything
    }
}

fn read_task(fields: &mut Fields) -> Option<TaskId> {
    let text = fields.text("taskId")?;
    let task = text.parse().ok();
    if task.is_none() {
        fields.report("taskId", "must be the id of a task, such as task-01k…");
    }
    task
}

/// The hash of all that decides which executions are in a list, and in which order.
fn hash_filters(query: &HistoryQuery) -> [u8; HASH] {
    let filters = HistoryQuery { after: None, limit: 0, ..query.clone() };
    let mut hash = [0; HASH];
    hash.copy_from_slice(&Sha256::digest(format!("{filters:?}"))[..HASH]);
    hash
}

fn write_cursor(place: HistoryPlace, filters: [u8; HASH]) -> String {
    let HistoryPlace { created, task, execution } = place;
    let bytes = [&created.to_be_bytes()[..], &task.to_bytes(), &execution.to_bytes(), &filters].concat();
    BASE64URL_NOPAD.encode(&bytes)
}

fn read_cursor(text: &str, filters: [u8; HASH]) -> Option<HistoryPlace> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (created, rest) = bytes.split_first_chunk::<8>()?;
    let (task, rest) = rest.split_first_chunk()?;
    let (execution, hash) = rest.split_first_chunk()?;
    (hash == filters).then(|| HistoryPlace {
        created: Millis::from_be_bytes(*created),
        task: TaskId::from_bytes(*task),
        execution: ExecutionId::from_bytes(*execution),
    })
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;

    #[test]
    fn a_cursor_comes_back_with_its_own_filters_only() {
        let place =
            HistoryPlace { created: -5, task: TaskId(Ulid(7)), execution: ExecutionId(Ulid(u128::MAX)) };
        let all = hash_filters(&HistoryQuery::default());
        let cursor = write_cursor(place, all);
        assert_eq!(read_cursor(&cursor, all), Some(place));
        let failed = HistoryQuery { statuses: vec![ExecutionStatus::Failed], ..HistoryQuery::default() };
        assert_eq!(read_cursor(&cursor, hash_filters(&failed)), None);
        let limited = HistoryQuery { limit: 7, after: Some(place), ..HistoryQuery::default() };
        assert_eq!(hash_filters(&limited), all, "the page is no filter");
        for wrong in ["", "x", "====", &cursor[1..], &format!("{cursor}AA")] {
            assert_eq!(read_cursor(wrong, all), None, "{wrong}");
        }
    }
}

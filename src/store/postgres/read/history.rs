//! Lists of the executions of all tasks, a page at a time.
//!
//! Filters choose the index: of one task its own rows; without completed executions the index of outcomes; of
//! some handlers the index by handler; otherwise the index by age. The other filters are looked at row by row,
//! for a bounded number of rows.

use std::sync::Arc;

use tokio_postgres::Row;

use super::sql::{Sql, all_of, like};
use crate::{
    domain::{
        Millis,
        execution::{Execution, ExecutionStatus},
        ids::{ExecutionId, TaskId},
    },
    store::{
        Direction, HistoryPage, HistoryPlace, HistoryQuery, MOST_KEYS, StoreError,
        postgres::{
            connection::{Id, Query, Readers},
            documents::{decode, outcome, trigger},
            write::id_of,
        },
    },
};

/// Reads a page.
pub(crate) async fn page(readers: Arc<Readers>, asked: HistoryQuery) -> Result<HistoryPage, StoreError> {
    let Some(query) = statement(&asked) else {
        return Ok(HistoryPage { rows: Vec::new(), next: None, complete: true });
    };
    let found = readers.rows(query).await?;
    let mut page = HistoryPage { rows: Vec::new(), next: None, complete: true };
    let most = i64::try_from(MOST_KEYS).unwrap_or(i64::MAX);
    let mut last = None;
    for row in &found {
        let (number, fits): (i64, bool) = (row.get(3), row.get(4));
        if number > most {
            (page.next, page.complete) = (last, false);
            break;
        }
        if fits && page.rows.len() == asked.limit {
            page.next = page.rows.last().map(HistoryPlace::of);
            break;
        }
        last = Some(place_of(row));
        if fits {
            page.rows.push(decode::<Execution>(row.get(5))?);
        }
    }
    Ok(page)
}

fn place_of(row: &Row) -> HistoryPlace {
    let execution = ExecutionId::from_bytes(row.get::<_, Id>(2).0);
    HistoryPlace { created: row.get(0), task: id_of(row, 1), execution }
}

/// The tables, and the ranges of their indexes, that a query is for.
fn branches(sql: &mut Sql, asked: &HistoryQuery) -> Vec<(&'static str, String)> {
    let wanted = asked.wanted();
    let ended: Vec<_> = wanted.iter().filter(|status| **status != ExecutionStatus::Running).collect();
    let mut branches = Vec::new();
    if wanted.contains(&ExecutionStatus::Running) {
        let condition = asked.task.map(|task| format!("task = {}", sql.arg(task)));
        branches.push(("running", condition.unwrap_or_else(|| "true".to_owned())));
    }
    if let Some(task) = asked.task {
        if !ended.is_empty() {
            branches.push(("execution", format!("task = {}", sql.arg(task))));
        }
    } else if !wanted.contains(&ExecutionStatus::Completed) {
        branches.extend(ended.iter().map(|status| ("execution", format!("status = {}", outcome(**status)))));
    } else if let Some(handlers) = &asked.handlers {
        let of = |handler: &String| ("execution", format!("handler = {}", sql.arg(handler.clone())));
        branches.extend(handlers.iter().map(of));
    } else {
        branches.push(("execution", "true".to_owned()));
    }
    branches
}

/// The filters that are looked at row by row.
fn filters(sql: &mut Sql, asked: &HistoryQuery) -> Vec<String> {
    let mut filters = Vec::new();
    if !asked.statuses.is_empty() {
        let statuses: Vec<_> = asked.statuses.iter().map(|status| outcome(*status)).collect();
        filters.push(format!("status = ANY ({})", sql.arg(statuses)));
    }
    if !asked.reasons.is_empty() {
        let reasons: Vec<_> = asked.reasons.iter().map(|reason| reason.name().to_owned()).collect();
        filters.push(format!("coalesce(reason = ANY ({}), false)", sql.arg(reasons)));
    }
    if !asked.triggers.is_empty() {
        let triggers: Vec<_> = asked.triggers.iter().map(|kind| trigger(*kind)).collect();
        filters.push(format!("trigger = ANY ({})", sql.arg(triggers)));
    }
    if let Some(handlers) = &asked.handlers {
        filters.push(format!("handler = ANY ({})", sql.arg(handlers.clone())));
    }
    if let Some(scope) = &asked.scope {
        filters.push(format!("handler LIKE ANY ({})", sql.arg(like(scope))));
    }
    if let Some(time) = asked.scheduled_for {
        filters.push(format!("scheduled_for = {}", sql.arg(time)));
    }
    if let Some(tag) = &asked.tag {
        let tag = sql.arg(vec![tag.clone()]);
        filters.push(format!("EXISTS (SELECT 1 FROM #task t WHERE t.id = e.task AND t.tags @> {tag})"));
    }
    filters
}

/// The conditions of time and place.
fn range(sql: &mut Sql, asked: &HistoryQuery) -> Vec<String> {
    let mut range = Vec::new();
    if asked.from > Millis::MIN {
        range.push(format!("created >= {}", sql.arg(asked.from)));
    }
    if asked.to < Millis::MAX {
        range.push(format!("created < {}", sql.arg(asked.to)));
    }
    if let Some(after) = asked.after {
        let sign = if asked.direction == Direction::Ascending { '>' } else { '<' };
        let HistoryPlace { created, task, execution } = after;
        range.push(match asked.task {
            Some(_) => format!("id {sign} {}", sql.arg(execution)),
            None => {
                let place = (sql.arg(created), sql.arg(task), sql.arg(execution));
                format!("(created, task, id) {sign} ({}, {}, {})", place.0, place.1, place.2)
            }
        });
    }
    range
}

/// The statement: candidates in their order, numbered, each with whether it fits. `None` if no execution can.
pub(crate) fn statement(asked: &HistoryQuery) -> Option<Query> {
    let mut sql = Sql::default();
    let order = match (asked.task, asked.direction) {
        (Some(_), Direction::Ascending) => "id",
        (Some(_), Direction::Descending) => "id DESC",
        (None, Direction::Ascending) => "created, task, id",
        (None, Direction::Descending) => "created DESC, task DESC, id DESC",
    };
    let branches = branches(&mut sql, asked);
    if branches.is_empty() {
        return None;
    }
    let range = all_of(&range(&mut sql, asked));
    let filters = filters(&mut sql, asked);
    // Without a filter, every candidate fits.
    let most = if filters.is_empty() { asked.limit + 1 } else { MOST_KEYS + 1 };
    let (most, looked_at) = (sql.arg(most), sql.arg(MOST_KEYS));
    let limit = sql.arg(asked.limit + 1);
    let candidates = branches.into_iter().map(|(table, condition)| {
        let (status, reason) = if table == "running" { ("0::int8", "NULL::text") } else { ("status", "reason") };
        format!(
            "(SELECT created, task, id, row, trigger, handler, scheduled_for, {status} AS status, {reason} AS reason
              FROM #{table} WHERE {condition} AND {range} ORDER BY {order} LIMIT {most})"
        )
    });
    let candidates: Vec<_> = candidates.collect();
    let text = format!(
        "WITH e AS MATERIALIZED (SELECT * FROM ({}) x ORDER BY {order} LIMIT {most}),
         f AS (SELECT created, task, id, row_number() OVER (ORDER BY {order}) AS number, {} AS fits, row FROM e),
         g AS (SELECT *, count(*) FILTER (WHERE fits) OVER (ORDER BY number) AS place FROM f)
         SELECT created, task, id, number, fits, CASE WHEN fits THEN row END FROM g
         WHERE fits AND place <= {limit} OR number >= {looked_at} ORDER BY number",
        candidates.join(" UNION ALL "),
        all_of(&filters)
    );
    Some(sql.query(text))
}

/// The executions of one task that a filter lets through, and the number of all.
pub(super) fn of_task(task: TaskId, asked: crate::store::ExecutionQuery) -> [Query; 2] {
    let filter = |sql: &mut Sql, running: bool| {
        let task = sql.arg(task);
        let mut conditions = vec![format!("task = {task}")];
        conditions.extend(asked.status.map(|status| match (running, status) {
            (true, ExecutionStatus::Running) => "true".to_owned(),
            (true, _) => "false".to_owned(),
            (false, status) => format!("status = {}", outcome(status)),
        }));
        conditions.extend(asked.trigger.map(|kind| format!("trigger = {}", trigger(kind))));
        all_of(&conditions)
    };
    let mut page = Sql::default();
    let (running, ended) = (filter(&mut page, true), filter(&mut page, false));
    let most = page.arg(asked.skip.saturating_add(asked.limit));
    let (skip, limit) = (page.arg(asked.skip), page.arg(asked.limit));
    let text = format!(
        "SELECT row FROM (
           (SELECT id, row FROM #running WHERE {running} ORDER BY id DESC LIMIT {most}) UNION ALL
           (SELECT id, row FROM #execution WHERE {ended} ORDER BY id DESC LIMIT {most})) e
         ORDER BY id DESC OFFSET {skip} LIMIT {limit}"
    );
    let mut total = Sql::default();
    let (running, ended) = (filter(&mut total, true), filter(&mut total, false));
    let all = if asked.status.is_none() && asked.trigger.is_none() {
        let task = total.arg(task);
        format!("coalesce((SELECT history FROM #state WHERE task = {task}), 0)")
    } else {
        format!("(SELECT count(*) FROM #execution WHERE {ended})")
    };
    let count = format!("SELECT {all} + (SELECT count(*) FROM #running WHERE {running})");
    [page.query(text), total.query(count)]
}

//! Single records, and the lists that belong to one.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    history::of_task,
    sql::{NEXT_DUE, task_of},
    tasks::{newest, view_of},
};
use crate::{
    domain::{
        Millis,
        execution::{Execution, Line},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        ExecutionQuery, FinishedStep, HandlerVersion, KeptSource, Page, Removal, Runs, SourceHash,
        StoreError, TaskView,
        postgres::{
            connection::{Id, Readers, args, query},
            documents::decode,
            write::id_of,
        },
        words::cut_to_tail,
    },
};

type Shared = Arc<Readers>;

const TASK: &str =
    "SELECT s.task, t.definition, s.facts FROM #state s JOIN #task t ON t.id = s.task WHERE s.task = $1";

pub(crate) async fn find(readers: Shared, name: String) -> Result<Option<TaskId>, StoreError> {
    if name.contains('\0') {
        return Ok(None);
    }
    let rows = readers.rows(query("SELECT task FROM #task_name WHERE name = $1", args![name])).await?;
    Ok(rows.first().map(|row| id_of(row, 0)))
}

pub(crate) async fn task(readers: Shared, id: TaskId) -> Result<Option<Task>, StoreError> {
    let rows = readers.rows(query(TASK, args![id])).await?;
    rows.first().map(task_of).transpose()
}

pub(crate) async fn task_view(
    readers: Shared,
    id: TaskId,
    most: usize,
) -> Result<Option<TaskView>, StoreError> {
    let text = format!(
        "SELECT p.task, t.definition, p.facts, {} FROM #state p JOIN #task t ON t.id = p.task WHERE p.task = $1",
        newest("$2")
    );
    let rows = readers.rows(query(text, args![id, most])).await?;
    rows.first().map(view_of).transpose()
}

pub(crate) async fn keyed(readers: Shared) -> Result<Vec<TaskId>, StoreError> {
    let rows = readers.rows(query("SELECT task FROM #state WHERE keyed ORDER BY task", args![])).await?;
    Ok(rows.iter().map(|row| id_of(row, 0)).collect())
}

pub(crate) async fn next_due(readers: Shared) -> Result<Option<Millis>, StoreError> {
    let rows = readers.rows(query(NEXT_DUE, args![])).await?;
    Ok(rows.first().and_then(|row| row.get(0)))
}

pub(crate) async fn running(readers: Shared) -> Result<Vec<(TaskId, ExecutionId)>, StoreError> {
    let text = "SELECT s.task, t.definition, s.facts FROM #state s JOIN #task t ON t.id = s.task
        WHERE s.running > 0 ORDER BY s.task";
    let rows = readers.rows(query(text, args![])).await?;
    let mut all = Vec::new();
    for task in super::sql::tasks_of(&rows) {
        let mut running: Vec<_> = task.facts.running.iter().map(|run| (task.id, run.execution)).collect();
        running.sort_unstable();
        all.extend(running);
    }
    Ok(all)
}

pub(crate) async fn execution(
    readers: Shared,
    task: TaskId,
    id: ExecutionId,
) -> Result<Option<Execution>, StoreError> {
    let text = "SELECT row FROM #running WHERE id = $2 AND task = $1
        UNION ALL SELECT row FROM #execution WHERE task = $1 AND id = $2 LIMIT 1";
    let rows = readers.rows(query(text, args![task, id])).await?;
    rows.first().map(|row| decode(row.get(0))).transpose()
}

pub(crate) async fn executions(
    readers: Shared,
    task: TaskId,
    asked: ExecutionQuery,
) -> Result<Page<Execution>, StoreError> {
    let found = readers.all(of_task(task, asked).into()).await?;
    let items = found[0].iter().map(|row| decode(row.get(0))).collect::<Result<_, _>>()?;
    let total: i64 = found[1].first().map_or(0, |row| row.get(0));
    Ok(Page { items, total: total.max(0).unsigned_abs() })
}

pub(crate) async fn locate(readers: Shared, id: ExecutionId) -> Result<Option<TaskId>, StoreError> {
    // The history of a deleted task goes a little later.
    let text = "SELECT task FROM (SELECT task FROM #running WHERE id = $1
          UNION ALL SELECT task FROM #execution WHERE id = $1) e
        WHERE EXISTS (SELECT 1 FROM #state s WHERE s.task = e.task) LIMIT 1";
    let rows = readers.rows(query(text, args![id])).await?;
    Ok(rows.first().map(|row| id_of(row, 0)))
}

pub(crate) async fn params(
    readers: Shared,
    task: TaskId,
    hash: String,
) -> Result<Option<Map<String, Value>>, StoreError> {
    if hash.contains('\0') {
        return Ok(None);
    }
    let text = "SELECT params FROM #params WHERE task = $1 AND hash = $2
        AND EXISTS (SELECT 1 FROM #state WHERE task = $1) LIMIT 1";
    let rows = readers.rows(query(text, args![task, hash])).await?;
    rows.first().map(|row| decode(row.get(0))).transpose()
}

pub(crate) async fn outputs(
    readers: Shared,
    ids: Vec<ExecutionId>,
    tail: Option<usize>,
) -> Result<Vec<Vec<Line>>, StoreError> {
    // The last chunks whose texts have as many bytes; a long text stays in the database.
    let text = "SELECT execution, lines FROM (
          SELECT execution, chunk, lines, coalesce(sum(bytes) OVER (PARTITION BY execution ORDER BY chunk DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::int8 AS behind
          FROM #output WHERE execution = ANY($1)) o
        WHERE $2::int8 IS NULL OR behind < $2 ORDER BY execution, chunk";
    let bound = tail.map(|tail| i64::try_from(tail).unwrap_or(i64::MAX));
    let rows = readers.rows(query(text, args![ids.clone(), bound])).await?;
    let mut found: HashMap<ExecutionId, Vec<Line>> = HashMap::new();
    for row in rows {
        let id = ExecutionId::from_bytes(row.get::<_, Id>(0).0);
        found.entry(id).or_default().extend(decode::<Vec<Line>>(row.get(1))?);
    }
    let lines = ids.into_iter().map(|id| found.get(&id).cloned().unwrap_or_default());
    Ok(lines.map(|lines| tail.map_or_else(|| lines.clone(), |tail| cut_to_tail(&lines, tail))).collect())
}

pub(crate) async fn count_history(readers: Shared, before: Millis) -> Result<Removal, StoreError> {
    let text = "SELECT (SELECT count(*) FROM #execution WHERE created < $1), (SELECT count(*) FROM #audit WHERE time < $1)";
    let rows = readers.rows(query(text, args![before])).await?;
    let count = |column| rows.first().map_or(0, |row| row.get::<_, i64>(column)).unsigned_abs();
    Ok(Removal { executions: count(0), audit: count(1) })
}

pub(crate) async fn steps(
    readers: Shared,
    task: TaskId,
    scheduled_for: Millis,
) -> Result<Vec<FinishedStep>, StoreError> {
    let text = "SELECT step FROM #step WHERE task = $1 AND scheduled_for = $2 ORDER BY number";
    let rows = readers.rows(query(text, args![task, scheduled_for])).await?;
    rows.iter().map(|row| decode(row.get(0))).collect()
}

pub(crate) async fn value(readers: Shared, key: String) -> Result<Option<Value>, StoreError> {
    let rows =
        readers.rows(query("SELECT value FROM #value WHERE key = $1", args![key.into_bytes()])).await?;
    rows.first().map(|row| decode(row.get(0))).transpose()
}

pub(crate) async fn values(readers: Shared, prefix: String) -> Result<Vec<(String, Value)>, StoreError> {
    // No text has the byte 255, so this comes after all keys with the prefix.
    let end = [prefix.as_bytes(), &[0xff]].concat();
    let text = "SELECT key, value FROM #value WHERE key >= $1 AND key < $2 ORDER BY key";
    let rows = readers.rows(query(text, args![prefix.into_bytes(), end])).await?;
    let value = |row: &tokio_postgres::Row| {
        let key = String::from_utf8_lossy(row.get(0)).into_owned();
        decode(row.get(1)).map(|value| (key, value))
    };
    rows.iter().map(value).collect()
}

pub(crate) async fn versions(readers: Shared, handler: String) -> Result<Vec<HandlerVersion>, StoreError> {
    let text = "SELECT hash, first_seen, last_seen, runs FROM #version WHERE handler = $1
        ORDER BY last_seen DESC, hash DESC";
    let rows = readers.rows(query(text, args![handler])).await?;
    let version = |row: &tokio_postgres::Row| {
        let hash = SourceHash::try_from(row.get::<_, &[u8]>(0)).ok()?;
        let runs = row.get::<_, i64>(3).unsigned_abs();
        Some(HandlerVersion { hash, runs: Runs { first_seen: row.get(1), last_seen: row.get(2), runs } })
    };
    Ok(rows.iter().filter_map(version).collect())
}

pub(crate) async fn source(readers: Shared, hash: SourceHash) -> Result<Option<KeptSource>, StoreError> {
    let text = "SELECT handler, source FROM #version WHERE hash = $1 AND source IS NOT NULL ORDER BY handler LIMIT 1";
    let rows = readers.rows(query(text, args![hash.to_vec()])).await?;
    let source = |row: &tokio_postgres::Row| {
        let text = String::from_utf8_lossy(row.get::<_, &[u8]>(1)).into_owned();
        KeptSource { handler: row.get(0), text }
    };
    Ok(rows.first().map(source))
}

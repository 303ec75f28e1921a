//! Figures: sums over the slots of all servers.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::sql::{Sql, all_of, shown, task_of};
use crate::{
    domain::{
        Millis,
        activity::{Bucket, Size},
        facts::{Task, TaskStatus},
    },
    store::{
        Census, ComingQuery, CommitTimes, Condition, ScheduleCount, Span, StoreError,
        figures::with_present,
        postgres::{
            connection::{Query, Readers, Settings, args, query},
            documents::{CENSUS, HANDLERS, USUAL, decode, span, status, status_of},
            open::TABLES,
            write::id_of,
        },
    },
};

/// Tables with more rows than this are not counted but estimated.
const MOST_COUNTED: f32 = 1_000_000.0;

/// Merges the buckets of several slots that start at the same time.
pub(crate) fn merge_slots(buckets: impl IntoIterator<Item = Bucket>) -> Vec<Bucket> {
    let mut merged: BTreeMap<Millis, Bucket> = BTreeMap::new();
    for bucket in buckets {
        match merged.entry(bucket.start) {
            std::collections::btree_map::Entry::Occupied(mut same) => {
                same.get_mut().tally.merge(&bucket.tally);
            }
            std::collections::btree_map::Entry::Vacant(new) => drop(new.insert(bucket)),
        }
    }
    merged.into_values().collect()
}

pub(crate) async fn activity(
    readers: Arc<Readers>,
    size: Size,
    from: Millis,
    until: Millis,
) -> Result<Vec<Bucket>, StoreError> {
    let closed =
        "SELECT bucket FROM #activity WHERE span = $1 AND start >= $2 AND start < $3 ORDER BY start, slot";
    let present = "SELECT bucket FROM #activity WHERE span = $1 ORDER BY slot";
    let found = readers
        .all(vec![
            query(closed, args![span(Span::Closed(size)), from, until]),
            query(present, args![span(Span::Present)]),
        ])
        .await?;
    let read = |rows: &[tokio_postgres::Row]| {
        rows.iter().map(|row| decode::<Bucket>(row.get(0))).collect::<Result<Vec<_>, _>>()
    };
    let closed = merge_slots(read(&found[0])?);
    let add = |closed, present| with_present(closed, Some(present), size, (from, until));
    Ok(read(&found[1])?.into_iter().fold(closed, add))
}

pub(crate) async fn status_counts(readers: Arc<Readers>) -> Result<Vec<(TaskStatus, u64)>, StoreError> {
    let resting = format!("SELECT rest, sum(n)::int8 FROM #counter WHERE kind = '{HANDLERS}' GROUP BY rest");
    let busy = "SELECT rest, count(*) FROM #state WHERE running > 0 GROUP BY rest";
    let found = readers.all(vec![query(resting, args![]), query(busy, args![])]).await?;
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for row in &found[0] {
        *counts.entry(row.get(0)).or_default() += row.get::<_, i64>(1);
    }
    for row in &found[1] {
        let count: i64 = row.get(1);
        *counts.entry(row.get(0)).or_default() -= count;
        *counts.entry(status(TaskStatus::Running)).or_default() += count;
    }
    debug_assert!(counts.keys().all(|number| status_of(*number).is_some()));
    let count = |wanted| counts.get(&status(wanted)).copied().unwrap_or_default().max(0).unsigned_abs();
    Ok(TaskStatus::ALL.map(|wanted| (wanted, count(wanted))).into())
}

pub(crate) async fn census(readers: Arc<Readers>, most: usize) -> Result<Census, StoreError> {
    let text = format!(
        "SELECT c.name, c.n, coalesce((SELECT sum(u.n) FROM #counter u WHERE u.kind = '{USUAL}' AND u.name = c.name), 0)::int8
         FROM (SELECT name, sum(n)::int8 AS n FROM #counter WHERE kind = '{CENSUS}' GROUP BY name HAVING sum(n) > 0
               ORDER BY name LIMIT $1) c ORDER BY c.name"
    );
    let rows = readers.rows(query(text, args![most.saturating_add(1)])).await?;
    let count = |row: &tokio_postgres::Row| {
        let name: String = row.get(0);
        let (schedule, timezone) = name.split_once('\u{1f}')?;
        Some(ScheduleCount {
            schedule: schedule.to_owned(),
            timezone: timezone.to_owned(),
            tasks: row.get::<_, i64>(1).unsigned_abs(),
            usual: row.get::<_, i64>(2).max(0).unsigned_abs(),
        })
    };
    Ok(Census { schedules: rows.iter().take(most).filter_map(count).collect(), more: rows.len() > most })
}

pub(crate) async fn coming(
    readers: Arc<Readers>,
    asked: ComingQuery,
) -> Result<Vec<(Millis, Task)>, StoreError> {
    let mut sql = Sql::default();
    let mut conditions = vec![format!("next_run <= {}", sql.arg(asked.until))];
    conditions.extend(asked.handler.map(|handler| format!("handler = {}", sql.arg(handler))));
    if let Some((time, task)) = asked.after {
        let after = (sql.arg(time), sql.arg(task));
        conditions.push(format!("(next_run, task) > ({}, {})", after.0, after.1));
    }
    let limit = sql.arg(asked.limit);
    let conditions = all_of(&conditions);
    // One range of the index per status; a paused task has no next run.
    let resting = TaskStatus::ALL.into_iter().filter(|status| *status != TaskStatus::Running);
    let ranges = resting.map(|rest| {
        format!(
            "(SELECT task, next_run FROM #state WHERE rest = {} AND {conditions} ORDER BY next_run, task LIMIT {limit})",
            status(rest)
        )
    });
    let ranges: Vec<_> = ranges.collect();
    let text = format!(
        "SELECT p.task, t.definition, s.facts, p.next_run
         FROM ({} ORDER BY next_run, task LIMIT {limit}) p
         JOIN #state s ON s.task = p.task JOIN #task t ON t.id = p.task ORDER BY p.next_run, p.task",
        ranges.join(" UNION ALL ")
    );
    let rows = readers.rows(sql.query(text)).await?;
    Ok(rows.iter().filter_map(|row| Some((row.get(3), shown(id_of(row, 0), task_of(row))?))).collect())
}

/// The names under which tables are counted, and the tables.
const COUNTED: [(&str, &[&str]); 12] = [
    ("tasks", &["state"]),
    ("executions", &["execution", "running"]),
    ("output", &["output"]),
    ("audit", &["audit"]),
    ("values", &["value"]),
    ("entries", &["entry"]),
    ("steps", &["step"]),
    ("bindings", &["binding"]),
    ("tokens", &["token"]),
    ("alerts", &["alert"]),
    ("params", &["params"]),
    ("versions", &["version"]),
];

/// The sizes of the tables.
fn sizes(readers: &Readers) -> Query {
    let Settings { dialect, schema, .. } = readers.settings();
    query(dialect.sizes, args![schema.clone()])
}

pub(crate) async fn statistics(
    readers: Arc<Readers>,
    detailed: bool,
) -> Result<Map<String, Value>, StoreError> {
    let sizes = readers.rows(sizes(&readers)).await?;
    let sizes: BTreeMap<String, (f32, i64)> =
        sizes.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let is_large = |table: &str| sizes.get(table).is_some_and(|(rows, _)| *rows > MOST_COUNTED);
    let counted: Vec<_> = TABLES.iter().filter(|table| !is_large(table)).collect();
    let counts = counted.iter().map(|table| query(format!("SELECT count(*) FROM #{table}"), args![]));
    let found = readers.all(counts.collect()).await?;
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (table, rows) in counted.iter().zip(&found) {
        counts.insert(table, rows.first().map_or(0, |row| row.get(0)));
    }
    let mut collections = Map::new();
    for (name, tables) in COUNTED {
        #[expect(clippy::cast_possible_truncation, reason = "an estimate of a number of rows")]
        let count = |table: &&str| {
            counts.get(*table).copied().unwrap_or(sizes.get(*table).map_or(0, |(n, _)| *n as i64))
        };
        let mut collection =
            Map::from_iter([("count".to_owned(), json!(tables.iter().map(count).sum::<i64>()))]);
        if tables.iter().any(|table| is_large(table)) {
            collection.insert("estimated".to_owned(), true.into());
        }
        collections.insert(name.to_owned(), collection.into());
    }
    let mut answer = Map::new();
    answer.insert("bytesOnDisk".to_owned(), sizes.values().map(|(_, bytes)| bytes).sum::<i64>().into());
    answer.insert("collections".to_owned(), collections.into());
    if detailed {
        let statuses = status_counts(readers).await?.into_iter();
        let statuses = statuses.map(|(status, count)| (status.name().to_owned(), count.into()));
        answer.insert("taskStatus".to_owned(), Value::Object(statuses.collect()));
    }
    Ok(answer)
}

pub(crate) async fn condition(readers: Arc<Readers>, commits: CommitTimes) -> Result<Condition, StoreError> {
    let sizes = readers.rows(sizes(&readers)).await?;
    let bytes: i64 = sizes.iter().map(|row| row.get::<_, i64>(2)).sum();
    Ok(Condition { bytes: bytes.unsigned_abs(), commits })
}

//! Import: a part of a copy is added in one transaction, or not at all.

use super::{
    super::{
        group::{Failure, Group, KEEP, RUN, SAY, alert_key, ended_args, output_args, running_args},
        operation::Work,
    },
    entries::owner_id,
};
use crate::{
    domain::{
        execution::{Execution, ExecutionStatus},
        ids::TaskId,
    },
    store::{
        Output, StoreError,
        copy::{Import, Record},
        postgres::{
            connection::{Query, args, query},
            documents::{self, encode},
            open::TABLES,
        },
        state,
    },
};

/// Adds a part of a copy, completes it or gives it up.
pub(crate) struct ImportPart(pub(crate) Import);

impl Work for ImportPart {
    type Answer = ();

    fn is_long(&self) -> bool {
        true
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        let importing = group.rows(query("SELECT importing FROM #cluster FOR UPDATE", args![])).await?;
        let importing = importing.first().is_some_and(|row| row.get(0));
        group.reload = true;
        match &self.0 {
            Import::Records(records) => {
                if !importing {
                    ensure_empty(group).await?;
                    group.rows(query("UPDATE #cluster SET importing = true", args![])).await?;
                }
                add(group, records).await
            }
            Import::Complete => complete(group).await,
            Import::Abandon if importing => {
                let tables: Vec<_> = TABLES.iter().map(|table| format!("#{table}")).collect();
                group.link.batch(&format!("TRUNCATE {}", tables.join(", "))).await?;
                group.slots.clear();
                group.names.clear();
                group.rows(query("UPDATE #cluster SET importing = false", args![])).await.map(drop)
            }
            Import::Abandon => Ok(()),
        }
    }
}

async fn ensure_empty(group: &mut Group<'_>) -> Result<(), Failure> {
    let kept = TABLES.iter().filter(|table| !["session", "counter", "account", "garbage"].contains(table));
    let any: Vec<_> = kept.map(|table| format!("EXISTS (SELECT 1 FROM #{table})")).collect();
    let rows = group.rows(query(format!("SELECT {}", any.join(" OR ")), args![])).await?;
    if rows.first().is_some_and(|row| row.get(0)) { Err(StoreError::NotEmpty.into()) } else { Ok(()) }
}

/// Adds records; a record that occurs twice undoes the part.
async fn add(group: &mut Group<'_>, records: &[Record]) -> Result<(), Failure> {
    group.link.batch("SAVEPOINT import").await?;
    let twice = || StoreError::Backend { doing: "import", why: "a record occurs twice".to_owned() };
    match add_all(group, records).await {
        Err(Failure::Database(error)) if error.code().is_some_and(|code| code.code() == "23505") => {
            group.link.batch("ROLLBACK TO SAVEPOINT import").await?;
            Err(twice().into())
        }
        other => other,
    }
}

async fn add_all(group: &mut Group<'_>, records: &[Record]) -> Result<(), Failure> {
    let of_task = |record: &Record| match record {
        Record::Task(task) => Some(task.clone()),
        _ => None,
    };
    let tasks: Vec<_> = records.iter().filter_map(of_task).collect();
    group.load(&tasks.iter().map(|task| task.id).collect::<Vec<_>>()).await?;
    if tasks.iter().any(|task| group.slots.get(&task.id).is_some_and(|slot| slot.task.is_some())) {
        return Err(StoreError::Backend { doing: "import", why: "a record occurs twice".to_owned() }.into());
    }
    for task in tasks {
        group.put_task(*task);
    }
    group.flush().await?;
    let mut queries = rows(group, records)?;
    for record in records {
        queries.extend(statement(group, record)?);
    }
    if queries.is_empty() {
        return Ok(());
    }
    group.link.all(queries).await?;
    Ok(())
}

/// A statement that fails where a row is there already.
fn insert_only(text: &str) -> String {
    text.split("ON CONFLICT").next().unwrap_or_default().to_owned()
}

/// The executions and their output, many at a time.
fn rows(group: &Group<'_>, records: &[Record]) -> Result<Vec<Query>, StoreError> {
    let (mut running, mut ended, mut said): (Vec<&Execution>, Vec<&Execution>, Vec<&Output>) =
        Default::default();
    for record in records {
        match record {
            Record::Execution(row) if row.status == ExecutionStatus::Running => running.push(row),
            Record::Execution(row) => ended.push(row),
            Record::Output(output) => said.push(output),
            _ => {}
        }
    }
    let mut queries = Vec::new();
    if !running.is_empty() {
        queries.push(query(insert_only(RUN), running_args(&running, group.member.id)?));
    }
    if !ended.is_empty() {
        queries.push(query(insert_only(KEEP), ended_args(&ended)?));
    }
    if !said.is_empty() {
        queries.push(query(insert_only(SAY), output_args(said.into_iter())?));
    }
    Ok(queries)
}

/// The statement of a record beside the tasks and their executions.
fn statement(group: &Group<'_>, record: &Record) -> Result<Option<Query>, StoreError> {
    Ok(Some(match record {
        Record::Task(_) | Record::Execution(_) | Record::Output(_) => return Ok(None),
        Record::Step { .. } | Record::Version { .. } | Record::Entry { .. } | Record::Params(_) => {
            return of_task(record);
        }
        Record::Audit(audit) => {
            let task: Option<TaskId> = audit.task_id;
            query(
                "INSERT INTO #audit (time, task, row) VALUES ($1, $2, $3)",
                args![audit.time, task, encode(audit)?],
            )
        }
        Record::Value { key, value } => {
            let key = key.clone().into_bytes();
            query("INSERT INTO #value (key, value) VALUES ($1, $2)", args![key, encode(value)?])
        }
        Record::Binding(binding) => query(
            "INSERT INTO #binding (name, binding) VALUES ($1, $2)",
            args![binding.name.clone(), encode(binding)?],
        ),
        Record::Source(version) => {
            let runs = version.runs;
            let source = version.text.clone().map(String::into_bytes);
            query(
                "INSERT INTO #version (handler, hash, first_seen, last_seen, runs, source) VALUES ($1, $2, $3, $4, $5, $6)",
                args![
                    version.handler.clone(),
                    version.hash.clone(),
                    runs.first_seen,
                    runs.last_seen,
                    runs.runs,
                    source
                ],
            )
        }
        Record::Activity { span, bucket } => {
            let start = if *span == crate::store::Span::Present { 0 } else { bucket.start };
            query(
                "INSERT INTO #activity (span, start, slot, bucket) VALUES ($1, $2, $3, $4)",
                args![documents::span(*span), start, group.member.slot, encode(bucket)?],
            )
        }
        Record::Token(token) => {
            query("INSERT INTO #token (id, token) VALUES ($1, $2)", args![token.id, encode(token)?])
        }
        Record::Alert(delivery) => {
            let (place, channel, id) = alert_key(delivery);
            query(
                "INSERT INTO #alert (place, channel, id, delivery) VALUES ($1, $2, $3, $4)",
                args![place, channel, id, encode(delivery)?],
            )
        }
        Record::Quarantine(found) => query(
            "INSERT INTO #set_aside (place, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            args![found.key.clone(), found.bytes.clone()],
        ),
    }))
}

/// The statement of a record that belongs to a task, or to all.
fn of_task(record: &Record) -> Result<Option<Query>, StoreError> {
    Ok(Some(match record {
        Record::Step { task, scheduled_for, step } => query(
            "INSERT INTO #step (task, scheduled_for, name, number, step) VALUES ($1, $2, $3, $4, $5)",
            args![
                *task,
                *scheduled_for,
                step.name.clone().into_bytes(),
                i64::from(step.number),
                encode(step)?
            ],
        ),
        Record::Version { owner, version } => query(
            "INSERT INTO #account (owner, entries, bytes, version) VALUES ($1, 0, 0, $2)",
            args![owner_id(*owner), *version],
        ),
        Record::Entry { owner, key, entry } => {
            let document = encode(entry)?;
            let size = state::size(key, document.len());
            let key = key.clone().into_bytes();
            query(
                "INSERT INTO #entry (owner, key, expires, size, entry) VALUES ($1, $2, $3, $4, $5)",
                args![owner_id(*owner), key, entry.expires_at, size, document],
            )
        }
        Record::Params(kept) => query(
            "INSERT INTO #params (task, time, hash, params) VALUES ($1, $2, $3, $4)",
            args![kept.task, kept.time, kept.hash.clone(), encode(&kept.params)?],
        ),
        _ => return Ok(None),
    }))
}

/// Makes the counts that no copy has.
async fn complete(group: &mut Group<'_>) -> Result<(), Failure> {
    let texts = [
        "UPDATE #state s SET history = c.n FROM (SELECT task, count(*) AS n FROM #execution GROUP BY task) c
         WHERE c.task = s.task",
        "INSERT INTO #account (owner, entries, bytes, version)
         SELECT owner, count(*), sum(size)::int8, 0 FROM #entry GROUP BY owner
         ON CONFLICT (owner) DO UPDATE SET entries = excluded.entries, bytes = excluded.bytes",
        "UPDATE #cluster SET importing = false",
    ];
    group.all(texts.map(|text| query(text, args![])).into()).await?;
    // The tables have just been filled: without figures about them the planner scans.
    group.link.batch("ANALYZE #state; ANALYZE #task; ANALYZE #execution; ANALYZE #task_name").await?;
    Ok(())
}

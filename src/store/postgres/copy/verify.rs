//! Verification: documents decode, columns agree with them, and counters with what they count.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use crate::{
    domain::{
        execution::{Execution, ExecutionStatus},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        StoreError,
        copy::Counts,
        postgres::{
            connection::{Arg, Connection, Id, args, query},
            documents::{self, decode},
            fail,
            read::task_of,
        },
    },
};

/// Records that one trip reads.
const PART: usize = 500;

/// The findings of a verification.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// The records.
    pub counts: Counts,
    /// Records that a copy brought along as damaged.
    pub quarantined: Vec<String>,
    /// Damaged records, and columns and counters that are wrong.
    pub problems: Vec<String>,
}

/// Verifies all records; a server may use them meanwhile, but its changes may then show as problems.
pub(crate) async fn verify(link: &Connection) -> Result<Verified, StoreError> {
    let mut check = Check { link, verified: Verified::default(), counters: BTreeMap::new() };
    check.all().await.map_err(|error| fail("verify the store", &error))?;
    Ok(check.verified)
}

struct Check<'a> {
    link: &'a Connection,
    verified: Verified,
    counters: BTreeMap<(String, String, i64), i64>,
}

impl Check<'_> {
    async fn all(&mut self) -> Result<(), tokio_postgres::Error> {
        self.tasks().await?;
        self.counters().await?;
        self.executions().await?;
        for row in self
            .link
            .rows(query("SELECT encode(place, 'hex') FROM #set_aside ORDER BY place", args![]))
            .await?
        {
            self.verified.quarantined.push(row.get(0));
        }
        let count = |table: &str| query(format!("SELECT count(*) FROM #{table}"), args![]);
        let tables = [
            "output",
            "audit",
            "value",
            "entry",
            "account",
            "step",
            "binding",
            "activity",
            "token",
            "alert",
            "params",
            "version",
            "set_aside",
        ];
        let found = self.link.all(tables.map(count).into()).await?;
        let counts = &mut self.verified.counts;
        let all: [&mut u64; 13] = [
            &mut counts.output,
            &mut counts.audit,
            &mut counts.values,
            &mut counts.entries,
            &mut counts.versions,
            &mut counts.steps,
            &mut counts.variables,
            &mut counts.activity,
            &mut counts.tokens,
            &mut counts.alerts,
            &mut counts.params,
            &mut counts.sources,
            &mut counts.quarantined,
        ];
        for (count, rows) in all.into_iter().zip(found) {
            *count = rows.first().map_or(0, |row| row.get::<_, i64>(0)).unsigned_abs();
        }
        let secret = "SELECT binding FROM #binding";
        for row in self.link.rows(query(secret, args![])).await? {
            let binding: Result<crate::domain::binding::Binding, _> = decode(row.get(0));
            if binding.is_ok_and(|binding| binding.kind() == crate::domain::binding::Kind::Secret) {
                self.verified.counts.secrets += 1;
                self.verified.counts.variables -= 1;
            }
        }
        Ok(())
    }

    async fn tasks(&mut self) -> Result<(), tokio_postgres::Error> {
        let text =
            "SELECT s.task, t.definition, s.facts, s.due, s.next_run, s.alarm, s.updated, s.running, s.rest,
              s.handler, s.priority, s.keyed, s.firing, s.untold, t.handler, t.tags, t.after, s.history,
              (SELECT count(*) FROM #execution e WHERE e.task = s.task),
              ARRAY(SELECT name FROM #task_name n WHERE n.task = s.task),
              ARRAY(SELECT id FROM #running r WHERE r.task = s.task ORDER BY id)
            FROM #state s LEFT JOIN #task t ON t.id = s.task
            WHERE $1::uuid IS NULL OR s.task > $1 ORDER BY s.task LIMIT $2";
        let mut after: Option<TaskId> = None;
        loop {
            let rows = self.link.rows(query(text, args![after, PART])).await?;
            for row in &rows {
                self.task(row);
            }
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(TaskId::from_bytes(last.get::<_, Id>(0).0));
        }
    }

    fn task(&mut self, row: &Row) {
        let id = TaskId::from_bytes(row.get::<_, Id>(0).0);
        self.verified.counts.tasks += 1;
        if row.get::<_, Option<&[u8]>>(1).is_none() {
            return self.verified.problems.push(format!("task {id} has no definition"));
        }
        let task = match task_of(row) {
            Ok(task) => task,
            Err(error) => return self.verified.problems.push(format!("task {id}: {error}")),
        };
        for (key, share) in documents::counters(&task) {
            *self.counters.entry((key.0.to_owned(), key.1, key.2)).or_default() += share;
        }
        let wrong = wrong_columns(&task, row);
        if !wrong.is_empty() {
            self.verified.problems.push(format!("task {id} has other columns: {}", wrong.join(", ")));
        }
    }

    async fn counters(&mut self) -> Result<(), tokio_postgres::Error> {
        let text = "SELECT kind, name, rest, sum(n)::int8 FROM #counter GROUP BY 1, 2, 3 HAVING sum(n) <> 0";
        let rows = self.link.rows(query(text, args![])).await?;
        let kept: BTreeMap<(String, String, i64), i64> =
            rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3))).collect();
        let mut keys: Vec<_> = kept.keys().chain(self.counters.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let (kept, right) = (kept.get(key).unwrap_or(&0), self.counters.get(key).unwrap_or(&0));
            if kept != right {
                let problem = format!("the number of tasks by {} {:?} is {kept}, not {right}", key.0, key.1);
                self.verified.problems.push(problem);
            }
        }
        Ok(())
    }

    async fn executions(&mut self) -> Result<(), tokio_postgres::Error> {
        for (table, running) in [("running", true), ("execution", false)] {
            let status = if running { "0::int8" } else { "status" };
            let text = format!(
                "SELECT id, task, created, {status}, handler, row FROM #{table}
                 WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"
            );
            let mut after: Option<Id> = None;
            loop {
                let rows = self
                    .link
                    .rows(query(text.clone(), args![after.map_or(Arg::Id(None), Arg::from), PART]))
                    .await?;
                for row in &rows {
                    self.execution(row);
                }
                let Some(last) = rows.last() else { break };
                after = Some(last.get(0));
            }
        }
        Ok(())
    }

    fn execution(&mut self, row: &Row) {
        let id = ExecutionId::from_bytes(row.get::<_, Id>(0).0);
        self.verified.counts.executions += 1;
        let problem = match decode::<Execution>(row.get(5)) {
            Err(error) => Some(error.to_string()),
            Ok(found) => {
                let same = found.id == id
                    && found.task_id == TaskId::from_bytes(row.get::<_, Id>(1).0)
                    && found.created_at == row.get::<_, i64>(2)
                    && documents::outcome(found.status) == row.get::<_, i64>(3)
                    && found.handler == row.get::<_, String>(4)
                    && (found.status == ExecutionStatus::Running) == (row.get::<_, i64>(3) == 0);
                (!same).then(|| "it has other columns than its document".to_owned())
            }
        };
        self.verified.problems.extend(problem.map(|problem| format!("execution {id}: {problem}")));
    }
}

/// The columns of a task that differ from its documents.
fn wrong_columns(task: &Task, row: &Row) -> Vec<&'static str> {
    let definition = &task.definition;
    let mut running: Vec<_> = task.facts.running.iter().map(|run| run.execution.to_bytes()).collect();
    running.sort_unstable();
    let found: Vec<[u8; 16]> = row.get::<_, Vec<Id>>(20).into_iter().map(|id| id.0).collect();
    let after = row.get::<_, Option<Id>>(16).map(|id| TaskId::from_bytes(id.0));
    let checks = [
        ("due", row.get::<_, Option<i64>>(3) == task.due()),
        ("next_run", row.get::<_, Option<i64>>(4) == task.next_run()),
        ("alarm", row.get::<_, Option<i64>>(5) == task.alarm_due()),
        ("updated", row.get::<_, i64>(6) == task.updated_at),
        ("running", usize::try_from(row.get::<_, i64>(7)).is_ok_and(|n| n == task.facts.running.len())),
        ("rest", row.get::<_, i64>(8) == documents::status(task.resting())),
        (
            "handler",
            row.get::<_, &str>(9) == definition.handler && row.get::<_, &str>(14) == definition.handler,
        ),
        ("priority", row.get::<_, i64>(10) == i64::from(definition.priority)),
        ("keyed", row.get::<_, bool>(11) == task.waits_since().is_some()),
        ("firing", row.get::<_, bool>(12) == task.is_firing()),
        ("untold", row.get::<_, bool>(13) != task.facts.untold.is_empty()),
        ("tags", row.get::<_, Vec<String>>(15) == definition.tags),
        ("after", after == definition.after.map(|after| after.task_id)),
        ("history", row.get::<_, i64>(17) == row.get::<_, i64>(18)),
        ("name", row.get::<_, Vec<String>>(19) == [definition.name.as_str()]),
        ("executions in progress", found == running),
    ];
    checks.into_iter().filter(|(_, right)| !right).map(|(name, _)| name).collect()
}

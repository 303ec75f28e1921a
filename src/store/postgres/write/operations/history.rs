//! History: output, values, the audit, and the removal of old records.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{
    group::{Failure, Group, Needs, id_of},
    operation::Work,
};
use crate::{
    domain::{Millis, ids::TaskId},
    store::{
        Audit, Output, Removal,
        audit::REMOVED_AT_ONCE,
        postgres::connection::{args, query},
    },
};

/// Rows removed at once at most.
const PART: i64 = 64;

/// Adds output of an execution.
pub(crate) struct Append(pub(crate) Output);

impl Work for Append {
    type Answer = ();

    fn needs(&self) -> Needs {
        Needs { output_of: vec![self.0.execution], ..Needs::default() }
    }

    fn is_patient(&self) -> bool {
        true
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        group.ensure_says(self.0.execution)?;
        group.append(self.0.clone());
        Ok(())
    }
}

/// Sets and removes values.
pub(crate) struct ChangeValues {
    pub(crate) changes: Vec<(String, Option<Value>)>,
    pub(crate) audit: Option<Audit>,
}

impl Work for ChangeValues {
    type Answer = ();

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        group.writes.values.extend(self.changes.iter().cloned());
        group.writes.audits.extend(self.audit.clone());
        Ok(())
    }
}

/// Writes a record of the audit.
pub(crate) struct AddAudit(pub(crate) Audit);

impl Work for AddAudit {
    type Answer = ();

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        group.writes.audits.push(self.0.clone());
        Ok(())
    }
}

/// Removes a part of the old records of the audit.
pub(crate) struct RemoveAudits(pub(crate) Millis);

impl Work for RemoveAudits {
    type Answer = u64;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<u64, Failure> {
        remove_audits(group, self.0, REMOVED_AT_ONCE).await
    }
}

async fn remove_audits(group: &mut Group<'_>, before: Millis, most: usize) -> Result<u64, Failure> {
    let remove = "WITH o AS MATERIALIZED (
          SELECT time, number FROM #audit WHERE time < $1 ORDER BY time, number LIMIT $2)
        DELETE FROM #audit a USING o WHERE a.time = o.time AND a.number = o.number RETURNING 1";
    Ok(group.rows(query(remove, args![before, most])).await?.len() as u64)
}

/// Removes a part of the old history: nothing, when none is left.
pub(crate) struct RemoveHistory(pub(crate) Millis);

impl Work for RemoveHistory {
    type Answer = Removal;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Removal, Failure> {
        let find = "SELECT DISTINCT task FROM (SELECT task FROM #execution WHERE created < $1
              ORDER BY created, task, id LIMIT $2) e";
        let rows = group.rows(query(find, args![self.0, PART])).await?;
        let tasks: Vec<_> = rows.iter().map(|row| id_of(row, 0)).collect();
        // The number of rows of a task changes under the lock of the task only.
        group.load(&tasks).await?;
        let remove = "WITH o AS MATERIALIZED (SELECT task, id FROM #execution
                WHERE created < $1 AND task = ANY($3) ORDER BY created, task, id LIMIT $2),
              g AS (DELETE FROM #execution e USING o WHERE e.task = o.task AND e.id = o.id
                RETURNING e.task, e.id),
              s AS (DELETE FROM #output USING g WHERE execution = g.id)
            SELECT task, count(*) FROM g GROUP BY task";
        let mut removal = Removal::default();
        if !tasks.is_empty() {
            let removed = group.rows(query(remove, args![self.0, PART, tasks])).await?;
            let removed = removed.iter().map(|row| (id_of(row, 0), row.get::<_, i64>(1)));
            for (task, count) in removed.collect::<BTreeMap<TaskId, i64>>() {
                removal.executions += count.unsigned_abs();
                // A deleted task has no row.
                if let Some(slot) = group.slots.get_mut(&task).filter(|slot| slot.task.is_some()) {
                    slot.history -= count;
                    slot.changed = true;
                }
            }
        }
        removal.audit = remove_audits(group, self.0, PART.unsigned_abs() as usize).await?;
        Ok(removal)
    }
}

/// Removes a part of the history and of the state of deleted tasks; whether more may be left.
pub(in crate::store::postgres::write) async fn sweep(group: &mut Group<'_>) -> Result<bool, Failure> {
    let first = query("SELECT task FROM #garbage ORDER BY task LIMIT 1", args![]);
    let Some(task) = group.rows(first).await?.first().map(|row| id_of(row, 0)) else { return Ok(false) };
    let remove = "WITH o AS MATERIALIZED (SELECT id FROM #execution WHERE task = $1 ORDER BY id LIMIT $2),
          g AS (DELETE FROM #execution e USING o WHERE e.task = $1 AND e.id = o.id RETURNING e.id),
          r AS (DELETE FROM #running WHERE task = $1 RETURNING id),
          s AS (DELETE FROM #output WHERE execution IN (SELECT id FROM g UNION ALL SELECT id FROM r)),
          k AS MATERIALIZED (SELECT key FROM #entry WHERE owner = $1 ORDER BY key LIMIT $2),
          x AS (DELETE FROM #entry e USING k WHERE e.owner = $1 AND e.key = k.key RETURNING 1)
        SELECT (SELECT count(*) FROM g) + (SELECT count(*) FROM x)";
    let removed: i64 = group.rows(query(remove, args![task, PART])).await?[0].get(0);
    if removed == 0 {
        let rest = [
            "DELETE FROM #step WHERE task = $1",
            "DELETE FROM #params WHERE task = $1",
            "DELETE FROM #account WHERE owner = $1",
            "DELETE FROM #garbage WHERE task = $1",
        ];
        group.all(rest.map(|text| query(text, args![task])).into()).await?;
    }
    Ok(true)
}

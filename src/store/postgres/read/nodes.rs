//! Nodes, and the executions that they run.

use std::{collections::BTreeSet, sync::Arc};

use tokio_postgres::Row;

use super::sql::tasks_of;
use crate::{
    domain::{
        Millis,
        ids::{ExecutionId, NodeId, TaskId},
    },
    store::{
        Node, StoreError,
        postgres::{
            connection::{Query, Readers, args, query},
            write::{execution_of, id_of, node_of},
        },
    },
};

const ALL: &str = "SELECT id, name, address, build, joined, seen, beat, places, busy, gone, why FROM #node";
/// A node that is gone for this long is shown no more.
const SHOWN_GONE: Millis = 86_400_000;
/// The first of the executions in progress whose nodes are gone.
pub(crate) const ABANDONED: &str = "SELECT r.task, r.id FROM #running r LEFT JOIN #node n ON n.id = r.node
    WHERE n.id IS NULL OR n.gone IS NOT NULL ORDER BY r.created, r.id LIMIT $1";

/// Asks for all nodes, those too that are gone for long.
pub(crate) fn all_nodes() -> Query {
    query(format!("{ALL} ORDER BY joined, id"), args![])
}

pub(crate) async fn nodes(readers: Arc<Readers>, now: Option<Millis>) -> Result<Vec<Node>, StoreError> {
    let text = format!(
        "{ALL} WHERE gone IS NULL
            OR gone > coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000)::int8) - $2
        ORDER BY joined, id"
    );
    let rows = readers.rows(query(text, args![now, SHOWN_GONE])).await?;
    Ok(rows.iter().map(row_node).collect())
}

pub(crate) async fn abandoned(
    readers: Arc<Readers>,
    most: usize,
) -> Result<Vec<(TaskId, ExecutionId)>, StoreError> {
    let rows = readers.rows(query(ABANDONED, args![most])).await?;
    Ok(rows.iter().map(|row| (id_of(row, 0), execution_of(row, 1))).collect())
}

/// Those of the executions that are in progress or wait for their turn.
pub(crate) async fn open(
    readers: Arc<Readers>,
    executions: Vec<(TaskId, ExecutionId)>,
) -> Result<Vec<ExecutionId>, StoreError> {
    let ids: Vec<_> = executions.iter().map(|(_, id)| *id).collect();
    let rows = readers.rows(query("SELECT id FROM #running WHERE id = ANY($1)", args![ids])).await?;
    let mut found: BTreeSet<_> = rows.iter().map(|row| execution_of(row, 0)).collect();
    let tasks: BTreeSet<_> =
        executions.iter().filter(|(_, id)| !found.contains(id)).map(|(task, _)| *task).collect();
    if !tasks.is_empty() {
        // One that waits may have begun since.
        let text = "SELECT s.task, t.definition, s.facts FROM #state s JOIN #task t ON t.id = s.task
            WHERE s.task = ANY($1)";
        let tasks: Vec<_> = tasks.into_iter().collect();
        for task in tasks_of(&readers.rows(query(text, args![tasks])).await?) {
            found.extend(task.facts.running.iter().map(|running| running.execution));
            found.extend(task.facts.waiting.iter().map(|waiting| waiting.execution));
        }
    }
    Ok(executions.into_iter().map(|(_, id)| id).filter(|id| found.contains(id)).collect())
}

/// The executions of a node that are to end.
pub(crate) async fn wishes(
    readers: Arc<Readers>,
    node: Option<NodeId>,
) -> Result<Vec<(ExecutionId, String)>, StoreError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let text = "SELECT id, cancel FROM #running WHERE node = $1 AND cancel IS NOT NULL ORDER BY id";
    let rows = readers.rows(query(text, args![node])).await?;
    Ok(rows.iter().map(|row| (execution_of(row, 0), row.get(1))).collect())
}

/// The node of a row.
pub(crate) fn row_node(row: &Row) -> Node {
    let number = |column| row.get::<_, i64>(column).max(0).unsigned_abs();
    let small = |column| u32::try_from(number(column)).unwrap_or(u32::MAX);
    Node {
        id: node_of(row, 0),
        name: row.get(1),
        address: row.get(2),
        build: row.get(3),
        joined: row.get(4),
        seen: row.get(5),
        beat: number(6),
        places: small(7),
        busy: small(8),
        gone: row.get(9),
        why: row.get(10),
    }
}

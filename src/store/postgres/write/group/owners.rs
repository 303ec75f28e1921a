//! Owners: the nodes that run executions.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::columns::{execution_of, node_of};
use crate::{
    domain::ids::{ExecutionId, NodeId, TaskId},
    store::postgres::connection::Id,
};

/// The executions in progress of locked tasks: each with its node, and whether that is gone.
pub(crate) const RUNNING: &str = "SELECT r.id, r.task, r.node, n.id IS NULL OR n.gone IS NOT NULL
    FROM #running r LEFT JOIN #node n ON n.id = r.node WHERE r.task = ANY($1)";
/// The nodes of executions that are or were in progress.
pub(crate) const SPEAKERS: &str = "SELECT id, node, true FROM #running WHERE id = ANY($1)
    UNION ALL SELECT id, node, false FROM #execution WHERE id = ANY($1)";

/// The nodes of executions, as far as the group has read them.
#[derive(Default)]
pub(crate) struct Owners {
    /// Of executions in progress, each with whether its node is gone.
    pub(crate) running: BTreeMap<ExecutionId, (NodeId, bool)>,
    /// The tasks whose executions in progress are all read.
    pub(crate) known: BTreeSet<TaskId>,
    /// Of executions that output comes from: the node that runs them, if they are in progress.
    pub(crate) speakers: BTreeMap<ExecutionId, Option<NodeId>>,
}

impl Owners {
    pub(crate) fn take_running(&mut self, rows: &[Row]) {
        self.running.extend(rows.iter().map(|row| (execution_of(row, 0), (node_of(row, 2), row.get(3)))));
    }

    pub(crate) fn take_speakers(&mut self, rows: &[Row]) {
        for row in rows {
            // A row that no node has run is a copy's.
            if let Some(Id(node)) = row.get::<_, Option<Id>>(1) {
                let runs = row.get::<_, bool>(2).then(|| NodeId::from_bytes(node));
                self.speakers.insert(execution_of(row, 0), runs);
            }
        }
    }
}

//! Ids in the columns of rows.

use tokio_postgres::Row;

use crate::{
    domain::ids::{ExecutionId, NodeId, TaskId},
    store::postgres::connection::Id,
};

/// The id in a column.
pub(crate) fn id_of(row: &Row, column: usize) -> TaskId {
    TaskId::from_bytes(row.get::<_, Id>(column).0)
}

/// The execution in a column.
pub(crate) fn execution_of(row: &Row, column: usize) -> ExecutionId {
    ExecutionId(id_of(row, column).0)
}

/// The node in a column.
pub(crate) fn node_of(row: &Row, column: usize) -> NodeId {
    NodeId(id_of(row, column).0)
}

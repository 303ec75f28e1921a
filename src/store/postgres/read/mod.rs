//! Reads: each asks its statements in one trip, over the connections for reads.

mod figures;
mod history;
mod kept;
mod nodes;
mod outbox;
mod records;
mod sql;
mod tasks;

pub(crate) use self::{
    figures::{activity, census, coming, condition, merge_slots, statistics, status_counts},
    history::page as history,
    kept::{audits, bindings, entries, entry, owner_id, sessions, tokens},
    nodes::{ABANDONED, abandoned, all_nodes, nodes, open, row_node, wishes},
    outbox::{alarmed, deliveries, next_alarm, waiting},
    records::{
        count_history, execution, executions, find, keyed, locate, next_due, outputs, params, running,
        source, steps, task, task_view, value, values, versions,
    },
    sql::task_of,
    tasks::{find_by_name, page as tasks},
};
#[cfg(test)]
pub(crate) use self::{
    history::statement as history_statement,
    sql::NEXT_DUE,
    tasks::{items, total},
};

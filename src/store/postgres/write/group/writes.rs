//! Writes of a group, as operations collect them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    domain::{
        Millis,
        alerts::Delivery,
        execution::Execution,
        ids::{ExecutionId, TaskId},
    },
    store::{Audit, Output, copy::KeptParams, postgres::documents},
};

/// The writes that wait to be sent.
#[derive(Default)]
pub(crate) struct Writes {
    pub(crate) rows: BTreeMap<(TaskId, ExecutionId), Execution>,
    /// The concurrency keys of executions that have a slot.
    pub(crate) slots: BTreeMap<ExecutionId, String>,
    /// Executions of other nodes that are to end, each with the one who wishes it.
    pub(crate) wishes: BTreeMap<ExecutionId, String>,
    pub(crate) output: BTreeMap<(ExecutionId, u32), Output>,
    pub(crate) audits: Vec<Audit>,
    /// Values to set, and those to remove.
    pub(crate) values: BTreeMap<String, Option<Value>>,
    /// Occurrences that are over, with their steps.
    pub(crate) over: BTreeSet<(TaskId, Millis)>,
    pub(crate) params: Vec<KeptParams>,
    pub(crate) alerts: Vec<Delivery>,
    /// How many of its oldest rows each task loses.
    pub(crate) pruned: BTreeMap<TaskId, i64>,
    pub(crate) counters: BTreeMap<documents::Counter, i64>,
}

//! Promises: the record goes back with a store that was replaced by a copy without its last commits.
//!
//! Whatever happened outside of the store stays in the record: requests, runs, their verdicts and their output.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::ids::{AlertId, ExecutionId, NodeId, TaskId},
    simulation::oracle::{account::Account, record::Record, state::World},
};

/// The promises of a store as they were after an operation.
pub(crate) struct Promises {
    operation: u64,
    accounts: BTreeMap<TaskId, Account>,
    world: World,
    done: BTreeSet<String>,
    told: BTreeSet<(TaskId, ExecutionId)>,
    owed: BTreeSet<(TaskId, ExecutionId)>,
    alerts: BTreeSet<AlertId>,
    gone: BTreeSet<NodeId>,
}

impl Record {
    /// Copies the promises about all that is written, up to an operation that is the last one. None is under way.
    pub(crate) fn promises(&mut self, operation: u64) -> Promises {
        self.settle(operation);
        Promises {
            operation,
            accounts: self.accounts.clone(),
            world: self.world.clone(),
            done: self.done.clone(),
            told: self.told.clone(),
            owed: self.owed.clone(),
            alerts: self.alerts.clone(),
            gone: self.nodes.gone().clone(),
        }
    }

    /// Goes back to earlier promises: the operations after them, up to the `last` one, are lost. None is under way.
    pub(crate) fn go_back(&mut self, promises: Promises, last: u64) {
        self.settle(last);
        assert!(self.pending.is_empty() && self.owing.is_empty(), "an operation is under way");
        let Promises { operation, accounts, world, done, told, owed, alerts, gone } = promises;
        let before: BTreeSet<_> = self.executions().collect();
        let requests: Vec<_> = self.done.difference(&done).cloned().collect();
        (self.accounts, self.world, self.done) = (accounts, world, done);
        (self.told, self.owed, self.alerts) = (told, owed, alerts);
        let left: BTreeSet<_> = self.executions().collect();
        self.losses.add(operation + 1..=last, before.difference(&left).copied(), requests);
        self.nodes.go_back(gone, operation);
    }

    fn executions(&self) -> impl Iterator<Item = ExecutionId> {
        self.accounts.values().flat_map(|account| account.rows.keys().copied())
    }
}

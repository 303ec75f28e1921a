//! The executions that an earlier process has left in the store.

use super::{SledStore, read::records};
use crate::{
    domain::ids::{ExecutionId, TaskId},
    store::{Answer, Nodes, ready},
};

impl Nodes for SledStore {
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>> {
        ready(self.leftovers.list(most, || records::running(&self.view)))
    }
}

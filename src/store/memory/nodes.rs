//! The nodes of a store in memory.

use super::MemoryStore;
use crate::{
    domain::ids::{ExecutionId, TaskId},
    store::{Answer, Nodes, ready},
};

impl Nodes for MemoryStore {
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>> {
        ready(self.leftovers.take(most, || Ok(self.disk.data().running())))
    }
}

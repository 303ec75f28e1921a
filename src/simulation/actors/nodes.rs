//! The faulty store's nodes.

use super::store::FaultyStore;
use crate::{
    domain::ids::{ExecutionId, TaskId},
    store::{Answer, Nodes},
};

impl Nodes for FaultyStore {
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>> {
        self.memory().abandoned(most)
    }
}

//! Nodes: the processes that share a store.
//!
//! One process has an embedded store open. Whatever is said here about other nodes has an answer for it as
//! well, in the defaults of [`Nodes`]: it is alone.

use std::sync::Mutex;

use super::{Answer, StoreError};
use crate::domain::{
    ids::{ExecutionId, TaskId},
    lock::lock,
};

/// The processes that share a store.
pub trait Nodes {
    /// Lists executions in progress that no living process runs any more, `most` at most. An embedded store
    /// tells each of those that an earlier process has left once; call it before the first run then.
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>>;
}

/// The executions that an earlier process has left in progress in an embedded store, each told once.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Mutex<Option<Vec<(TaskId, ExecutionId)>>>);

impl Leftovers {
    /// Takes `most` of them at most. At the first call `list` tells all.
    pub(super) fn take(
        &self,
        most: usize,
        list: impl FnOnce() -> Result<Vec<(TaskId, ExecutionId)>, StoreError>,
    ) -> Result<Vec<(TaskId, ExecutionId)>, StoreError> {
        let mut left = lock(&self.0);
        let left = match &mut *left {
            Some(left) => left,
            none => none.insert(list()?),
        };
        let rest = left.split_off(left.len().min(most));
        Ok(std::mem::replace(left, rest))
    }
}

//! The executions that an earlier process has left in progress in an embedded store.

use std::{collections::BTreeSet, sync::Mutex};

use crate::{
    domain::{
        ids::{ExecutionId, TaskId},
        lock::lock,
    },
    store::StoreError,
};

type Running = (TaskId, ExecutionId);

/// The executions that were in progress at the first look.
#[derive(Debug, Default)]
pub(in crate::store) struct Leftovers(Mutex<Option<BTreeSet<Running>>>);

impl Leftovers {
    /// Those that are still in progress, `most` at most. `list` tells all that are.
    pub(in crate::store) fn list(
        &self,
        most: usize,
        list: impl FnOnce() -> Result<Vec<Running>, StoreError>,
    ) -> Result<Vec<Running>, StoreError> {
        let mut first = lock(&self.0);
        if first.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(Vec::new());
        }
        let now: BTreeSet<_> = list()?.into_iter().collect();
        let left: BTreeSet<_> = match &*first {
            Some(first) => first.intersection(&now).copied().collect(),
            None => now,
        };
        let answer = left.iter().take(most).copied().collect();
        *first = Some(left);
        Ok(answer)
    }
}

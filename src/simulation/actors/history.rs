//! The faulty store's history: reads have no faults.

use super::store::FaultyStore;
use crate::{
    domain::{
        Millis,
        execution::{Execution, Line},
        ids::{ExecutionId, TaskId},
    },
    store::{
        Answer, ExecutionQuery, History, HistoryPage, HistoryQuery, Output, Page, Removal, memory::prepare,
    },
};

impl History for FaultyStore {
    fn append(&self, output: Output) -> Answer<()> {
        self.perform("append", false, prepare::append(output), |_, _, ()| {})
    }

    fn remove_history(&self, before: Millis, only_count: bool) -> Answer<Removal> {
        self.memory().remove_history(before, only_count)
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Answer<Option<Execution>> {
        self.memory().execution(task, id)
    }

    fn executions(&self, task: TaskId, query: ExecutionQuery) -> Answer<Page<Execution>> {
        self.memory().executions(task, query)
    }

    fn history(&self, query: HistoryQuery) -> Answer<HistoryPage> {
        self.memory().history(query)
    }

    fn locate(&self, id: ExecutionId) -> Answer<Option<TaskId>> {
        self.memory().locate(id)
    }

    fn outputs(&self, ids: Vec<ExecutionId>, tail: Option<usize>) -> Answer<Vec<Vec<Line>>> {
        self.memory().outputs(ids, tail)
    }

    fn running(&self) -> Answer<Vec<(TaskId, ExecutionId)>> {
        self.memory().running()
    }
}

//! The faulty store's history: reads have no faults.

use serde_json::{Map, Value};

use super::store::FaultyStore;
use crate::{
    domain::{
        Millis,
        execution::{Execution, Line},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        Answer, ExecutionQuery, HandlerVersion, History, HistoryPage, HistoryQuery, KeptSource, NameSearch,
        Output, Page, Removal, SourceHash, Sources, VersionNote, memory::prepare,
    },
};

impl History for FaultyStore {
    fn append(&self, output: Output) -> Answer<()> {
        self.perform("append", false, prepare::append(self.memory().identity.clone(), output), |_, _, ()| {})
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

    fn find_by_name(&self, search: NameSearch) -> Answer<(Vec<Task>, bool)> {
        self.memory().find_by_name(search)
    }

    fn params(&self, task: TaskId, hash: String) -> Answer<Option<Map<String, Value>>> {
        self.memory().params(task, hash)
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

impl Sources for FaultyStore {
    fn note_version(&self, note: VersionNote) -> Answer<()> {
        self.perform("note version", false, prepare::note_version(note), |_, _, ()| {})
    }

    fn versions(&self, handler: String) -> Answer<Vec<HandlerVersion>> {
        self.memory().versions(handler)
    }

    fn source(&self, hash: SourceHash) -> Answer<Option<KeptSource>> {
        self.memory().source(hash)
    }
}

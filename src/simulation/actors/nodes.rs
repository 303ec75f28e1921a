//! The faulty store's nodes.

use std::sync::Arc;

use super::store::FaultyStore;
use crate::{
    domain::{
        Millis,
        ids::{ExecutionId, NodeId, TaskId},
        step::Step,
    },
    simulation::oracle::change::Why,
    store::{Answer, Beat, Decision, NewNode, Node, Nodes, Shared, StoreError, memory::nodes},
};

impl Nodes for FaultyStore {
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>> {
        let this = self.clone();
        self.reached_later(move || this.memory().abandoned(most))
    }

    fn shared(&self) -> Option<Arc<dyn Shared>> {
        self.0.process.shares().then(|| Arc::new(self.clone()) as Arc<dyn Shared>)
    }
}

impl FaultyStore {
    /// A read that is made once the store can be reached.
    pub(super) fn reached_later<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let shared = self.0.clone();
        Box::pin(async move {
            shared.reach_store().await?;
            read().await
        })
    }
}

impl Shared for FaultyStore {
    fn node(&self) -> Option<NodeId> {
        self.memory().identity.node()
    }

    fn join(&self, node: NewNode) -> Answer<()> {
        let (identity, new) = (self.memory().identity.clone(), node.id);
        let former = identity.node();
        let operation = nodes::join(identity, self.0.now(), node);
        self.perform_anyway("join", operation, move |shared, _, ()| {
            shared.process.tell(format_args!("{new} joins"));
            let lost = shared.memory.identity.lost();
            let record = shared.process.world.record();
            let is_behind = former.is_some_and(|former| record.nodes.is_behind(former));
            assert!(!is_behind || lost > 0, "changes of {former:?} are lost, and its process tells nobody");
        })
    }

    fn beat(&self, busy: u32) -> Answer<Beat> {
        let operation = nodes::beat(self.memory().identity.clone(), self.0.now(), busy);
        self.perform("beat", false, operation, |_, _, _| {})
    }

    fn give_up(&self, node: NodeId, beat: u64, why: String) -> Answer<bool> {
        let operation = nodes::give_up(self.0.now(), node, beat, why);
        self.perform("give up", false, operation, move |shared, number, gone| {
            shared.process.tell(format_args!("#{number} {node} is given up: {gone}"));
        })
    }

    fn lost_commits(&self) -> u64 {
        self.memory().identity.lost()
    }

    fn nodes(&self) -> Answer<Vec<Node>> {
        match self.memory().shared() {
            Some(shared) => shared.nodes(),
            None => Box::pin(std::future::ready(Err(StoreError::Closed))),
        }
    }

    fn open(&self, executions: Vec<(TaskId, ExecutionId)>) -> Answer<Vec<ExecutionId>> {
        let this = self.clone();
        self.reached_later(move || Shared::open(this.memory(), executions))
    }

    fn wish(&self, executions: Vec<ExecutionId>, who: String) -> Answer<Vec<ExecutionId>> {
        let operation = nodes::wish(self.memory().identity.clone(), executions, who);
        self.perform("wish", false, operation, |_, _, _| {})
    }

    fn wishes(&self) -> Answer<Vec<(ExecutionId, String)>> {
        let this = self.clone();
        self.reached_later(move || this.memory().wishes())
    }

    fn admit(&self, task: TaskId, key: String, most: usize, decide: Decision) -> Answer<Option<Step>> {
        let decide = self.record_decisions(Why::Ended, decide);
        let identity = self.memory().identity.clone();
        let operation = nodes::admit(identity, self.0.now(), task, (key, most), decide);
        self.perform("admit", false, operation, |shared, number, step| {
            let Some(step) = step else { return };
            let mut record = shared.process.world.record();
            record.keep_ends(number, step);
            record.nodes.note_starts(step);
        })
    }

    fn turn(&self, chore: &'static str, lasts: Millis) -> Answer<bool> {
        let operation = nodes::turn(self.memory().identity.clone(), self.0.now(), chore, lasts);
        self.perform("turn", false, operation, |_, _, _| {})
    }
}

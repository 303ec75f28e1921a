//! The store as one that many processes share.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{Notify, oneshot};

use super::{
    PgStore, ToWriter,
    connection::{Readers, Settings},
    hints::Hints,
    read,
    write::{Request, operations as op},
};
use crate::{
    domain::{
        Millis,
        ids::{ExecutionId, NodeId, TaskId},
        lock::lock,
        step::Step,
    },
    store::{Answer, Beat, Decision, Hint, NewNode, Node, Nodes, Now, Shared, StoreError},
};

/// The node that the process is, or was last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity(Arc<Mine>);

#[derive(Debug, Default)]
struct Mine {
    node: Mutex<Option<NodeId>>,
    /// The commits that the database has lost, of all nodes that the process was.
    lost: AtomicU64,
    /// Notified when the node is found to be gone.
    gone: Notify,
    hints: Arc<Hints>,
}

impl Identity {
    pub(crate) fn get(&self) -> Option<NodeId> {
        *lock(&self.0.node)
    }

    pub(crate) fn set(&self, node: NodeId) {
        *lock(&self.0.node) = Some(node);
    }

    /// Notes commits that the database has lost.
    pub(crate) fn add_lost(&self, commits: u64) {
        self.0.lost.fetch_add(commits, Ordering::Relaxed);
    }

    /// Tells that the node is found to be gone.
    pub(crate) fn note_gone(&self) {
        self.0.gone.notify_one();
    }

    fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Says a word to the other nodes.
    pub(crate) fn tell(&self, hint: Hint) {
        self.0.hints.tell(hint);
    }
}

/// A store as its nodes see it.
struct Sharing {
    to_writer: ToWriter,
    readers: Arc<Readers>,
    identity: Identity,
    settings: Arc<Settings>,
    /// The clock of tests, instead of the database's.
    now: Option<Now>,
}

impl Nodes for PgStore {
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>> {
        self.read(|readers| read::abandoned(readers, most))
    }

    fn shared(&self) -> Option<Arc<dyn Shared>> {
        Some(Arc::new(Sharing {
            to_writer: self.again(),
            readers: self.readers.clone(),
            identity: self.identity.clone(),
            settings: self.settings.clone(),
            now: self.now.clone(),
        }))
    }
}

impl Shared for Sharing {
    fn node(&self) -> Option<NodeId> {
        self.identity.get()
    }

    fn join(&self, node: NewNode) -> Answer<()> {
        let requests = self.to_writer.requests.clone();
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let request = Request::Join(Box::new(node), reply);
            requests.send(request).await.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }

    fn beat(&self, busy: u32) -> Answer<Beat> {
        let (beat, hints) = (self.to_writer.ask(op::TellLife { busy }), self.identity.0.hints.clone());
        Box::pin(async move {
            let beat = beat.await?;
            hints.note_others(beat.nodes.iter().filter(|node| node.gone.is_none()).count() > 1);
            Ok(beat)
        })
    }

    fn give_up(&self, node: NodeId, beat: u64, why: String) -> Answer<bool> {
        self.to_writer.ask(op::GiveUp { node, beat, why })
    }

    fn gone(&self) -> Answer<()> {
        let identity = self.identity.clone();
        Box::pin(async move {
            identity.0.gone.notified().await;
            Ok(())
        })
    }

    fn lost_commits(&self) -> u64 {
        self.identity.lost()
    }

    fn nodes(&self) -> Answer<Vec<Node>> {
        let now = self.now.as_ref().map(|now| now());
        Box::pin(read::nodes(self.readers.clone(), now))
    }

    fn open(&self, executions: Vec<(TaskId, ExecutionId)>) -> Answer<Vec<ExecutionId>> {
        Box::pin(read::open(self.readers.clone(), executions))
    }

    fn wish(&self, executions: Vec<ExecutionId>, who: String) -> Answer<Vec<ExecutionId>> {
        let (asked, identity) = (executions.len(), self.identity.clone());
        let wish = self.to_writer.ask(op::Wish { executions, who });
        Box::pin(async move {
            let own = wish.await?;
            if own.len() < asked {
                identity.tell(Hint::Wish);
            }
            Ok(own)
        })
    }

    fn wishes(&self) -> Answer<Vec<(ExecutionId, String)>> {
        Box::pin(read::wishes(self.readers.clone(), self.identity.get()))
    }

    fn end_start(&self) {
        self.readers.end_patience();
    }

    fn tell(&self, hint: Hint) {
        self.identity.tell(hint);
    }

    fn hint(&self) -> Answer<Hint> {
        let (hints, runtime) = (self.identity.0.hints.clone(), self.readers.runtime().clone());
        let hears = hints.hear(self.settings.clone(), runtime);
        Box::pin(async move { Ok(hears.await) })
    }

    fn admit(&self, task: TaskId, key: String, most: usize, decide: Decision) -> Answer<Option<Step>> {
        self.to_writer.ask(op::Admit {
            change: op::Change { task, decide, output: None, audit: None },
            key,
            most,
        })
    }

    fn turn(&self, chore: &'static str, lasts: Millis) -> Answer<bool> {
        self.to_writer.ask(op::TakeTurn { chore, lasts })
    }
}

//! Nodes: the processes that share a store.
//!
//! A node is one process from its joining on; its id is never used again. A node that others have declared gone
//! writes nothing more: every change of it fails with [`StoreError::Fenced`](super::StoreError::Fenced) until it
//! has joined anew, as another node. Nodes are declared gone by the count of their beats, which no clock can make
//! larger or smaller.
//!
//! One process has an embedded store open, and there is no [`Shared`] then: it is alone.

mod leftovers;

pub(super) use self::leftovers::Leftovers;
use std::sync::Arc;

use super::{Answer, Decision, ready};
use crate::domain::{
    Millis,
    ids::{ExecutionId, NodeId, TaskId},
    step::Step,
};

/// A node, by the store's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Never used again.
    pub id: NodeId,
    /// For people; several nodes may have the same name.
    pub name: String,
    /// The address of its API, if it has told one.
    pub address: Option<String>,
    /// The version of its program.
    pub build: String,
    /// The store's time when it joined.
    pub joined: Millis,
    /// The store's time of its last change or beat.
    pub seen: Millis,
    /// Grows with each of them.
    pub beat: u64,
    /// Runs at once at most.
    pub places: u32,
    /// Runs under way at its last beat.
    pub busy: u32,
    /// The store's time when it was declared gone.
    pub gone: Option<Millis>,
    /// Why it is gone, for people.
    pub why: Option<String>,
}

/// A process that joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// An id that no node has had.
    pub id: NodeId,
    /// For people.
    pub name: String,
    /// The address of its API, if others can reach it.
    pub address: Option<String>,
    /// The version of its program.
    pub build: String,
    /// Runs at once at most.
    pub places: u32,
}

/// The answer to a beat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The store's time, epoch milliseconds.
    pub now: Millis,
    /// All nodes, those too that are gone.
    pub nodes: Vec<Node>,
    /// Whether [`Nodes::abandoned`] has executions.
    pub abandoned: bool,
    /// Whether tasks wait for a process to attend to them, which is the one that has changed them as long as it lives:
    /// for a slot of their concurrency key, with an end to pass on, or with alerts whose time has come.
    pub unattended: bool,
    /// Whether this node is to take no new runs.
    pub drained: bool,
    /// Another number than in the last answer tells that the way to the store was lost since, for the others too
    /// perhaps, or that the store was replaced by a copy.
    pub session: u64,
}

/// The start of the keys of values that ask nodes to take no new runs; the node's id follows. A node that joins anew has
/// the value of the node that it was.
pub const DRAINED: &str = "drained/";

/// The key of the value that asks a node to take no new runs.
#[must_use]
pub fn drained_key(node: NodeId) -> String {
    format!("{DRAINED}{node}")
}

/// A word of the store to its nodes. It may get lost: nothing relies on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// A task may be due soon.
    Due,
    /// [`Shared::wishes`] may have a wish.
    Wish,
    /// A node is gone.
    Gone,
    /// A node is asked to take no new runs, or to take them again.
    Drain,
}

/// The processes that have a store open.
pub trait Nodes {
    /// Lists executions in progress that no living process runs any more, `most` at most. In an embedded store
    /// those are the ones that are in progress at the first call: make it before the first run.
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>>;
    /// The store as one that many processes share; `None` for an embedded one.
    fn shared(&self) -> Option<Arc<dyn Shared>> {
        None
    }
}

/// A store that many processes share. A node that closes its store is gone from then on.
pub trait Shared: Send + Sync + 'static {
    /// The node that this process is, or was last; `None` before it has joined.
    fn node(&self) -> Option<NodeId>;
    /// Makes this process a new node. The node that it was is gone from then on.
    fn join(&self, node: NewNode) -> Answer<()>;
    /// Tells that this node lives, with `busy` runs under way.
    fn beat(&self, busy: u32) -> Answer<Beat>;
    /// Declares a node gone if its beat is still this one; whether it did.
    fn give_up(&self, node: NodeId, beat: u64, why: String) -> Answer<bool>;
    /// Waits until the store finds this node to be gone, of which the next beat would tell; for ever if the store tells
    /// it with beats alone.
    fn gone(&self) -> Answer<()> {
        Box::pin(std::future::pending())
    }
    /// Counts the commits that this process was told of and that the store has lost since, because a copy without
    /// them has replaced it. A node that finds this is gone, and joins anew.
    fn lost_commits(&self) -> u64 {
        0
    }
    /// Lists the nodes in the order in which they joined; those that are gone for long are left out.
    fn nodes(&self) -> Answer<Vec<Node>>;
    /// Tells which of these executions are in progress or wait for their turn.
    fn open(&self, executions: Vec<(TaskId, ExecutionId)>) -> Answer<Vec<ExecutionId>>;
    /// Asks the nodes that run these executions to end them, in the name of `who`; answers those that this node
    /// runs itself. A step's `cancel` is wished with the step, and names those of this node alone afterwards.
    fn wish(&self, executions: Vec<ExecutionId>, who: String) -> Answer<Vec<ExecutionId>>;
    /// Lists the executions of this node that are to end, each with the one who wishes it.
    fn wishes(&self) -> Answer<Vec<(ExecutionId, String)>>;
    /// Takes the step that `decide` returns, which gives a slot of `key` to the execution that it starts. `None` if
    /// `most` executions with a slot of it are in progress, whichever nodes run them.
    fn admit(&self, task: TaskId, key: String, most: usize, decide: Decision) -> Answer<Option<Step>>;
    /// Takes or renews this node's turn at a chore for `lasts` milliseconds, unless another living node has it;
    /// whether this node has it now.
    fn turn(&self, chore: &'static str, lasts: Millis) -> Answer<bool>;
    /// Ends the start of this process, in which reads have waited for a store that does not answer.
    fn end_start(&self) {}
    /// Tells the other nodes, if the store passes hints on.
    fn tell(&self, _: Hint) {}
    /// Waits for the next hint of another node; for ever if the store passes none on.
    fn hint(&self) -> Answer<Hint> {
        Box::pin(std::future::pending())
    }
}

/// Takes a turn at a chore, as [`Shared::turn`]. A process that is alone always has it.
pub fn take_turn(store: &dyn Nodes, chore: &'static str, lasts: Millis) -> Answer<bool> {
    store.shared().map_or_else(|| ready(Ok(true)), |shared| shared.turn(chore, lasts))
}

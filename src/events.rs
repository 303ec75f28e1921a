//! Events: what has happened, told to whoever listens. Nothing is told before it is durable.

use tokio::sync::broadcast;

use crate::domain::ids::{ExecutionId, TaskId};

/// Listeners that fall behind by more than this miss the oldest ones, and are told so.
const BACKLOG: usize = 4096;

/// Something that has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// An execution is over and its row is closed.
    Ended {
        /// Whose.
        task: TaskId,
        /// Which.
        execution: ExecutionId,
    },
}

/// Where events are told.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Happened>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Events {
    /// Tells everybody who listens.
    pub fn publish(&self, event: Happened) {
        // Nobody listening is fine.
        let _ = self.0.send(event);
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Happened> {
        self.0.subscribe()
    }
}

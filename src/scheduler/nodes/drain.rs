//! Drain: a node that is to be stopped takes no new runs, and finishes those that it has.
//!
//! The wish is a value in the store under the node's id, and every beat tells of it. A process that joins anew, as
//! another node, goes on with it; one that is started again does not.

use serde_json::json;
use tokio::sync::watch;

use crate::{
    domain::{audit::Audit, ids::NodeId},
    scheduler::Scheduler,
    store::{DRAINED, Hint, StoreError, drained_key},
};

/// Whether this process takes no new runs.
#[derive(Debug, Default)]
pub(in crate::scheduler) struct Drain(watch::Sender<bool>);

impl Drain {
    /// Whether this process takes no new runs.
    pub(in crate::scheduler) fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until this process takes new runs.
    pub(in crate::scheduler) async fn over(&self) {
        // The sender is in `self`, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|drained| !drained).await;
    }
}

impl Scheduler {
    /// Asks a node to take no new runs, or to take them again. It does so with its next beat, and at once if it hears
    /// of this; this process does at once. Whether the node still lives after it was asked.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn set_drained(&self, node: NodeId, drained: bool, audit: Audit) -> Result<bool, StoreError> {
        let Some(member) = self.member() else { return Ok(false) };
        let known = member.store().nodes().await?;
        let values = self.store.values(DRAINED.to_owned()).await?;
        // A node that is gone may be about to join anew: the wish for it goes once it is forgotten.
        let is_known = |key: &str| known.iter().any(|node| drained_key(node.id) == key);
        let forgotten = values.into_iter().map(|(key, _)| key).filter(|key| !is_known(key));
        let wish = drained.then(|| json!({ "since": audit.time }));
        let changes = forgotten.map(|key| (key, None)).chain([(drained_key(node), wish)]).collect();
        self.store.change_values(changes, Some(audit)).await?;
        if member.store().node() == Some(node) {
            self.note_drained(drained);
            // The answer to a beat that is under way may be older.
            member.beat_soon();
        }
        member.store().tell(Hint::Drain);
        // The wish is kept, also if the store is away by now.
        let Ok(nodes) = member.store().nodes().await else { return Ok(true) };
        Ok(nodes.iter().any(|other| other.id == node && other.gone.is_none()))
    }

    /// Waits until this process takes new runs, or stops.
    pub(in crate::scheduler) async fn wait_while_drained(&self, stopping: &mut watch::Receiver<bool>) {
        let over = async {
            tokio::select! {
                biased;
                _ = stopping.changed() => {}
                () = self.drain.over() => {}
            }
        };
        self.wait_for_permit(over).await;
    }

    /// Takes over the wish about this process.
    pub(super) fn note_drained(&self, drained: bool) {
        if self.drain.0.send_replace(drained) == drained {
            return;
        }
        if drained {
            tracing::info!("this node takes no new runs");
        } else {
            tracing::info!("this node takes runs again");
            self.nudge.notify_one();
            self.keys.look_again();
        }
    }
}

//! Drain: a node that is to be stopped takes no new runs, and finishes those that it has.
//!
//! The wish is a value in the store under the node's id. A process that joins anew, as another node, goes on with
//! it; one that is started again does not.

use serde_json::json;
use tokio::sync::watch;

use crate::{
    cluster::Member,
    domain::{audit::Audit, ids::NodeId},
    scheduler::Scheduler,
    store::{DRAINED, StoreError, drained_key},
};

/// The node as which this process takes no new runs.
#[derive(Debug)]
pub(in crate::scheduler) struct Drain(watch::Sender<Option<NodeId>>);

impl Default for Drain {
    fn default() -> Self {
        Self(watch::channel(None).0)
    }
}

impl Drain {
    /// Whether this process takes no new runs.
    pub(in crate::scheduler) fn is_on(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until this process takes new runs.
    pub(in crate::scheduler) async fn over(&self) {
        // The sender is in `self`, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(Option::is_none).await;
    }
}

impl Scheduler {
    /// Asks a node to take no new runs, or to take them again. It does so within a few looks; this process at once.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn set_drained(&self, node: NodeId, drained: bool, audit: Audit) -> Result<(), StoreError> {
        let Some(member) = self.member() else { return Ok(()) };
        let living: Vec<_> = member.store().nodes().await?.into_iter().filter(|n| n.gone.is_none()).collect();
        let values = self.store.values(DRAINED.to_owned()).await?;
        let is_of_living = |key: &str| living.iter().any(|node| drained_key(node.id) == key);
        // The wishes for nodes that are gone go with it.
        let gone = values.into_iter().map(|(key, _)| key).filter(|key| !is_of_living(key));
        let wish = drained.then(|| json!({ "since": audit.time }));
        let changes = gone.map(|key| (key, None)).chain([(drained_key(node), wish)]).collect();
        self.store.change_values(changes, Some(audit)).await?;
        self.look_for_drain(member).await
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

    /// Takes over the wish about this node.
    pub(super) async fn look_for_drain(&self, member: &Member) -> Result<(), StoreError> {
        let Some(node) = member.store().node() else { return Ok(()) };
        let is_wished = self.store.get(drained_key(node)).await?.is_some();
        let before = *self.drain.0.borrow();
        let now = match before {
            _ if is_wished => Some(node),
            Some(former) if former != node => {
                // The wish was for the node that this process was before it joined anew.
                self.store.put(drained_key(node), json!({ "since": self.clock.now() })).await?;
                Some(node)
            }
            _ => None,
        };
        if now != before {
            self.drain.0.send_replace(now);
        }
        match (before, now) {
            (None, Some(_)) => tracing::info!("this node takes no new runs"),
            (Some(_), None) => {
                tracing::info!("this node takes runs again");
                self.nudge.notify_one();
                self.keys.look_again();
            }
            _ => {}
        }
        Ok(())
    }
}

//! Nodes: work that goes on when a process is gone or the store is away, and requests that reach the process that
//! runs an execution.
//!
//! Nothing here costs a process that has its store alone: it has no [`Member`].

mod drain;
mod ends;
mod news;
mod patience;
mod recovery;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use tokio::time::{Instant, sleep_until};

pub(in crate::scheduler) use self::{drain::Drain, ends::Ends};
use super::Scheduler;
use crate::{
    cluster::{Member, Words},
    domain::{
        Millis,
        ids::{ExecutionId, NodeId, TaskId},
    },
    store::{Hint, StoreError},
};

/// Something to attend to.
enum Occasion {
    /// Another node says so.
    Hint(Hint),
    /// The store said so in the answer to a beat.
    Words(Words),
    /// Somebody waits for the ends of these executions.
    Ends(Vec<(TaskId, ExecutionId)>),
    /// It is time to look.
    Poll,
}

/// The place of this process among others, if there are any.
pub(in crate::scheduler) type Membership = OnceLock<Arc<Member>>;

impl Scheduler {
    /// Makes this the scheduler of one node among many. Call it once, before [`Scheduler::recover`].
    pub fn share_with(&self, member: Arc<Member>) {
        // A second call changes nothing.
        let _ = self.membership.set(member);
    }

    pub(in crate::scheduler) fn member(&self) -> Option<&Arc<Member>> {
        self.membership.get()
    }

    /// How far ahead of a due time this process claims it, in milliseconds. Nodes look one after the other.
    pub(in crate::scheduler) fn ahead(&self, due: Millis) -> Millis {
        super::AHEAD - self.member().map_or(0, |member| member.stagger(due).min(super::AHEAD))
    }

    /// Whether a run that was claimed by `node` may go on in this process.
    pub(in crate::scheduler) fn may_run(&self, node: Option<NodeId>) -> bool {
        node.is_none() || self.member().is_some_and(|member| member.lease().holds(node))
    }

    /// Whether a run that was claimed by `node` may start in this process, as soon as that is known.
    pub(in crate::scheduler) async fn may_start(&self, node: Option<NodeId>) -> bool {
        match (self.member(), node) {
            (_, None) => true,
            (Some(member), Some(node)) => member.lease().begins(node, || member.store().node()).await,
            (None, Some(_)) => false,
        }
    }

    /// Cancels a run when the lease is over under which it was claimed. For as long as it is polled.
    pub(in crate::scheduler) async fn cancel_without_lease<T>(
        &self,
        execution: ExecutionId,
        node: Option<NodeId>,
    ) -> T {
        if let Some(member) = self.member() {
            member.lease().over(node).await;
            self.in_progress.cancel(execution, "its node has lost its lease");
        }
        std::future::pending().await
    }

    /// Closes what nodes leave that are gone, looks for what others have made due, and hears the wishes for the
    /// executions of this process. Until a stop.
    pub(in crate::scheduler) async fn attend_nodes(self: &Arc<Self>) -> Result<(), StoreError> {
        let Some(member) = self.member() else { return Ok(()) };
        let mut stopping = self.stopping.subscribe();
        let mut poll = self.next_poll(member);
        loop {
            let occasion = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                words = member.words() => Occasion::Words(words),
                hint = member.store().hint() => Occasion::Hint(hint?),
                waited_for = self.ends.round() => Occasion::Ends(waited_for),
                // Other occasions do not put it off.
                () = sleep_until(poll) => Occasion::Poll,
            };
            match occasion {
                Occasion::Ends(waited_for) => {
                    let open = member.store().open(waited_for.clone()).await?;
                    self.ends.tell(&waited_for, &open);
                    continue;
                }
                Occasion::Hint(Hint::Gone) => self.close_abandoned().await?,
                Occasion::Hint(Hint::Due) => {
                    self.nudge.notify_one();
                    if self.keys.has_waiting() {
                        self.keys.look_again();
                    }
                    // Others without room may say so again and again.
                    continue;
                }
                Occasion::Hint(Hint::Wish) => {}
                Occasion::Hint(Hint::Drain) => {
                    member.beat_soon();
                    continue;
                }
                Occasion::Words(words) => {
                    self.note_drained(words.drained);
                    if words.unattended {
                        self.untold.notify_one();
                        self.alarm.notify_one();
                        self.keys.look_again();
                    }
                    if words.abandoned {
                        self.close_abandoned().await?;
                    }
                }
                Occasion::Poll => {
                    poll = self.next_poll(member);
                    self.nudge.notify_one();
                    if self.keys.has_waiting() {
                        self.keys.look_again();
                    }
                }
            }
            member.note_busy(self.busy());
            self.hear_wishes(member).await?;
        }
    }

    /// The time of the next look: earlier or later by a fifth, so that not all nodes look at once.
    fn next_poll(&self, member: &Member) -> Instant {
        Instant::now() + member.poll().mul_f64(0.8 + 0.4 * self.clock.roll())
    }

    /// Tells the other nodes of due tasks, if this one has no room for a run.
    pub(in crate::scheduler) fn call_others_if_full(&self) {
        if self.permits.available_permits() == 0 {
            self.call_others();
        }
    }

    /// Tells the other nodes that a task may have its turn.
    pub(in crate::scheduler) fn call_others(&self) {
        if let Some(member) = self.member() {
            member.store().tell(Hint::Due);
        }
    }

    async fn hear_wishes(&self, member: &Member) -> Result<(), StoreError> {
        if self.in_progress.executions().is_empty() {
            return Ok(());
        }
        for (execution, who) in member.store().wishes().await? {
            self.in_progress.cancel_entered(execution, &who);
        }
        Ok(())
    }

    /// Asks the nodes that run these executions to end them. Returns those of this process.
    pub(in crate::scheduler) async fn wish(&self, executions: &[ExecutionId], who: &str) -> Vec<ExecutionId> {
        let Some(member) = self.member() else { return executions.to_vec() };
        match member.store().wish(executions.to_vec(), who.to_owned()).await {
            Ok(own) => own,
            Err(error) => {
                tracing::warn!(%error, "other nodes cannot be asked to end executions");
                Vec::new()
            }
        }
    }

    /// Waits until other nodes have ended these executions, by the store's account; for ever without other nodes.
    pub(in crate::scheduler) async fn ended_elsewhere(&self, task: TaskId, executions: &[ExecutionId]) {
        if self.member().is_none() {
            return std::future::pending().await;
        }
        for execution in executions {
            self.ends.wait_for(task, *execution).await;
        }
    }
}

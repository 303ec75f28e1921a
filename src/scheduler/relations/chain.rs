//! Chains: successors are informed of the ends of occurrences of their predecessors.

use std::sync::Arc;

use crate::scheduler::Scheduler;
use crate::{
    domain::step::{Circumstances, Input},
    store::{StoreError, SuccessorDecision},
};

/// The most successors that one commit informs.
const INFORMED_AT_ONCE: usize = 64;

impl Scheduler {
    /// Informs successors whenever there is an end to pass on, and first of those that an earlier process has
    /// left. Until a stop.
    pub(in crate::scheduler) async fn inform_successors(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut stopping = self.stopping.subscribe();
        loop {
            // Registered before the question, so that no end in between is missed.
            let nudged = self.untold.notified();
            tokio::pin!(nudged);
            nudged.as_mut().enable();
            while !*stopping.borrow_and_update() {
                let informed =
                    self.store.inform_successors(INFORMED_AT_ONCE, self.successor_decision()).await?;
                for step in informed.steps {
                    self.carry_out(step, &mut Vec::new());
                }
                if !informed.more {
                    break;
                }
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                () = nudged => {}
            }
        }
    }

    fn successor_decision(&self) -> SuccessorDecision {
        let (clock, ids, policy) = (self.clock.clone(), self.ids.clone(), self.policy.clone());
        Box::new(move |task, end, now| {
            let roll = clock.roll() * 2.0 - 1.0;
            let mut new_id = || ids.execution(now);
            let input = Input::Follow(Box::new(end.clone()));
            task.step(input, &mut Circumstances { now, roll, new_id: &mut new_id, policy: policy.clone() })
        })
    }
}

//! Informing successors of ends of occurrences.

use super::super::{
    group::{Failure, Group, id_of},
    operation::Work,
};
use crate::{
    domain::{definition::after::Predecessor, ids::TaskId, step::Step},
    store::{
        Informed, StoreError, SuccessorDecision,
        postgres::connection::{args, query},
    },
};

/// Informs successors of ends, and takes a step of each.
pub(crate) struct Inform {
    pub(crate) most: usize,
    pub(crate) decide: SuccessorDecision,
}

impl Work for Inform {
    type Answer = Informed;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Informed, Failure> {
        let mut informed = Informed::default();
        let (mut left, mut after) = (self.most, None::<TaskId>);
        while left > 0 {
            let next = "SELECT task FROM #state WHERE untold AND ($1::uuid IS NULL OR task > $1) ORDER BY task LIMIT 1";
            let Some(id) = group.rows(query(next, args![after])).await?.first().map(|row| id_of(row, 0))
            else {
                return Ok(informed);
            };
            match self.inform_part(group, id, left, &mut informed).await {
                Ok(count) => left = left.saturating_sub(count.max(1)),
                // The others go on: a refusal would lose the starts of the successors before it.
                Err(Failure::Refused(error)) => {
                    tracing::error!(task = %id, %error, "the end of an occurrence cannot be passed to the tasks after it");
                    after = Some(id);
                }
                Err(failure) => return Err(failure),
            }
        }
        informed.more = true;
        Ok(informed)
    }
}

impl Inform {
    /// Informs `most` successors of the oldest end of a task. Returns the number of successors looked at.
    async fn inform_part(
        &mut self,
        group: &mut Group<'_>,
        id: TaskId,
        most: usize,
        informed: &mut Informed,
    ) -> Result<usize, Failure> {
        let mut task = group.task(id).await?;
        let Some(untold) = task.facts.untold.first().cloned() else {
            if let Some(slot) = group.slots.get_mut(&id) {
                slot.changed = true;
            }
            return Ok(0);
        };
        let followers =
            "SELECT id FROM #task WHERE after = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3";
        let rows = group.rows(query(followers, args![id, untold.told_to, most])).await?;
        let found: Vec<_> = rows.iter().map(|row| id_of(row, 0)).collect();
        group.load(&found).await?;
        for successor in &found {
            match self.inform(group, *successor, &untold.end).await {
                Ok(step) => informed.steps.extend(step),
                // A record that is damaged is told of by `store verify` too.
                Err(Failure::Refused(error)) => {
                    tracing::error!(task = %successor, %error, "a task cannot follow its predecessor");
                }
                Err(failure) => return Err(failure),
            }
        }
        task.facts.informed(found.len() < most, found.last().copied());
        group.put_task(task);
        Ok(found.len())
    }
    /// Informs one successor. Returns its step, if it takes one.
    async fn inform(
        &mut self,
        group: &mut Group<'_>,
        successor: TaskId,
        end: &Predecessor,
    ) -> Result<Option<Step>, Failure> {
        let before = group.task(successor).await?;
        let mut step = (self.decide)(&before, end, group.now).map_err(StoreError::from)?;
        if step.task == before && step.rows.is_empty() {
            return Ok(None);
        }
        group.apply(&before, &mut step).await?;
        Ok(Some(step))
    }
}

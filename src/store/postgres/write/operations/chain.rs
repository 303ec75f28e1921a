//! Informing successors of ends of occurrences.

use super::super::{
    group::{Failure, Group, id_of},
    operation::Work,
};
use crate::{
    domain::ids::TaskId,
    store::{
        Informed, SuccessorDecision,
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
        let mut left = self.most;
        while left > 0 {
            let first = "SELECT task FROM #state WHERE untold ORDER BY task LIMIT 1";
            let Some(id) = group.rows(query(first, args![])).await?.first().map(|row| id_of(row, 0)) else {
                return Ok(informed);
            };
            left = left.saturating_sub(self.inform_part(group, id, left, &mut informed).await?.max(1));
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
            // A record that is damaged is told of by `store verify`.
            let Ok(before) = group.task(*successor).await else { continue };
            match (self.decide)(&before, &untold.end, group.now) {
                Ok(step) if step.task == before && step.rows.is_empty() => {}
                Ok(mut step) => {
                    group.apply(&before, &mut step).await?;
                    informed.steps.push(step);
                }
                Err(error) => {
                    tracing::error!(task = %successor, %error, "a task cannot follow its predecessor");
                }
            }
        }
        task.facts.informed(found.len() < most, found.last().copied());
        group.put_task(task);
        Ok(found.len())
    }
}

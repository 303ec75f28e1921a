//! Runs in progress: their steps and notes, refused once a run is over.

use super::super::{
    group::{Failure, Group, Needs},
    operation::Work,
};
use crate::{
    domain::{Millis, execution::Execution},
    store::{
        Fence, FinishedStep, RunNote, StateError, StoreError,
        postgres::{
            connection::{args, query},
            documents::{decode, encode},
        },
    },
};

impl Group<'_> {
    /// Refuses a write in the name of an execution that is not in progress.
    pub(super) async fn ensure_in_progress(&mut self, fence: Fence) -> Result<(), Failure> {
        let over = || StateError::NotRunning(fence.execution).into();
        let task = match self.task(fence.task).await {
            Err(Failure::Refused(StoreError::NotFound)) => return Err(Failure::Refused(over())),
            other => other?,
        };
        let holds = task.facts.running.iter().any(|run| run.execution == fence.execution);
        if !holds {
            return Err(Failure::Refused(over()));
        }
        self.ensure_runs(fence.task, fence.execution).await
    }
}

/// Keeps a finished step.
pub(crate) struct FinishStep {
    pub(crate) fence: Fence,
    pub(crate) scheduled_for: Millis,
    pub(crate) step: FinishedStep,
}

impl Work for FinishStep {
    type Answer = ();

    fn needs(&self) -> Needs {
        Needs { tasks: vec![self.fence.task], ..Needs::default() }
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        group.ensure_in_progress(self.fence).await?;
        let keep = "INSERT INTO #step (task, scheduled_for, name, number, step) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (task, scheduled_for, name) DO UPDATE SET number = excluded.number, step = excluded.step";
        let (name, number) = (self.step.name.clone().into_bytes(), i64::from(self.step.number));
        let document = encode(&self.step)?;
        let step = args![self.fence.task, self.scheduled_for, name, number, document];
        group.rows(query(keep, step)).await.map(drop)
    }
}

/// Writes the state of a run into its row.
pub(crate) struct NoteRun {
    pub(crate) fence: Fence,
    pub(crate) note: RunNote,
}

impl Work for NoteRun {
    type Answer = ();

    fn needs(&self) -> Needs {
        Needs { tasks: vec![self.fence.task], ..Needs::default() }
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        group.ensure_in_progress(self.fence).await?;
        let Fence { task, execution } = self.fence;
        let row = match group.writes.rows.get(&(task, execution)) {
            Some(row) => row.clone(),
            None => {
                let read =
                    query("SELECT row FROM #running WHERE id = $1 AND task = $2", args![execution, task]);
                let rows = group.rows(read).await?;
                decode::<Execution>(rows.first().ok_or(StoreError::NotFound)?.get(0))?
            }
        };
        let row = self.note.clone().put_into(row);
        group.writes.rows.insert((task, execution), row);
        Ok(())
    }
}

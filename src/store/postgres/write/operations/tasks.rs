//! Tasks: create, change, claim, delete.

use super::super::{
    group::{Failure, Group, Needs},
    operation::Work,
};
use crate::{
    domain::{
        Millis,
        facts::Task,
        ids::TaskId,
        step::{Refused, Step},
    },
    store::{
        Audit, Claimed, Decision, Output, StoreError,
        postgres::connection::{args, query},
    },
};

/// Adds a task.
pub(crate) struct Create {
    pub(crate) task: Task,
    pub(crate) audit: Option<Audit>,
}

impl Work for Create {
    type Answer = ();

    fn needs(&self) -> Needs {
        let after = self.task.definition.after.map(|after| after.task_id);
        let tasks = std::iter::once(self.task.id).chain(after).collect();
        Needs { tasks, names: vec![self.task.definition.name.clone()], ..Needs::default() }
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        group.load(&[self.task.id]).await?;
        if group.slots.get(&self.task.id).is_some_and(|slot| slot.version.is_some() || slot.task.is_some()) {
            return Err(
                StoreError::Backend { doing: "create a task", why: "its id is taken".to_owned() }.into()
            );
        }
        group.ensure_free(&self.task.definition.name).await?;
        group.check_chain(&self.task).await?;
        group.put_task(self.task.clone());
        group.writes.audits.extend(self.audit.clone());
        Ok(())
    }
}

/// Takes a step of a task.
pub(crate) struct Change {
    pub(crate) task: TaskId,
    pub(crate) decide: Decision,
    pub(crate) output: Option<Output>,
    pub(crate) audit: Option<Audit>,
}

impl Work for Change {
    type Answer = Step;

    fn needs(&self) -> Needs {
        Needs { tasks: vec![self.task], ..Needs::default() }
    }

    /// An end of a run must not get lost; a user's request is refused after a while.
    fn is_patient(&self) -> bool {
        self.audit.is_none()
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Step, Failure> {
        let old = group.task(self.task).await?;
        let mut step = (self.decide)(&old, group.now).map_err(StoreError::from)?;
        if old.definition.after != step.task.definition.after {
            group.check_chain(&step.task).await?;
        }
        if !step.ended.is_empty() && group.is_followed(self.task).await? {
            step.keep_ends();
        }
        if old.definition.name != step.task.definition.name {
            group.ensure_free(&step.task.definition.name).await?;
        }
        group.apply(&old, &mut step).await?;
        if let Some(output) = &self.output {
            group.append(output.clone());
        }
        group.record(self.audit.as_ref(), &old, &step.task);
        Ok(step)
    }
}

/// Takes a step of each due task.
pub(crate) struct Claim {
    pub(crate) ahead: Millis,
    pub(crate) most: usize,
    pub(crate) decide: Decision,
}

impl Work for Claim {
    type Answer = Claimed;

    fn needs(&self) -> Needs {
        Needs { claim: Some((self.ahead, self.most)), ..Needs::default() }
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Claimed, Failure> {
        let until = group.now.saturating_add(self.ahead);
        let mut claimed = Claimed { steps: Vec::new(), until };
        let mut left = std::mem::take(&mut group.due);
        let mut later = Vec::new();
        for _ in 0..self.most {
            let Some((due, id)) = left.pop_front() else { break };
            if due > until {
                later.push((due, id));
                continue;
            }
            if let Some(step) = self.claim(group, due, id).await? {
                claimed.steps.push(step);
            }
        }
        later.into_iter().rev().for_each(|task| left.push_front(task));
        group.due = left;
        Ok(claimed)
    }
}

impl Claim {
    async fn claim(
        &mut self,
        group: &mut Group<'_>,
        due: Millis,
        id: TaskId,
    ) -> Result<Option<Step>, Failure> {
        let old = match group.task(id).await {
            // An operation before this one has changed it.
            Ok(task) if task.due().is_none_or(|now| now > due) => return Ok(None),
            Ok(task) => task,
            Err(Failure::Refused(StoreError::NotFound)) => return Ok(None),
            Err(Failure::Refused(error)) => {
                hold_back(group, id, &error.to_string());
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        match (self.decide)(&old, group.now) {
            // The step changes nothing: claiming the task again would be a hot loop.
            Ok(step) if step.task.due() == Some(due) && step.start.is_empty() => {
                hold_back(group, id, "its step changes nothing");
                Ok(None)
            }
            Ok(mut step) => match group.apply(&old, &mut step).await {
                Ok(()) => {
                    group.record(None, &old, &step.task);
                    Ok(Some(step))
                }
                // A refusal would lose the starts of the tasks before it, whose claims are made.
                Err(Failure::Refused(error)) => {
                    hold_back(group, id, &error.to_string());
                    Ok(None)
                }
                Err(failure) => Err(failure),
            },
            Err(Refused::NotYet) => Ok(None),
            Err(error) => {
                hold_back(group, id, &error.to_string());
                Ok(None)
            }
        }
    }
}

/// Leaves a task out of claims until it is changed, so that other tasks go on.
fn hold_back(group: &mut Group<'_>, id: TaskId, why: &str) {
    tracing::error!(task = %id, why, "a due task cannot take a step; it does not run until it is changed");
    if let Some(slot) = group.slots.get_mut(&id) {
        slot.held = Some(why.to_owned());
    }
}

/// Removes a task.
pub(crate) struct Delete {
    pub(crate) task: TaskId,
    pub(crate) audit: Option<Audit>,
}

impl Work for Delete {
    type Answer = Task;

    fn needs(&self) -> Needs {
        Needs { tasks: vec![self.task], ..Needs::default() }
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Task, Failure> {
        let old = group.task(self.task).await?;
        if !old.facts.running.is_empty() {
            let running = old.facts.running.iter().map(|run| run.execution).collect();
            return Err(StoreError::InProgress(running).into());
        }
        let followers = "SELECT n.name FROM #task t JOIN #task_name n ON n.task = t.id
            WHERE t.after = $1 ORDER BY t.id LIMIT 1";
        if group.is_followed(self.task).await?
            && let Some(row) = group.rows(query(followers, args![self.task])).await?.first()
        {
            return Err(StoreError::Followed(row.get(0)).into());
        }
        group.remove_task(self.task);
        group.writes.audits.extend(self.audit.clone());
        Ok(old)
    }
}

//! Requests of a file of tasks: create, change, release, delete, each to its durable end.

use std::sync::Arc;

use super::{Actor, ControlError, Scheduler};
use crate::domain::{
    audit::Action,
    definition::Definition,
    facts::{Declared, Task},
    ids::TaskId,
    step::{Input, Refused},
};

impl Scheduler {
    /// Creates a task that `file` has.
    ///
    /// # Errors
    /// When the name is taken or the store fails.
    pub async fn create_declared(
        self: &Arc<Self>,
        definition: Definition,
        file: &str,
    ) -> Result<Task, ControlError> {
        let now = self.clock.now();
        let mut task = Task::new(self.ids.task(now), definition, now);
        task.declared = Some(Declared::By(file.to_owned()));
        self.add(task, &Actor::of_file(file)).await
    }

    /// Puts a task under `file`, with the definition that stands there.
    ///
    /// # Errors
    /// When the task is gone, or it differs and users alone decide about it, or the store fails.
    pub async fn declare(
        self: &Arc<Self>,
        task: TaskId,
        definition: Definition,
        file: &str,
    ) -> Result<Task, ControlError> {
        let input = {
            let file = file.to_owned();
            move || Input::Declare { definition: Box::new(definition.clone()), file: file.clone() }
        };
        self.ask(task, Action::Update, &Actor::of_file(file), input).await
    }

    /// Pauses a task that has left `file`, and leaves it to users.
    ///
    /// # Errors
    /// When the task is gone or no file has it, or the store fails.
    pub async fn release(self: &Arc<Self>, task: TaskId, file: &str) -> Result<Task, ControlError> {
        self.ask(task, Action::Release, &Actor::of_file(file), || Input::Release).await
    }

    /// Deletes a task that has left `file`, and its history.
    ///
    /// # Errors
    /// When the task is gone or no file has it, or the store fails.
    pub async fn delete_declared(self: &Arc<Self>, task: TaskId, file: &str) -> Result<Task, ControlError> {
        let is_allowed = |task: &Task| task.managed_by().map(drop).ok_or(Refused::Unmanaged);
        self.remove(task, &Actor::of_file(file), is_allowed).await
    }
}

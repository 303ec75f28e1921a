//! Decisions about files of tasks: a task comes into a file, changes there, and leaves it.

use super::{Refused, Stepper};
use crate::domain::{definition::Definition, facts::Declared};

impl Stepper<'_, '_> {
    /// Gives the task the definition of the file; an equal one changes no plan and no retry.
    pub(super) fn declare(&mut self, definition: Definition, file: String) -> Result<(), Refused> {
        let task = &self.step.task;
        let comes_back = matches!(task.declared, Some(Declared::Formerly { was_paused: false }));
        let differs = task.definition != definition;
        if differs && task.declared.is_none() {
            return Err(Refused::Unmanaged);
        }
        if differs {
            self.replace_definition(definition);
        }
        if comes_back && self.facts().paused {
            self.resume()?;
        }
        self.step.task.declared = Some(Declared::By(file));
        Ok(())
    }

    /// Pauses the task and leaves it to users.
    pub(super) fn release(&mut self) -> Result<(), Refused> {
        if self.step.task.managed_by().is_none() {
            return Err(Refused::Unmanaged);
        }
        let was_paused = self.facts().paused;
        if !was_paused {
            self.pause()?;
        }
        self.step.task.declared = Some(Declared::Formerly { was_paused });
        Ok(())
    }

    /// A task that a user has changed or resumed is the user's, although a file once had it.
    pub(super) fn forget_file(&mut self) {
        self.step.task.declared.take_if(|declared| matches!(declared, Declared::Formerly { .. }));
    }
}

//! Chains: the rule that tasks which follow others make no circle, and the words of informing successors.

use super::StoreError;
use crate::domain::{
    Millis,
    definition::after::Predecessor,
    draft::Problem,
    facts::Task,
    ids::TaskId,
    step::{Refused, Step},
};

/// The most tasks of a chain.
const LONGEST: usize = 100;

/// Decides the step of a successor at the store's time. A store may call it more than once for one change,
/// and only the last decision counts: the call must have no effect of its own.
pub type SuccessorDecision = Box<dyn FnMut(&Task, &Predecessor, Millis) -> Result<Step, Refused> + Send>;

/// The successors that have been informed of an end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Informed {
    /// Their steps.
    pub steps: Vec<Step>,
    /// Whether there may be more successors to inform.
    pub more: bool,
}

/// Checks that the predecessor of `task` exists and does not run after `task` itself, by however many other
/// tasks. `read` reads a task.
///
/// # Errors
/// The problem with `after.taskId`; an error of `read`.
pub(super) fn check(
    task: &Task,
    read: impl Fn(TaskId) -> Result<Option<Task>, StoreError>,
) -> Result<(), StoreError> {
    let wrong = |problem: String| {
        Err(StoreError::Refused(Refused::Invalid(vec![Problem::new("after.taskId", problem)])))
    };
    let mut chain = vec![task.definition.name.clone()];
    let mut next = task.definition.after.map(|after| after.task_id);
    while let Some(id) = next {
        if id == task.id {
            let names: Vec<_> = chain.iter().chain(chain.first()).map(|name| format!("\"{name}\"")).collect();
            return wrong(format!("makes a circle: {}", names.join(" runs after ")));
        }
        if chain.len() >= LONGEST {
            return wrong(format!("makes a chain of more than {LONGEST} tasks"));
        }
        let Some(found) = read(id)? else {
            // A predecessor further up may be damaged, which is not the user's mistake.
            return if chain.len() == 1 { wrong("names no task".to_owned()) } else { Ok(()) };
        };
        chain.push(found.definition.name);
        next = found.definition.after.map(|after| after.task_id);
    }
    Ok(())
}

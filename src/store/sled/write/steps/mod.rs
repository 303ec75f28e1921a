//! Steps: the one way from a decision about a task to its writes.

pub(crate) mod chain;
mod inform;

use crate::{
    domain::{
        facts::Task,
        step::{Refused, Step},
    },
    store::{
        Audit, Output, StoreError,
        sled::{
            engine::txn::Txn,
            write::{apply, audit},
        },
    },
};

/// A task before its step, and the step.
pub(crate) type Taken = (Task, Step);

/// Writes in the change of a step.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// Output of an execution whose end is the step.
    pub(crate) output: Option<&'a Output>,
    /// The record of the request; without one the step has the record of a change that no request has asked for.
    pub(crate) audit: Option<&'a Audit>,
}

/// Decides about a task as it is stored, and writes the step with all that belongs to it.
///
/// # Errors
/// The decision's refusal, a circle of predecessors, or an error of the store; then nothing is written.
pub(crate) fn take(
    txn: &mut Txn<'_>,
    old: Task,
    decide: impl FnOnce(&Task) -> Result<Step, Refused>,
    beside: Beside<'_>,
) -> Result<Taken, StoreError> {
    let mut step = decide(&old)?;
    if old.definition.after != step.task.definition.after {
        chain::check(txn, &step.task)?;
    }
    chain::keep_ends(txn, &mut step)?;
    // Write output before the step: the step may remove the output's row.
    beside.output.map_or(Ok(()), |output| apply::append(txn, output))?;
    apply::step(txn, &old, &step)?;
    audit::add_step(txn, beside.audit, &old, &step.task)?;
    Ok((old, step))
}

//! Writes: one writer makes all changes of this process, in groups that share a commit.
//!
//! ```text
//! operation ─► queue ─► writer ─► group: trip 1  lock and read
//!                                        decide, in memory
//!                                        trip 2  write, fence, commit
//! ```
//! A group that another transaction has overtaken is decided again, so decisions must have no effect of their own.

mod activity;
mod attempt;
mod group;
mod inbox;
mod joining;
mod operation;
pub(crate) mod operations;
mod step;
mod writer;

#[cfg(test)]
pub(crate) use self::group::CLAIM;
pub(crate) use self::{
    group::{execution_of, id_of, node_of, place_number},
    inbox::Request,
    operation::{Work, operation},
    writer::Writer,
};

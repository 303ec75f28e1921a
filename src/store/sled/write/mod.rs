//! Writing: one thread that commits groups of operations, and the numbers that it keeps in step.

pub(crate) mod acknowledged;
pub(crate) mod apply;
pub(crate) mod commit;
mod operations;
pub(crate) mod totals;
pub(crate) mod writer;

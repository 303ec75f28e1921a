//! Writing: one thread commits groups of operations and keeps the totals in step.

mod access;
pub(crate) mod acknowledged;
pub(crate) mod apply;
pub(crate) mod audit;
mod bindings;
pub(crate) mod commit;
pub(crate) mod figures;
mod kept;
mod operations;
pub(crate) mod outbox;
pub(crate) mod state;
mod steps;
pub(crate) mod writer;

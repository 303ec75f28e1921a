//! The oracle: checks the invariants against accounts of its own, without code of the scheduler.
//!
//! `change` < `alerts`, `rules` < `account`, `nodes`, `state`, `replay` < `record` < `invariants`,
//! `promises`: each file uses only those before it.

pub(crate) mod account;
mod alerts;
pub(crate) mod almanac;
pub(crate) mod change;
pub(crate) mod invariants;
pub(crate) mod nodes;
pub(crate) mod promises;
pub(crate) mod record;
pub(crate) mod replay;
mod rules;
pub(crate) mod state;

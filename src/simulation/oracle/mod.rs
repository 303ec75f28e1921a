//! The oracle: what must be true, by an account that takes nothing from the code that it checks.
//!
//! `change` < `account` < `record` < `invariants`: each uses only those before it.

pub(crate) mod account;
pub(crate) mod almanac;
pub(crate) mod change;
pub(crate) mod invariants;
pub(crate) mod record;

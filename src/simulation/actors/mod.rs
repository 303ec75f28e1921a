//! The actors around the scheduler: users, what they plan, a runner by script and a store with faults.

pub(crate) mod plans;
pub(crate) mod runner;
pub(crate) mod store;
pub(crate) mod users;

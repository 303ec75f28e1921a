//! Scheduling: planned times that pass unseen, and more due runs than the pool has runners.

mod bursts;
pub(crate) mod missed;

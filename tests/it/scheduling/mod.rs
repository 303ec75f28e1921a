//! Scheduling: missed planned times, and more due runs than the pool has runners.

mod bulk;
mod bursts;
mod chains;
pub(crate) mod missed;
mod waiting;

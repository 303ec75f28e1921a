//! Scheduling: missed planned times, and more due runs than the pool has runners.

mod bulk;
mod bursts;
pub(crate) mod missed;

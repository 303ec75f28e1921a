//! Pages about runs: all of them, and one with its output.

pub(in crate::dashboard) mod execution;
pub(in crate::dashboard) mod executions;
pub(in crate::dashboard) mod rerun;

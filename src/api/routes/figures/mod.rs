//! Figures over time and of the present, all of them kept as changes are written.

pub(in crate::api) mod activity;
pub(in crate::api) mod metrics;
pub(in crate::api) mod nodes;
pub(in crate::api) mod overview;

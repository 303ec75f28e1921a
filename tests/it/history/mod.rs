//! The history of all tasks, and the sources that ran.

mod executions;

//! Domain: tasks, schedules and runs as pure values, and the decisions about them as pure functions.
//!
//! Nothing here waits, reads a clock, rolls dice or touches a disk: the moment and
//! every random roll are arguments. Everything else in the program either brings
//! an event here ([`step`]) or carries out the decision about it.
//!
//! Reading order: [`definition`] (a user's wishes for a task), [`schedule`] (its planned times),
//! [`facts`] (the task's state), [`step`] (how an event changes the state), [`execution`] (the
//! record of one attempt).

pub mod access;
pub mod activity;
pub mod alerts;
pub mod audit;
pub mod binding;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod chance;
pub mod definition;
pub mod draft;
pub mod execution;
pub mod facts;
pub mod ids;
pub mod lock;
pub mod network;
pub mod outlook;
pub mod panic;
pub mod recent;
pub mod retry;
pub mod schedule;
pub mod source;
pub mod step;
pub mod text;
pub mod time;
pub mod zone;

/// Epoch milliseconds, or a number of them.
pub type Millis = i64;

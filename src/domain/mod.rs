//! What is true of tasks and their runs: pure values and pure functions.
//!
//! Nothing here waits, reads a clock, rolls dice or touches a disk: the moment and
//! every random roll are arguments. Everything else in the program either brings
//! an event here ([`step`]) or carries out what came of it.
//!
//! Reading order: [`definition`] (what a user asks for), [`schedule`] (when),
//! [`facts`] (what is true of a task), [`step`] (how an event changes it),
//! [`execution`] (what is recorded of one attempt).

mod civil;
pub mod cron;
pub mod definition;
mod describe;
pub mod draft;
pub mod execution;
pub mod facts;
pub mod ids;
pub mod lock;
pub mod panic;
pub mod preview;
pub mod retry;
pub mod schedule;
pub mod source;
pub mod step;
pub mod text;
pub mod zone;

/// Epoch milliseconds, or a number of them.
pub type Millis = i64;

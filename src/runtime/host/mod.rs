//! Host: the server's side of the runners.
//!
//! A run waits in line until a runner is free ([`pool`]), is sent to it as one frame, and is
//! listened to until its end ([`talk`]). A runner that dies, or that has to be killed because
//! it does not answer, ends exactly the run it had; a fresh one takes its place ([`process`]).
//!
//! Misuse to avoid: believing a runner. Whatever it sends is a claim of code that a handler
//! may have taken over; the worst it can do is to spoil its own run.

mod caches;
mod command;
mod inbox;
mod line;
pub mod pool;
mod process;
mod result;
mod snapshot;
mod talk;

pub use pool::{Pool, PoolSettings};

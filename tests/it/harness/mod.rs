//! The harness of all tests: a home for a server, the server, its API, and waiting.
//!
//! A [`Home`] is a temporary directory with `tasks/` and `data/`; a [`Server`] is the real
//! binary in a home of its own, on a free port. A test can stop it in every way in which a process
//! can end, and start it again on the same directory. No test sleeps for a guessed time: [`until`]
//! repeats an observation until it succeeds, or fails the test with its name.

mod api;
mod chance;
mod home;
mod leftovers;
mod pooler;
mod postgres;
mod server;
mod stream;
mod tasks;
mod web;
mod wire;

pub(crate) use self::{
    api::{Answer, Client},
    chance::{Chance, from_environment, seed},
    home::{CommandResult, Home},
    leftovers::Leftovers,
    pooler::Pooler,
    postgres::Database,
    server::{Options, Server, cell_of, signal_process},
    stream::{Happening, Stream},
    tasks::{ENDLESS, GATED, field, id_of, task},
    web::{DeafPort, Web, WebRequest},
    wire::redact,
};

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Longest wait of a test, far longer than any wait on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Interval between two observations.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Calls `look` until it returns a value; fails the test with `what` after [`PATIENCE`].
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look)
}

/// As [`until`], for what takes long on an idle machine already.
pub(crate) fn until_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(stopwatch.elapsed() < patience, "it never happened: {what}");
        sleep(LOOK_AGAIN);
    }
}

/// Measures time, for generous upper bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "tests of real processes have real deadlines")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

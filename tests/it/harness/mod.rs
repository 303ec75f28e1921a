//! What every test stands on: a home for a server, the server itself, its API, and waiting.
//!
//! A [`Home`] is a temporary directory with `tasks/` and `data/`; a [`Server`] is the real
//! binary in a home of its own, on a free port. It can be stopped in every way a process can
//! be, and started again on the same directory. Nothing here sleeps for a guessed time:
//! [`until`] looks at something observable until it is so, or says what never became so.

mod api;
mod chance;
mod home;
mod leftovers;
mod server;
mod tasks;
mod wire;

pub(crate) use self::{
    api::{Answer, Client},
    chance::{Chance, from_environment, seed},
    home::Home,
    leftovers::Leftovers,
    server::{Options, Server, signal_process},
    tasks::{ENDLESS, GATED, field, id_of, task},
    wire::redacted,
};

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up on it: far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Looks until there is something to return; panics with `what` when there never is.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(stopwatch.elapsed() < PATIENCE, "it never happened: {what}");
        sleep(LOOK_AGAIN);
    }
}

/// For generous upper bounds.
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

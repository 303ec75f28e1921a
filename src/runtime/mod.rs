//! Runtime: how a handler runs and why it cannot hurt anything.
//!
//! The server never starts the JavaScript engine. It keeps a pool of child processes of the
//! same binary ([`host`]) and talks to each over a socket pair ([`protocol`]); what runs in
//! such a child is `src/runner`, which belongs to the binary and not to this library,
//! so that nothing here can even name the engine.
//!
//! A run goes from the scheduler as an [`Invocation`] into the pool and comes back as a
//! [`Verdict`]; its lines arrive while it runs.

pub mod host;
pub mod protocol;

use std::{future::Future, pin::Pin};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};

use crate::domain::{
    Millis,
    execution::{Line, Verdict},
};

/// What a runner is given.
#[derive(Debug)]
pub struct Invocation {
    /// The handler's name.
    pub handler: String,
    /// What it is called with.
    pub params: Map<String, Value>,
    /// What it sees as `ctx`.
    pub context: protocol::Context,
    /// Not before this moment, epoch milliseconds; everything up to the start is done before it.
    pub not_before: Millis,
    /// Wall-clock milliseconds.
    pub timeout: u64,
    /// Where its lines go. When the receiver is slow the handler waits: bounded, never dropped.
    pub lines: mpsc::Sender<Line>,
    /// Says who wants the run to end, once somebody does.
    pub cancel: watch::Receiver<Option<String>>,
}

/// Something that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs handlers.
pub trait Runner: Send + Sync + 'static {
    /// Runs one; every failure is a verdict.
    fn run(&self, invocation: Invocation) -> Later<'_, Verdict>;
    /// How many may run at once.
    fn capacity(&self) -> usize;
}

/// What `isochron:system` offers to the handlers that may require it.
pub trait SystemCalls: Send + Sync + 'static {
    /// Calls `method` with a JSON text; answers with one, or with a sentence for the author.
    fn call<'a>(&'a self, method: &'a str, argument: &'a str) -> Later<'a, Result<String, String>>;
}

//! Runtime: the server's side of the runners.
//!
//! The server never starts the JavaScript engine. It keeps a pool of child processes of the
//! same binary and talks to each over a socket pair ([`protocol`]). The code that runs in such a
//! child is `src/runner`, which belongs to the binary and not to this library, so that nothing
//! here can even name the engine.
//!
//! An [`Invocation`] comes from the scheduler. It waits in the [`queue`] until a runner of the
//! [`pool`] is free, is sent to it as one frame, and a [`conversation`] follows until its end. Its
//! lines arrive while it runs; the [`Verdict`] goes back to the scheduler.

mod caches;
mod conversation;
mod given;
pub mod lease;
mod lifecycle;
pub mod live;
mod load_check;
mod pool;
mod process;
pub mod protocol;
mod queue;
mod result;

pub use self::pool::{Pool, PoolSettings, PoolState};

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};

use self::{
    live::Live,
    protocol::{Answer, HostCall},
};
use crate::{
    domain::{
        Millis,
        binding::mask::Mask,
        execution::{Line, Traffic, Verdict},
        ids::{ExecutionId, NodeId, TaskId},
    },
    handlers::files::Files,
};

/// A run that is asked for.
#[derive(Debug)]
pub struct Invocation {
    /// The handler's name.
    pub handler: String,
    /// `None` for `isochron run` and for load checks.
    pub attempt: Option<Attempt>,
    /// The progress and the steps of the run.
    pub live: Arc<Live>,
    /// The handler's parameters.
    pub params: Map<String, Value>,
    /// The handler's `ctx`.
    pub context: protocol::Context,
    /// The earliest start, epoch milliseconds; everything up to the start is done before it.
    pub not_before: Millis,
    /// Wall-clock milliseconds for the whole run.
    pub timeout: u64,
    /// Takes the run's lines. When the receiver is slow the handler waits: no line is dropped.
    pub lines: mpsc::Sender<Line>,
    /// Carries the name of the one who cancels the run, once there is one.
    pub cancel: watch::Receiver<Option<String>>,
}

/// A value that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs handlers.
pub trait Runner: Send + Sync + 'static {
    /// Runs a handler; every failure is a verdict.
    fn run(&self, invocation: Invocation) -> Later<'_, Verdict>;
    /// The text of a handler's file with this SHA-256 (hexadecimal), if a run was given it that nothing has
    /// asked about yet, or the file still has it; `None` if sources are not kept.
    fn source<'a>(&'a self, handler: &'a str, hash: &'a str) -> Later<'a, Option<String>> {
        let _ = (handler, hash);
        Box::pin(std::future::ready(None))
    }
    /// The most runs at a time.
    fn capacity(&self) -> usize;
}

/// The attempt that a run is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Its task.
    pub task: TaskId,
    /// Its execution.
    pub execution: ExecutionId,
    /// 1-based.
    pub number: u32,
    /// The planned time of its occurrence, epoch milliseconds.
    pub scheduled_for: Millis,
    /// The node that has claimed it, where many servers share a store.
    pub node: Option<NodeId>,
}

/// The run that makes a host call, as the server knows it: nothing in it comes from the runner.
#[derive(Debug)]
pub struct Caller {
    /// The handler's name.
    pub handler: String,
    /// `None` for `isochron run` and for load checks.
    pub attempt: Option<Attempt>,
    /// Whether the handler's file is only loaded, as a check of it.
    pub only_loads: bool,
    /// The rights of the handler.
    pub grants: Grants,
    /// The handlers' files as they were when the run began.
    pub files: Files,
    /// The progress and the steps of the run.
    pub live: Arc<Live>,
}

/// The rights of a handler beyond its own run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Grants {
    /// Whether it may use `isochron:system`.
    pub system: bool,
}

/// Answers host calls.
pub trait HostCalls: Send + Sync + 'static {
    /// Gets ready for a run that is about to wait for its runner.
    fn prepare(&self) -> Later<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// Begins a run: everything that its calls have open ends when the value is dropped.
    fn begin(&self, caller: Caller) -> Arc<dyn RunCalls>;
}

/// Answers the host calls of one run. Their number is bounded before they come here.
pub trait RunCalls: Send + Sync + 'static {
    /// Answers a call. Calls come here in their order, and their futures run beside each other; they
    /// are dropped when the run ends.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    fn answer(self: Arc<Self>, call: HostCall) -> Later<'static, Result<Answer, String>>;
    /// The variables that are granted to the handler, with the secrets among them hidden from now on.
    fn environment(&self) -> Vec<(String, Result<String, String>)>;
    /// The secrets that the run has been given: neither its output nor its end shows them.
    fn mask(&self) -> &Mutex<Mask>;
    /// The requests that the run has made so far.
    fn traffic(&self) -> Traffic;
}

//! State: all that a route may use.

use std::sync::Arc;

use serde::Serialize;

pub use super::routes::outlook::forecast::Forecasts;
use super::{streams::Streams, token::Token};
use crate::{
    backup::BackupState,
    clock::Clock,
    domain::draft::Defaults,
    events::Events,
    handlers::catalog::Catalog,
    scheduler::Scheduler,
    secrets::Vault,
    store::{Quota, Store},
    taskfile::TaskFileState,
};

/// The parts of the server that answer requests.
pub struct Api {
    /// Makes changes.
    pub scheduler: Arc<Scheduler>,
    /// Answers reads.
    pub store: Arc<dyn Store>,
    /// Lists and checks handlers.
    pub catalog: Catalog,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Tells when a run has ended.
    pub events: Events,
    /// The streams that are open.
    pub streams: Streams,
    /// Secrets and variables.
    pub vault: Arc<Vault>,
    /// The token of administrators.
    pub token: Token,
    /// The most entries and bytes of the entries of a task, and of the shared ones.
    pub quota: Quota,
    /// The defaults of fields that a body leaves out.
    pub defaults: Defaults,
    /// Forecasts of the last minute.
    pub forecasts: Forecasts,
    /// Tells how the other parts stand, for `/ready`.
    pub readiness: Arc<dyn Readiness>,
}

pub(super) type Shared = Arc<Api>;

/// The numbers of runners, and of runs that wait for one.
#[derive(Debug, Clone, Serialize)]
pub struct RunnersReady {
    /// Runners that are ready or run something.
    pub alive: usize,
    /// Runners that are ready.
    pub idle: usize,
    /// Runs that wait for a runner.
    pub waiting: usize,
}

/// Tells about parts of the server that the API does not use.
pub trait Readiness: Send + Sync + 'static {
    /// The runners.
    fn runners(&self) -> RunnersReady;
    /// The sandbox of the runners, in a line for people.
    fn sandbox(&self) -> String;
    /// The backups.
    fn backup(&self) -> BackupState;
    /// The file of tasks.
    fn task_file(&self) -> TaskFileState;
    /// Whether the scheduler's loop is running.
    fn scheduler(&self) -> bool;
}

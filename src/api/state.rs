//! State: all that a route may use.

use std::sync::Arc;

use ipnet::IpNet;
use serde::Serialize;
use utoipa::ToSchema;

pub use super::forecasts::Forecasts;
use super::streams::open::Streams;
use crate::{
    access::Access,
    alerts::Alerts,
    backup::BackupState,
    bundles::Bundles,
    clock::Clock,
    domain::{
        Millis,
        access::{public_url::PublicUrl, redact::Redaction},
        draft::Defaults,
    },
    events::Events,
    handlers::catalog::Catalog,
    metrics::Metrics,
    scheduler::Scheduler,
    secrets::Vault,
    store::{Quota, Store},
    taskfile::TaskFileState,
    traces::Traces,
};

/// The parts of the server that answer requests.
pub struct Api {
    /// Makes changes.
    pub scheduler: Arc<Scheduler>,
    /// Answers reads.
    pub store: Arc<dyn Store>,
    /// Lists and checks handlers.
    pub catalog: Catalog,
    /// Versions of the handlers in the store.
    pub bundles: Arc<Bundles>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Tells when a run has ended.
    pub events: Events,
    /// The streams that are open.
    pub streams: Streams,
    /// Secrets and variables.
    pub vault: Arc<Vault>,
    /// Tokens and sessions.
    pub access: Arc<Access>,
    /// The address at which people reach the server.
    pub public_url: Option<PublicUrl>,
    /// The proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Hides values from viewers and operators.
    pub redaction: Redaction,
    /// The most entries and bytes of the entries of a task, and of the shared ones.
    pub quota: Quota,
    /// Delivers alerts.
    pub alerts: Arc<Alerts>,
    /// The defaults of fields that a body leaves out.
    pub defaults: Defaults,
    /// Counters of runs and requests.
    pub metrics: Arc<Metrics>,
    /// The metrics that are shown, and to whom.
    pub metrics_settings: MetricsSettings,
    /// Forecasts of the last minute.
    pub forecasts: Forecasts,
    /// Records spans of requests.
    pub traces: Traces,
    /// Tells how the other parts stand, for `/ready`.
    pub readiness: Arc<dyn Readiness>,
}

pub(super) type Shared = Arc<Api>;

impl Api {
    /// The path below which browsers see the server: empty, or with a slash at its start.
    pub(super) fn base(&self) -> &str {
        self.public_url.as_ref().map_or("", PublicUrl::base)
    }
}

/// The numbers of runners, and of runs that wait for one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunnersReady {
    /// Runners that are ready or run something.
    pub alive: usize,
    /// Runners that are ready.
    pub idle: usize,
    /// Runs that wait for a runner.
    pub waiting: usize,
}

/// The place of a server among those that share its store.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReady {
    /// Whether it may run anything.
    pub lease: LeaseState,
    /// The servers that live, this one included.
    pub nodes: usize,
    /// The names of the living servers whose handlers' files differ from those of this one.
    pub differing: Vec<String>,
    /// Milliseconds by which the clock of its machine is ahead of the store's, which counts.
    pub clock_ahead: Millis,
    /// Commits of this server that were acknowledged and that the store has lost, since the server's start.
    pub lost_commits: u64,
}

/// The lease of a server: until when it may run what it has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// It lasts.
    Held,
    /// It is over: all runs have ended, and none starts before the server has joined the store anew.
    Lost,
}

/// The process of a server.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// Its name for people.
    pub name: String,
    /// The address of its API, if it is to be shown.
    pub address: Option<String>,
    /// Its start, epoch milliseconds.
    pub started: Millis,
}

/// The metrics that are shown, and to whom.
#[derive(Debug, Clone, Default)]
pub struct MetricsSettings {
    /// Whether nobody needs a token for them.
    pub public: bool,
    /// The tasks that have series of their own.
    pub tasks: MeasuredTasks,
}

/// Tasks that have series of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MeasuredTasks {
    /// None.
    #[default]
    None,
    /// All, if there are not too many.
    All,
    /// Those with a tag.
    Tagged(String),
}

/// Tells about parts of the server that the API does not use.
pub trait Readiness: Send + Sync + 'static {
    /// The runners.
    fn runners(&self) -> RunnersReady;
    /// The runners that died since the start, by the cause.
    fn runner_deaths(&self) -> Vec<(&'static str, u64)>;
    /// The sandbox of the runners, in a line for people.
    fn sandbox(&self) -> String;
    /// The bytes that are free on the store's disk; `None` if the system does not say.
    fn free_bytes(&self) -> Option<u64>;
    /// The backups.
    fn backup(&self) -> BackupState;
    /// The file of tasks.
    fn task_file(&self) -> TaskFileState;
    /// Whether the scheduler's loop is running.
    fn scheduler(&self) -> bool;
    /// This process.
    fn process(&self) -> Process;
    /// Its place among those that share its store; none with a store of its own.
    fn cluster(&self) -> Option<ClusterReady>;
}

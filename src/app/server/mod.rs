//! The server's parts, put together from the configuration.

mod differences;
mod membership;
mod parts;

use std::{fs, sync::Arc};

use anyhow::Context;
use axum::Router;
use tokio::sync::watch;

use self::{membership::Membership, parts::Parts};
use super::{host::host_name, signs::Troubles, store, token::admin_token, traces::Exporter, upkeep};
use crate::{
    access::Access,
    alerts::{self, Alerts},
    api::{self, Api, MeasuredTasks, MetricsSettings, Streams},
    backup::Backups,
    bundles::Bundles,
    clock::Clock,
    config::Config,
    dashboard::Site,
    domain::{
        Millis,
        access::{public_url::PublicUrl, record::TokenHash, redact::Redaction},
        draft::Defaults,
        step::Policy,
        zone::parse_zone,
    },
    events::Events,
    handlers::{catalog::Catalog, files::Files, shelf::Shelf},
    hostcalls::ServerCalls,
    metrics::Metrics,
    network::{Client, Limits},
    runtime::{Pool, PoolSettings, protocol},
    scheduler::Scheduler,
    secrets::{
        Vault,
        key::{Key, KeySource},
    },
    store::{Quota, Store},
    taskfile::{self, TaskFile},
    traces::Traces,
};

/// Takes the runner pool's settings from the configuration.
#[must_use]
pub fn pool_settings(config: &Config) -> PoolSettings {
    PoolSettings {
        min: config.runners.min,
        max: config.runners.max,
        recycle_after: config.runners.recycle_after,
        resident: config.limits.resident,
        runner: protocol::Settings {
            heap: config.limits.heap,
            buffers: config.limits.buffers,
            cpu: config.limits.cpu,
            output_bytes: config.limits.output_bytes,
            output_lines: config.limits.output_lines,
            result: config.limits.result,
            web_assembly: config.engine.web_assembly,
            eval: config.engine.eval,
            rewind: config.runners.rewind,
        },
        keep_sources: config.keep_sources,
        system_handlers: config.system_handlers.iter().cloned().collect(),
    }
}

/// Makes the client for handlers' requests from the configuration.
#[must_use]
pub fn network_client(config: &Config) -> Client {
    let limits = Limits { body: config.limits.fetch_body, requests: config.limits.fetches };
    Client::new(config.net.clone(), limits)
}

/// Takes the bounds of `ctx.kv` from the configuration.
#[must_use]
pub fn kv_quota(config: &Config) -> Quota {
    Quota { entries: config.limits.kv_entries, bytes: config.limits.kv_bytes }
}

/// A store that is open, and the place of this process among those that share it.
pub(super) type Opened = (Arc<dyn Store>, Arc<Membership>);

/// The parts of a running server.
pub(super) struct Server {
    pub(super) store: Arc<dyn Store>,
    pub(super) membership: Arc<Membership>,
    pub(super) pool: Arc<Pool>,
    pub(super) scheduler: Arc<Scheduler>,
    pub(super) backups: Arc<Backups>,
    pub(super) alerts: Arc<Alerts>,
    pub(super) task_file: TaskFile,
    pub(super) readiness: Arc<Parts>,
    troubles: Arc<Troubles>,
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    events: Events,
    pub(super) router: Router,
    pub(super) streams: Streams,
    /// Where a user finds the token, such as `in data/admin-token`.
    pub(super) token_source: String,
}

impl Server {
    /// Starts the runners, and closes the executions that an earlier process left in progress. Traces, if they are
    /// recorded, wait for their exporter.
    ///
    /// # Errors
    /// When a part cannot start, or the store fails.
    pub(super) async fn assemble(
        config: &Config,
        (store, membership): Opened,
    ) -> anyhow::Result<(Self, Option<Exporter>)> {
        let (token, token_source) = admin_token(config)?;
        let clock = membership.clock();
        let (events, metrics) = observe(&store);
        let (bundles, shelf) = shelf(config, &store, &membership);
        let vault = Arc::new(open_vault(config, store.clone(), clock.clone()).await?);
        let pool = start_pool(config, &shelf, (&store, &vault), &membership).await?;
        let scheduler = open_scheduler(config, (&store, &pool), &membership, &events).await?;
        let backups = Backups::new(store.clone(), clock.clone(), config.data.join("backups"));
        let catalog = Catalog::new(shelf, pool.clone());
        let defaults = defaults(config)?;
        let task_file = open_task_file(config, (&store, &clock), &scheduler, &catalog, &defaults);
        let alerts = open_alerts(config, &store, &scheduler, &clock, &events)?;
        let readiness = Parts::new(config, &pool, (&backups, &task_file), &membership);
        let (traces, exporter) = open_traces(config, &clock, &scheduler)?;
        let access = Arc::new(open_access(config, &store, &clock, token).await?);
        let troubles = Troubles::new(config, &store, &backups, &access, &catalog);
        let streams = Streams::default();
        let api = api::front(Api {
            scheduler: scheduler.clone(),
            store: store.clone(),
            catalog: catalog.clone(),
            bundles,
            clock: clock.clone(),
            events: events.clone(),
            streams: streams.clone(),
            vault,
            access,
            public_url: config.access.public_url.clone(),
            trusted_proxies: config.access.trusted_proxies.clone(),
            redaction: Redaction::new(&config.access.redact),
            quota: kv_quota(config),
            defaults,
            metrics,
            metrics_settings: metrics_settings(config),
            alerts: alerts.clone(),
            forecasts: api::Forecasts::default(),
            traces,
            readiness: readiness.clone(),
        });
        let server = Self {
            store,
            membership,
            pool,
            scheduler,
            backups,
            alerts,
            task_file,
            readiness,
            troubles,
            catalog,
            router: add_pages(config, api, clock.clone()),
            clock,
            events,
            streams,
            token_source,
        };
        Ok((server, exporter))
    }
}

impl Server {
    /// Decides about alerts that wait for the clock, watches the server itself, and delivers the messages,
    /// until a stop.
    pub(super) fn run_alerts(
        &self,
        stopping: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (alerts, scheduler, signs) = (self.alerts.clone(), self.scheduler.clone(), self.troubles.clone());
        async move {
            tokio::join!(
                alerts.clone().run(stopping.clone()),
                alerts.watch_server(signs, stopping),
                scheduler.watch_alerts()
            );
        }
    }
}

impl Server {
    /// Removes what is old enough and watches the folder of handlers, until a stop.
    pub(super) async fn tidy(
        &self,
        config: &Config,
        stopping: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let keep = Millis::try_from(config.audit_keep).unwrap_or(Millis::MAX);
        let removal =
            upkeep::remove_old_audits(self.store.clone(), self.clock.clone(), keep, stopping.clone());
        let folder = (self.catalog.clone(), self.events.clone(), self.streams.clone());
        // A change after the start is news.
        let last = self.catalog.seen_stamp().await;
        let watch = upkeep::watch_handlers(folder, last, self.clock.clone(), stopping);
        async move {
            tokio::join!(removal, watch);
        }
    }
}

/// The file of tasks, which is not read yet.
fn open_task_file(
    config: &Config,
    (store, clock): (&Arc<dyn Store>, &Arc<dyn Clock>),
    scheduler: &Arc<Scheduler>,
    catalog: &Catalog,
    defaults: &Defaults,
) -> TaskFile {
    TaskFile::new(taskfile::Parts {
        folder: config.tasks.clone(),
        scheduler: scheduler.clone(),
        store: store.clone(),
        catalog: catalog.clone(),
        clock: clock.clone(),
        defaults: defaults.clone(),
    })
}

/// The traces of the server, and their way to a collector if there is one.
fn open_traces(
    config: &Config,
    clock: &Arc<dyn Clock>,
    scheduler: &Scheduler,
) -> anyhow::Result<(Traces, Option<Exporter>)> {
    let Some(endpoint) = &config.otel_endpoint else { return Ok((Traces::default(), None)) };
    let (traces, spans) = Traces::record(clock.clone());
    let exporter = Exporter::open(endpoint, &config.net, (traces.clone(), spans))?;
    scheduler.trace_with(traces.clone());
    Ok((traces, Some(exporter)))
}

/// Opens the tokens and sessions of a store.
async fn open_access(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    token: TokenHash,
) -> anyhow::Result<Access> {
    let longest = config.access.longest_token.map(|n| Millis::try_from(n).unwrap_or(Millis::MAX));
    Ok(Access::open(store.clone(), clock.clone(), token, longest).await?)
}

/// Puts the dashboard before the API, and both behind the guard against other sites.
fn add_pages(config: &Config, api: api::Front, clock: Arc<dyn Clock>) -> Router {
    let public = config.access.public_url.as_ref();
    let site = Site::new(api.clone(), public.map_or("", PublicUrl::base), clock);
    api::protect(move |request| site.clone().answer(request), public, api)
}

/// Opens the store, and joins it if others may share it.
pub(super) async fn open_store(config: &Config) -> anyhow::Result<Opened> {
    make_data_directory(config)?;
    let store = store::open_store(config).await?;
    let membership = Membership::join(config, &*store).await?;
    Ok((store, membership))
}

/// The bundles of the store, and where the handlers are.
fn shelf(config: &Config, store: &Arc<dyn Store>, membership: &Membership) -> (Arc<Bundles>, Shelf) {
    let folder = config.data.join("bundles");
    // It is never made: there are no handlers before the first bundle.
    let none = folder.join("none");
    let bundles = Arc::new(Bundles::new(store.clone(), folder));
    let shelf = if config.handlers_from_store {
        Shelf::supplied(Files::new(none), bundles.clone())
    } else {
        let files = Files::new(&config.tasks);
        membership.compare(files.clone(), store);
        files.into()
    };
    (bundles, shelf)
}

/// Starts the runners, with the server's answers to their handlers.
async fn start_pool(
    config: &Config,
    shelf: &Shelf,
    (store, vault): (&Arc<dyn Store>, &Arc<Vault>),
    membership: &Membership,
) -> anyhow::Result<Arc<Pool>> {
    let (client, clock) = (network_client(config), membership.clock());
    let host_calls = ServerCalls::new(store.clone(), clock.clone(), client, kv_quota(config));
    let host_calls = Arc::new(host_calls.with_vault(vault.clone()));
    let pool = Pool::start(pool_settings(config), shelf.clone(), host_calls, clock).await?;
    membership.hold(&pool);
    Ok(pool)
}

/// Opens the secrets and variables of a store, with the key that the configuration names.
///
/// # Errors
/// When the store cannot be read, or the key file holds no key.
pub async fn open_vault(
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Vault> {
    let source = match config.secret_key.as_ref().and_then(|text| Key::parse(text.expose())) {
        Some(key) => KeySource::Variable(key),
        None => KeySource::File(config.data.join("secret-key")),
    };
    Ok(Vault::open(store, clock, source).await?)
}

/// Counters of the events from now on.
fn observe(store: &Arc<dyn Store>) -> (Events, Arc<Metrics>) {
    let events = Events::new(store.report().epoch);
    let metrics = Arc::new(Metrics::default());
    let observed = metrics.clone();
    events.observe(move |event| observed.observe(event));
    (events, metrics)
}

/// The defaults of fields that a task leaves out.
///
/// # Errors
/// When the time zone is not known.
fn defaults(config: &Config) -> anyhow::Result<Defaults> {
    Ok(Defaults { timezone: parse_zone(&config.timezone)?, keep_executions: u64::from(config.history_keep) })
}

fn metrics_settings(config: &Config) -> MetricsSettings {
    let tasks = match config.metrics.tasks.as_str() {
        "all" => MeasuredTasks::All,
        text => match text.strip_prefix("tag:") {
            Some(tag) => MeasuredTasks::Tagged(tag.to_owned()),
            None => MeasuredTasks::None,
        },
    };
    MetricsSettings { public: config.metrics.public, tasks }
}

fn open_alerts(
    config: &Config,
    store: &Arc<dyn Store>,
    scheduler: &Arc<Scheduler>,
    clock: &Arc<dyn Clock>,
    events: &Events,
) -> anyhow::Result<Arc<Alerts>> {
    let public = config.access.public_url.as_ref();
    let parts = alerts::Parts {
        store: store.clone(),
        scheduler: scheduler.clone(),
        clock: clock.clone(),
        events: events.clone(),
        net: config.net.clone(),
        public_url: public.map(|url| format!("{}{}", url.origin(), url.base())),
        host: host_name(),
    };
    Ok(Alerts::open(&config.alerts, parts)?)
}

fn policy(config: &Config, waits_for_runner: bool) -> Policy {
    Policy {
        misfire_after: config.misfire_after.cast_signed(),
        catch_up_window: config.catch_up_window.cast_signed(),
        catch_up_max: config.catch_up_max,
        alerts: Arc::new(config.alerts.settings()),
        waits_for_runner,
    }
}

/// Makes the data directory, for its owner only, if it is not there.
///
/// # Errors
/// When it cannot be made.
pub fn make_data_directory(config: &Config) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data)
        .with_context(|| format!("make the data directory {}", config.data.display()))
}

/// Makes the scheduler with its limits, and closes the executions that no living process runs.
async fn open_scheduler(
    config: &Config,
    (store, pool): (&Arc<dyn Store>, &Arc<Pool>),
    membership: &Membership,
    events: &Events,
) -> anyhow::Result<Arc<Scheduler>> {
    let policy = policy(config, membership.is_shared());
    let scheduler = Scheduler::new(store.clone(), pool.clone(), membership.clock(), events.clone(), policy);
    scheduler.limit_keys(config.concurrency.clone());
    membership.share(&scheduler);
    scheduler.recover().await.context("close what an earlier process left in progress")?;
    Ok(scheduler)
}

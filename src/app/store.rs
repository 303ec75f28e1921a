//! The store that the configuration names: in the data directory, or in a PostgreSQL server.

use std::{path::Path, sync::Arc};

#[cfg(feature = "postgres")]
use anyhow::Context;

use tokio::sync::watch;

use super::host::server_name;
use crate::{
    clock::{Clock, SystemClock},
    cluster::{FollowingClock, Member, Settings},
    config::Config,
    domain::Millis,
    store::{Store, sled::SledStore},
};

/// Opens the store.
///
/// # Errors
/// When another process has it open, its files cannot be read, or its server refuses.
pub(super) async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let store = if config.store.url.is_some() {
        open_remote(config).await?
    } else {
        Arc::new(SledStore::open(&config.store.path, config.store.cache, Arc::new(|| SystemClock.now()))?)
    };
    let report = store.report();
    tracing::info!(epoch = report.epoch, tasks = report.tasks, "the store is open");
    Ok(store)
}

/// Opens the store and, if many processes share it, makes this one a node of it that takes no runs. It tells that it
/// lives for as long as the runtime works that this is called on.
///
/// # Errors
/// When another process has it open, its files cannot be read, its server refuses, or the process cannot join.
pub async fn open_joined(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let store = open_store(config).await?;
    if let Some(shared) = store.shared() {
        let clock = Arc::new(FollowingClock::new(Arc::new(SystemClock)));
        let member = Member::new(shared, clock, node_settings(config, 0));
        member.join().await?;
        member.end_start();
        tokio::spawn(async move {
            let (_never, stopping) = watch::channel(false);
            member.run(stopping).await;
        });
    }
    Ok(store)
}

/// The settings of this process as a node that has room for so many runs.
pub(super) fn node_settings(config: &Config, places: usize) -> Settings {
    let millis = |number: u64| Millis::try_from(number).unwrap_or(Millis::MAX);
    Settings {
        name: server_name(config),
        address: config.cluster.address.clone().filter(|_| places > 0),
        lease: millis(config.cluster.lease),
        poll: millis(config.cluster.poll),
        places,
    }
}

#[cfg(feature = "postgres")]
async fn open_remote(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let settings = postgres_settings(config)?;
    let shown = settings.shown();
    let store = crate::store::postgres::PgStore::open(settings).await;
    Ok(Arc::new(store.with_context(|| format!("open the store in {shown}"))?))
}

#[cfg(not(feature = "postgres"))]
async fn open_remote(_: &Config) -> anyhow::Result<Arc<dyn Store>> {
    anyhow::bail!("this build has no PostgreSQL: build it with the feature postgres, or do not set store.url")
}

/// The settings of the PostgreSQL server.
///
/// # Errors
/// When there is none, or the URL cannot be read.
#[cfg(feature = "postgres")]
pub fn postgres_settings(config: &Config) -> anyhow::Result<crate::store::postgres::Settings> {
    let url = config.store.url.as_ref().context("store.url is not set")?;
    let mut settings = crate::store::postgres::Settings::new(url.expose()).context("read store.url")?;
    settings.schema.clone_from(&config.store.schema);
    settings.pooler = config.store.pooler;
    if let Some(direct) = &config.store.direct {
        settings.set_direct(direct.expose()).context("read store.direct")?;
    }
    let dialect = crate::store::postgres::Dialect::named(&config.store.dialect);
    settings.dialect = dialect.context("store.dialect names none")?;
    settings.connections = config.store.connections;
    settings.authorities.clone_from(&config.store.authorities);
    settings.migrate = config.store.migrate;
    settings.data = config.data.is_dir().then(|| config.data.clone());
    Ok(settings)
}

/// The directory whose disk fills as the server works.
pub(super) fn disk(config: &Config) -> &Path {
    if config.store.url.is_some() { &config.data } else { &config.store.path }
}

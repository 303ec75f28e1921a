//! App: assembles, starts and stops the server.

mod connections;
mod host;
mod manager;
mod server;
mod signals;
mod signs;
mod store;
mod token;
mod traces;
mod upkeep;

use std::{convert::Infallible, error::Error, net::SocketAddr, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinError,
    time::timeout,
};

pub use self::manager::Manager;
pub use self::server::{kv_quota, make_data_directory, network_client, open_vault, pool_settings};
pub use self::store::open_joined;
#[cfg(feature = "postgres")]
pub use self::store::postgres_settings;
use self::{
    manager::{prove_life, prove_life_of_stop},
    server::{Server, open_store},
    signals::Signals,
};
use crate::config::Config;

/// Open connections have this long to end, once the scheduler has stopped.
const CONNECTIONS_WITHIN: Duration = Duration::from_secs(2);
/// A stop takes this much longer than the grace of running handlers, at most.
const STOPPED_WITHIN: Duration = Duration::from_secs(15);

/// Serves until a signal comes, then stops in order. `manager` hears how the server stands, and `say` prints a
/// line for people.
///
/// # Errors
/// When the server cannot start, or the store fails.
pub async fn serve(config: &Config, manager: &dyn Manager, say: impl Fn(&str)) -> anyhow::Result<()> {
    let mut stop = Signals::new().context("listen for signals")?;
    let connections = connections::make_room();
    let (listener, address) = listen(config, manager).await?;
    let starting = async {
        let (mut server, exporter) = Server::assemble(config, open_store(config).await?).await?;
        server.task_file.start().await;
        server.membership.end_start();
        anyhow::Ok((server, exporter))
    };
    let (server, exporter) = tokio::select! {
        started = starting => started?,
        // A database that is full or does not answer is waited for as long as it takes.
        () = stop.next() => return Ok(()),
    };

    let (hang_up, hung_up) = oneshot::channel::<()>();
    let mut serving = tokio::spawn(connections::serve(listener, server.router.clone(), connections, async {
        // An error means that the sender was dropped; the server ends then too.
        let _ = hung_up.await;
    }));
    let mut scheduling = tokio::spawn({
        let scheduler = server.scheduler.clone();
        async move { scheduler.run().await }
    });
    let (stop_upkeep, stopping) = watch::channel(false);
    let (stop_traces, tracing) = watch::channel(false);
    let backing_up = tokio::spawn(server.backups.clone().run(stopping.clone()));
    let alerting = tokio::spawn(server.run_alerts(stopping.clone()));
    let exporting = tokio::spawn(traces::export(exporter, tracing));
    let tidying = tokio::spawn(server.tidy(config, stopping.clone()).await);
    let watching = tokio::spawn(server.task_file.run(stopping));
    greet(config, address, &server.token_source, say);
    manager.ready(&format!("listening on http://{address}"));

    let failed = tokio::select! {
        () = stop.next() => None,
        () = never_after(prove_life(manager, &*server.store, &server.scheduler)) => None,
        ended = &mut scheduling => Some(end_error(ended, "the scheduler")),
        ended = &mut serving => Some(end_error(ended.map(Ok::<_, Infallible>), "the API")),
    };
    server.readiness.end_scheduling();
    tracing::info!(grace = config.shutdown_grace, "stopping; a second signal stops at once");
    let grace = Duration::from_millis(config.shutdown_grace);
    manager.stopping(grace + STOPPED_WITHIN);
    let stopping = async {
        stop_upkeep.send_replace(true);
        server.scheduler.stop(grace).await;
        // An open stream would hold up the end of the listener.
        server.streams.close().await;
        let _ = hang_up.send(());
        // Connections that have not ended by then are cut.
        let _ = timeout(CONNECTIONS_WITHIN, serving).await;
        server.pool.close().await;
        stop_traces.send_replace(true);
        // The notice has ended the loops of the backups, of the alerts and of the file of tasks.
        let _ = tokio::join!(backing_up, watching, alerting, exporting, tidying);
        server.membership.leave().await;
        server.store.close().await
    };
    tokio::select! {
        closed = stopping => closed.context("close the store")?,
        () = stop.next() => anyhow::bail!("stopped at once by a second signal"),
        () = never_after(prove_life_of_stop(manager)) => {}
    }
    failed.map_or(Ok(()), Err)
}

/// Says where the server listens and where its token and handlers are.
fn greet(config: &Config, address: SocketAddr, token_source: &str, say: impl Fn(&str)) {
    say(&format!("listening on http://{address}"));
    say(&format!("token      {token_source}"));
    let handlers = if config.handlers_from_store {
        "the store (isochron handlers push DIR)".to_owned()
    } else {
        format!("{} (drop a .js file there)", config.tasks.display())
    };
    say(&format!("handlers   {handlers}"));
    say("stop       Ctrl-C");
}

/// The listener of the API, from the manager or an own one, and its address.
async fn listen(config: &Config, manager: &dyn Manager) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = match manager.listener()? {
        Some(listener) => TcpListener::from_std(listener).context("use the socket of the service manager")?,
        None => {
            TcpListener::bind(config.listen).await.with_context(|| format!("listen on {}", config.listen))?
        }
    };
    let address = listener.local_addr().context("ask for the address")?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "listening beyond this machine without encryption: put a TLS proxy in front");
    }
    Ok((listener, address))
}

/// Polls a future for its effects; never ends.
async fn never_after(work: impl Future<Output = ()>) {
    work.await;
    std::future::pending::<()>().await;
}

/// Makes the error for a part of the server that ended before the server.
fn end_error<E: Error + Send + Sync + 'static>(
    ended: Result<Result<(), E>, JoinError>,
    part: &str,
) -> anyhow::Error {
    let error = match ended {
        Ok(Ok(())) => return anyhow::anyhow!("{part} stopped by itself"),
        Ok(Err(error)) => anyhow::Error::from(error),
        Err(error) => anyhow::Error::from(error),
    };
    error.context(format!("{part} failed"))
}

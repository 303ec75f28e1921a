//! Upkeep: audit records go when they are old enough, and a change of handlers is news.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    api::Streams,
    clock::Clock,
    domain::{
        Millis,
        step::{Event, News},
    },
    events::Events,
    handlers::catalog::Catalog,
    store::{Store, take_turn},
};

/// Milliseconds between two removals.
const EVERY: Millis = 3_600_000;

/// Removes audit records that are older than `keep` milliseconds, part by part, until a stop.
pub(super) async fn remove_old_audits(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keep: Millis,
    mut stopping: watch::Receiver<bool>,
) {
    while !*stopping.borrow() {
        let now = clock.now();
        let removed = match take_turn(&*store, "old audit records", EVERY).await {
            Ok(true) => store.remove_audits(now.saturating_sub(keep)).await,
            Ok(false) => Ok(0),
            Err(error) => Err(error),
        };
        match removed {
            Ok(0) => {}
            // There may be more.
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "old audit records cannot be removed"),
        }
        tokio::select! {
            biased;
            _ = stopping.changed() => {}
            () = clock.sleep_until(now.saturating_add(EVERY)) => {}
        }
    }
}

/// Milliseconds between two looks at the folder of handlers.
const LOOK_EVERY: Millis = 2000;

/// Tells when files of the folder of handlers have changed since their stamp was `last`, and when a check of one has
/// ended late, while somebody listens, until a stop.
pub(super) async fn watch_handlers(
    (catalog, events, streams): (Catalog, Events, Streams),
    last: u64,
    clock: Arc<dyn Clock>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut late = catalog.late_checks();
    let mut last = (last, *late.borrow());
    while !*stopping.borrow() {
        let now = clock.now();
        if streams.count() > 0 {
            let seen = (catalog.stamp().await, *late.borrow_and_update());
            if seen != last {
                events.publish([Event { time: now, subject: None, news: News::HandlersChanged }]);
            }
            last = seen;
        }
        tokio::select! {
            biased;
            _ = stopping.changed() => {}
            // The catalog is held here, so the wait does not fail.
            _ = late.changed() => {}
            () = clock.sleep_until(now.saturating_add(LOOK_EVERY)) => {}
        }
    }
}

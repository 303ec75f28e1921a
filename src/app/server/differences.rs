//! Whether the servers that share a store have the same files in their handlers' folders.
//!
//! Each writes a hash over its files into the store, under its node, and compares it with those of the others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use serde_json::Value;
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    domain::lock::lock,
    handlers::files::Files,
    store::{Shared, Store, StoreError},
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The hash of a node lies under its id.
const PREFIX: &str = "cluster/files/";

/// The servers whose files differ from those of this one.
#[derive(Default)]
pub(super) struct Differences(Mutex<Vec<String>>);

impl Differences {
    /// Looks again and again, for as long as the value is kept.
    pub(super) fn watch(files: Files, store: Arc<dyn Store>, shared: Arc<dyn Shared>) -> Arc<Self> {
        let differences = Arc::new(Self::default());
        tokio::spawn(look_on(Arc::downgrade(&differences), files, store, shared));
        differences
    }

    /// The names of the servers.
    pub(super) fn names(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

async fn look_on(to: Weak<Differences>, files: Files, store: Arc<dyn Store>, shared: Arc<dyn Shared>) {
    let mut known = None;
    while to.strong_count() > 0 {
        let (of_thread, last) = (files.clone(), known.clone());
        let looked = spawn_blocking(move || {
            let stamp = of_thread.stamp();
            let digest =
                last.filter(|(seen, _)| *seen == stamp).map_or_else(|| of_thread.digest(), |(_, same)| same);
            (stamp, digest)
        });
        let Ok((stamp, digest)) = looked.await else { return };
        known = Some((stamp, digest.clone()));
        match compare(&*store, &*shared, &digest).await {
            Ok(names) => {
                let Some(to) = to.upgrade() else { return };
                let mut before = lock(&to.0);
                if !names.is_empty() && *before != names {
                    let servers = names.join(", ");
                    tracing::warn!(
                        servers,
                        "the files of the handlers of other servers differ from those here"
                    );
                }
                *before = names;
            }
            Err(error) => tracing::debug!(%error, "the handlers' files of the other servers are not known"),
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Writes the hash of this server, and names the living ones that have another.
async fn compare(store: &dyn Store, shared: &dyn Shared, digest: &str) -> Result<Vec<String>, StoreError> {
    let Some(me) = shared.node() else { return Ok(Vec::new()) };
    let (mine, nodes) = (format!("{PREFIX}{me}"), shared.nodes().await?);
    let mut all: BTreeMap<_, _> = store.values(PREFIX.to_owned()).await?.into_iter().collect();
    let living: Vec<_> = nodes.into_iter().filter(|node| node.gone.is_none()).collect();
    let mut changes: Vec<(String, Option<Value>)> = Vec::new();
    for key in all.keys() {
        if !living.iter().any(|node| *key == format!("{PREFIX}{}", node.id)) {
            changes.push((key.clone(), None));
        }
    }
    if all.get(&mine).and_then(Value::as_str) != Some(digest) {
        changes.push((mine, Some(digest.into())));
    }
    if !changes.is_empty() {
        store.change_values(changes, None).await?;
    }
    let mut differs =
        |id| all.remove(&format!("{PREFIX}{id}")).is_some_and(|other| other.as_str() != Some(digest));
    let others = living.into_iter().filter(|node| node.id != me);
    Ok(others.filter_map(|node| differs(node.id).then_some(node.name)).collect())
}

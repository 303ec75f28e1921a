//! Reads of long parameters of runs, and of sources that were run.

use serde_json::{Map, Value};

use crate::{
    domain::ids::TaskId,
    store::{
        HandlerVersion, KeptSource, Runs, SourceHash, StoreError,
        sled::{
            engine::{rows, txn::backend},
            read::{records, view::View},
        },
    },
};

/// Reads long parameters by their hash.
pub(crate) fn params(
    tree: &View,
    task: TaskId,
    hash: &str,
) -> Result<Option<Map<String, Value>>, StoreError> {
    for key in tree.prefix_keys(&rows::task_params(task)) {
        let key = key.map_err(backend("scan the store"))?;
        if rows::hash_of(&key) == Some(hash) {
            return records::get(tree, &key);
        }
    }
    Ok(None)
}

/// Lists the versions of a handler, those that ran last first.
pub(crate) fn versions(tree: &View, handler: &str) -> Result<Vec<HandlerVersion>, StoreError> {
    let mut found = Vec::new();
    for entry in tree.scan_prefix(&rows::versions(handler)) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        let Some((of, hash)) = rows::version_of(&key) else { continue };
        let runs = records::decode::<Runs>(tree, &key, &bytes);
        found.extend(runs.filter(|_| of == handler).map(|runs| HandlerVersion { hash, runs }));
    }
    found.sort_by_key(|version| std::cmp::Reverse((version.runs.last_seen, version.hash)));
    Ok(found)
}

/// Reads a source by the hash of its file.
pub(crate) fn source(tree: &View, hash: &SourceHash) -> Result<Option<KeptSource>, StoreError> {
    for entry in tree.scan_prefix(&rows::source(hash)) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        let handler = key.get(33..).and_then(|name| std::str::from_utf8(name).ok());
        let text = records::decode::<String>(tree, &key, &bytes);
        if let Some((handler, text)) = handler.zip(text) {
            return Ok(Some(KeptSource { handler: handler.to_owned(), text }));
        }
    }
    Ok(None)
}

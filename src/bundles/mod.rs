//! Bundles: versions of the handlers' folder that are kept in the store.
//!
//! ```text
//! handlers/current         the id of the bundle that runs use
//! handlers/bundle/ID       a bundle: when and by whom it was pushed, the chunks of its manifest
//! handlers/has/HASH        the store has this chunk
//! handlers/chunk/HASH      a part of a file, in Base64
//! ```
//! A push sends the chunks that the store lacks, and then makes the bundle the current one in a single change.
//! Each server unpacks the current bundle into a folder of its own before the first run that uses it; a run uses
//! the folder that it began with.

pub mod bundle;
#[cfg(test)]
mod tests;
mod unpack;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use self::bundle::{Bundle, MOST_PARTS, Manifest, hash_of, is_hash, read_manifest};
use crate::{
    domain::{Millis, audit::Target, lock::lock},
    handlers::files::Files,
    store::{Audit, Store, StoreError, take_turn},
};

const CURRENT: &str = "handlers/current";
const BUNDLE: &str = "handlers/bundle/";
const HAS: &str = "handlers/has/";
const CHUNK: &str = "handlers/chunk/";
/// The bundles that are kept.
const KEPT: usize = 20;
/// A push has the turn at changes for this long at most, in milliseconds.
const TURN: Millis = 30_000;

/// Why something cannot be done with bundles.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// What was sent is wrong; a sentence.
    #[error("{0}")]
    Invalid(String),
    /// There is no such bundle.
    #[error("there is no bundle {0}")]
    NotFound(String),
    /// Somebody else pushes.
    #[error("another push is under way: try again in a moment")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The end of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The bundle is the current one.
    Done(Bundle),
    /// The chunks that the store lacks.
    Lacks(Vec<String>),
}

/// The bundles of a store.
pub struct Bundles {
    store: Arc<dyn Store>,
    /// Where bundles are unpacked.
    folder: PathBuf,
    /// The bundle that was unpacked last, its manifest and its files.
    unpacked: tokio::sync::Mutex<Option<(String, Arc<Manifest>, Files)>>,
    changing: tokio::sync::Mutex<()>,
    /// Numbers the folders.
    folders: Mutex<u64>,
}

impl Bundles {
    /// The bundles of `store`, which are unpacked below `folder`. That is emptied now.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, folder: PathBuf) -> Self {
        // Nothing may be there yet.
        let _ = std::fs::remove_dir_all(&folder);
        Self {
            store,
            folder,
            unpacked: tokio::sync::Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            folders: Mutex::default(),
        }
    }

    /// Keeps a chunk.
    ///
    /// # Errors
    /// When it has another hash, or the store fails.
    pub async fn keep_chunk(&self, hash: &str, bytes: &[u8]) -> Result<(), BundleError> {
        if bytes.is_empty() || bytes.len() > bundle::CHUNK {
            return Err(BundleError::Invalid(format!("a chunk has 1 to {} bytes", bundle::CHUNK)));
        }
        if hash_of(bytes) != hash {
            return Err(BundleError::Invalid(format!("the chunk has the SHA-256 {}", hash_of(bytes))));
        }
        let text = data_encoding::BASE64.encode(bytes);
        let values = vec![
            (format!("{CHUNK}{hash}"), Some(Value::String(text))),
            (format!("{HAS}{hash}"), Some(json!(true))),
        ];
        Ok(self.store.change_values(values, None).await?)
    }

    /// Makes a bundle of the manifest in these chunks, and makes it the current one.
    ///
    /// # Errors
    /// When the manifest is wrong, somebody else pushes, or the store fails.
    pub async fn push(&self, manifest: Vec<String>, audit: Audit) -> Result<Pushed, BundleError> {
        if manifest.is_empty() || manifest.len() > MOST_PARTS || !manifest.iter().all(|hash| is_hash(hash)) {
            let why =
                format!("the manifest has 1 to {MOST_PARTS} chunks, each by its SHA-256 in hexadecimal");
            return Err(BundleError::Invalid(why));
        }
        // No other push removes what this one finds.
        let _alone = self.changing.lock().await;
        if !take_turn(&*self.store, "bundles", TURN).await? {
            return Err(BundleError::Busy);
        }
        let done = self.push_alone(manifest, audit).await;
        // The turn is over for others too.
        take_turn(&*self.store, "bundles", 0).await?;
        done
    }

    async fn push_alone(&self, parts: Vec<String>, audit: Audit) -> Result<Pushed, BundleError> {
        let there = self.chunks().await?;
        let lacks = |hashes: BTreeSet<String>| hashes.difference(&there).cloned().collect::<Vec<_>>();
        let missing = lacks(parts.iter().cloned().collect());
        if !missing.is_empty() {
            return Ok(Pushed::Lacks(missing));
        }
        let bytes = self.join(&parts).await?;
        let manifest = read_manifest(&bytes).map_err(BundleError::Invalid)?;
        let missing = lacks(chunks_of(&manifest));
        if !missing.is_empty() {
            return Ok(Pushed::Lacks(missing));
        }
        let id = hash_of(&bytes);
        let audit = audit.on(Target::new("bundle", id.clone()));
        let known = self.find(&id).await?;
        let is_new = known.is_none();
        let bundle = known.unwrap_or_else(|| Bundle {
            id: id.clone(),
            pushed_at: audit.time,
            pushed_by: audit.actor.as_ref().map_or_else(String::new, |actor| actor.name.clone()),
            files: manifest.len() as u64,
            bytes: manifest.values().map(|file| file.size).sum(),
            manifest: parts,
        });
        let mut values = vec![(CURRENT.to_owned(), Some(Value::String(id.clone())))];
        if is_new {
            values.push((format!("{BUNDLE}{id}"), Some(json!(bundle))));
        }
        self.store.change_values(values, Some(audit)).await?;
        if is_new {
            self.remove_old(&id).await?;
        }
        Ok(Pushed::Done(bundle))
    }

    /// Makes a bundle the current one that was pushed before.
    ///
    /// # Errors
    /// When there is none with this id, somebody else pushes, or the store fails.
    pub async fn use_again(&self, id: &str, audit: Audit) -> Result<Bundle, BundleError> {
        let _alone = self.changing.lock().await;
        if !take_turn(&*self.store, "bundles", TURN).await? {
            return Err(BundleError::Busy);
        }
        let found = self.find(id).await?;
        if found.is_some() {
            let values = vec![(CURRENT.to_owned(), Some(Value::String(id.to_owned())))];
            self.store.change_values(values, Some(audit)).await?;
        }
        take_turn(&*self.store, "bundles", 0).await?;
        found.ok_or_else(|| BundleError::NotFound(id.to_owned()))
    }

    /// The bundles, the newest first, and the id of the current one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<(Vec<Bundle>, Option<String>), StoreError> {
        let found = self.store.values(BUNDLE.to_owned()).await?;
        let read = found.into_iter().filter_map(|(_, value)| serde_json::from_value::<Bundle>(value).ok());
        let mut bundles: Vec<_> = read.collect();
        bundles.sort_by(|a, b| (b.pushed_at, &b.id).cmp(&(a.pushed_at, &a.id)));
        Ok((bundles, self.current().await?))
    }

    async fn current(&self) -> Result<Option<String>, StoreError> {
        let found = self.store.get(CURRENT.to_owned()).await?;
        Ok(found.and_then(|id| id.as_str().map(str::to_owned)))
    }

    async fn find(&self, id: &str) -> Result<Option<Bundle>, StoreError> {
        let found = self.store.get(format!("{BUNDLE}{id}")).await?;
        Ok(found.and_then(|value| serde_json::from_value(value).ok()))
    }

    /// The chunks that the store has.
    async fn chunks(&self) -> Result<BTreeSet<String>, StoreError> {
        let found = self.store.values(HAS.to_owned()).await?;
        Ok(found.into_iter().map(|(key, _)| key[HAS.len()..].to_owned()).collect())
    }

    /// Removes the oldest bundles beyond those that are kept, and the chunks that no other has.
    async fn remove_old(&self, current: &str) -> Result<(), BundleError> {
        let (bundles, _) = self.list().await?;
        // The clock may have been set back: the current bundle is kept wherever it stands.
        let (kept, old): (Vec<_>, Vec<_>) = bundles
            .into_iter()
            .enumerate()
            .partition(|(place, bundle)| *place < KEPT || bundle.id == current);
        if old.is_empty() {
            return Ok(());
        }
        let mut used = BTreeSet::new();
        for (_, bundle) in &kept {
            used.extend(bundle.manifest.iter().cloned());
            used.extend(chunks_of(&self.manifest(bundle).await?));
        }
        let mut values = Vec::new();
        for (_, bundle) in old {
            values.push((format!("{BUNDLE}{}", bundle.id), None));
        }
        for unused in self.chunks().await?.difference(&used) {
            values.extend([(format!("{CHUNK}{unused}"), None), (format!("{HAS}{unused}"), None)]);
        }
        Ok(self.store.change_values(values, None).await?)
    }

    async fn manifest(&self, bundle: &Bundle) -> Result<Manifest, BundleError> {
        read_manifest(&self.join(&bundle.manifest).await?).map_err(BundleError::Invalid)
    }

    /// The bytes of chunks that follow each other.
    async fn join(&self, chunks: &[String]) -> Result<Vec<u8>, BundleError> {
        let mut all = Vec::new();
        for hash in chunks {
            let found = self.store.get(format!("{CHUNK}{hash}")).await?;
            let bytes = found
                .as_ref()
                .and_then(Value::as_str)
                .and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok())
                .filter(|bytes| hash_of(bytes) == *hash);
            let bytes = bytes.ok_or_else(|| {
                BundleError::Invalid(format!(
                    "the chunk {hash} is missing or damaged: push the handlers again"
                ))
            })?;
            all.extend(bytes);
        }
        Ok(all)
    }

    /// The path of a folder that there is not yet.
    fn next_folder(&self) -> PathBuf {
        let mut number = lock(&self.folders);
        *number += 1;
        self.folder.join(number.to_string())
    }
}

fn chunks_of(manifest: &Manifest) -> BTreeSet<String> {
    manifest.values().flat_map(|file| file.chunks.iter().cloned()).collect()
}

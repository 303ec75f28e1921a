//! Versions: the sources that runs had, noted in the store.
//!
//! The first run of a version in this process is noted with its source. Later runs are counted here, and
//! added to the store once a minute and at a stop: a kill loses the counts of a minute at most.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use data_encoding::HEXLOWER;
use tokio::time::Instant;

use super::Scheduler;
use crate::{
    domain::{Millis, lock::lock},
    store::{LONGEST_SOURCE, Runs, VersionNote},
};

/// Between two writes of the runs of one version.
const WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// Versions that are remembered; beyond them all are noted anew.
const REMEMBERED: usize = 10_000;

/// A handler and the hash of its file.
type Key = (Arc<str>, Arc<str>);

/// The versions that runs of this process have had.
#[derive(Default)]
pub(super) struct Versions(Mutex<HashMap<Key, Noted>>);

#[derive(Default)]
struct Noted {
    /// Runs that are not in the store yet.
    waiting: Option<Runs>,
    /// The last write; none before the first.
    written: Option<Instant>,
}

impl Versions {
    /// Counts a run. Returns the runs to write, and whether they are the first of the version.
    fn count(&self, handler: &str, hash: &str, ended: Millis) -> Option<(Runs, bool)> {
        let mut versions = lock(&self.0);
        if versions.len() >= REMEMBERED {
            versions.clear();
        }
        let noted = versions.entry((handler.into(), hash.into())).or_default();
        let run = Runs { first_seen: ended, last_seen: ended, runs: 1 };
        let runs = noted.waiting.map_or(run, |waiting| waiting.and(run));
        if noted.written.is_some_and(|written| written.elapsed() < WRITTEN_EVERY) {
            noted.waiting = Some(runs);
            return None;
        }
        noted.waiting = None;
        Some((runs, noted.written.replace(Instant::now()).is_none()))
    }

    /// Takes all runs that are not in the store yet.
    fn take_waiting(&self) -> Vec<(Key, Runs)> {
        let mut versions = lock(&self.0);
        let waiting = versions.iter_mut();
        waiting.filter_map(|(key, noted)| noted.waiting.take().map(|runs| (key.clone(), runs))).collect()
    }
}

impl Scheduler {
    /// Notes the version that a run had.
    pub(super) async fn note_version(&self, handler: &str, hash: &str) {
        let Some((runs, is_first)) = self.versions.count(handler, hash, self.clock.now()) else { return };
        let source = if is_first { self.runner.source(handler, hash).await } else { None };
        self.write_version(handler, hash, source, runs).await;
    }

    /// Writes the runs that are counted here only.
    pub(super) async fn flush_versions(&self) {
        for ((handler, hash), runs) in self.versions.take_waiting() {
            self.write_version(&handler, &hash, None, runs).await;
        }
    }

    async fn write_version(&self, handler: &str, hash: &str, source: Option<String>, runs: Runs) {
        let decoded = HEXLOWER.decode(hash.as_bytes()).ok();
        let Some(hash) = decoded.and_then(|bytes| bytes.try_into().ok()) else { return };
        let source = source.filter(|text| text.len() <= LONGEST_SOURCE);
        let note = VersionNote { handler: handler.to_owned(), hash, source, runs };
        if let Err(error) = self.store.note_version(note).await {
            tracing::warn!(handler, %error, "a version of a handler could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn runs_of_a_version_are_written_at_once_then_once_a_minute_and_at_the_end() {
        let versions = Versions::default();
        let runs = |first_seen, last_seen, runs| Runs { first_seen, last_seen, runs };
        assert_eq!(versions.count("a", "1", 5), Some((runs(5, 5, 1), true)));
        assert_eq!(versions.count("a", "1", 6), None);
        assert_eq!(versions.count("a", "2", 7), Some((runs(7, 7, 1), true)), "another version");
        assert_eq!(versions.count("a", "1", 8), None);
        advance(WRITTEN_EVERY).await;
        assert_eq!(versions.count("a", "1", 9), Some((runs(6, 9, 3), false)));
        assert_eq!(versions.count("a", "1", 10), None);
        let waiting: Vec<_> = versions.take_waiting().into_iter().map(|(_, runs)| runs).collect();
        assert_eq!(waiting, [runs(10, 10, 1)]);
        assert!(versions.take_waiting().is_empty());
    }
}

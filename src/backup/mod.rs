//! Backups: a copy of the whole store a day in a folder of files, of which the newest are kept.
//!
//! A file is under its name only when it is complete, so whatever has a name counts. A backup
//! that fails is told about (in the log and in `/ready`) and tried again; it stops nothing.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use chrono::{DateTime, NaiveDateTime};
use serde::Serialize;
use tokio::{runtime::Handle, sync::watch, task::spawn_blocking};

pub mod file;
mod lines;
mod order;

use self::file::{TransferError, UNFINISHED};
use crate::{
    clock::Clock,
    domain::{Millis, lock::lock},
    store::{
        Store,
        disk::{LEAST_FREE, free_bytes},
        take_turn,
    },
};

/// The number of files that are kept.
const KEPT: usize = 7;
const EVERY: Millis = 24 * 60 * 60 * 1000;
/// The wait after a backup that failed.
const AGAIN: Millis = 60 * 60 * 1000;
/// The name of a file: the time of the backup, in UTC.
const NAME: &str = "isochron-%Y%m%dT%H%M%SZ.jsonl";

/// The state of the backups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupState {
    /// Epoch milliseconds of the newest backup.
    pub time: Option<Millis>,
    /// The name of its file.
    pub file: Option<String>,
    /// Why the last backup failed, if it did.
    pub error: Option<String>,
}

/// Makes a backup a day.
pub struct Backups {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    directory: PathBuf,
    least_free: u64,
    error: Mutex<Option<String>>,
}

impl Backups {
    /// Backups of `store` into `directory`, which is made when it is needed.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, directory: PathBuf) -> Arc<Self> {
        Arc::new(Self { store, clock, directory, least_free: LEAST_FREE, error: Mutex::default() })
    }

    /// The state of the backups.
    #[must_use]
    pub fn state(&self) -> BackupState {
        let newest = self.complete().pop();
        let error = lock(&self.error).clone();
        BackupState {
            time: newest.as_ref().map(|(time, _)| *time),
            file: newest.and_then(|(_, path)| Some(path.file_name()?.to_str()?.to_owned())),
            error,
        }
    }

    /// Makes a backup whenever the newest is a day old, until `stopping` is true.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut not_before = Millis::MIN;
        while !*stopping.borrow_and_update() {
            let now = self.clock.now();
            // A file of the future is from before the clock was set back and does not count.
            let newest = self.complete().into_iter().map(|(time, _)| time).rfind(|time| *time <= now);
            let due = newest.map_or(Millis::MIN, |time| time + EVERY).max(not_before);
            if due > now {
                tokio::select! {
                    () = self.clock.sleep_until(due) => {}
                    _ = stopping.changed() => {}
                }
                continue;
            }
            // Of the processes that share a store, one makes its backups.
            if !take_turn(&*self.store, "backups", EVERY).await.unwrap_or(false) {
                not_before = now + AGAIN;
                continue;
            }
            let outcome = self.clone().make(now, stopping.clone()).await;
            if let Some(error) = &outcome {
                tracing::error!(error, "the backup failed and is tried again in an hour");
                not_before = now + AGAIN;
            }
            *lock(&self.error) = outcome;
        }
    }

    /// Makes a backup. Returns why it failed, if it did.
    async fn make(self: Arc<Self>, now: Millis, mut stopping: watch::Receiver<bool>) -> Option<String> {
        // Files are written on a thread where waiting for the disk holds up no other work.
        let made = spawn_blocking(move || {
            Handle::current().block_on(async {
                tokio::select! {
                    made = self.write(now) => made,
                    _ = stopping.changed() => Ok(()),
                }
            })
        });
        match made.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(error) => Some(error.to_string()),
        }
    }

    async fn write(&self, now: Millis) -> Result<(), String> {
        let failed = |error: io::Error| format!("keep backups in {}: {error}", self.directory.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(failed)?;
        self.remove_unfinished().map_err(failed)?;
        self.check_room()?;
        let path = self.directory.join(name(now));
        let counts = file::export(&*self.store, &path, now).await.map_err(|error| explain(&error))?;
        tracing::info!(file = %path.display(), %counts, "a backup has been made");
        let complete = self.complete();
        for (_, path) in &complete[..complete.len().saturating_sub(KEPT)] {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(file = %path.display(), %error, "an old backup could not be removed");
            }
        }
        Ok(())
    }

    /// Checks that another file fits, if it is as large as the last.
    ///
    /// # Errors
    /// A sentence for the log.
    fn check_room(&self) -> Result<(), String> {
        let last = self.complete().pop().and_then(|(_, path)| fs::metadata(path).ok()).map_or(0, |m| m.len());
        let least = self.least_free.saturating_add(last);
        match free_bytes(&self.directory) {
            Some(free) if free < least => Err(format!(
                "{free} bytes are free at {} and {least} are wanted: make room",
                self.directory.display()
            )),
            _ => Ok(()),
        }
    }

    /// The complete files, oldest first.
    fn complete(&self) -> Vec<(Millis, PathBuf)> {
        let mut found: Vec<_> =
            files(&self.directory).filter_map(|path| Some((time(&path)?, path))).collect();
        found.sort();
        found
    }

    /// Removes the unfinished files of a killed server.
    fn remove_unfinished(&self) -> io::Result<()> {
        let unfinished = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.strip_suffix(UNFINISHED)?;
            time(Path::new(name))
        };
        files(&self.directory).filter(|path| unfinished(path).is_some()).try_for_each(fs::remove_file)
    }
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    // A folder that is not there has no files.
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn name(now: Millis) -> String {
    DateTime::from_timestamp_millis(now).unwrap_or_default().format(NAME).to_string()
}

/// When a file was made, if it is a backup.
fn time(path: &Path) -> Option<Millis> {
    let name = path.file_name()?.to_str()?;
    Some(NaiveDateTime::parse_from_str(name, NAME).ok()?.and_utc().timestamp_millis())
}

fn explain(error: &TransferError) -> String {
    match error {
        TransferError::Io { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;

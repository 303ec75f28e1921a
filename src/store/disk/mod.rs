//! Disk: its free space, the lock of a directory, and how long commits take to reach it.

pub(crate) mod directory;

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// With fewer free bytes than this, users' changes and backups are refused.
pub const LEAST_FREE: u64 = 256 * 1024 * 1024;
/// Upper bounds of the classes, in seconds; one more class is for all longer ones.
const BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The commits since the store was opened, by their durations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommitTimes {
    /// The upper bounds in seconds, and the commits above the bound before and up to this one.
    pub classes: Vec<(f64, u64)>,
    /// The sum of all durations, in seconds.
    pub seconds: f64,
}

/// The state of a store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition {
    /// Bytes of its files.
    pub bytes: u64,
    /// Its commits.
    pub commits: CommitTimes,
}

/// Counts the durations of commits.
#[derive(Debug, Default)]
pub(crate) struct CommitClock {
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl CommitClock {
    pub(crate) fn add(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let class = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[class].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn times(&self) -> CommitTimes {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        CommitTimes {
            classes: bounds.zip(counts).collect(),
            seconds: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

/// Measures the bytes free to users other than root on the file system of `directory`; `None` if the
/// system does not say.
#[must_use]
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(directory).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_commit_is_in_one_class() {
        let clock = CommitClock::default();
        for millis in [0, 1, 4, 7000, 90_000] {
            clock.add(Duration::from_millis(millis));
        }
        let times = clock.times();
        let some: Vec<_> = times.classes.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(some, [(0.0005, 1), (0.001, 1), (0.005, 1), (f64::INFINITY, 2)]);
        assert!((times.seconds - 97.005).abs() < 1e-9);
    }
}

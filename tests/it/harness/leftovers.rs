//! A server's processes, threads and descriptors, of which a run must leave none behind.

use std::{collections::BTreeMap, fs, path::Path, thread::sleep, time::Duration};

use super::{LOOK_AGAIN, Server, Stopwatch, until_within};

/// An idle thread for blocking work ends sooner than this.
const REST: Duration = Duration::from_secs(12);
/// The threads that work for the runtime and for calls that block, in one pool.
const POOL: &str = "tokio-rt-worker";
/// The pool wakes its idle threads in turn: the scans that go on at rest keep as many alive as a
/// busy moment made. A thread left behind by each file would be many more.
const POOL_SLACK: usize = 6;
/// Leftovers that have not gone after this time stay. Spare runners end after half a minute without a run.
const LONG_ENOUGH: Duration = Duration::from_secs(150);

/// Processes, threads and descriptors of a server, counted by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftovers {
    runners: usize,
    /// Children that have ended and are not reaped.
    zombies: usize,
    threads: BTreeMap<String, usize>,
    descriptors: BTreeMap<String, usize>,
}

impl Leftovers {
    /// Counts them now.
    pub(crate) fn of(server: &Server) -> Self {
        let process = Path::new("/proc").join(server.pid().to_string());
        let name = |thread: &Path| fs::read_to_string(thread.join("comm")).ok();
        let target = |descriptor: &Path| Some(kind(&fs::read_link(descriptor).ok()?.to_string_lossy()));
        let runners = server.runners().len();
        Self {
            runners,
            // A runner may end between the two counts.
            zombies: server.children().len().saturating_sub(runners),
            threads: count(&process.join("task"), name),
            descriptors: count(&process.join("fd"), target),
        }
    }

    /// Waits until the counts have not changed for [`REST`].
    pub(crate) fn wait_for_rest(server: &Server) -> Self {
        let (mut last, mut since) = (Self::of(server), Stopwatch::start());
        until_within(LONG_ENOUGH, "the server comes to rest", || {
            let now = Self::of(server);
            if now != last {
                (last, since) = (now, Stopwatch::start());
            }
            (since.elapsed() > REST).then(|| last.clone())
        })
    }

    /// Waits until the server holds no more than this.
    #[track_caller]
    pub(crate) fn wait_until_back(&self, server: &Server) {
        let (mut now, stopwatch) = (Self::of(server), Stopwatch::start());
        while !now.fits(self) {
            assert!(stopwatch.elapsed() < LONG_ENOUGH, "it held {self:?} before and holds {now:?}");
            sleep(LOOK_AGAIN);
            now = Self::of(server);
        }
    }

    fn fits(&self, before: &Self) -> bool {
        self.runners == before.runners
            && self.zombies == 0
            && no_more(&self.threads, &with_slack(&before.threads))
            && no_more(&self.descriptors, &before.descriptors)
    }
}

/// Counts the entries of a folder in `/proc`, whose entries come and go.
fn count(folder: &Path, kind: impl Fn(&Path) -> Option<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("its folder in /proc").flatten() {
        if let Some(kind) = kind(&entry.path()) {
            *counts.entry(kind.trim_end().to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The kind of a descriptor: its target without the number.
fn kind(target: &str) -> String {
    // The memory of a runner, by its process.
    let target = target
        .strip_prefix("/proc/")
        .map_or(target, |of| of.trim_start_matches(|c: char| c.is_ascii_digit()));
    target.trim_end_matches(|c: char| c.is_ascii_digit() || ":[]".contains(c)).to_owned()
}

fn with_slack(threads: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let mut threads = threads.clone();
    *threads.entry(POOL.to_owned()).or_default() += POOL_SLACK;
    threads
}

fn no_more(now: &BTreeMap<String, usize>, before: &BTreeMap<String, usize>) -> bool {
    now.iter().all(|(kind, count)| *count <= before.get(kind).copied().unwrap_or_default())
}

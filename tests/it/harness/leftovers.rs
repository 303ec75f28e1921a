//! What a server holds of the system: what a run could have left behind.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use super::{Server, Stopwatch, until};

/// Longer than a thread for blocking work stays when there is none.
const REST: Duration = Duration::from_secs(12);
/// After this, whatever is still there stays.
const LONG_ENOUGH: Duration = Duration::from_secs(50);

/// Processes, threads and descriptors of a server, counted by what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftovers {
    runners: usize,
    /// Children that ended and that nobody asked for.
    zombies: usize,
    threads: BTreeMap<String, usize>,
    descriptors: BTreeMap<String, usize>,
}

impl Leftovers {
    /// At this moment.
    pub(crate) fn of(server: &Server) -> Self {
        let process = Path::new("/proc").join(server.pid().to_string());
        let name = |thread: &Path| fs::read_to_string(thread.join("comm")).ok();
        let target = |descriptor: &Path| Some(kind(&fs::read_link(descriptor).ok()?.to_string_lossy()));
        let runners = server.runners().len();
        Self {
            runners,
            zombies: server.children().len() - runners,
            threads: count(&process.join("task"), name),
            descriptors: count(&process.join("fd"), target),
        }
    }

    /// Once it has come to rest.
    pub(crate) fn at_rest(server: &Server) -> Self {
        let (mut last, mut since) = (Self::of(server), Stopwatch::start());
        until("the server comes to rest", || {
            let now = Self::of(server);
            if now != last {
                (last, since) = (now, Stopwatch::start());
            }
            (since.elapsed() > REST).then(|| last.clone())
        })
    }

    /// Waits until the server holds no more than this again. Spare runners end after half a minute.
    #[track_caller]
    pub(crate) fn come_back(&self, server: &Server) {
        let stopwatch = Stopwatch::start();
        let now = until("the server is looked at", || {
            let now = Self::of(server);
            (now.fits(self) || stopwatch.elapsed() > LONG_ENOUGH).then_some(now)
        });
        assert!(now.fits(self), "it held {self:?} before and holds {now:?}");
    }

    fn fits(&self, before: &Self) -> bool {
        self.runners == before.runners
            && self.zombies == 0
            && no_more(&self.threads, &before.threads)
            && no_more(&self.descriptors, &before.descriptors)
    }
}

/// Counts the entries of a folder in `/proc`, whose entries come and go.
fn count(folder: &Path, what: impl Fn(&Path) -> Option<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("its folder in /proc").flatten() {
        if let Some(what) = what(&entry.path()) {
            *counts.entry(what.trim_end().to_owned()).or_default() += 1;
        }
    }
    counts
}

/// What a descriptor is, without the number that makes it unlike all others.
fn kind(target: &str) -> String {
    target.trim_end_matches(|c: char| c.is_ascii_digit() || ":[]".contains(c)).to_owned()
}

fn no_more(now: &BTreeMap<String, usize>, before: &BTreeMap<String, usize>) -> bool {
    now.iter().all(|(what, count)| *count <= before.get(what).copied().unwrap_or_default())
}

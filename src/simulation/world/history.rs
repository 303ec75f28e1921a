//! History: all events of a seed as lines, kept as a digest of all lines and the last ones.

use std::{collections::VecDeque, sync::Mutex};

use crate::domain::lock::lock;

/// Lines that a failure shows.
const TAIL: usize = 120;

/// The lines of a seed.
#[derive(Default)]
pub(crate) struct History(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    digest: u64,
    count: u64,
    tail: VecDeque<String>,
}

impl History {
    /// Adds a line.
    pub(crate) fn tell(&self, line: String) {
        let mut lines = self.lines();
        // FNV-1a of each line. Their sum: several waiters of a `watch` wake in an order that tokio rolls, and tell their
        // lines, each with its millisecond, in that order.
        let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in line.bytes() {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        lines.digest = lines.digest.wrapping_add(digest);
        lines.count += 1;
        lines.tail.push_back(line);
        if lines.tail.len() > TAIL {
            lines.tail.pop_front();
        }
    }

    /// A hash of all lines.
    pub(crate) fn digest(&self) -> u64 {
        self.lines().digest
    }

    /// The number of lines.
    pub(crate) fn count(&self) -> u64 {
        self.lines().count
    }

    /// The last lines, indented.
    pub(crate) fn tail(&self) -> String {
        self.lines().tail.iter().map(|line| format!("  {line}\n")).collect()
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        lock(&self.0)
    }
}

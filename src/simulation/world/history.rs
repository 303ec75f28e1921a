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
        // FNV-1a, over the lines and their ends.
        for byte in line.bytes().chain([b'\n']) {
            lines.digest = (lines.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
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

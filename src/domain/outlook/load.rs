//! Load: how many runs are in progress at once, by the planned times and the usual durations.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Group;
use crate::domain::Millis;

/// The peaks that are told at most, highest first.
pub const PEAKS: usize = 50;
/// A peak closer than this to a higher one, in milliseconds, is a part of it.
const APART: Millis = 15 * 60_000;

/// A time at which more runs are due than run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// Epoch milliseconds.
    pub time: Millis,
    /// Runs that start at this time.
    pub starts: u64,
    /// Runs in progress then, if all of them ran at once.
    pub concurrent: u64,
}

/// The load of a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// The peaks above the capacity, in the order of time.
    pub peaks: Vec<Peak>,
    /// The largest number of runs in progress at once.
    pub highest: u64,
    /// Whether every planned time was looked at.
    pub complete: bool,
}

/// Adds up the runs of the groups in `[from, until)`. At most `budget` planned times are looked at.
#[must_use]
pub fn load(groups: &[Group], from: Millis, until: Millis, capacity: u64, budget: u64) -> Load {
    // Starts and ends by time.
    let mut changes: BTreeMap<Millis, (u64, u64)> = BTreeMap::new();
    let (mut left, mut complete, mut steady) = (budget, true, 0_u64);
    for group in groups {
        if let Some(interval) = group.interval() {
            // Runs of intervals are spread evenly: this many are in progress at any time.
            steady = steady.saturating_add(super::share(group.tasks, group.usual, interval));
            continue;
        }
        // Runs that have begun before may still be in progress.
        let begin = from.saturating_sub(group.usual);
        let mut time = group.next_after(begin - 1);
        while let Some(planned) = time.filter(|planned| *planned < until) {
            if left == 0 {
                complete = false;
                break;
            }
            left -= 1;
            let start = changes.entry(planned).or_default();
            start.0 = start.0.saturating_add(group.tasks);
            let end = changes.entry(planned.saturating_add(group.usual.max(1))).or_default();
            end.1 = end.1.saturating_add(group.tasks);
            time = group.next_after(planned);
        }
    }
    let mut load = Load { complete, highest: steady, ..Load::default() };
    let mut running = steady;
    for (time, (starts, ends)) in changes {
        running = running.saturating_sub(ends).saturating_add(starts);
        if time < from || time >= until {
            continue;
        }
        load.highest = load.highest.max(running);
        if running > capacity && starts > 0 {
            add_peak(&mut load.peaks, Peak { time, starts, concurrent: running });
        }
    }
    load.peaks.sort_by_key(|peak| std::cmp::Reverse(peak.concurrent));
    load.peaks.truncate(PEAKS);
    load.peaks.sort_by_key(|peak| peak.time);
    load
}

fn add_peak(peaks: &mut Vec<Peak>, peak: Peak) {
    match peaks.last_mut() {
        Some(last) if peak.time - last.time < APART => {
            if peak.concurrent > last.concurrent {
                *last = peak;
            }
        }
        _ => peaks.push(peak),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outlook::{forecast::BUDGET, group};

    const HOUR: Millis = 3_600_000;
    const MONDAY: Millis = 1_772_409_600_000;

    fn day(groups: &[Group], capacity: u64) -> Load {
        load(groups, MONDAY, MONDAY + 24 * HOUR, capacity, BUDGET)
    }

    #[test]
    fn a_time_at_which_more_is_due_than_fits_is_a_peak() {
        let groups = [group("0 3 * * *", 9, 60_000), group("30 3 * * *", 5, 1000)];
        let peak = Peak { time: MONDAY + 3 * HOUR, starts: 9, concurrent: 9 };
        assert_eq!(day(&groups, 8), Load { peaks: vec![peak], highest: 9, complete: true });
        assert_eq!(day(&groups, 9).peaks, []);
    }

    #[test]
    fn runs_that_go_on_count_with_those_that_start() {
        let groups = [group("0 3 * * *", 3, 2 * HOUR), group("0 4 * * *", 3, 1000)];
        let peak = Peak { time: MONDAY + 4 * HOUR, starts: 3, concurrent: 6 };
        assert_eq!(day(&groups, 5).peaks, [peak]);
        // They have begun on the day before.
        let late = [group("30 23 * * *", 4, HOUR), group("15 0 * * *", 4, 1000)];
        let peak = Peak { time: MONDAY + HOUR / 4, starts: 4, concurrent: 8 };
        assert_eq!(day(&late, 7).peaks, [peak]);
    }

    #[test]
    fn peaks_that_lie_together_are_told_as_the_highest_one() {
        let groups = [group("* 3 * * *", 10, 1000), group("5 3 * * *", 1, 1000)];
        let peaks = day(&groups, 8).peaks;
        assert_eq!(peaks.iter().map(|peak| peak.concurrent).max(), Some(11));
        assert!(peaks.len() <= 4, "{peaks:?}");
    }

    #[test]
    fn intervals_are_a_steady_load() {
        let groups = [group("every 1m", 10, 30_000), group("0 3 * * *", 4, 1000)];
        assert_eq!(day(&groups, 8).highest, 9);
    }

    #[test]
    fn a_budget_that_is_used_up_is_told() {
        assert!(!load(&[group("* * * * *", 1, 1)], MONDAY, MONDAY + 24 * HOUR, 1, 100).complete);
    }
}

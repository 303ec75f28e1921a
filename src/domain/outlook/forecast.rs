//! Forecast: the number of planned times per hour or day, of all tasks.

use super::{Group, share};
use crate::domain::{Millis, time::DAY};

/// Planned times are asked for one by one as long as there are no more than this; about a second of work.
pub const BUDGET: u64 = 2_000_000;
/// A question for the number of planned times in a span costs as much as this many planned times.
const COUNT_COSTS: u64 = 4;

/// The number of planned times per bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The starts of the buckets and the planned times in each, oldest first.
    pub buckets: Vec<(Millis, u64)>,
    /// Whether every planned time was counted. Otherwise some schedules were counted for a day, and
    /// every other day stands for as many.
    pub exact: bool,
}

/// Counts the planned times of the groups in `[from, until)`, in buckets of `length` milliseconds that
/// begin at whole ones. At most `budget` planned times are looked at.
#[must_use]
pub fn forecast(groups: &[Group], from: Millis, until: Millis, length: Millis, budget: u64) -> Forecast {
    let length = length.max(1);
    let first = from - from.rem_euclid(length);
    let count = usize::try_from((until - first).max(0).div_euclid(length)).unwrap_or_default();
    let count = count + usize::from((until - first).rem_euclid(length) > 0 && until > first);
    let starts = (0_i64..).take(count).map(|n| first + n * length);
    let mut counter = Counter {
        buckets: starts.map(|start| (start, 0)).collect(),
        from,
        until,
        length,
        left: budget,
        exact: true,
    };
    for group in groups {
        counter.add(group);
    }
    counter.add_intervals(groups);
    Forecast { buckets: counter.buckets, exact: counter.exact }
}

struct Counter {
    buckets: Vec<(Millis, u64)>,
    from: Millis,
    until: Millis,
    length: Millis,
    left: u64,
    exact: bool,
}

impl Counter {
    fn spend(&mut self, cost: u64) -> bool {
        let enough = self.left >= cost;
        self.left = self.left.saturating_sub(cost);
        enough
    }

    fn add(&mut self, group: &Group) {
        let Some(first) = group.next_after(self.from - 1).filter(|first| *first < self.until) else {
            self.spend(1);
            return;
        };
        let gap = group.next_after(first).map_or(DAY, |second| second - first);
        let whole = COUNT_COSTS * self.buckets.len() as u64;
        let single = u64::try_from((self.until - first) / gap.max(1)).unwrap_or(u64::MAX);
        if single <= whole.min(self.left) {
            self.add_one_by_one(group, first);
        } else if self.spend(whole) {
            let (from, until, length) = (self.from, self.until, self.length);
            for (start, count) in &mut self.buckets {
                let starts = group.starts_between((*start).max(from), (*start + length).min(until));
                *count = count.saturating_add(starts);
            }
        } else {
            self.repeat_a_day(group);
        }
    }

    fn add_one_by_one(&mut self, group: &Group, first: Millis) {
        let mut time = Some(first);
        while let Some(planned) = time.filter(|time| *time < self.until) {
            self.spend(1);
            let begin = self.buckets.first().map_or(planned, |(start, _)| *start);
            let index = usize::try_from((planned - begin) / self.length).unwrap_or(usize::MAX);
            if let Some((_, count)) = self.buckets.get_mut(index) {
                *count = count.saturating_add(group.tasks);
            }
            time = group.next_after(planned);
        }
    }

    /// Counts the first day and takes every later one for the same.
    fn repeat_a_day(&mut self, group: &Group) {
        self.exact = false;
        let starts = group.starts_between(self.from, self.from.saturating_add(DAY));
        self.spread(starts, DAY);
    }

    /// Spreads `runs` runs per `period` over all buckets.
    fn spread(&mut self, runs: u64, period: Millis) {
        // Rounded as a sum from the start on, so that no part of a run is lost.
        let until = |end: Millis, from: Millis| share(runs, (end - from).max(0), period);
        for (start, count) in &mut self.buckets {
            let (begin, end) = ((*start).max(self.from), (*start + self.length).min(self.until));
            let starts = until(end, self.from).saturating_sub(until(begin, self.from));
            *count = count.saturating_add(starts);
        }
    }

    fn add_intervals(&mut self, groups: &[Group]) {
        for group in groups {
            if let Some(interval) = group.interval() {
                self.spread(group.tasks, interval);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::outlook::group;

    const HOUR: Millis = 3_600_000;
    /// Monday, 2 March 2026, midnight.
    const MONDAY: Millis = 1_772_409_600_000;

    fn counts(groups: &[Group], from: Millis, until: Millis, length: Millis) -> Vec<u64> {
        let forecast = forecast(groups, from, until, length, BUDGET);
        assert!(forecast.exact);
        forecast.buckets.into_iter().map(|(_, count)| count).collect()
    }

    #[test]
    fn each_planned_time_counts_for_every_task_of_its_group() {
        let groups = [group("30 1 * * *", 3, 0), group("0 * * * *", 2, 0), group("*/20 1 * * *", 1, 0)];
        assert_eq!(counts(&groups, MONDAY, MONDAY + 3 * HOUR, HOUR), [2, 8, 2]);
        assert_eq!(counts(&groups, MONDAY, MONDAY + 2 * DAY, DAY), [54, 54]);
    }

    #[test]
    fn a_span_that_cuts_buckets_has_the_times_within_it_only() {
        let groups = [group("*/10 * * * *", 1, 0)];
        let found = forecast(&groups, MONDAY + HOUR / 2, MONDAY + HOUR + HOUR / 2, HOUR, BUDGET);
        assert_eq!(found.buckets, [(MONDAY, 3), (MONDAY + HOUR, 3)]);
        assert_eq!(forecast(&groups, MONDAY, MONDAY, HOUR, BUDGET).buckets, []);
    }

    #[test]
    fn intervals_count_by_their_share_of_the_time() {
        assert_eq!(counts(&[group("every 15m", 10, 0)], MONDAY, MONDAY + 2 * HOUR, HOUR), [40, 40]);
        let rare = counts(&[group("every 7h", 1, 0)], MONDAY, MONDAY + DAY, HOUR);
        assert_eq!(rare.iter().sum::<u64>(), 3);
    }

    #[test]
    fn a_day_is_repeated_when_there_are_too_many_times_to_look_at() {
        let groups = [group("*/1 * * * * *", 2, 0)];
        let found = forecast(&groups, MONDAY, MONDAY + 3 * DAY, HOUR, 100);
        assert!(!found.exact);
        assert_eq!(found.buckets.iter().map(|(_, count)| count).sum::<u64>(), 3 * 86_400 * 2);
    }

    proptest! {
        #[test]
        fn counted_and_listed_times_agree(minutes in 1..60_u32, hours in 1..12_u32, from in 0..DAY, span in 1..(3 * DAY), budget in prop::sample::select(vec![300, BUDGET])) {
            let groups = [group(&format!("*/{minutes} */{hours} * * *"), 2, 0)];
            let (from, until) = (MONDAY + from, MONDAY + from + span);
            let found = forecast(&groups, from, until, HOUR, budget);
            if found.exact {
                let mut expected = 0;
                let mut last = from - 1;
                while let Some(time) = groups[0].next_after(last).filter(|time| *time < until) {
                    expected += 2;
                    last = time;
                }
                prop_assert_eq!(found.buckets.iter().map(|(_, count)| count).sum::<u64>(), expected);
            }
        }
    }
}

//! Beside: what else runs at the times of a schedule, and which minutes near them are quieter.

use chrono_tz::Tz;
use serde::Serialize;

use super::Group;
use crate::domain::{Millis, schedule::Timetable, time::MINUTE};

/// The planned times of the schedule that are looked at.
pub const TIMES: usize = 10;
/// How far from its minute a quieter one may lie.
const NEAR: i64 = 15;
/// The quieter minutes that are told at most.
const QUIETER: usize = 3;

/// What else runs at a planned time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Busy {
    /// The planned time.
    pub time: Millis,
    /// Other runs that start in the same minute.
    pub starts: u64,
    /// Other runs that are in progress during the run, by their usual durations.
    pub running: u64,
}

/// A change of the schedule after which less runs beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quieter {
    /// The schedule with another minute.
    pub schedule: String,
    /// Its first planned time.
    pub at: Millis,
    /// Other runs that start in the minutes of its planned times, on average of one of them.
    pub starts: u64,
}

/// The answer for a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The next planned times.
    pub times: Vec<Busy>,
    /// Quieter minutes, quietest first; none where the minute of the schedule is no plain number or
    /// none is quieter.
    pub quieter: Vec<Quieter>,
}

/// What runs beside a schedule after `now`, whose runs take `duration` milliseconds. `groups` are those of
/// all other tasks.
#[must_use]
pub fn beside(groups: &[Group], schedule: &Timetable, zone: Tz, now: Millis, duration: Millis) -> Beside {
    let mut planned = Vec::new();
    let mut last = now;
    while planned.len() < TIMES
        && let Some(time) = schedule.next_after(last, now, zone)
    {
        planned.push(time);
        last = time;
    }
    let profiles: Vec<_> = planned.iter().map(|time| profile(groups, *time)).collect();
    let middle = usize::try_from(NEAR).unwrap_or_default();
    let times = planned.iter().zip(&profiles).map(|(time, profile)| Busy {
        time: *time,
        starts: profile[middle],
        running: running(groups, *time, duration),
    });
    let times: Vec<_> = times.collect();
    Beside { quieter: quieter(schedule, zone, now, &profiles), times }
}

/// The starts in each minute from [`NEAR`] before the minute of `time` to as many after it.
fn profile(groups: &[Group], time: Millis) -> Vec<u64> {
    let begin = time - time.rem_euclid(MINUTE) - NEAR * MINUTE;
    let minutes = 2 * NEAR + 1;
    let mut starts = vec![0_u64; usize::try_from(minutes).unwrap_or_default()];
    let end = begin + minutes * MINUTE;
    let mut steady = 0;
    for group in groups {
        if let Some(interval) = group.interval() {
            steady += super::share(group.tasks, MINUTE, interval);
        }
        let mut next = group.next_after(begin - 1);
        while let Some(planned) = next.filter(|planned| *planned < end) {
            let index = usize::try_from((planned - begin) / MINUTE).unwrap_or(usize::MAX);
            let minute = planned - planned.rem_euclid(MINUTE);
            if let Some(count) = starts.get_mut(index) {
                *count = count.saturating_add(group.starts_between(minute, minute + MINUTE));
            }
            next = group.next_after(minute + MINUTE - 1);
        }
    }
    starts.iter_mut().for_each(|count| *count = count.saturating_add(steady));
    starts
}

/// The runs in progress at some moment of a run: those that have begun within their usual duration before
/// it, and those that begin before its end.
fn running(groups: &[Group], time: Millis, duration: Millis) -> u64 {
    let begun = groups.iter().map(|group| match group.interval() {
        Some(interval) => super::share(group.tasks, group.usual.saturating_add(duration), interval),
        None => group.starts_between(time.saturating_sub(group.usual), time.saturating_add(duration)),
    });
    begun.fold(0, u64::saturating_add)
}

fn quieter(schedule: &Timetable, zone: Tz, now: Millis, profiles: &[Vec<u64>]) -> Vec<Quieter> {
    let Some((before, minute, after)) = split_minute(schedule.as_str()) else { return Vec::new() };
    let sum = |shift: i64| -> u64 {
        let index = usize::try_from(NEAR + shift).unwrap_or_default();
        profiles.iter().map(|profile| profile[index]).fold(0, u64::saturating_add)
    };
    let present = sum(0);
    let near = (-NEAR..=NEAR).filter(|shift| (0..60).contains(&(minute + shift)));
    let mut found: Vec<_> = near.map(|shift| (sum(shift), shift.abs(), shift)).collect();
    found.retain(|(starts, ..)| *starts < present);
    found.sort_unstable();
    let changed = found.into_iter().take(QUIETER).filter_map(|(starts, _, shift)| {
        let schedule = format!("{before}{}{after}", minute + shift);
        let at = Timetable::parse(&schedule).ok()?.next_after(now, now, zone)?;
        Some(Quieter { schedule, at, starts: starts / (profiles.len() as u64).max(1) })
    });
    changed.collect()
}

/// The text before and after the minute of a cron expression whose minute is a plain number.
fn split_minute(text: &str) -> Option<(&str, i64, &str)> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let index = match fields.len() {
        5 => 0,
        6 => 1,
        _ => return None,
    };
    let field = fields[index];
    let minute = field.parse().ok().filter(|_| field.bytes().all(|byte| byte.is_ascii_digit()))?;
    // The fields are parts of the text, so their places follow from their addresses.
    let at = field.as_ptr() as usize - text.as_ptr() as usize;
    Some((&text[..at], minute, &text[at + field.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outlook::group;

    const HOUR: Millis = 3_600_000;
    const MONDAY: Millis = 1_772_409_600_000;

    fn at_three(groups: &[Group], schedule: &str) -> Beside {
        beside(groups, &Timetable::parse(schedule).expect("a schedule"), Tz::UTC, MONDAY, 0)
    }

    #[test]
    fn the_starts_of_the_minute_and_the_runs_in_progress_are_told() {
        let groups =
            [group("0 3 * * *", 7, 1000), group("30 2 * * *", 2, HOUR), group("30 3 * * *", 9, 1000)];
        let found = at_three(&groups, "0 3 * * *");
        assert_eq!(found.times.len(), TIMES);
        assert_eq!(found.times[0], Busy { time: MONDAY + 3 * HOUR, starts: 7, running: 2 });
    }

    #[test]
    fn the_nearest_of_the_quietest_minutes_is_first() {
        let groups = [group("0-10 3 * * *", 5, 1000), group("50-58 2 * * *", 1, 1000)];
        let found = at_three(&groups, "2 3 * * *").quieter;
        let texts: Vec<_> = found.iter().map(|quieter| (quieter.schedule.as_str(), quieter.starts)).collect();
        assert_eq!(texts, [("11 3 * * *", 0), ("12 3 * * *", 0), ("13 3 * * *", 0)]);
        assert_eq!(found[0].at, MONDAY + 3 * HOUR + 11 * MINUTE);
    }

    #[test]
    fn only_a_plain_minute_is_moved_and_the_rest_of_the_text_stays() {
        let groups = [group("0 * * * *", 5, 1000)];
        assert_eq!(at_three(&groups, "*/30 3 * * *").quieter, []);
        assert_eq!(at_three(&groups, "@daily").quieter, []);
        assert_eq!(at_three(&groups, "every 1h").quieter, []);
        assert_eq!(at_three(&groups, "30  0 3 * * 1").quieter[0].schedule, "30  1 3 * * 1");
        assert_eq!(at_three(&[], "0 3 * * *").quieter, [], "nothing is quieter than nothing");
    }

    #[test]
    fn each_start_within_a_minute_counts() {
        let found = at_three(&[group("*/20 0 3 * * *", 2, 0)], "0 3 * * *");
        assert_eq!(found.times[0].starts, 6);
    }

    #[test]
    fn intervals_count_in_every_minute() {
        let found = at_three(&[group("every 1m", 4, 30_000)], "0 3 * * *");
        assert_eq!((found.times[0].starts, found.times[0].running, found.quieter), (4, 2, Vec::new()));
    }
}

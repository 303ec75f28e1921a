//! Almanac: an oracle of planned times, computed in the slow and obvious way.
//!
//! A cron rule is a list of values per field, so that the almanac parses no text. It goes through the
//! hours of each day and looks up each matching wall time in the zone.

use std::collections::BTreeMap;

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike,
};
use chrono_tz::Tz;

use crate::domain::{Millis, definition::Definition};

/// Days to look ahead for a run: eight years and ten days.
const FARTHEST: u64 = 8 * 366 + 10;

/// A schedule as values.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    Now,
    At(Millis),
    Every(Millis),
    Cron(Box<Cron>),
}

/// A cron rule as values.
#[derive(Debug, Clone)]
pub(crate) struct Cron {
    /// Seconds, minutes, hours, days, months, weekdays.
    pub(crate) fields: [Field; 6],
}

/// A field: its matching values, and whether it starts with a star.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) values: Vec<u32>,
    pub(crate) star: bool,
    pub(crate) special: Option<Special>,
}

/// Forms that only day fields may have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Special {
    /// `L`
    LastDay,
    /// `LW`
    LastWorkday,
    /// `5L`
    LastWeekday(u32),
    /// `1#2`
    NthWeekday(u32, u32),
}

impl Cron {
    fn matches_day(&self, date: NaiveDate) -> bool {
        let [_, _, _, day, month, weekday] = &self.fields;
        let of_week = date.weekday().num_days_from_sunday();
        let on_day = day.values.contains(&date.day()) || day.special.is_some_and(|s| s.is(date));
        let on_weekday = weekday.values.contains(&of_week) || weekday.special.is_some_and(|s| s.is(date));
        let either = !day.star && !weekday.star;
        let on = if either { on_day || on_weekday } else { on_day && on_weekday };
        on && month.values.contains(&date.month())
    }

    /// Whether the rule names a time of day: then a gap moves its run and a repeated hour has one run.
    fn is_fixed(&self) -> bool {
        !self.fields[1].star && !self.fields[2].star
    }

    /// The rule's wall times in an hour.
    fn times(&self, hour: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
        let [seconds, minutes, hours, ..] = &self.fields;
        let runs = hours.values.contains(&hour.hour());
        let minutes = minutes.values.iter().filter(move |_| runs);
        let times = minutes.flat_map(|minute| seconds.values.iter().map(move |second| (*minute, *second)));
        times.map(move |(minute, second)| hour + TimeDelta::seconds(i64::from(60 * minute + second)))
    }
}

impl Special {
    fn is(self, date: NaiveDate) -> bool {
        let tomorrow = |date: NaiveDate| date.succ_opt().expect("the calendar goes on");
        let is_last = |date: NaiveDate| tomorrow(date).month() != date.month();
        let of_week = |date: NaiveDate| date.weekday().num_days_from_sunday();
        match self {
            Self::LastDay => is_last(date),
            Self::LastWorkday => {
                // A workday without a later one in its month.
                let is_workday = |date: NaiveDate| (1..=5).contains(&of_week(date));
                let rest = std::iter::successors(Some(tomorrow(date)), |date| Some(tomorrow(*date)));
                let mut rest = rest.take_while(|later| later.month() == date.month());
                is_workday(date) && !rest.any(is_workday)
            }
            Self::LastWeekday(weekday) => {
                let week_later = date.checked_add_days(Days::new(7)).expect("the calendar goes on");
                of_week(date) == weekday && week_later.month() != date.month()
            }
            Self::NthWeekday(weekday, nth) => {
                let earlier = (1..=date.day())
                    .filter(|day| date.with_day(*day).is_some_and(|day| of_week(day) == weekday));
                of_week(date) == weekday && earlier.count() == nth as usize
            }
        }
    }
}

/// The moments of a wall time: none, one or two.
fn instants(zone: Tz, wall: NaiveDateTime, fixed: bool) -> Vec<Millis> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(instant) => vec![instant.timestamp_millis()],
        LocalResult::Ambiguous(first, _) if fixed => vec![first.timestamp_millis()],
        LocalResult::Ambiguous(first, second) => {
            vec![first.timestamp_millis(), second.timestamp_millis()]
        }
        LocalResult::None if fixed => {
            // In a gap: the first minute that the clock shows after it.
            let seconds = wall.and_utc().timestamp().rem_euclid(60);
            let minute = wall + TimeDelta::seconds((60 - seconds) % 60);
            let later = (0..).map(|minutes| minute + TimeDelta::minutes(minutes));
            let shown = later.into_iter().find_map(|wall| zone.from_local_datetime(&wall).earliest());
            vec![shown.expect("every gap ends").timestamp_millis()]
        }
        LocalResult::None => Vec::new(),
    }
}

/// Planned times of one cron rule in one zone, for the hours computed so far.
struct Almanac {
    cron: Cron,
    zone: Tz,
    planned: Vec<Millis>,
    /// The computed wall times are `from..to`, whole hours.
    from: NaiveDateTime,
    to: NaiveDateTime,
}

impl Almanac {
    fn new(cron: Cron, zone: Tz, moment: Millis) -> Self {
        let [second, minute, ..] = &cron.fields;
        // Start closer to `moment` if the rule has many times.
        let back = if second.values.len() * minute.values.len() > 60 { 6 } else { 40 * 24 };
        let from = hour(zone, moment) - TimeDelta::hours(back);
        Self { cron, zone, planned: Vec::new(), from, to: from }
    }

    /// Computes the next hour, or skips the rest of a day that does not match.
    fn extend(&mut self) {
        let date = self.to.date();
        if !self.cron.matches_day(date) {
            self.to = (date + Days::new(1)).and_time(NaiveTime::MIN);
            return;
        }
        let fixed = self.cron.is_fixed();
        let times = self.cron.times(self.to).flat_map(|wall| instants(self.zone, wall, fixed));
        let times: Vec<_> = times.collect();
        // Hours overlap where the clock is set back; a gap moves several times to one.
        let in_order = self.planned.last().into_iter().chain(&times).is_sorted_by(|a, b| a < b);
        self.planned.extend(times);
        if !in_order {
            self.planned.sort_unstable();
            self.planned.dedup();
        }
        self.to += TimeDelta::hours(1);
    }

    /// Computes the planned times around `moment`.
    fn reach(&mut self, moment: Millis) {
        let hour = hour(self.zone, moment);
        if hour < self.from + TimeDelta::hours(5) {
            *self = Self::new(self.cron.clone(), self.zone, moment);
        }
        while self.to < hour + TimeDelta::hours(5) {
            self.extend();
        }
    }

    fn next(&mut self, after: Millis) -> Option<Millis> {
        self.reach(after);
        let farthest = self.to + Days::new(FARTHEST);
        while self.to < farthest {
            let index = self.planned.partition_point(|planned| *planned <= after);
            if let Some(next) = self.planned.get(index).copied() {
                // A later hour may have an earlier time.
                self.reach(next);
                return self.planned.get(index).copied();
            }
            self.extend();
        }
        None
    }

    fn count(&mut self, from: Millis, to: Millis) -> u64 {
        self.reach(from);
        self.reach(to);
        let below = |moment: Millis| self.planned.partition_point(|planned| *planned < moment);
        below(to).saturating_sub(below(from)) as u64
    }
}

/// The hour that the clocks of a zone show at `moment`.
fn hour(zone: Tz, moment: Millis) -> NaiveDateTime {
    let instant = DateTime::from_timestamp_millis(moment).expect("in the calendar");
    let wall = instant.with_timezone(&zone).naive_local();
    wall.date().and_hms_opt(wall.hour(), 0, 0).expect("every day has its hours")
}

/// Every rule in use by its text, and the almanacs of cron rules.
#[derive(Default)]
pub(crate) struct Almanacs {
    rules: BTreeMap<String, Rule>,
    cron: BTreeMap<(String, &'static str), Almanac>,
}

impl Almanacs {
    pub(crate) fn learn(&mut self, text: &str, rule: Rule) {
        self.rules.insert(text.to_owned(), rule);
    }

    pub(crate) fn rule(&self, definition: &Definition) -> &Rule {
        self.rules.get(definition.schedule.as_str()).expect("every schedule here was made from a rule")
    }

    /// The first planned time after `after`; none after the task's `endAt`.
    pub(crate) fn next(&mut self, definition: &Definition, anchor: Millis, after: Millis) -> Option<Millis> {
        let next = match *self.rule(definition) {
            Rule::Now => None,
            Rule::At(moment) => Some(moment).filter(|moment| *moment > after),
            Rule::Every(interval) => {
                let before = (after - anchor).div_euclid(interval).max(0);
                Some(anchor + (before + 1) * interval)
            }
            Rule::Cron(_) => self.almanac(definition, after).next(after),
        };
        next.filter(|next| definition.end_at.is_none_or(|end| *next <= end))
    }

    /// The number of planned times in `from..to`.
    pub(crate) fn count(&mut self, definition: &Definition, anchor: Millis, from: Millis, to: Millis) -> u64 {
        let to = definition.end_at.map_or(to, |end| to.min(end + 1));
        if to <= from {
            return 0;
        }
        match *self.rule(definition) {
            Rule::Now | Rule::At(_) => unreachable!("one-time schedules are not counted"),
            Rule::Every(interval) => {
                // Planned times before a moment: anchor + n × interval, with n from 1.
                let below = |moment: Millis| (moment - 1 - anchor).div_euclid(interval).max(0);
                (below(to) - below(from)).unsigned_abs()
            }
            Rule::Cron(_) => self.almanac(definition, from).count(from, to),
        }
    }

    /// The first planned time of a new plan.
    pub(crate) fn first(&mut self, definition: &Definition, anchor: Millis, now: Millis) -> Option<Millis> {
        match *self.rule(definition) {
            Rule::Now => Some(now),
            Rule::At(moment) => Some(now.max(moment)),
            _ => self.next(definition, anchor, now),
        }
    }

    fn almanac(&mut self, definition: &Definition, moment: Millis) -> &mut Almanac {
        let Rule::Cron(cron) = self.rule(definition) else { unreachable!("asked of cron rules only") };
        let cron = cron.clone();
        let key = (definition.schedule.to_string(), definition.timezone.name());
        self.cron.entry(key).or_insert_with(|| Almanac::new(*cron, definition.timezone, moment))
    }
}

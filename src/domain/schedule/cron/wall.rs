//! The wall times of an expression, as if the clock never jumped.
//!
//! The `cron` crate walks them. It is asked in its own terms only: explicit lists, weekdays from 1 for
//! Sunday, and wall time passed as UTC, because its handling of real zones skips and repeats runs
//! (0.17.0). The crate needs both day fields to match, so an either-rule becomes two schedules. It does
//! not know `L`, `15W` and `1#2`: for those it is given every day, and the days are filtered here.
//!
//! Counting needs sums, which the crate does not have; that is done on the values themselves.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::days::DayRule;
use super::field::Field;
use crate::domain::schedule::civil::{DAY, Seconds};

/// The wall times that the crate knows: 1970-01-01 00:00:00 up to, but not with, 2101-01-01 00:00:00.
const FIRST: Seconds = 0;
pub(super) const END: Seconds = 4_133_980_800;

/// The fields of an expression, and the crate's form of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wall {
    pub(crate) second: Field,
    pub(crate) minute: Field,
    pub(crate) hour: Field,
    pub(crate) month: Field,
    pub(crate) days: DayRule,
    /// One schedule, or one for each day field when either is enough.
    walks: Vec<::cron::Schedule>,
}

impl Wall {
    /// Puts the fields together. The error is the crate's; none is known for fields that were read.
    pub(crate) fn new(
        [second, minute, hour, month]: [Field; 4],
        days: DayRule,
    ) -> Result<Self, ::cron::error::Error> {
        let clock = format!("{} {} {}", second.list(0), minute.list(0), hour.list(0));
        let months = month.list(0);
        let (numbers, weekdays) = (days.of_month.list(0), days.of_week.list(1));
        let day_fields = if days.is_extended() {
            vec![("*", "*")]
        } else if days.is_either() {
            vec![(numbers.as_str(), "*"), ("*", weekdays.as_str())]
        } else {
            vec![(numbers.as_str(), weekdays.as_str())]
        };
        let walks = day_fields
            .into_iter()
            .map(|(number, weekday)| {
                ::cron::Schedule::from_str(&format!("{clock} {number} {months} {weekday}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { second, minute, hour, month, days, walks })
    }

    /// The first wall time after `after`; `None` after the year 2100.
    pub(crate) fn next(&self, after: Seconds) -> Option<Seconds> {
        let mut from = after.clamp(FIRST - 1, END);
        loop {
            let found = self.walks.iter().filter_map(|walk| walk.after(&as_utc(from)?).next()).min()?;
            if self.lets_through(found) {
                return Some(found.timestamp()).filter(|next| *next > after);
            }
            // The rest of the day cannot match either.
            from = start_of_day(found.timestamp()) + DAY - 1;
        }
    }

    /// The last wall time in `(after, until]`; there is none before the year 1970.
    pub(crate) fn last(&self, after: Seconds, until: Seconds) -> Option<Seconds> {
        let mut before = until.clamp(FIRST - 1, END - 1) + 1;
        // Not farther back than asked: days that do not match may go on to the beginning.
        while before > after + 1 {
            let found =
                self.walks.iter().filter_map(|walk| walk.after(&as_utc(before)?).next_back()).max()?;
            if self.lets_through(found) {
                return Some(found.timestamp()).filter(|last| after < *last && *last <= until);
            }
            before = start_of_day(found.timestamp());
        }
        None
    }

    /// How many wall times lie in `(after, until]`. Goes by days, not by times.
    pub(crate) fn count(&self, after: Seconds, until: Seconds) -> u64 {
        let after = after.clamp(FIRST - 1, END - 1);
        let until = until.clamp(FIRST - 1, END - 1);
        if until <= after {
            return 0;
        }
        // From the start of the first day, less what lies at or before `after` on that day.
        let first = (after + 1).div_euclid(DAY);
        let last = until.div_euclid(DAY);
        let Some(date) = as_utc(first * DAY).map(|utc| utc.date_naive()) else { return 0 };
        let per_day = self.until_time_of_day(DAY - 1);
        let mut total = 0;
        for (day, date) in (first..=last).zip(date.iter_days()) {
            if self.has_day(date) {
                total += if day == last { self.until_time_of_day(until - last * DAY) } else { per_day };
                if day == first {
                    total -= self.until_time_of_day(after - first * DAY);
                }
            }
        }
        total
    }

    fn lets_through(&self, found: DateTime<Utc>) -> bool {
        !self.days.is_extended() || self.days.matches(found.date_naive())
    }

    fn has_day(&self, date: NaiveDate) -> bool {
        self.month.bits() >> date.month() & 1 == 1 && self.days.matches(date)
    }

    /// How many times of a day are at or before `second_of_day`; 0 if it is negative.
    fn until_time_of_day(&self, second_of_day: Seconds) -> u64 {
        if second_of_day < 0 {
            return 0;
        }
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        let seconds = u64::from(self.second.bits().count_ones());
        let minutes = u64::from(self.minute.bits().count_ones());
        let mut total = below(&self.hour, hour) * minutes * seconds;
        if has(&self.hour, hour) {
            total += below(&self.minute, minute) * seconds;
            if has(&self.minute, minute) {
                total += below(&self.second, second + 1);
            }
        }
        total
    }
}

fn below(field: &Field, value: i64) -> u64 {
    u64::from((field.bits() & ((1_u64 << value) - 1)).count_ones())
}

fn has(field: &Field, value: i64) -> bool {
    field.bits() >> value & 1 == 1
}

fn start_of_day(wall: Seconds) -> Seconds {
    wall.div_euclid(DAY) * DAY
}

fn as_utc(wall: Seconds) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(wall, 0)
}

//! Quiet hours: spans of a day, by the clocks of a zone, in which a channel gets no message.

use chrono_tz::Tz;

use crate::domain::{
    Millis,
    schedule::civil::{DAY, first_reach, offset_at},
};

/// The names of the days, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Quiet hours of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// Minutes after midnight at which they begin.
    pub from: u32,
    /// Minutes after midnight at which they end; the next day, if that is not after `from`.
    pub to: u32,
    /// The zone whose clocks count.
    pub zone: Tz,
    /// The days on which they begin, Monday first.
    pub days: [bool; 7],
    /// Whether messages are dropped instead of held back.
    pub drop: bool,
}

impl Quiet {
    /// Reads `22:00-07:00`.
    #[must_use]
    pub fn read_hours(text: &str) -> Option<(u32, u32)> {
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let number = |text: &str, most: u32| -> Option<u32> {
                let is_right = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
                text.parse::<u32>().ok().filter(|number| is_right && *number <= most)
            };
            Some(number(hours, 23)? * 60 + number(minutes, 59)?)
        };
        let (from, to) = text.split_once('-')?;
        Some((minute(from)?, minute(to)?)).filter(|(from, to)| from != to)
    }

    /// The end of the quiet hours that go on at `now`, epoch milliseconds. A time that the clock skips is
    /// reached at the end of the gap; of two equal times the first counts.
    #[must_use]
    pub fn ends(&self, now: Millis) -> Option<Millis> {
        let instant = now.div_euclid(1000);
        let today = (instant + offset_at(self.zone, instant)).div_euclid(DAY);
        let span = |day: i64| {
            // 1970-01-01 was a Thursday.
            let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
            let until = if self.to > self.from { day } else { day + 1 };
            let at = |day: i64, minute: u32| first_reach(self.zone, day * DAY + i64::from(minute) * 60);
            let (from, to) = (at(day, self.from), at(until, self.to));
            (self.days[weekday] && (from..to).contains(&instant)).then_some(to * 1000)
        };
        [today - 1, today, today + 1].into_iter().filter_map(span).max()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn quiet(hours: &str, days: &[usize]) -> Quiet {
        let (from, to) = Quiet::read_hours(hours).expect("hours");
        let on = |day| days.is_empty() || days.contains(&day);
        Quiet { from, to, zone: chrono_tz::Europe::Berlin, days: std::array::from_fn(on), drop: false }
    }

    fn at(text: &str) -> Millis {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    }

    #[test]
    fn quiet_hours_end_at_their_time_in_the_zone_on_either_side_of_midnight() {
        let (night, lunch) = (quiet("22:00-07:00", &[]), quiet("12:00-13:30", &[]));
        for (quiet, now, ends) in [
            (&night, "2026-01-05T21:59:59+01:00", None),
            (&night, "2026-01-05T22:00:00+01:00", Some("2026-01-06T07:00:00+01:00")),
            (&night, "2026-01-06T06:59:59+01:00", Some("2026-01-06T07:00:00+01:00")),
            (&night, "2026-01-06T07:00:00+01:00", None),
            (&lunch, "2026-07-06T12:00:00+02:00", Some("2026-07-06T13:30:00+02:00")),
            (&lunch, "2026-07-06T13:30:00+02:00", None),
            // The nights in which the clock is set.
            (&night, "2026-03-29T01:59:59+01:00", Some("2026-03-29T07:00:00+02:00")),
            (&night, "2026-10-25T02:30:00+01:00", Some("2026-10-25T07:00:00+01:00")),
        ] {
            assert_eq!(quiet.ends(at(now)), ends.map(at), "{now}");
        }
    }

    #[test]
    fn quiet_hours_whose_bound_the_clock_skips_begin_or_end_after_the_gap() {
        // 02:00 to 03:00 does not exist on 29 March 2026.
        let begins = quiet("02:30-05:00", &[]);
        assert_eq!(begins.ends(at("2026-03-29T03:00:00+02:00")), Some(at("2026-03-29T05:00:00+02:00")));
        let ends = quiet("01:00-02:30", &[]);
        assert_eq!(ends.ends(at("2026-03-29T01:59:59+01:00")), Some(at("2026-03-29T03:00:00+02:00")));
        assert_eq!(ends.ends(at("2026-03-29T03:00:00+02:00")), None);
    }

    #[test]
    fn quiet_hours_belong_to_the_day_on_which_they_begin() {
        // Friday and Saturday night; 9 January 2026 is a Friday.
        let weekend = quiet("22:00-07:00", &[4, 5]);
        for (now, is_quiet) in [
            ("2026-01-08T23:00:00+01:00", false),
            ("2026-01-09T23:00:00+01:00", true),
            ("2026-01-10T06:00:00+01:00", true),
            ("2026-01-11T06:00:00+01:00", true),
            ("2026-01-11T23:00:00+01:00", false),
        ] {
            assert_eq!(weekend.ends(at(now)).is_some(), is_quiet, "{now}");
        }
    }

    #[test]
    fn hours_that_are_none_are_refused() {
        for text in
            ["", "22:00", "22-7", "22:00-22:00", "24:00-07:00", "22:60-07:00", "a:b-c:d", "2:00-07:00"]
        {
            assert_eq!(Quiet::read_hours(text), None, "{text}");
        }
    }
}

//! Days: their beginnings in the reader's zone.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::domain::Millis;

/// The date of a moment.
pub(in crate::dashboard::pages) fn date_of(moment: Millis, zone: Tz) -> Option<NaiveDate> {
    zone.timestamp_millis_opt(moment).single().map(|time| time.date_naive())
}

/// The first moment of a date. Where a change of the clock leaves midnight out, the day begins after it.
pub(in crate::dashboard::pages) fn start_of(date: NaiveDate, zone: Tz) -> Millis {
    let midnight = date.and_time(NaiveTime::MIN);
    let first = (0..=24).find_map(|quarter| {
        let time = midnight.checked_add_signed(TimeDelta::minutes(15 * quarter))?;
        zone.from_local_datetime(&time).earliest()
    });
    first.map_or_else(|| midnight.and_utc().timestamp_millis(), |time: DateTime<Tz>| time.timestamp_millis())
}

/// The first moment of the date after.
pub(in crate::dashboard::pages) fn end_of(date: NaiveDate, zone: Tz) -> Millis {
    date.checked_add_days(Days::new(1)).map_or(Millis::MAX, |next| start_of(next, zone))
}

/// The weeks that have a day of the month, each from Monday.
pub(super) fn weeks_of(month: NaiveDate) -> Vec<Vec<NaiveDate>> {
    let first = month.with_day(1).unwrap_or(month);
    let last = first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(first);
    let monday = |date: NaiveDate| date.week(chrono::Weekday::Mon).checked_first_day();
    let mondays = monday(first).into_iter().flat_map(|first| first.iter_weeks());
    mondays.take_while(|monday| *monday <= last).map(|monday| monday.iter_days().take(7).collect()).collect()
}

/// Another month: the first day of the one `away` months later, or earlier if negative.
pub(super) fn month_away(month: NaiveDate, away: i32) -> Option<NaiveDate> {
    let first = month.with_day(1)?;
    let count = Months::new(away.unsigned_abs());
    if away < 0 { first.checked_sub_months(count) } else { first.checked_add_months(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn a_day_begins_at_its_midnight_or_after_the_gap() {
        let berlin = Tz::Europe__Berlin;
        assert_eq!(end_of(date("2026-10-25"), berlin) - start_of(date("2026-10-25"), berlin), 25 * 3_600_000);
        assert_eq!(end_of(date("2026-03-29"), berlin) - start_of(date("2026-03-29"), berlin), 23 * 3_600_000);
        // Midnight does not exist on this day in Beirut.
        let beirut = Tz::Asia__Beirut;
        let gap = start_of(date("2026-03-29"), beirut);
        assert_eq!(end_of(date("2026-03-29"), beirut) - gap, 23 * 3_600_000);
        assert_eq!(date_of(gap, beirut), Some(date("2026-03-29")));
        assert_eq!(date_of(gap - 1, beirut), Some(date("2026-03-28")));
    }

    #[test]
    fn a_month_has_whole_weeks_from_monday() {
        let weeks = weeks_of(date("2026-11-15"));
        assert_eq!(weeks.len(), 6);
        assert_eq!((weeks[0][0], weeks[5][6]), (date("2026-10-26"), date("2026-12-06")));
        assert!(weeks.iter().all(|week| week.len() == 7));
        assert_eq!(weeks_of(date("2027-02-01")).len(), 4);
        assert_eq!(month_away(date("2026-01-31"), -1), Some(date("2025-12-01")));
    }
}

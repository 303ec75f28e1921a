//! Which days an expression runs on.

use chrono::{Datelike, NaiveDate};

use super::field::{Field, Part};

/// The two day fields and how they go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DayRule {
    pub(crate) of_month: Field,
    pub(crate) of_week: Field,
}

/// The kinds of day rule that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Every day.
    Daily,
    /// One day of each week.
    Weekly,
    /// One day of each month.
    Monthly,
    /// Anything else.
    Other,
}

impl DayRule {
    /// Whether a day needs only one of the fields to match: so it is when neither starts with `*`
    /// (crontab(5): "if both fields are restricted (i.e., don't start with *), the command will be run
    /// when either field matches").
    pub(crate) fn is_either(&self) -> bool {
        !self.of_month.starts_with_star() && !self.of_week.starts_with_star()
    }

    /// Whether both fields leave days out, and a day needs only one of them.
    pub(crate) fn is_restricted_either(&self) -> bool {
        self.is_either() && !self.of_month.is_full() && !self.of_week.is_full()
    }

    /// Whether the rule needs more than the number and the weekday of a day.
    pub(crate) fn is_extended(&self) -> bool {
        self.of_month.is_extended() || self.of_week.is_extended()
    }

    /// Whether the rule lets `date` through; the month field is not asked.
    pub(crate) fn matches(&self, date: NaiveDate) -> bool {
        let of_month = has(&self.of_month, date.day())
            || self.of_month.parts().iter().any(|part| matches_extended(*part, date));
        let of_week = || {
            has(&self.of_week, date.weekday().num_days_from_sunday())
                || self.of_week.parts().iter().any(|part| matches_extended(*part, date))
        };
        if self.is_either() { of_month || of_week() } else { of_month && of_week() }
    }

    /// The kind of rule.
    pub(crate) fn shape(&self) -> Shape {
        let (any_number, any_weekday) = (self.of_month.is_full(), self.of_week.is_full());
        match (any_number, any_weekday) {
            (true, true) => Shape::Daily,
            (true, _) | (_, true) if self.is_either() => Shape::Daily,
            (true, false) if self.of_week.single().is_some() => Shape::Weekly,
            (false, true) if is_one_day(&self.of_month) => Shape::Monthly,
            _ => Shape::Other,
        }
    }
}

fn is_one_day(of_month: &Field) -> bool {
    of_month.single().is_some() || (of_month.bits() == 0 && of_month.parts().len() == 1)
}

fn has(field: &Field, value: u32) -> bool {
    field.bits() >> value & 1 == 1
}

fn matches_extended(part: Part, date: NaiveDate) -> bool {
    let (day, length) = (date.day(), length_of_month(date));
    let weekday = date.weekday().num_days_from_sunday();
    match part {
        Part::Every { .. } | Part::Range { .. } => false,
        Part::LastDay => day == length,
        Part::LastWorkday => Some(day) == nearest_workday(date, length),
        Part::NearestWorkday(wanted) => Some(day) == nearest_workday(date, wanted.into()),
        Part::LastWeekday(wanted) => weekday == u32::from(wanted) && day + 7 > length,
        Part::NthWeekday { weekday: wanted, nth } => {
            weekday == u32::from(wanted) && (day - 1) / 7 + 1 == u32::from(nth)
        }
    }
}

fn length_of_month(date: NaiveDate) -> u32 {
    u32::from(date.num_days_in_month())
}

/// The day of Monday to Friday nearest to day `wanted` in the month of `date`; never in another month,
/// and `None` in a month that is too short to have the day.
fn nearest_workday(date: NaiveDate, wanted: u32) -> Option<u32> {
    let length = length_of_month(date);
    let weekday = date.with_day(wanted)?.weekday();
    Some(match weekday {
        chrono::Weekday::Sat if wanted == 1 => 3,
        chrono::Weekday::Sat => wanted - 1,
        chrono::Weekday::Sun if wanted == length => wanted - 2,
        chrono::Weekday::Sun => wanted + 1,
        _ => wanted,
    })
}

#[cfg(test)]
mod tests {
    use super::super::field::FieldKind;
    use super::*;

    fn rule(of_month: &str, of_week: &str) -> DayRule {
        DayRule {
            of_month: Field::parse(FieldKind::DayOfMonth, of_month).unwrap(),
            of_week: Field::parse(FieldKind::DayOfWeek, of_week).unwrap(),
        }
    }

    fn days(rule: &DayRule, year: i32, month: u32) -> Vec<u32> {
        let first = NaiveDate::from_ymd_opt(year, month, 1).unwrap();
        first
            .iter_days()
            .take_while(|day| day.month() == month)
            .filter(|day| rule.matches(*day))
            .map(|day| day.day())
            .collect()
    }

    #[test]
    fn days_of_a_month() {
        // August 2026 starts on a Saturday, November 2026 on a Sunday, May 2026 ends on a Sunday.
        let cases: [(&str, &str, i32, u32, &[u32]); 18] = [
            ("13", "5", 2026, 2, &[6, 13, 20, 27]),
            ("*/10", "1", 2026, 6, &[1]),
            ("1-31", "1", 2026, 2, &(1..=28).collect::<Vec<_>>()),
            ("*", "7", 2026, 2, &[1, 8, 15, 22]),
            ("*", "5-7", 2026, 2, &[1, 6, 7, 8, 13, 14, 15, 20, 21, 22, 27, 28]),
            ("L", "*", 2024, 2, &[29]),
            ("L", "*", 2100, 2, &[28]),
            ("1,L", "*", 2026, 4, &[1, 30]),
            ("LW", "*", 2026, 5, &[29]),
            ("LW", "*", 2026, 2, &[27]),
            ("1W", "*", 2026, 8, &[3]),
            ("1W", "*", 2026, 11, &[2]),
            ("15W", "*", 2026, 8, &[14]),
            ("31W", "*", 2026, 5, &[29]),
            ("31W", "*", 2026, 4, &[]),
            ("*", "5L", 2026, 7, &[31]),
            ("*", "1#1,1#3,sun#5", 2026, 8, &[3, 17, 30]),
            ("L", "5L", 2026, 8, &[28, 31]),
        ];
        for (of_month, of_week, year, month, expected) in cases {
            assert_eq!(
                days(&rule(of_month, of_week), year, month),
                expected,
                "{of_month} {of_week} {year}-{month}"
            );
        }
    }
}

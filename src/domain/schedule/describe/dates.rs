//! Days and months in plain words.

use super::{join, ordinal};
use crate::domain::schedule::cron::{DayRule, Field, Part, Shape};

const MONTHS: [(u8, &str); 12] = [
    (1, "January"),
    (2, "February"),
    (3, "March"),
    (4, "April"),
    (5, "May"),
    (6, "June"),
    (7, "July"),
    (8, "August"),
    (9, "September"),
    (10, "October"),
    (11, "November"),
    (12, "December"),
];
/// In the order in which a week is read, so that Friday to Sunday is one stretch.
const WEEKDAYS: [(u8, &str); 7] = [
    (1, "Monday"),
    (2, "Tuesday"),
    (3, "Wednesday"),
    (4, "Thursday"),
    (5, "Friday"),
    (6, "Saturday"),
    (0, "Sunday"),
];
/// So many neighbours are said as a stretch.
const STRETCH: usize = 3;

/// `on Monday`, `on day 13 of the month, and on Friday`; empty for every day.
pub(super) fn days(rule: &DayRule) -> String {
    if rule.shape() == Shape::Daily {
        return String::new();
    }
    match (rule.of_month.is_full(), rule.of_week.is_full()) {
        (true, _) => format!("on {}", days_of_week(&rule.of_week)),
        (_, true) => format!("on {}", days_of_month(&rule.of_month)),
        _ if rule.is_either() => {
            format!("on {}, and on {}", days_of_month(&rule.of_month), days_of_week(&rule.of_week))
        }
        _ => format!("on {}, but only on {}", days_of_week(&rule.of_week), days_of_month(&rule.of_month)),
    }
}

/// `in January and July`; empty for every month.
pub(super) fn months(month: &Field) -> String {
    if month.is_full() { String::new() } else { format!("in {}", join(&name_values(month, &MONTHS))) }
}

fn days_of_week(field: &Field) -> String {
    let mut items = name_values(field, &WEEKDAYS);
    items.extend(field.parts().iter().filter_map(|part| match *part {
        Part::LastWeekday(weekday) => Some(format!("the last {} of the month", weekday_name(weekday))),
        Part::NthWeekday { weekday, nth } => {
            let nth = ["first", "second", "third", "fourth"].get(usize::from(nth) - 1).unwrap_or(&"fifth");
            Some(format!("the {nth} {} of the month", weekday_name(weekday)))
        }
        _ => None,
    }));
    join(&items)
}

fn days_of_month(field: &Field) -> String {
    let mut numbers = Vec::new();
    let mut phrases = Vec::new();
    for part in field.parts() {
        match *part {
            Part::Range { first, last, step: 1 } if first == last => numbers.push(first.to_string()),
            Part::Range { first, last, step: 1 } => numbers.push(format!("{first} through {last}")),
            Part::Range { first, last, step } => {
                phrases
                    .push(format!("every {} day from day {first} to day {last} of the month", ordinal(step)));
            }
            Part::Every { step: 1 } => phrases.push("every day of the month".to_owned()),
            Part::Every { step } => {
                phrases.push(format!("every {} day of the month from day 1", ordinal(step)));
            }
            Part::LastDay => phrases.push("the last day of the month".to_owned()),
            Part::LastWorkday => phrases.push("the last day of the month from Monday to Friday".to_owned()),
            Part::NearestWorkday(day) => {
                phrases.push(format!("the day from Monday to Friday nearest to day {day} of the month"));
            }
            Part::LastWeekday(_) | Part::NthWeekday { .. } => {}
        }
    }
    match numbers.as_slice() {
        [] => {}
        [only] if !only.contains(' ') => phrases.insert(0, format!("day {only} of the month")),
        several => phrases.insert(0, format!("days {} of the month", join(several))),
    }
    join(&phrases)
}

fn weekday_name(weekday: u8) -> &'static str {
    WEEKDAYS.iter().find(|(number, _)| *number == weekday).map_or("", |(_, name)| name)
}

/// The names of a field's values; neighbours are said as a stretch.
fn name_values(field: &Field, names: &[(u8, &str)]) -> Vec<String> {
    names
        .chunk_by(|(left, _), (right, _)| has(field, *left) == has(field, *right))
        .filter(|run| run.first().is_some_and(|(value, _)| has(field, *value)))
        .flat_map(|run| match run {
            [(_, first), .., (_, last)] if run.len() >= STRETCH => vec![format!("{first} through {last}")],
            _ => run.iter().map(|(_, name)| (*name).to_owned()).collect(),
        })
        .collect()
}

fn has(field: &Field, value: u8) -> bool {
    field.bits() >> value & 1 == 1
}

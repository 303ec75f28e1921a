//! The time of day in plain words.

use super::{every_nth, join, ordinal};
use crate::domain::schedule::cron::{Field, Part, Wall};

/// So many times of day are named one by one; more are said as a pattern.
const MOST_TIMES: usize = 6;
/// So many numbers of a list are named one by one; more are said as they were write_part.
const MOST_NUMBERS: usize = 10;

/// The phrase, with two facts on which the next phrase depends.
pub(super) struct Clock {
    pub(super) text: String,
    /// It has commas of its own, so that a comma must follow it.
    pub(super) is_compound: bool,
    /// It names times of day.
    pub(super) names_times: bool,
}

impl Clock {
    fn simple(text: String) -> Self {
        Self { text, is_compound: false, names_times: false }
    }

    fn compound(text: String) -> Self {
        Self { text, is_compound: true, names_times: false }
    }
}

/// Seconds, minutes and hours.
pub(super) fn phrase(wall: &Wall) -> Clock {
    match (wall.second.single(), times(wall)) {
        (Some(second), Some(times)) => {
            let times: Vec<_> = times.into_iter().map(|time| with_second(&time, second)).collect();
            Clock { text: format!("At {}", join(&times)), is_compound: false, names_times: true }
        }
        (Some(0), None) => minutes_and_hours(wall),
        (Some(second), None) if wall.minute.is_full() && wall.hour.is_full() => {
            Clock::simple(format!("At second {second} of every minute"))
        }
        (Some(second), None) => {
            Clock::compound(format!("{}, at second {second}", minutes_and_hours(wall).text))
        }
        (None, Some(times)) => {
            let minutes = if times.len() == 1 { "minute that starts" } else { "minutes that start" };
            Clock::simple(format!("{} in the {minutes} at {}", seconds(&wall.second), join(&times)))
        }
        (None, None) => match (wall.minute.is_full(), wall.hour.is_full()) {
            (true, true) => Clock::simple(seconds(&wall.second)),
            (true, false) => Clock::compound(format!("{}, {}", seconds(&wall.second), hours(&wall.hour))),
            (false, _) => Clock::compound(format!(
                "{}, {}",
                seconds(&wall.second),
                in_sentence(&minutes_and_hours(wall).text)
            )),
        },
    }
}

/// The times of day as `09:00`, if there are only a few and all are write_part out.
fn times(wall: &Wall) -> Option<Vec<String>> {
    let explicit = |field: &Field| {
        field.parts().iter().all(|part| matches!(part, Part::Range { first, last, .. } if first == last))
    };
    let few = wall.hour.values().count() * wall.minute.values().count() <= MOST_TIMES;
    (few && explicit(&wall.hour) && explicit(&wall.minute)).then(|| {
        let of_hour = |hour: u8| wall.minute.values().map(move |minute| format!("{hour:02}:{minute:02}"));
        wall.hour.values().flat_map(of_hour).collect()
    })
}

fn with_second(time: &str, second: u8) -> String {
    if second == 0 { time.to_owned() } else { format!("{time}:{second:02}") }
}

fn minutes_and_hours(wall: &Wall) -> Clock {
    let (minute, hour) = (&wall.minute, &wall.hour);
    if hour.is_full() {
        return Clock::simple(match minute.single() {
            Some(0) => "At the start of every hour".to_owned(),
            _ => minutes(minute, "every hour"),
        });
    }
    match (minute.single(), hour.parts()) {
        (Some(0), [Part::Every { step }]) if 24 % step == 0 => {
            Clock::simple(every_nth((*step).into(), "hour"))
        }
        (Some(minute), [Part::Every { step }]) => {
            let each_day = if 24 % step == 0 { "" } else { " each day" };
            let every = every_nth((*step).into(), "hour");
            Clock::simple(format!("{every} from 00:{minute:02}{each_day}"))
        }
        (Some(minute), [Part::Range { first, step, .. }]) if hour.single().is_none() => {
            let every = every_nth((*step).into(), "hour");
            let end = hour.values().next_back().unwrap_or(*first);
            Clock::simple(format!("{every} from {first:02}:{minute:02} to {end:02}:{minute:02}"))
        }
        _ => Clock::compound(format!("{}, {}", minutes(minute, "the hour"), hours(hour))),
    }
}

/// `Every 5 minutes`, `At 5 and 10 minutes past every hour`.
fn minutes(minute: &Field, hour: &str) -> String {
    match minute.parts() {
        _ if minute.is_full() => "Every minute".to_owned(),
        [Part::Every { step }] if 60 % step == 0 => every_nth((*step).into(), "minute"),
        [Part::Every { step }] => format!("{} from the start of {hour}", every_nth((*step).into(), "minute")),
        [Part::Range { first, last, step }] if first != last => {
            format!("{} from {first} to {last} minutes past {hour}", every_nth((*step).into(), "minute"))
        }
        _ => match minute.single() {
            Some(1) => format!("At 1 minute past {hour}"),
            _ => format!("At {} minutes past {hour}", numbers(minute)),
        },
    }
}

/// `from 09:00 to 17:59`.
fn hours(hour: &Field) -> String {
    match hour.parts() {
        [Part::Every { step }] => format!("in every {} hour of the day", ordinal(*step)),
        [Part::Range { first, last, step: 1 }] => format!("from {first:02}:00 to {last:02}:59"),
        [Part::Range { first, step, .. }] => {
            let end = hour.values().next_back().unwrap_or(*first);
            format!("in every {} hour from {first:02}:00 to {end:02}:59", ordinal(*step))
        }
        _ => {
            let starts: Vec<_> = hour.values().map(|hour| format!("{hour:02}:00")).collect();
            format!("in the hours that start at {}", join(&starts))
        }
    }
}

/// `Every 10 seconds`.
fn seconds(second: &Field) -> String {
    match second.parts() {
        _ if second.is_full() => "Every second".to_owned(),
        [Part::Every { step }] if 60 % step == 0 => every_nth((*step).into(), "second"),
        [Part::Every { step }] => {
            format!("{} from the start of every minute", every_nth((*step).into(), "second"))
        }
        [Part::Range { first, last, step }] => {
            format!("{} from second {first} to {last} of every minute", every_nth((*step).into(), "second"))
        }
        _ => format!("At seconds {} of every minute", numbers(second)),
    }
}

fn numbers(field: &Field) -> String {
    let items: Vec<_> = if field.values().count() <= MOST_NUMBERS {
        field.values().map(|value| value.to_string()).collect()
    } else {
        field.parts().iter().map(|part| write_part(*part)).collect()
    };
    join(&items)
}

fn write_part(part: Part) -> String {
    match part {
        Part::Range { first, last, step: 1 } if first == last => first.to_string(),
        Part::Range { first, last, step: 1 } => format!("{first} to {last}"),
        Part::Range { first, last, step } => format!("every {} from {first} to {last}", ordinal(step)),
        Part::Every { step } => format!("every {}", ordinal(step)),
        // The clock's fields have no other entries.
        _ => String::new(),
    }
}

fn in_sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}

//! Schedules in plain words: `0 9 * * 1` is `At 09:00 on Monday`.
//!
//! A cron expression is said in three phrases, the clock (`clock`), the days and the months
//! (`dates`); an empty phrase stands for "every" and is left out.

mod clock;
mod dates;

use chrono::DateTime;

use super::Schedule;
use super::cron::CronExpr;
use crate::domain::Millis;

impl Schedule {
    /// The schedule in plain words, without a full stop.
    pub fn describe(&self) -> String {
        match self {
            Self::Now => "Once, at once".to_owned(),
            Self::At(moment) => format!("Once, at {}", utc(*moment)),
            Self::Every(interval) => every(*interval),
            Self::Cron(cron) => describe_cron(cron),
            Self::Never => "Never by itself: by hand or after another task".to_owned(),
        }
    }
}

fn utc(moment: Millis) -> String {
    let format = if moment % 1_000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
    DateTime::from_timestamp_millis(moment).map(|utc| utc.format(format).to_string()).unwrap_or_default()
}

fn every(interval: Millis) -> String {
    let (length, unit) = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second")]
        .into_iter()
        .find(|(length, _)| interval % length == 0)
        .unwrap_or((1, "millisecond"));
    every_nth(interval / length, unit)
}

fn describe_cron(cron: &CronExpr) -> String {
    let wall = cron.wall();
    let clock = clock::phrase(wall);
    let days = dates::days(&wall.days);
    // "At 09:00" alone leaves the reader to guess; "Every minute" does not.
    let days = if days.is_empty() && clock.names_times { "every day".to_owned() } else { days };
    let between = if clock.is_compound { ", " } else { " " };
    [days, dates::months(&wall.month)]
        .iter()
        .filter(|phrase| !phrase.is_empty())
        .fold(clock.text, |text, phrase| text + between + phrase.as_str())
}

/// `Every minute`, `Every 15 minutes`.
fn every_nth(count: i64, unit: &str) -> String {
    if count == 1 { format!("Every {unit}") } else { format!("Every {count} {unit}s") }
}

/// `a`, `a and b`, `a, b and c`.
fn join(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `1st`, `2nd`, `3rd`, `11th`.
fn ordinal(number: u8) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests;

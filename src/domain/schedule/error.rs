//! Errors of texts that are no schedule.

use thiserror::Error;

use super::moment::{IntervalError, MomentError};
use crate::domain::schedule::cron::CronError;

/// A mistake in a schedule. The text says where it is and how to correct it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// Nothing but blanks.
    #[error(
        "the schedule is empty: give \"now\", a cron expression such as \"0 9 * * 1\", an interval such as \
         \"every 15m\" or a time such as \"2026-05-01T09:00:00Z\""
    )]
    Empty,
    /// Too many bytes.
    #[error("the schedule has {0} bytes: use at most {max}", max = super::LONGEST)]
    TooLong(usize),
    /// A character that is neither printable ASCII nor a blank nor a tab.
    #[error(
        "the schedule has {found:?} at character {at}: use letters, digits, blanks and * , - / # @ : only"
    )]
    Character {
        /// The character.
        found: char,
        /// The position, in characters from 1.
        at: usize,
    },
    /// `every …` that is not an interval.
    #[error(transparent)]
    Interval(#[from] IntervalError),
    /// A time that is not one.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// Not a cron expression.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// One word that starts no form of schedule.
    #[error(
        "{0:?} is not a schedule: give \"now\", a cron expression of 5 or 6 fields such as \"0 9 * * 1\", a \
         shorthand such as @daily, an interval such as \"every 15m\" or a time such as \
         \"2026-05-01T09:00:00Z\""
    )]
    Unknown(String),
    /// A cron expression or an interval without a run.
    #[error("the schedule has no run within eight years: no such date comes up (is the day in the month?)")]
    Never,
}

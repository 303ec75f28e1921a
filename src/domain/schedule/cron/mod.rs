//! Unix cron expressions on top of the `cron` crate.
//!
//! The crate walks calendars well, but it reads another dialect than crontab(5) does, and it must not
//! see a real time zone. So an expression is read here (`field`), its day rule is kept here
//! (`days`), the crate walks wall times (`wall`), and the daylight-saving rules of Debian's cron
//! turn those into instants (`planned`). Text goes in once; after that [`CronExpr`] only answers
//! questions about instants.
//!
//! How to misuse it: taking a wall time for an instant. Nothing outside this room sees a wall time.

mod daylight;
mod days;
mod field;
mod wall;

pub(crate) use self::daylight::SPAN;
pub(crate) use self::days::{DayRule, Shape};
pub(crate) use self::field::{Field, Part};
pub use self::field::{FieldKind, FieldProblem};
pub(crate) use self::wall::Wall;

use thiserror::Error;

/// The shorthands, each with the fields that it stands for.
const MACROS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A mistake in a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CronError {
    /// An unknown `@` shorthand.
    #[error("{0:?} is not known: use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually")]
    Macro(String),
    /// Neither five nor six fields.
    #[error(
        "a cron expression has 5 fields (minute, hour, day of month, month, day of week) or 6 with seconds \
         in front, but this has {0}"
    )]
    FieldCount(usize),
    /// A field does not make sense.
    #[error("the {field} field is wrong at character {at} ({entry:?}): {problem}")]
    Field {
        /// The field that is wrong.
        field: FieldKind,
        /// The entry of the field's list that is wrong, as written.
        entry: String,
        /// The position of the entry in the text, in characters from 1.
        at: usize,
        /// The mistake.
        problem: FieldProblem,
    },
    /// The fields make sense, but the crate that evaluates them refuses them.
    #[error("the expression cannot be evaluated: {0}")]
    Refused(String),
}

/// A cron expression that was read, ready to be evaluated as often as wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct CronExpr {
    wall: Wall,
}

impl CronExpr {
    /// Reads five fields, six fields (seconds in front) or an `@` shorthand, in printable ASCII with
    /// blanks or tabs between the fields.
    ///
    /// # Errors
    /// [`CronError`] names the field, the position and the correction.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let name = text.trim_matches(BLANKS);
        if name.starts_with('@') {
            return MACROS
                .iter()
                .find(|(known, _)| name.eq_ignore_ascii_case(known))
                .ok_or_else(|| CronError::Macro(name.to_owned()))
                .and_then(|(_, fields)| Self::parse_fields(fields));
        }
        Self::parse_fields(text)
    }

    fn parse_fields(text: &str) -> Result<Self, CronError> {
        let texts = split(text);
        let read = |kind: FieldKind, (start, field): (usize, &str)| {
            Field::parse(kind, field).map_err(|(offset, entry, problem)| CronError::Field {
                field: kind,
                entry,
                at: start + offset + 1,
                problem,
            })
        };
        let (second, rest) = match *texts.as_slice() {
            [second, ref rest @ ..] if rest.len() == 5 => (Some(second), rest),
            ref rest => (None, rest),
        };
        let &[minute, hour, of_month, month, of_week] = rest else {
            return Err(CronError::FieldCount(texts.len()));
        };
        let second =
            second.map_or_else(|| Ok(Field::second_zero()), |second| read(FieldKind::Second, second))?;
        let minute = read(FieldKind::Minute, minute)?;
        let hour = read(FieldKind::Hour, hour)?;
        let of_month = read(FieldKind::DayOfMonth, of_month)?;
        let month = read(FieldKind::Month, month)?;
        let of_week = read(FieldKind::DayOfWeek, of_week)?;
        let wall = Wall::new([second, minute, hour, month], DayRule { of_month, of_week })
            .map_err(|error| CronError::Refused(error.to_string()))?;
        Ok(Self { wall })
    }

    pub(crate) fn wall(&self) -> &Wall {
        &self.wall
    }

    /// Whether both the minute and the hour are fixed times to cron: neither field starts with `*`.
    /// Such a run is moved out of a gap and not repeated; the others go by elapsed time.
    pub(crate) fn is_fixed_time(&self) -> bool {
        !self.wall.minute.starts_with_star() && !self.wall.hour.starts_with_star()
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The fields, each with the offset at which it starts.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut start = 0;
    text.split(BLANKS)
        .map(|field| {
            let at = start;
            start += field.len() + 1;
            (at, field)
        })
        .filter(|(_, field)| !field.is_empty())
        .collect()
}

//! One field of a Unix cron expression: its text, its values, its mistakes.

use std::fmt;

use thiserror::Error;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Which field of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Second of the minute, 0 to 59; only in expressions of six fields.
    Second,
    /// Minute of the hour, 0 to 59.
    Minute,
    /// Hour of the day, 0 to 23.
    Hour,
    /// Day of the month, 1 to 31.
    DayOfMonth,
    /// Month, 1 to 12 or a name.
    Month,
    /// Day of the week, 0 to 7 (0 and 7 are Sunday) or a name.
    DayOfWeek,
}

impl FieldKind {
    /// The lowest and the highest number that may be written.
    fn bounds(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// Every value that the field can have, a bit each; Sunday is bit 0 only.
    pub(crate) fn all(self) -> u64 {
        match self {
            Self::Second | Self::Minute => (1 << 60) - 1,
            Self::Hour => (1 << 24) - 1,
            Self::DayOfMonth => (1 << 32) - 2,
            Self::Month => (1 << 13) - 2,
            Self::DayOfWeek => (1 << 7) - 1,
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "a number from 0 to 59",
            Self::Hour => "a number from 0 to 23",
            Self::DayOfMonth => "a number from 1 to 31, L, LW or a number with W such as 15W",
            Self::Month => "a number from 1 to 12 or a name of three letters such as jan",
            Self::DayOfWeek => {
                "a number from 0 to 7 (0 and 7 are Sunday) or a name of three letters such as mon"
            }
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// A mistake in one entry of a field. The text says how to correct it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldProblem {
    /// `1,,2` or a comma at an end.
    #[error("an entry of the list is empty")]
    EmptyEntry,
    /// `-5`, `5-`, `#2`: a value is missing.
    #[error("a value is missing: use {0}")]
    Missing(&'static str),
    /// Neither a number nor a name of this field.
    #[error("{found:?} is not understood: use {wanted}")]
    NotAValue {
        /// The text in the place of a value.
        found: String,
        /// The values that the field takes.
        wanted: &'static str,
    },
    /// A number that the field does not have.
    #[error("{found} is out of range: use {wanted}")]
    OutOfRange {
        /// The number as written.
        found: String,
        /// The values that the field takes.
        wanted: &'static str,
    },
    /// `a-b` with a > b.
    #[error("the range runs backwards: write two ranges with a comma between them")]
    Reversed,
    /// `/0`.
    #[error("the step is 0: use 1 or more")]
    StepZero,
    /// A step beyond the field's values, such as `*/60` minutes.
    #[error("the step {found} is too large: use 1 to {max}")]
    StepTooLarge {
        /// The step as written.
        found: String,
        /// The largest step of this field.
        max: u8,
    },
    /// A step that is no number, or more than one.
    #[error("the step {0:?} is not a number: write it as in */5")]
    StepNotANumber(String),
    /// `n/s`: a step without a range.
    #[error("a step needs a range: write {start}-{max}/{step} to start at {start}, or */{step}")]
    StepWithoutRange {
        /// The value before the slash.
        start: String,
        /// The step after it.
        step: String,
        /// The highest value of the field.
        max: u8,
    },
    /// `?` of other schedulers.
    #[error("\"?\" is not used here: write *")]
    QuestionMark,
    /// `L` alone as a day of the week.
    #[error("L needs a weekday in front: write 5L for the last Friday of the month")]
    LastOfNothing,
    /// `L-3` of other schedulers.
    #[error("a distance from the last day is not supported: use L, LW or a number from 1 to 31")]
    LastMinus,
    /// `1#6`.
    #[error("{0:?} after # is not a week of the month: use 1 to 5, as in 1#2 for the second Monday")]
    NotAWeek(String),
}

/// One entry of a field's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `*` and `*/step`.
    Every { step: u8 },
    /// `n` (first and last are the same), `a-b` and `a-b/step`.
    Range { first: u8, last: u8, step: u8 },
    /// `L`: the last day of the month.
    LastDay,
    /// `LW`: the last of Monday to Friday in the month.
    LastWorkday,
    /// `15W`: the day of Monday to Friday that is nearest to the 15th, in the same month.
    NearestWorkday(u8),
    /// `5L`: the last Friday of the month.
    LastWeekday(u8),
    /// `1#2`: the second Monday of the month.
    NthWeekday { weekday: u8, nth: u8 },
}

/// A field that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    kind: FieldKind,
    parts: Vec<Part>,
    bits: u64,
    star: bool,
}

impl Field {
    /// Reads a field. On error also says how many characters into the field the entry starts, and the entry.
    pub(crate) fn parse(kind: FieldKind, text: &str) -> Result<Self, (usize, String, FieldProblem)> {
        let mut field = Self { kind, parts: Vec::new(), bits: 0, star: text.starts_with('*') };
        let mut start = 0;
        for entry in text.split(',') {
            let part = parse_part(kind, &entry.to_ascii_lowercase())
                .map_err(|problem| (start, entry.to_owned(), problem))?;
            field.bits |= bits(kind, part);
            field.parts.push(part);
            start += entry.len() + 1;
        }
        Ok(field)
    }

    /// The field that five-field expressions leave out: second 0.
    pub(crate) fn second_zero() -> Self {
        let parts = vec![Part::Range { first: 0, last: 0, step: 1 }];
        Self { kind: FieldKind::Second, parts, bits: 1, star: false }
    }

    /// The entries of the list, in the order written.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The values, a bit each, without the days of [`Part::LastDay`] and its like.
    pub(crate) fn bits(&self) -> u64 {
        self.bits
    }

    /// Whether the field's first character is `*` (also in `*/2`), on which cron's rules depend.
    pub(crate) fn starts_with_star(&self) -> bool {
        self.star
    }

    /// Whether the field leaves nothing out.
    pub(crate) fn is_full(&self) -> bool {
        self.bits == self.kind.all()
    }

    /// Whether the field depends on more than one number of the date (`L`, `LW`, `15W`, `5L`, `1#2`).
    pub(crate) fn is_extended(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Every { .. } | Part::Range { .. }))
    }

    /// The values in ascending order.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = u8> {
        let bits = self.bits;
        (0..64).filter(move |value| bits >> value & 1 == 1)
    }

    /// The only value, if there is exactly one and nothing else.
    pub(crate) fn single(&self) -> Option<u8> {
        let mut values = self.values();
        values.next().filter(|_| values.next().is_none() && !self.is_extended())
    }

    /// The values as a list with commas, each moved by `shift`; `*` if nothing is left out.
    pub(crate) fn list(&self, shift: u8) -> String {
        if self.is_full() {
            return "*".to_owned();
        }
        self.values().map(|value| (value + shift).to_string()).collect::<Vec<_>>().join(",")
    }
}

fn bits(kind: FieldKind, part: Part) -> u64 {
    let (first, last, step) = match part {
        Part::Every { step } => (kind.bounds().0, kind.bounds().1, step),
        Part::Range { first, last, step } => (first, last, step),
        _ => return 0,
    };
    (first..=last)
        .step_by(step.into())
        .map(|value| if kind == FieldKind::DayOfWeek { value % 7 } else { value })
        .fold(0, |bits, value| bits | 1 << value)
}

fn parse_part(kind: FieldKind, entry: &str) -> Result<Part, FieldProblem> {
    let (low, high) = kind.bounds();
    let (base, step) = match entry.split_once('/') {
        Some((base, step)) => (base, Some(step)),
        None => (entry, None),
    };
    if base.is_empty() {
        return Err(if step.is_some() {
            FieldProblem::Missing(kind.wanted())
        } else {
            FieldProblem::EmptyEntry
        });
    }
    let each = step.map_or(Ok(1), |step| parse_step(step, high))?;
    if base == "*" {
        return Ok(Part::Every { step: each });
    }
    if let Some(part) = parse_extended(kind, base) {
        return part.and_then(|part| match step {
            Some(step) => Err(FieldProblem::StepWithoutRange {
                start: low.to_string(),
                step: step.to_owned(),
                max: high,
            }),
            None => Ok(part),
        });
    }
    match (base.split_once('-'), step) {
        (Some((first, last)), _) => {
            let first = parse_value(kind, first)?;
            // Sunday ends a range as 7 when it is written as a name: "fri-sun" is 5-7.
            let last = match parse_value(kind, last)? {
                0 if last == "sun" && first > 0 => 7,
                last => last,
            };
            if first > last {
                return Err(FieldProblem::Reversed);
            }
            Ok(Part::Range { first, last, step: each })
        }
        (None, Some(step)) => {
            let start = parse_value(kind, base)?.to_string();
            Err(FieldProblem::StepWithoutRange { start, step: step.to_owned(), max: high })
        }
        (None, None) => {
            let value = parse_value(kind, base)?;
            Ok(Part::Range { first: value, last: value, step: 1 })
        }
    }
}

fn parse_step(step: &str, max: u8) -> Result<u8, FieldProblem> {
    if step.is_empty() || !step.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FieldProblem::StepNotANumber(step.to_owned()));
    }
    match step.parse::<u8>() {
        Ok(0) => Err(FieldProblem::StepZero),
        Ok(number) if number <= max => Ok(number),
        _ => Err(FieldProblem::StepTooLarge { found: step.to_owned(), max }),
    }
}

/// The forms that Vixie cron lacks; `None` if the text is none of them.
fn parse_extended(kind: FieldKind, base: &str) -> Option<Result<Part, FieldProblem>> {
    if base == "?" {
        return Some(Err(FieldProblem::QuestionMark));
    }
    match kind {
        FieldKind::DayOfMonth => match base {
            "l" => Some(Ok(Part::LastDay)),
            "lw" => Some(Ok(Part::LastWorkday)),
            _ if base.starts_with("l-") => Some(Err(FieldProblem::LastMinus)),
            _ => base.strip_suffix('w').map(|day| parse_value(kind, day).map(Part::NearestWorkday)),
        },
        FieldKind::DayOfWeek => match base.split_once('#') {
            Some((weekday, nth)) => Some(parse_nth(weekday, nth)),
            None if base == "l" => Some(Err(FieldProblem::LastOfNothing)),
            None => base
                .strip_suffix('l')
                .map(|weekday| parse_value(kind, weekday).map(|weekday| Part::LastWeekday(weekday % 7))),
        },
        _ => None,
    }
}

fn parse_nth(weekday: &str, nth: &str) -> Result<Part, FieldProblem> {
    let weekday = parse_value(FieldKind::DayOfWeek, weekday)? % 7;
    match nth.as_bytes() {
        [digit @ b'1'..=b'5'] => Ok(Part::NthWeekday { weekday, nth: digit - b'0' }),
        _ => Err(FieldProblem::NotAWeek(nth.to_owned())),
    }
}

fn parse_value(kind: FieldKind, text: &str) -> Result<u8, FieldProblem> {
    let wanted = kind.wanted();
    if text.is_empty() {
        return Err(FieldProblem::Missing(wanted));
    }
    let (low, high) = kind.bounds();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u8>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(FieldProblem::OutOfRange { found: text.to_owned(), wanted }),
        };
    }
    (low..=high)
        .zip(kind.names())
        .find(|(_, name)| **name == text)
        .map(|(value, _)| value)
        .ok_or_else(|| FieldProblem::NotAValue { found: text.to_owned(), wanted })
}

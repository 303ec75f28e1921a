//! The forms of schedule that are plain amounts of time: moments and intervals.

use chrono::NaiveDate;
use thiserror::Error;

use crate::domain::Millis;
pub(crate) use crate::domain::time::LATEST;

/// The shortest interval, in milliseconds.
const SHORTEST: Millis = 100;

/// Why a text is not an interval.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IntervalError {
    /// No number after `every`.
    #[error("\"every\" needs a whole number and a unit: write it as in \"every 15m\"")]
    NoNumber,
    /// No unit after the number.
    #[error("the interval has no unit: add ms, s, m, h or d, as in \"every {0}m\"")]
    NoUnit(String),
    /// Not one of the units.
    #[error(
        "{0:?} is not a unit of an interval: write one whole number and ms, s, m, h or d, as in \"every 90m\""
    )]
    Unit(String),
    /// Below 100 ms.
    #[error("the interval is {0} ms: use at least {SHORTEST} ms")]
    TooShort(Millis),
    /// Longer than the calendar.
    #[error("the interval {0:?} is too long: its first run would be after the year 9999")]
    TooLong(String),
}

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MomentError {
    /// Not the form of ISO 8601.
    #[error("{0:?} is not a time: write it as in 2026-05-01T09:00:00Z or 2026-05-01T09:00:00+02:00")]
    Form(String),
    /// A date alone.
    #[error("{0:?} has no time of day: write it as in 2026-05-01T09:00:00Z")]
    NoTime(String),
    /// No offset.
    #[error("{0:?} does not say which zone it is in: add Z for UTC or an offset such as +02:00")]
    NoOffset(String),
    /// The offset is not one.
    #[error("{0:?} is not an offset from UTC: use Z, +02:00 or +0200, at most 23:59")]
    Offset(String),
    /// Not in the calendar.
    #[error("there is no date {0}: check the month (1 to 12) and the day")]
    NoSuchDate(String),
    /// Not on the clock.
    #[error("there is no time {0}: hours go to 23, minutes and seconds to 59")]
    NoSuchTime(String),
    /// Beyond the calendar.
    #[error("{0} is after the year 9999: digits alone are milliseconds since 1970")]
    TooLate(String),
}

/// Reads the text behind `every`, in lower case. Returns milliseconds.
pub(super) fn parse_interval(text: &str) -> Result<Millis, IntervalError> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    if number.is_empty() {
        return Err(IntervalError::NoNumber);
    }
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(IntervalError::NoUnit(number.to_owned())),
        other => return Err(IntervalError::Unit(other.to_owned())),
    };
    let interval = number
        .parse::<Millis>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .filter(|interval| *interval <= LATEST)
        .ok_or_else(|| IntervalError::TooLong(text.to_owned()))?;
    if interval < SHORTEST { Err(IntervalError::TooShort(interval)) } else { Ok(interval) }
}

/// Reads digits as milliseconds since 1970.
pub(super) fn parse_epoch(digits: &str) -> Result<Millis, MomentError> {
    digits
        .parse::<Millis>()
        .ok()
        .filter(|moment| *moment <= LATEST)
        .ok_or_else(|| MomentError::TooLate(digits.to_owned()))
}

/// Whether a text is meant as a date: it starts as one does, and has fewer words than a cron expression.
pub(super) fn looks_like_date(text: &str) -> bool {
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    year == 4
        && text.get(year..).is_some_and(|rest| rest.starts_with('-'))
        && text.split_whitespace().count() < 4
}

/// Reads ISO 8601 with an offset or `Z`; seconds and their fraction may be left out.
pub(super) fn parse_moment(text: &str) -> Result<Millis, MomentError> {
    let form = || MomentError::Form(text.to_owned());
    let (date, rest) = text.split_at_checked(10).ok_or_else(form)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2]).ok_or_else(form)?;
    let rest = match rest.as_bytes() {
        [] => return Err(MomentError::NoTime(text.to_owned())),
        [b'T' | b't' | b' ' | b'\t', ..] => rest.get(1..).unwrap_or_default().trim_start(),
        _ => return Err(form()),
    };
    let end = rest.find(['Z', 'z', '+', '-']).ok_or_else(|| MomentError::NoOffset(text.to_owned()))?;
    let (time, offset) = rest.split_at(end);
    let (hour, minute, second, milli) = parse_time(time.trim_end()).ok_or_else(form)?;
    let offset = parse_offset(offset)?;
    let year = i32::try_from(year).map_err(|_| form())?;
    let moment = NaiveDate::from_ymd_opt(year, month, day)
        .ok_or_else(|| MomentError::NoSuchDate(date.to_owned()))?
        .and_hms_milli_opt(hour, minute, second, milli)
        .ok_or_else(|| MomentError::NoSuchTime(time.to_owned()))?
        .and_utc()
        .timestamp_millis()
        - offset;
    if moment > LATEST { Err(MomentError::TooLate(text.to_owned())) } else { Ok(moment) }
}

fn parse_time(time: &str) -> Option<(u32, u32, u32, u32)> {
    let (clock, fraction) = match time.split_once(['.', ',']) {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let (hour, minute, second) = match numbers(clock, ':', [2, 2, 2]) {
        Some([hour, minute, second]) => (hour, minute, second),
        // A fraction of a minute is more than anyone writes.
        None if fraction.is_none() => numbers(clock, ':', [2, 2]).map(|[hour, minute]| (hour, minute, 0))?,
        None => return None,
    };
    let milli = match fraction {
        None => 0,
        Some(digits) if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            return None;
        }
        // Digits beyond milliseconds are cut off, so that a time is never later than written.
        Some(digits) => format!("{digits:0<3}").get(..3)?.parse().ok()?,
    };
    Some((hour, minute, second, milli))
}

/// Milliseconds east of UTC.
fn parse_offset(text: &str) -> Result<Millis, MomentError> {
    let wrong = || MomentError::Offset(text.to_owned());
    if text.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let (sign, digits) = text.split_at_checked(1).ok_or_else(wrong)?;
    let [hours, minutes] = match digits.len() {
        2 => numbers(digits, ':', [2]).map(|[hours]| [hours, 0]),
        4 => numbers(
            &format!("{}:{}", &digits.get(..2).unwrap_or_default(), digits.get(2..).unwrap_or_default()),
            ':',
            [2, 2],
        ),
        _ => numbers(digits, ':', [2, 2]),
    }
    .filter(|[hours, minutes]| *hours <= 23 && *minutes <= 59)
    .ok_or_else(wrong)?;
    let offset = Millis::from(hours * 60 + minutes) * 60_000;
    match sign {
        "+" => Ok(offset),
        "-" => Ok(-offset),
        _ => Err(wrong()),
    }
}

/// Numbers of exactly these many digits with `separator` between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(separator);
    let mut read = [0; N];
    for (slot, digits) in read.iter_mut().zip(digits) {
        let part = parts
            .next()
            .filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *slot = part.parse().ok()?;
    }
    parts.next().is_none().then_some(read)
}

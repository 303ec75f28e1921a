//! Times, durations and outcomes as people read them.

use std::{env, fs};

use chrono::DateTime;
use chrono_tz::Tz;
use isochron::domain::{
    Millis,
    time::{DAY, HOUR, MINUTE, SECOND},
    zone::parse_zone,
};
use serde_json::Value;

use super::table::{Cell, Style};

/// A length of time, in at most two units.
pub(super) fn duration(ms: Millis) -> String {
    let two = |large: Millis, small: Millis, names: [&str; 2]| {
        let (whole, rest) = (ms / large, ms % large / small);
        if rest == 0 {
            format!("{whole} {}", names[0])
        } else {
            format!("{whole} {} {rest} {}", names[0], names[1])
        }
    };
    match ms {
        ..SECOND => format!("{ms} ms"),
        SECOND..MINUTE => format!("{}.{} s", ms / SECOND, ms % SECOND / 100),
        MINUTE..HOUR => two(MINUTE, SECOND, ["min", "s"]),
        HOUR..DAY => two(HOUR, MINUTE, ["h", "min"]),
        _ => two(DAY, HOUR, ["d", "h"]),
    }
}

/// A time as seen from now, in one unit.
pub(super) fn relative(time: Millis, now: Millis) -> String {
    let far = (time - now).abs();
    let (unit, name) = match far {
        ..MINUTE => (SECOND, "s"),
        MINUTE..HOUR => (MINUTE, "min"),
        HOUR..DAY => (HOUR, "h"),
        _ => (DAY, "d"),
    };
    let count = far / unit;
    match (count, time > now) {
        (0, _) => "now".to_owned(),
        (_, true) => format!("in {count} {name}"),
        (_, false) => format!("{count} {name} ago"),
    }
}

/// A time in a zone, with the name of the zone's offset.
pub(super) fn absolute(time: Millis, zone: Tz) -> String {
    DateTime::from_timestamp_millis(time).map_or_else(
        || time.to_string(),
        |utc| utc.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string(),
    )
}

/// The time of a day in a zone, to the millisecond.
pub(super) fn clock_time(time: Millis, zone: Tz) -> String {
    DateTime::from_timestamp_millis(time)
        .map_or_else(|| time.to_string(), |utc| utc.with_timezone(&zone).format("%H:%M:%S%.3f").to_string())
}

/// The zone of this machine: `TZ`, else that of `/etc/localtime`, else UTC.
pub(super) fn local_zone() -> Tz {
    let named = env::var("TZ").ok().filter(|name| !name.is_empty());
    let linked = || {
        let target = fs::read_link("/etc/localtime").ok()?;
        Some(target.to_str()?.split_once("zoneinfo/")?.1.to_owned())
    };
    named.or_else(linked).and_then(|name| parse_zone(name.trim_start_matches(':')).ok()).unwrap_or(Tz::UTC)
}

/// A length of time as a user writes it, such as `90s`, `10m`, `24h` or `90d`, in milliseconds.
pub(super) fn read_duration(text: &str) -> Result<Millis, String> {
    let wrong = || format!("must be a number and a unit, such as 90s, 10m, 24h or 90d, not \"{text}\"");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => SECOND,
        "m" | "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err(wrong()),
    };
    let count: Millis = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(unit).filter(|length| *length >= 0).ok_or_else(wrong)
}

/// A moment as a user writes it: epoch milliseconds, an ISO date or time in the zone of this machine, or a length
/// of time from now, such as `-2h` or `3d`.
pub(super) fn read_moment(text: &str, now: Millis) -> Result<Millis, String> {
    if let Ok(ms) = text.parse::<Millis>()
        && ms.abs() > DAY
    {
        return Ok(ms);
    }
    let (sign, length) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    if let Ok(length) = read_duration(length) {
        return Ok(now + sign * length);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00") } else { text.replacen(' ', "T", 1) };
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    let local = local.iter().find_map(|form| chrono::NaiveDateTime::parse_from_str(&whole, form).ok());
    let time = local.and_then(|local| local.and_local_timezone(local_zone()).earliest());
    time.map(|time| time.timestamp_millis()).ok_or_else(|| {
        format!("must be a time such as 2026-03-29, \"2026-03-29 02:30\" or -2h, not \"{text}\"")
    })
}

/// A status in its colour.
pub(super) fn status(name: &str) -> Cell {
    let style = match name {
        "completed" => Style::Green,
        "failed" => Style::Red,
        "running" | "retry-scheduled" => Style::Yellow,
        "paused" | "skipped" | "cancelled" => Style::Dim,
        _ => Style::Plain,
    };
    Cell::new(name, style)
}

/// The last outcomes, oldest first: a mark for each.
pub(super) fn marks(recent: &Value, most: usize) -> String {
    let list = recent.as_array().map_or(&[][..], Vec::as_slice);
    let mark = |entry: &Value| match entry["status"].as_str() {
        Some("completed") => '●',
        Some("failed") => '✕',
        Some("cancelled") => '■',
        _ => '·',
    };
    list[list.len().saturating_sub(most)..].iter().map(mark).collect()
}

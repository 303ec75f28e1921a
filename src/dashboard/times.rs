//! Times and lengths of time, as people read them.

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::markup::{Markup, Tag};
use crate::domain::{
    Millis,
    time::{DAY, HOUR, MINUTE, SECOND},
};

/// A point of view on time: the moment of the page, and the zone that its reader has chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewpoint {
    /// Epoch milliseconds.
    pub(super) now: Millis,
    /// The zone of every time that is shown.
    pub(super) zone: Tz,
}

impl Viewpoint {
    /// A time, as short as its day allows: `14:03:22` today, `28 Nov, 14:03` this year.
    pub(super) fn time(self, moment: Millis) -> Markup {
        self.element(moment, &self.short(moment), None)
    }

    /// A time with its date.
    pub(super) fn date_time(self, moment: Millis) -> Markup {
        let text = self.format(moment, "%a %-d %b %Y, %H:%M:%S");
        self.element(moment, &text, None)
    }

    /// The distance of a time: `in 4 min`, `2 h ago`. A script keeps it right.
    pub(super) fn distance(self, moment: Millis) -> Markup {
        self.element(moment, &self.away(moment), Some("distance"))
    }

    /// The time since a moment, `1:05`; a script counts on.
    pub(super) fn elapsed(self, since: Millis) -> Markup {
        self.element(since, &duration(self.now.saturating_sub(since)), Some("elapsed"))
    }

    /// A time in words, without markup.
    pub(super) fn short(self, moment: Millis) -> String {
        let (Some(time), Some(now)) = (self.local(moment), self.local(self.now)) else {
            return String::new();
        };
        let format = if time.date_naive() == now.date_naive() {
            "%H:%M:%S"
        } else if time.year() == now.year() {
            "%-d %b, %H:%M"
        } else {
            "%-d %b %Y, %H:%M"
        };
        time.format(format).to_string()
    }

    /// A time in a format of `chrono`.
    pub(super) fn format(self, moment: Millis, format: &str) -> String {
        self.local(moment).map(|time| time.format(format).to_string()).unwrap_or_default()
    }

    /// The zone's distance from UTC at a moment, in milliseconds.
    pub(super) fn offset(self, moment: Millis) -> Millis {
        self.local(moment).map_or(0, |time| Millis::from(time.offset().fix().local_minus_utc()) * SECOND)
    }

    /// The same moment, seen in another zone.
    #[must_use]
    pub(super) fn there(self, zone: Tz) -> Self {
        Self { zone, ..self }
    }

    /// The distance of a time in words, without markup.
    pub(super) fn away(self, moment: Millis) -> String {
        distance(moment.saturating_sub(self.now))
    }

    /// The moment that a clock shows so in this zone, `2027-01-31T09:00`; the first of two.
    pub(super) fn moment(self, text: &str) -> Option<Millis> {
        let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
        let shown = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
        self.zone.from_local_datetime(&shown).earliest().map(|moment| moment.timestamp_millis())
    }

    fn local(self, moment: Millis) -> Option<DateTime<Tz>> {
        self.zone.timestamp_millis_opt(moment).single()
    }

    /// A `<time>` whose title tells the time in the reader's zone and in UTC.
    fn element(self, moment: Millis, text: &str, live: Option<&str>) -> Markup {
        let Some(local) = self.local(moment) else { return Markup::text(moment) };
        let utc = local.with_timezone(&Utc);
        let mut title = local.format("%a %-d %b %Y, %H:%M:%S%.3f ").to_string() + self.zone.name();
        if self.zone != Tz::UTC {
            title += &utc.format(" · %-d %b, %H:%M:%S UTC").to_string();
        }
        let mut tag =
            Tag::open("time").with("datetime", utc.format("%Y-%m-%dT%H:%M:%S%.3fZ")).with("title", title);
        if let Some(live) = live {
            tag.set("data-live", live);
        }
        tag.around(&Markup::text(text))
    }
}

/// The distance of a moment that is `ahead` milliseconds ahead, or behind if it is negative.
fn distance(ahead: Millis) -> String {
    let length = rough(ahead.saturating_abs());
    match ahead {
        -999..=999 => "now".to_owned(),
        1000.. => format!("in {length}"),
        _ => format!("{length} ago"),
    }
}

/// A length of time in one unit, rounded down: `4 min`.
fn rough(length: Millis) -> String {
    let (unit, name) = match length {
        DAY.. => (DAY, "d"),
        HOUR.. => (HOUR, "h"),
        MINUTE.. => (MINUTE, "min"),
        _ => (SECOND, "s"),
    };
    format!("{} {name}", length / unit)
}

/// A duration with three figures or so: `840 ms`, `2.3 s`, `1 min 5 s`, `3 h 20 min`.
#[expect(clippy::cast_precision_loss, reason = "below a minute")]
pub(super) fn duration(length: Millis) -> String {
    let length = length.max(0);
    let two = |whole: Millis, name: &str, rest: Millis, rest_name: &str| match rest {
        0 => format!("{whole} {name}"),
        rest => format!("{whole} {name} {rest} {rest_name}"),
    };
    match length {
        0..SECOND => format!("{length} ms"),
        SECOND..MINUTE if length % SECOND == 0 => format!("{} s", length / SECOND),
        SECOND..10_000 => format!("{:.1} s", (length / 10) as f64 / 100.0),
        10_000..MINUTE => format!("{} s", length / SECOND),
        MINUTE..HOUR => two(length / MINUTE, "min", length % MINUTE / SECOND, "s"),
        HOUR..DAY => two(length / HOUR, "h", length % HOUR / MINUTE, "min"),
        _ => two(length / DAY, "d", length % DAY / HOUR, "h"),
    }
}

const UNITS: [(&str, Millis); 5] = [("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", 1)];

/// A length of time in full, as [`parse_length`] reads it: `1 h 30 min`.
pub(super) fn exact(length: Millis) -> String {
    let mut rest = length.max(0);
    let mut parts = Vec::new();
    for (name, unit) in UNITS {
        if rest >= unit {
            parts.push(format!("{} {name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0 ms".to_owned() } else { parts.join(" ") }
}

/// Reads a length of time: numbers, each with its unit, such as `90s`, `5 min` or `1h 30m`.
pub(super) fn parse_length(text: &str) -> Option<Millis> {
    let mut rest = text.trim();
    let mut length: Millis = 0;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let tail = tail.trim_start();
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let unit = match unit.to_ascii_lowercase().as_str() {
            "d" | "day" | "days" => DAY,
            "h" | "hour" | "hours" => HOUR,
            "m" | "min" | "minute" | "minutes" => MINUTE,
            "s" | "sec" | "second" | "seconds" => SECOND,
            "ms" => 1,
            _ => return None,
        };
        length = length.checked_add(number.parse::<Millis>().ok()?.checked_mul(unit)?)?;
        rest = tail.trim_start();
    }
    (!text.trim().is_empty()).then_some(length)
}

/// A number of bytes: `1.5 MiB`.
#[expect(clippy::cast_precision_loss, reason = "one figure behind the point is shown")]
pub(super) fn bytes(count: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|&(_, size)| count >= size) {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / size as f64),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saturday, 28 November 2026, 13:03:22 UTC.
    const NOW: Millis = 1_795_871_002_000;

    #[test]
    fn a_time_is_as_short_as_its_day_allows_and_its_title_tells_all() {
        let berlin = Viewpoint { now: NOW, zone: Tz::Europe__Berlin };
        assert_eq!(berlin.short(NOW), "14:03:22");
        assert_eq!(berlin.short(NOW + DAY), "29 Nov, 14:03");
        assert_eq!(berlin.short(NOW + 40 * DAY), "7 Jan 2027, 14:03");
        assert_eq!(
            berlin.time(NOW).to_string(),
            "<time datetime=\"2026-11-28T13:03:22.000Z\" title=\"Sat 28 Nov 2026, 14:03:22.000 Europe/Berlin \
             · 28 Nov, 13:03:22 UTC\">14:03:22</time>"
        );
        assert_eq!(berlin.there(Tz::Asia__Tokyo).short(NOW), "22:03:22");
    }

    #[test]
    fn distances_and_durations_are_in_the_largest_unit_that_fits() {
        let table =
            [(0, "now"), (4 * MINUTE + 59_000, "in 4 min"), (-2 * HOUR, "2 h ago"), (3 * DAY, "in 3 d")];
        assert_eq!(table.map(|(ahead, _)| distance(ahead)), table.map(|(_, text)| text.to_owned()));
        let table = [
            (7, "7 ms"),
            (2340, "2.3 s"),
            (9999, "10.0 s"),
            (59_999, "59 s"),
            (65_000, "1 min 5 s"),
            (12_000_000, "3 h 20 min"),
            (DAY, "1 d"),
        ];
        assert_eq!(table.map(|(length, _)| duration(length)), table.map(|(_, text)| text.to_owned()));
        assert_eq!([bytes(17), bytes(1_572_864)], ["17 B", "1.5 MiB"]);
    }

    #[test]
    fn a_length_is_read_as_it_is_written() {
        for length in
            [0, 1, 999, 90_000, 5 * MINUTE, 90 * MINUTE, 2 * DAY + 3 * HOUR + 4 * MINUTE + 5 * SECOND + 6]
        {
            assert_eq!(parse_length(&exact(length)), Some(length), "{}", exact(length));
        }
        assert_eq!(parse_length(" 1h30m "), Some(90 * MINUTE));
        for wrong in ["", "5", "5 x", "min", "-5 s", "1.5 h", "99999999999999999999 d", "99999999999999 d"] {
            assert_eq!(parse_length(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_as_its_number() {
        let utc = Viewpoint { now: NOW, zone: Tz::UTC };
        assert_eq!(utc.time(Millis::MAX).to_string(), Millis::MAX.to_string());
        assert_eq!(utc.distance(Millis::MIN).to_string(), Millis::MIN.to_string());
    }
}

//! Between instants and the wall clock of a zone.
//!
//! Both are counted in whole seconds: an instant as seconds since 1970 UTC, a wall time as the seconds
//! that a clock without zone would show since 1970-01-01 00:00. Only the zone's offset at an instant is
//! asked of `chrono-tz`; jumps are found by bisection, so nothing depends on how it resolves local times.
//!
//! A wall clock that jumps back shows some times twice. A fixed-time job runs the first time that
//! the clock reaches a wall time, so two functions carry the daylight-saving rule:
//! [`high_water`] (the latest wall time reached up to an instant) and [`first_reach`] (its inverse).
//! A time in a gap is first reached at the end of the gap; a time that happens twice, the first time.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// An instant or a wall time, in seconds.
pub(crate) type Seconds = i64;

pub(crate) const DAY: Seconds = 86_400;

/// No zone has two jumps within a week since 1970 (the nearest are 167 h apart), so four days cannot
/// step over a pair that cancels out.
const STRIDE: Seconds = 4 * DAY;
/// A clock that was set back has caught up after as long as it was set back; since 1970 that is at
/// most 7 h (Antarctica/Vostok 1994).
const CATCH_UP: Seconds = 25 * 3_600;
/// Earlier than any wall time is reached: the easternmost offset since 1970 is +14 h.
const EASTERNMOST: Seconds = 16 * 3_600;

/// A moment at which the wall clock of a zone is set forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jump {
    /// First instant with the new offset.
    pub(crate) at: Seconds,
    /// Seconds east of UTC up to then.
    pub(crate) before: Seconds,
    /// Seconds east of UTC from then on.
    pub(crate) after: Seconds,
}

impl Jump {
    /// The wall time at the jump by the old offset.
    pub(crate) fn wall_before(self) -> Seconds {
        self.at + self.before
    }

    /// The wall time at the jump by the new offset.
    pub(crate) fn wall_after(self) -> Seconds {
        self.at + self.after
    }
}

/// Seconds east of UTC at an instant.
pub(crate) fn offset_at(zone: Tz, instant: Seconds) -> Seconds {
    DateTime::from_timestamp(instant, 0)
        .map_or(0, |utc| i64::from(zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc()))
}

/// The first jump in `(after, until]`.
pub(crate) fn next_jump(zone: Tz, after: Seconds, until: Seconds) -> Option<Jump> {
    let before = offset_at(zone, after);
    let mut low = after;
    while low < until {
        let mut high = (low + STRIDE).min(until);
        if offset_at(zone, high) != before {
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if offset_at(zone, middle) == before { low = middle } else { high = middle }
            }
            return Some(Jump { at: high, before, after: offset_at(zone, high) });
        }
        low = high;
    }
    None
}

/// Every jump in `(after, until]`, oldest first.
pub(crate) fn jumps(zone: Tz, after: Seconds, until: Seconds) -> impl Iterator<Item = Jump> {
    let mut from = after;
    std::iter::from_fn(move || {
        let jump = next_jump(zone, from, until)?;
        from = jump.at;
        Some(jump)
    })
}

/// The latest wall time that the clock has shown up to `instant`.
pub(crate) fn high_water(zone: Tz, instant: Seconds) -> Seconds {
    jumps(zone, instant - CATCH_UP, instant)
        .map(|jump| jump.wall_before() - 1)
        .fold(instant + offset_at(zone, instant), Seconds::max)
}

/// The first instant at which the clock has reached `wall`.
pub(crate) fn first_reach(zone: Tz, wall: Seconds) -> Seconds {
    let mut from = wall - EASTERNMOST;
    loop {
        let reached = wall - offset_at(zone, from);
        match next_jump(zone, from, reached) {
            None => return reached,
            Some(jump) if jump.wall_after() >= wall => return jump.at,
            Some(jump) => from = jump.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Seconds {
        text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp()
    }

    #[test]
    fn a_time_in_a_gap_is_reached_at_its_end() {
        let cases = [
            (Tz::Europe__Berlin, "2025-03-30T02:30:00Z", "2025-03-30T01:00:00Z"),
            (Tz::Africa__Cairo, "2025-04-25T00:00:00Z", "2025-04-24T22:00:00Z"),
            (Tz::America__Sao_Paulo, "2018-11-04T00:15:00Z", "2018-11-04T03:00:00Z"),
            (Tz::Australia__Lord_Howe, "2025-10-05T02:15:00Z", "2025-10-04T15:30:00Z"),
            (Tz::Pacific__Apia, "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z"),
        ];
        for (zone, wall, instant) in cases {
            assert_eq!(first_reach(zone, at(wall)), at(instant), "{zone} {wall}");
        }
    }

    #[test]
    fn a_time_that_happens_twice_is_reached_the_first_time() {
        assert_eq!(
            first_reach(Tz::America__New_York, at("2025-11-02T01:30:00Z")),
            at("2025-11-02T05:30:00Z")
        );
        let during_second = at("2025-11-02T06:10:00Z");
        assert_eq!(high_water(Tz::America__New_York, during_second), at("2025-11-02T01:59:59Z"));
        assert_eq!(high_water(Tz::America__New_York, at("2025-11-02T07:00:00Z")), at("2025-11-02T02:00:00Z"));
    }

    #[test]
    fn both_are_inverse_around_every_jump_of_every_zone() {
        for zone in chrono_tz::TZ_VARIANTS {
            for jump in jumps(zone, 0, at("2040-01-01T00:00:00Z")) {
                let shown = |instant: Seconds| instant + offset_at(zone, instant);
                for wall in
                    [-90_000, -3_600, -1, 0, 1, 1_800, 3_600, 90_000].map(|gap| jump.wall_before() + gap)
                {
                    let reached = first_reach(zone, wall);
                    assert!(high_water(zone, reached) >= wall, "{zone} {jump:?} {wall}");
                    assert!(high_water(zone, reached - 1) < wall, "{zone} {jump:?} {wall}");
                    assert!(shown(reached) >= wall, "{zone} {jump:?} {wall}");
                }
            }
        }
    }
}

//! From wall times to planned instants: the daylight-saving rules of Debian's cron(8).
//!
//! A fixed-time expression runs when the clock first reaches its wall time. So the runs in
//! `(after, until]` are the wall times between `high_water(after)` and `high_water(until)`; all wall times
//! inside a gap are one run, at the gap's end. A wildcard expression runs at every instant whose wall time
//! matches, so it is walked through stretches of constant offset.
//!
//! Instants are whole seconds, as cron's are. Planned times exist from 1970 to 2100.

use chrono_tz::Tz;

use super::CronExpr;
use super::wall::END;
use crate::domain::schedule::civil::{DAY, Seconds, first_reach, high_water, jumps, next_jump, offset_at};

/// No planned time is outside of this, whatever the zone; questions are brought inside first.
pub(crate) const SPAN: (Seconds, Seconds) = (-2 * DAY, END + 2 * DAY);

/// A time of constant offset, `(after, until]`.
struct Stretch {
    after: Seconds,
    until: Seconds,
    offset: Seconds,
}

impl CronExpr {
    /// The first planned instant after `after`.
    pub(crate) fn next(&self, after: Seconds, zone: Tz) -> Option<Seconds> {
        let after = after.clamp(SPAN.0, SPAN.1);
        let next = if self.is_fixed_time() {
            first_reach(zone, self.wall().next(high_water(zone, after))?)
        } else {
            self.next_elapsed(after, zone)?
        };
        // A run that is not later would be run again and again.
        Some(next).filter(|next| *next > after)
    }

    /// How many planned instants lie in `(after, until]`.
    pub(crate) fn count(&self, after: Seconds, until: Seconds, zone: Tz) -> u64 {
        let (after, until) = (after.clamp(SPAN.0, SPAN.1), until.clamp(SPAN.0, SPAN.1));
        if until <= after {
            return 0;
        }
        let count = |from: Seconds, to: Seconds| self.wall().count(from, to);
        if self.is_fixed_time() {
            let merged: u64 = jumps(zone, after, until)
                .map(|jump| count(high_water(zone, jump.at - 1), high_water(zone, jump.at)).saturating_sub(1))
                .sum();
            count(high_water(zone, after), high_water(zone, until)).saturating_sub(merged)
        } else {
            stretches(zone, after, until)
                .map(|Stretch { after, until, offset }| count(after + offset, until + offset))
                .sum()
        }
    }

    /// The newest `limit` planned instants in `(after, until]`, newest first.
    pub(crate) fn newest(&self, after: Seconds, until: Seconds, limit: usize, zone: Tz) -> Vec<Seconds> {
        let (after, until) = (after.clamp(SPAN.0, SPAN.1), until.clamp(SPAN.0, SPAN.1));
        if until <= after {
            return Vec::new();
        }
        if self.is_fixed_time() {
            let low = high_water(zone, after);
            let mut high = high_water(zone, until);
            let planned = std::iter::from_fn(|| {
                let instant = first_reach(zone, self.wall().last(low, high)?);
                high = high_water(zone, instant - 1);
                Some(instant)
            });
            planned.take(limit).collect()
        } else {
            let stretches: Vec<_> = stretches(zone, after, until).collect();
            let planned = stretches.into_iter().rev().flat_map(|Stretch { after, until, offset }| {
                let mut high = until + offset;
                std::iter::from_fn(move || {
                    let wall = self.wall().last(after + offset, high)?;
                    high = wall - 1;
                    Some(wall - offset)
                })
            });
            planned.take(limit).collect()
        }
    }

    fn next_elapsed(&self, after: Seconds, zone: Tz) -> Option<Seconds> {
        let mut from = after;
        loop {
            let offset = offset_at(zone, from + 1);
            let next = self.wall().next(from + offset)? - offset;
            match next_jump(zone, from + 1, next) {
                None => return Some(next),
                Some(jump) => from = jump.at - 1,
            }
        }
    }
}

/// `(after, until]` cut at the jumps of the zone.
fn stretches(zone: Tz, after: Seconds, until: Seconds) -> impl Iterator<Item = Stretch> {
    let mut from = after;
    std::iter::from_fn(move || {
        if from >= until {
            return None;
        }
        let offset = offset_at(zone, from + 1);
        let end = next_jump(zone, from + 1, until).map_or(until, |jump| jump.at - 1);
        let stretch = Stretch { after: from, until: end, offset };
        from = end;
        Some(stretch)
    })
}

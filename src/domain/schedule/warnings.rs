//! Warnings about a schedule: clock changes around its next runs, and the rule about two day fields.

use chrono::DateTime;
use chrono_tz::Tz;

use super::{Schedule, millis, seconds};
use crate::domain::Millis;
use crate::domain::schedule::civil::{DAY, Jump, Seconds, high_water, jumps};
use crate::domain::schedule::cron::{CronExpr, SPAN};

/// 1970-02-18, where the present is in seconds when it is read as milliseconds.
const SECONDS_MISTAKEN: Millis = 4_102_444_800;

impl Schedule {
    /// Sentences about surprises: runs of `next` (planned times, oldest first, milliseconds since
    /// 1970 UTC) that a clock change moves, leaves out or repeats, and that one of two day fields is enough.
    pub fn warnings(&self, zone: Tz, next: &[Millis]) -> Vec<String> {
        match self {
            Self::Cron(cron) => clock_changes(cron, zone, next).chain(day_rule(cron)).collect(),
            Self::At(moment) if (1..SECONDS_MISTAKEN).contains(moment) => vec![format!(
                "The time is in {}: digits are milliseconds since 1970, not seconds.",
                format_wall(seconds(*moment), "%B %Y")
            )],
            _ => Vec::new(),
        }
    }
}

fn day_rule(cron: &CronExpr) -> Option<String> {
    cron.wall().days.is_restricted_either().then(|| {
        "Both day fields are restricted: it runs on days that match the day of month or the day of week, not \
         only on days that match both."
            .to_owned()
    })
}

fn clock_changes(cron: &CronExpr, zone: Tz, next: &[Millis]) -> impl Iterator<Item = String> {
    let bounds = next.first().zip(next.last()).map(|ends| (clamp(ends.0), clamp(ends.1)));
    // A day longer than the runs, for a run whose time comes again within that day.
    let around = bounds.map(|(first, last)| jumps(zone, first - 1, last + DAY));
    around.into_iter().flatten().filter_map(move |jump| {
        let (_, last) = bounds?;
        match (jump.after > jump.before, cron.is_fixed_time()) {
            (true, true) => warn_of_gap(cron, zone, jump, next),
            (false, true) => warn_of_repeat(zone, jump, next),
            (forward, false) if jump.at <= last => warn_of_wildcard(cron, zone, jump, forward),
            _ => None,
        }
    })
}

/// Brings an instant into the range of planned times, so that no eternity is searched.
fn clamp(instant: &Millis) -> Seconds {
    seconds(*instant).clamp(SPAN.0, SPAN.1)
}

/// A fixed time that does not exist: the run is at the end of the gap.
fn warn_of_gap(cron: &CronExpr, zone: Tz, jump: Jump, next: &[Millis]) -> Option<String> {
    let reached = high_water(zone, jump.at - 1);
    let missing = cron.wall().next(reached).filter(|wall| *wall < jump.wall_after())?;
    next.contains(&millis(jump.at)).then_some(())?;
    let others = match cron.wall().count(reached, jump.wall_after()) {
        1 => "",
        _ => ", once for all times up to then",
    };
    Some(format!(
        "{} does not exist in {zone} ({}): that run is at {}{others}.",
        date_time(missing),
        describe_change(jump),
        date_or_time(jump.wall_after(), missing),
    ))
}

/// A fixed time that happens twice: the run is the first time.
fn warn_of_repeat(zone: Tz, jump: Jump, next: &[Millis]) -> Option<String> {
    let repeated = jump.at - (jump.before - jump.after)..jump.at;
    let run = next.iter().map(|run| seconds(*run)).find(|run| repeated.contains(run))?;
    Some(format!(
        "{} happens twice in {zone} ({}): it runs only the first time.",
        date_time(run + jump.before),
        describe_change(jump),
    ))
}

/// Times of a wildcard expression that do not exist, or that run both times.
fn warn_of_wildcard(cron: &CronExpr, zone: Tz, jump: Jump, forward: bool) -> Option<String> {
    let (start, end) = (jump.wall_before().min(jump.wall_after()), jump.wall_before().max(jump.wall_after()));
    (cron.wall().count(start - 1, end - 1) > 0).then_some(())?;
    let effect = match forward {
        true => "do not exist: runs planned in them are left out",
        false => "happen twice: runs planned in them happen both times",
    };
    Some(format!(
        "In {zone} the clock changes {}: the times from {} up to {} {effect}.",
        describe_change(jump),
        date_time(start),
        date_or_time(end, start),
    ))
}

fn describe_change(jump: Jump) -> String {
    let direction = if jump.after > jump.before { "forward" } else { "back" };
    format!(
        "{direction} from {} to {}",
        time(jump.wall_before()),
        date_or_time(jump.wall_after(), jump.wall_before()),
    )
}

fn date_time(wall: Seconds) -> String {
    format_wall(wall, if wall % 60 == 0 { "%H:%M on %Y-%m-%d" } else { "%H:%M:%S on %Y-%m-%d" })
}

fn time(wall: Seconds) -> String {
    format_wall(wall, if wall % 60 == 0 { "%H:%M" } else { "%H:%M:%S" })
}

/// The time alone if the day is that of `other`.
fn date_or_time(wall: Seconds, other: Seconds) -> String {
    if wall.div_euclid(DAY) == other.div_euclid(DAY) { time(wall) } else { date_time(wall) }
}

fn format_wall(wall: Seconds, format: &str) -> String {
    DateTime::from_timestamp(wall, 0).map(|wall| wall.format(format).to_string()).unwrap_or_default()
}

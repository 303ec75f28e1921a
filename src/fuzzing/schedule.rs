//! Schedules: a text, a zone and a moment, one per line.

use chrono_tz::Tz;

use crate::domain::{
    Millis,
    schedule::{Passed, Schedule, preview},
    zone::parse_zone,
};

/// Runs that are checked one by one.
const RUNS: usize = 12;

/// Reads a schedule and calls each of its methods. The last line is the moment in digits (otherwise 0),
/// the line before it the zone (otherwise UTC), and the rest is the schedule.
pub fn schedule(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.rsplitn(3, '\n');
    let moment = lines.next().and_then(|line| line.trim().parse::<Millis>().ok()).unwrap_or_default();
    let zone = lines.next().map_or(Ok(Tz::UTC), parse_zone);
    let text = lines.next().unwrap_or_default();
    let zone = zone.unwrap_or_else(|error| {
        assert!(!error.to_string().is_empty());
        Tz::UTC
    });
    match Schedule::parse(text) {
        Ok(schedule) => check(&schedule, moment, zone),
        Err(error) => assert!(error.to_string().len() < 16 * 256, "{error}"),
    }
    if let Ok(preview) = preview::preview(text, zone, preview::Bounds::default(), moment, RUNS) {
        // Without a run a warning tells why.
        let tells = !preview.next.is_empty() || !preview.warnings.is_empty();
        assert!(tells && !preview.description.is_empty(), "{preview:?}");
    }
}

fn check(schedule: &Schedule, moment: Millis, zone: Tz) {
    assert!(!schedule.describe().is_empty());
    assert!(schedule.period(moment, moment, zone) >= 0);
    let runs = walk(schedule, moment, zone);
    schedule.warnings(zone, &runs);
    let Some(&until) = runs.last() else { return };
    let passed = schedule.count_between(moment, until, moment, zone);
    assert_eq!(passed, Passed { count: runs.len() as u64, newest: Some(until) });
    for limit in [1, 3, RUNS] {
        let newest = schedule.newest_between(moment, until, limit, moment, zone);
        assert_eq!(newest, runs[runs.len().saturating_sub(limit)..], "the newest {limit}");
    }
}

/// Lists the next runs. Each is the next one for every moment since the run before it.
fn walk(schedule: &Schedule, moment: Millis, zone: Tz) -> Vec<Millis> {
    let mut runs = Vec::new();
    let mut last = moment;
    while runs.len() < RUNS
        && let Some(next) = schedule.next_after(last, moment, zone)
    {
        assert!(next > last, "{next} does not come after {last}");
        for between in [next - 1, last.midpoint(next)] {
            assert_eq!(schedule.next_after(between, moment, zone), Some(next), "after {between}");
        }
        assert_eq!(schedule.count_between(last, next - 1, moment, zone), Passed::default());
        runs.push(next);
        last = next;
    }
    runs
}

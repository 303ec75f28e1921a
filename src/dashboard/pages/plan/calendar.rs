//! The calendar: the runs of a month, ended and planned, and the planned runs of a week by the hour.

use std::collections::HashMap;

use askama::Template;
use axum::response::Response;
use chrono::{Datelike, NaiveDate};

use super::days::{date_of, end_of, month_away, start_of, weeks_of};
use crate::{
    dashboard::{
        ask::Fault,
        documents::{Activity, Forecast, Planned, Upcoming},
        shown,
        visit::Visit,
    },
    domain::Millis,
};

const HOUR: Millis = 3_600_000;
/// The longest span of a forecast.
const AHEAD: Millis = 31 * 24 * HOUR;
/// The planned runs of a day that are listed.
const LISTED: usize = 200;

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    visit: Visit,
    month: NaiveDate,
    weeks: Vec<Vec<Day>>,
    hours: Vec<(NaiveDate, Vec<Cell>)>,
    /// The chosen day with its planned runs, and whether there are more.
    chosen: Option<(NaiveDate, Upcoming)>,
    exact: bool,
}

/// A day of the month.
struct Day {
    date: NaiveDate,
    /// Whether it is one of the month's.
    inside: bool,
    today: bool,
    past: bool,
    ended: u64,
    failed: u64,
    planned: u64,
    /// From 0, nothing planned, to 4.
    level: u8,
}

/// An hour of the week.
struct Cell {
    starts: u64,
    level: u8,
    past: bool,
}

/// The runs of a day.
#[derive(Default, Clone, Copy)]
struct Counts {
    ended: u64,
    failed: u64,
    planned: u64,
}

impl CalendarPage {
    fn title(&self) -> String {
        self.month.format("%B %Y").to_string()
    }

    fn of_month(&self, month: Option<NaiveDate>) -> String {
        let month = month.map(|month| month.format("%Y-%m").to_string()).unwrap_or_default();
        self.visit.query.only(&[]).with("month", month).after(&self.visit.links.to("/calendar"))
    }

    fn before(&self) -> String {
        self.of_month(month_away(self.month, -1))
    }

    fn after(&self) -> String {
        self.of_month(month_away(self.month, 1))
    }

    fn now(&self) -> String {
        self.of_month(None)
    }

    /// The address of a day's list.
    fn of_day(&self, day: &NaiveDate) -> String {
        self.visit.query.only(&["month"]).with("day", day).after(&self.visit.links.to("/calendar")) + "#day"
    }

    /// The address of a day's timeline.
    fn timeline(&self, day: &NaiveDate) -> String {
        let zone = self.visit.at.zone;
        let query =
            self.visit.query.only(&[]).with("from", start_of(*day, zone)).with("to", end_of(*day, zone));
        query.after(&self.visit.links.to("/timeline"))
    }

    /// A weekday in three letters.
    fn brief<'n>(&self, name: &'n str) -> &'n str {
        name.get(..3).unwrap_or(name)
    }

    fn long(&self, day: &NaiveDate) -> String {
        day.format("%A, %-d %B").to_string()
    }

    fn short(&self, day: &NaiveDate) -> String {
        day.format("%a %-d").to_string()
    }

    fn clock(&self, planned: &Planned) -> String {
        self.visit.at.format(planned.time, "%H:%M:%S")
    }
}

/// `/calendar`: `month` is such as `2026-11`, `day` such as `2026-11-28`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    let (now, zone) = (visit.at.now, visit.at.zone);
    let today = date_of(now, zone).unwrap_or_default();
    let chosen: Option<NaiveDate> = visit.query.get("day").parse().ok();
    let asked = format!("{}-01", visit.query.get("month")).parse().ok();
    let month = asked.or(chosen).unwrap_or(today);
    let weeks = weeks_of(month);
    let first = weeks.first().and_then(|week| week.first()).map_or(now, |day| start_of(*day, zone));
    let last = weeks.last().and_then(|week| week.last()).map_or(now, |day| end_of(*day, zone));

    let week = forecast(&visit, start_of(today, zone), start_of(today, zone) + 7 * 24 * HOUR).await?;
    let mut counts: HashMap<NaiveDate, Counts> = HashMap::new();
    let mut exact = week.exact;
    if last > now && first < now + AHEAD {
        let planned = forecast(&visit, first.max(now), last.min(first.max(now) + AHEAD)).await?;
        exact &= planned.exact;
        for bucket in &planned.buckets {
            if let Some(date) = date_of(bucket.time.max(now), zone) {
                counts.entry(date).or_default().planned += bucket.starts;
            }
        }
    }
    if first < now {
        let address = format!("/admin/activity?bucket=hour&from={first}&to={}", last.min(now + 1));
        let ended: Activity = visit.api.get(&address).await?;
        for bucket in &ended.buckets {
            let Some(date) = date_of(bucket.time, zone) else { continue };
            let day = counts.entry(date).or_default();
            day.ended += bucket.completed + bucket.failed + bucket.cancelled;
            day.failed += bucket.failed;
        }
    }
    let chosen = match chosen {
        Some(day) if end_of(day, zone) > now => {
            let (from, to) = (start_of(day, zone).max(now), end_of(day, zone));
            let address = format!("/admin/upcoming?from={from}&to={to}&limit={LISTED}");
            Some((day, visit.api.get(&address).await?))
        }
        Some(day) => Some((day, Upcoming::default())),
        None => None,
    };
    let weeks = days(&weeks, month, today, &counts);
    let hours = by_hour(&week, &visit);
    let page = CalendarPage { visit, month, weeks, hours, chosen, exact };
    page.visit.show(&page)
}

async fn forecast(visit: &Visit, from: Millis, to: Millis) -> Result<Forecast, Fault> {
    visit.api.get(&format!("/admin/forecast?bucket=hour&from={from}&to={to}")).await
}

fn days(
    weeks: &[Vec<NaiveDate>],
    month: NaiveDate,
    today: NaiveDate,
    counts: &HashMap<NaiveDate, Counts>,
) -> Vec<Vec<Day>> {
    let most = counts.values().map(|day| day.planned + day.ended).max().unwrap_or(0);
    let day = |date: &NaiveDate| {
        let Counts { ended, failed, planned } = counts.get(date).copied().unwrap_or_default();
        Day {
            date: *date,
            inside: (date.year(), date.month()) == (month.year(), month.month()),
            today: *date == today,
            past: *date < today,
            ended,
            failed,
            planned,
            level: level(planned + ended, most),
        }
    };
    weeks.iter().map(|week| week.iter().map(day).collect()).collect()
}

/// The hours of the coming week, a row for each day.
fn by_hour(week: &Forecast, visit: &Visit) -> Vec<(NaiveDate, Vec<Cell>)> {
    let zone = visit.at.zone;
    let most = week.buckets.iter().map(|bucket| bucket.starts).max().unwrap_or(0);
    let mut days: Vec<(NaiveDate, Vec<Cell>)> = Vec::new();
    for bucket in &week.buckets {
        let Some(date) = date_of(bucket.time, zone) else { continue };
        if days.last().is_none_or(|(day, _)| *day != date) {
            days.push((date, (0..24).map(|_| Cell { starts: 0, level: 0, past: false }).collect()));
        }
        let hour = visit.at.format(bucket.time, "%H").parse::<usize>().unwrap_or(0);
        let cell = days.last_mut().and_then(|(_, cells)| cells.get_mut(hour));
        if let Some(cell) = cell {
            cell.starts += bucket.starts;
            cell.level = level(cell.starts, most);
            cell.past = bucket.time + HOUR <= visit.at.now;
        }
    }
    days.truncate(7);
    days
}

/// The share of the most in four steps; 0 for nothing.
fn level(count: u64, most: u64) -> u8 {
    match (count.saturating_mul(4)).div_ceil(most.max(1)) {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn a_level_tells_the_share_and_nothing_has_none() {
        assert_eq!([0, 1, 25, 26, 50, 99, 100].map(|count| level(count, 100)), [0, 1, 1, 2, 2, 4, 4]);
        assert_eq!(level(0, 0), 0);
    }
}

//! The calendar: the runs of a month, ended and planned, and the planned runs of a week by the hour.

use std::collections::HashMap;

use askama::Template;
use axum::response::Response;
use chrono::{Datelike, NaiveDate};

use super::days::{date_of, end_of, month_away, start_of, weeks_of};
use crate::{
    dashboard::{
        ask::Fault,
        documents::{Activity, Forecast, Planned, Starts, Upcoming},
        shown,
        visit::Visit,
    },
    domain::{Millis, time::HOUR},
};

/// The longest span of a forecast.
const AHEAD: Millis = 31 * 24 * HOUR;
/// The planned runs of a day, or of one of its hours, that are listed.
const LISTED: usize = 1000;
/// Planned runs from which a day offers its hours.
const MANY: u64 = 40;
/// Runs of one task in a list that share a line.
const FOLDED: usize = 4;

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    visit: Visit,
    month: NaiveDate,
    weeks: Vec<Vec<Day>>,
    hours: Vec<(NaiveDate, Vec<Cell>)>,
    chosen: Option<Chosen>,
    exact: bool,
}

/// The chosen day.
struct Chosen {
    day: NaiveDate,
    /// Its hours: their beginnings and planned runs; none for a day that has few.
    hours: Vec<Starts>,
    /// The beginning of the chosen hour.
    hour: Option<Millis>,
    entries: Vec<Entry>,
    /// Whether more runs are planned than are listed.
    more: bool,
}

/// A line of the list: one planned run, or those of a task that has many.
struct Entry {
    first: Millis,
    last: Millis,
    count: usize,
    task_id: String,
    task_name: String,
    handler: String,
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

    fn clock(&self, moment: &Millis) -> String {
        self.visit.at.format(*moment, "%H:%M:%S")
    }

    fn hour(&self, starts: &Starts) -> String {
        self.visit.at.format(starts.time, "%H:00")
    }

    fn is_hour(&self, chosen: &Chosen, starts: &Starts) -> bool {
        chosen.hour == Some(starts.time)
    }

    /// The address of the list of an hour; that of the whole day for the chosen one.
    fn of_hour(&self, chosen: &Chosen, starts: &Starts) -> String {
        let hour = if self.is_hour(chosen, starts) { String::new() } else { starts.time.to_string() };
        let query = self.visit.query.only(&["month"]).with("day", chosen.day).with("hour", hour);
        query.after(&self.visit.links.to("/calendar")) + "#day"
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
    let mut planned = Vec::new();
    if last > now && first < now + AHEAD {
        let ahead = forecast(&visit, first.max(now), last.min(first.max(now) + AHEAD)).await?;
        exact &= ahead.exact;
        planned = ahead.buckets;
        for bucket in &planned {
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
        Some(day) => Some(choose(&visit, day, &planned).await?),
        None => None,
    };
    let weeks = days(&weeks, month, today, &counts);
    let hours = by_hour(&week, &visit);
    let page = CalendarPage { visit, month, weeks, hours, chosen, exact };
    page.visit.show(&page)
}

/// The planned runs of a day.
async fn choose(visit: &Visit, day: NaiveDate, planned: &[Starts]) -> Result<Chosen, Fault> {
    let (now, zone) = (visit.at.now, visit.at.zone);
    let (begin, end) = (start_of(day, zone), end_of(day, zone));
    let of_day = planned.iter().filter(|hour| hour.time + HOUR > begin && hour.time < end).copied();
    let mut hours: Vec<Starts> = of_day.collect();
    if hours.iter().map(|hour| hour.starts).sum::<u64>() < MANY {
        hours.clear();
    }
    let hour: Option<Millis> = visit.query.get("hour").parse().ok();
    let hour = hour.filter(|time| hours.iter().any(|hour| hour.time == *time));
    let (from, to) = hour.map_or((begin, end), |hour| (hour, hour + HOUR));
    let mut list = Upcoming::default();
    if to > now {
        let address = format!("/admin/upcoming?from={}&to={to}&limit={LISTED}", from.max(now));
        list = visit.api.get(&address).await?;
    }
    Ok(Chosen { day, hours, hour, entries: fold(list.occurrences), more: list.truncated })
}

/// The lines of a list: the runs of a task that has many of them are one.
fn fold(planned: Vec<Planned>) -> Vec<Entry> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for run in &planned {
        *counts.entry(run.task_id.clone()).or_default() += 1;
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut folded: HashMap<String, usize> = HashMap::new();
    for Planned { time, task_id, task_name, handler } in planned {
        let has_many = counts.get(&task_id).is_some_and(|count| *count > FOLDED);
        if let Some(entry) = folded.get(&task_id).and_then(|index| entries.get_mut(*index)) {
            (entry.last, entry.count) = (time, entry.count + 1);
            continue;
        }
        if has_many {
            folded.insert(task_id.clone(), entries.len());
        }
        entries.push(Entry { first: time, last: time, count: 1, task_id, task_name, handler });
    }
    entries
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
    let is_past = |bucket: &Starts| bucket.time + HOUR <= visit.at.now;
    let ahead = week.buckets.iter().filter(|bucket| !is_past(bucket));
    let most = ahead.map(|bucket| bucket.starts).max().unwrap_or(0);
    let mut days: Vec<(NaiveDate, Vec<Cell>)> = Vec::new();
    for bucket in &week.buckets {
        let Some(date) = date_of(bucket.time, zone) else { continue };
        if days.last().is_none_or(|(day, _)| *day != date) {
            days.push((date, (0..24).map(|_| Cell { starts: 0, level: 0, past: false }).collect()));
        }
        let hour = visit.at.format(bucket.time, "%H").parse::<usize>().unwrap_or(0);
        let cell = days.last_mut().and_then(|(_, cells)| cells.get_mut(hour));
        if let Some(cell) = cell {
            cell.past = is_past(bucket);
            if !cell.past {
                cell.starts += bucket.starts;
                cell.level = level(cell.starts, most);
            }
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
    use super::*;

    #[test]
    fn a_level_tells_the_share_and_nothing_has_none() {
        assert_eq!([0, 1, 25, 26, 50, 99, 100].map(|count| level(count, 100)), [0, 1, 1, 2, 2, 4, 4]);
        assert_eq!(level(0, 0), 0);
    }

    #[test]
    fn a_task_with_many_runs_is_one_line_at_its_first() {
        let run = |time, id: &str| Planned {
            time,
            task_id: id.to_owned(),
            task_name: id.to_owned(),
            handler: String::new(),
        };
        let mut planned: Vec<_> = (0..5).map(|n| run(n * 10, "often")).collect();
        planned.extend([run(5, "seldom"), run(45, "seldom")]);
        planned.sort_by_key(|run| run.time);
        let lines: Vec<_> = fold(planned)
            .into_iter()
            .map(|line| (line.task_name, line.first, line.last, line.count))
            .collect();
        let line = |name: &str, first, last, count| (name.to_owned(), first, last, count);
        assert_eq!(lines, [line("often", 0, 40, 5), line("seldom", 5, 5, 1), line("seldom", 45, 45, 1)]);
    }
}

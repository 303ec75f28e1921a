//! The next times of a schedule, and the runs of other tasks at those times.

use askama::{Template, filters::HtmlSafe};
use serde::Deserialize;

use crate::{
    dashboard::{ask::Fault, links::Query, shown, visit::Visit},
    domain::{Millis, zone::parse_zone},
};

/// Times of a preview.
const PREVIEWED: usize = 10;

/// The next times of a schedule, or the reason why it is none.
#[derive(Template)]
#[template(path = "preview.html")]
pub(super) struct Outlook {
    times: Option<Preview>,
    problem: Option<String>,
    rows: Vec<Row>,
    /// The reader's zone, where it is another one.
    elsewhere: Option<&'static str>,
    /// The same schedule in minutes with fewer runs.
    quieter: Vec<Quieter>,
}

/// One time.
struct Row {
    there: String,
    here: String,
    away: String,
    /// Runs of other tasks that start in the same minute; `None` if that is not known.
    others: Option<u64>,
    /// Whether more would be in progress than run at once.
    full: bool,
}

/// The answer of `/admin/schedule/preview`.
#[derive(Deserialize)]
struct Preview {
    timezone: String,
    description: String,
    next: Vec<Millis>,
    warnings: Vec<String>,
}

/// The answer of `/admin/scheduler/conflicts`.
#[derive(Default, Deserialize)]
struct Conflicts {
    times: Vec<Busy>,
    quieter: Vec<Quieter>,
}

#[derive(Deserialize)]
struct Busy {
    time: Millis,
    starts: u64,
    running: u64,
    capacity: u64,
}

#[derive(Deserialize)]
struct Quieter {
    schedule: String,
    starts: u64,
}

/// The template has escaped its texts.
impl HtmlSafe for Outlook {}

impl Outlook {
    /// The outlook of a schedule for the task with an id; an empty id is a new task.
    pub(super) async fn of(visit: &Visit, schedule: &str, timezone: &str, task: &str) -> Result<Self, Fault> {
        let mut outlook =
            Self { times: None, problem: None, rows: Vec::new(), elsewhere: None, quieter: Vec::new() };
        if schedule.trim().is_empty() {
            return Ok(outlook);
        }
        let query = Query::default().with("schedule", schedule).with("timezone", timezone);
        let address = query.with("count", PREVIEWED).after("/admin/schedule/preview");
        let preview = match visit.api.get::<Preview>(&address).await {
            Ok(preview) => preview,
            Err(Fault::Refused(refusal)) => {
                let first = refusal.details.first().map(|one| one.problem.clone());
                outlook.problem = Some(first.unwrap_or(refusal.message));
                return Ok(outlook);
            }
            Err(fault) => return Err(fault),
        };
        // The times are shown without the others where a token may not see all tasks.
        let address = query.with("excludeId", task).after("/admin/scheduler/conflicts");
        let conflicts = visit.api.get::<Conflicts>(&address).await.unwrap_or_default();
        let zone = parse_zone(&preview.timezone).unwrap_or(visit.at.zone);
        outlook.elsewhere = (zone != visit.at.zone).then(|| visit.at.zone.name());
        outlook.rows = preview.next.iter().map(|&time| row(visit, time, zone, &conflicts)).collect();
        outlook.quieter = conflicts.quieter;
        outlook.times = Some(preview);
        Ok(outlook)
    }

    /// Whether the runs of other tasks are known.
    fn knows_others(&self) -> bool {
        self.rows.iter().any(|row| row.others.is_some())
    }
}

fn row(visit: &Visit, time: Millis, zone: chrono_tz::Tz, conflicts: &Conflicts) -> Row {
    const FORMAT: &str = "%a %-d %b %Y, %H:%M:%S";
    let busy = conflicts.times.iter().find(|busy| busy.time == time);
    Row {
        there: visit.at.there(zone).format(time, FORMAT),
        here: visit.at.format(time, FORMAT),
        away: visit.at.away(time),
        others: busy.map(|busy| busy.starts),
        full: busy.is_some_and(|busy| busy.running >= busy.capacity),
    }
}

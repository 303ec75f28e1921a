//! Draft: the fields of a create or update body, each checked by itself; every problem is named
//! at once.
//!
//! [`fields`] is the table by which a body is read. A draft becomes a [`Definition`] on top of
//! another one: the defaults for a new task ([`Draft::create`]), the task's own for a change
//! ([`Draft::update`]). Only then can fields be compared that do not go together.

pub mod fields;
mod params;
mod problem;
mod rules;
mod run;
pub mod schema;
mod shapes;
#[cfg(test)]
pub(crate) mod tests;
mod values;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use self::fields::{FIELDS, LATEST};
pub(super) use self::params::params_bytes;
use self::values::{read_after, read_whole};
pub use self::{
    params::{INLINE, KEPT_APART, MAX_PARAMS_BYTES, MAX_PARAMS_DEPTH, RowParams, check_params},
    problem::{MOST_PROBLEMS, Problem, Problems, sentence},
    rules::read_rules,
    run::Origin,
    values::whole_number,
};
use super::{
    Millis,
    definition::{Backoff, Definition, Misfire, OnExhausted, Overlap},
    ids::TaskId,
    schedule::{Schedule, Timetable},
    text::to_one_line,
};

/// The most planned times of one backfill.
pub(super) const MOST_BACKFILLED: u64 = 1000;

/// The defaults that are settings of the server.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The zone of tasks without their own.
    pub timezone: Tz,
    /// The number of executions that a task keeps.
    pub keep_executions: u64,
}

/// The fields that a body gives, each valid by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    given: Map<String, Value>,
}

impl Draft {
    /// Reads a body.
    ///
    /// # Errors
    /// Every problem with it: unknown names, wrong types, values out of range.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        let draft = Self { given: body.clone() };
        let mut problems = Problems::default();
        let known: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        problems.report_unknown(body.keys().map(String::as_str), &known);
        draft.put_into(
            &mut Definition::defaults(&Defaults { timezone: Tz::UTC, keep_executions: 1 }),
            &mut problems,
        );
        problems.finish().map(|()| draft)
    }

    /// Reads the body of a new task.
    ///
    /// # Errors
    /// Required fields that are missing, and those of [`Draft::read`].
    pub fn read_new(body: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        let has_predecessor = body.get("after").is_some_and(|after| !after.is_null());
        let missing = FIELDS
            .iter()
            .filter(|field| field.is_required() && !body.contains_key(field.name))
            .filter(|field| field.name != "schedule" || !has_predecessor);
        let mut problems: Vec<_> = missing.map(|field| Problem::new(field.name, "is required")).collect();
        match Self::read(body) {
            Ok(draft) if problems.is_empty() => Ok(draft),
            Ok(_) => Err(problems),
            Err(others) => {
                problems.extend(others);
                Err(problems)
            }
        }
    }

    /// The definition of a new task from its whole body, created at `now`: [`Draft::read_new`] and
    /// [`Draft::create`] in one.
    ///
    /// # Errors
    /// Every problem with the body, also with fields that do not go together.
    pub fn define(
        body: &Map<String, Value>,
        defaults: &Defaults,
        now: Millis,
    ) -> Result<Definition, Vec<Problem>> {
        let mut problems = match Self::read_new(body) {
            Ok(draft) => return draft.create(defaults, now),
            Err(problems) => problems,
        };
        let mut definition = Definition::defaults(defaults);
        Self { given: body.clone() }.put_into(&mut definition, &mut Problems::default());
        // A field with a mistake of its own is not compared with others.
        if let Err(others) = check_combination(&definition, now) {
            let compared = ["schedule", "timezone", "recurring"];
            if !problems.iter().any(|problem| compared.contains(&problem.field.as_str())) {
                problems.extend(others);
            }
        }
        Err(problems)
    }

    /// The names of the channels in its alerts.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        let rules = self.given.get("alerts").and_then(Value::as_array).into_iter().flatten();
        rules.map(|rule| rule["channel"].as_str().unwrap_or_default())
    }

    /// The name of the handler, if it is given.
    #[must_use]
    pub fn handler(&self) -> Option<&str> {
        self.given.get("handler")?.as_str()
    }

    /// The predecessor that it gives.
    #[must_use]
    pub fn predecessor(&self) -> Option<TaskId> {
        read_after(self.given.get("after")?).ok()?.map(|after| after.task_id)
    }

    /// The definition of a new task, created at `now`, of a draft that [`Draft::read_new`] read.
    ///
    /// # Errors
    /// Fields that do not go together.
    pub fn create(&self, defaults: &Defaults, now: Millis) -> Result<Definition, Vec<Problem>> {
        let mut defaults = Definition::defaults(defaults);
        if !self.given.contains_key("schedule") {
            defaults.schedule = Timetable::never();
        }
        self.update(&defaults, now)
    }

    /// `old` with the fields that are given, at `now`.
    ///
    /// # Errors
    /// Fields that do not go together.
    pub fn update(&self, old: &Definition, now: Millis) -> Result<Definition, Vec<Problem>> {
        let mut definition = old.clone();
        let mut problems = Problems::default();
        self.put_into(&mut definition, &mut problems);
        problems.finish()?;
        check_combination(&definition, now)?;
        let bounds = |task: &Definition| (task.schedule.clone(), task.start_at, task.end_at);
        if bounds(old) != bounds(&definition) {
            check_bounds(&definition, now)?;
        }
        Ok(definition)
    }

    fn put_into(&self, definition: &mut Definition, problems: &mut Problems) {
        for field in FIELDS {
            if let Some(value) = self.given.get(field.name) {
                field.put(value, definition, problems);
            }
        }
    }
}

impl Definition {
    /// The default of every field that has one. Required fields hold a value that a body replaces.
    fn defaults(settings: &Defaults) -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            handler: String::new(),
            params: Map::new(),
            schedule: Timetable::now(),
            timezone: settings.timezone,
            recurring: false,
            max_retries: 0,
            retry_delay: 60_000,
            retry_backoff: Backoff::Fixed,
            timeout: 300_000,
            overlap: Overlap::Skip,
            misfire: Misfire::Once,
            on_exhausted: OnExhausted::Continue,
            keep_executions: settings.keep_executions,
            tags: Vec::new(),
            start_at: None,
            end_at: None,
            max_runs: None,
            jitter: 0,
            priority: 0,
            concurrency_key: None,
            after: None,
            alerts: None,
        }
    }
}

/// Reads the body of a manual run: `{"params": {…}}` or nothing.
///
/// # Errors
/// Every problem with it.
pub fn read_run(body: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Vec<Problem>> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["params"]);
    let mut run = Definition::defaults(&Defaults { timezone: Tz::UTC, keep_executions: 1 });
    let given = body.get("params");
    if let Some((field, params)) = FIELDS.iter().find(|field| field.name == "params").zip(given) {
        field.put(params, &mut run, &mut problems);
    }
    problems.finish()?;
    Ok(given.map(|_| run.params))
}

/// Reads the body of a backfill: `{"from": ms, "to": ms, "max": 1..1000}`.
///
/// # Errors
/// Every problem with it.
pub fn read_backfill(body: &Map<String, Value>) -> Result<((Millis, Millis), u64), Vec<Problem>> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["from", "to", "max"]);
    let mut number = |name: &str, least: u64, most: u64, preset: Option<u64>| {
        let read = match (body.get(name), preset) {
            (None, Some(preset)) => Ok(preset),
            (None, None) => Err("is required".to_owned()),
            (Some(value), _) => read_whole(value, least, most),
        };
        read.unwrap_or_else(|problem| {
            problems.report(name, problem);
            least
        })
    };
    let (from, to) = (number("from", 0, LATEST, None), number("to", 0, LATEST, None));
    let most = number("max", 1, MOST_BACKFILLED, Some(MOST_BACKFILLED));
    problems.finish()?;
    if to < from {
        return Err(vec![Problem::new("to", "must not be before from")]);
    }
    Ok(((from.cast_signed(), to.cast_signed()), most))
}

/// Checks that `text` can name a handler.
///
/// # Errors
/// A phrase that names the mistake.
pub fn handler_name(text: &str) -> Result<(), String> {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else if text.len() > 200 {
        Err("is longer than 200 characters".to_owned())
    } else if text.split('/').all(is_part) {
        Ok(())
    } else if let Some(bare) = text.strip_suffix(".js").filter(|bare| bare.split('/').all(is_part)) {
        Err(format!("is a file name: leave the extension out and write \"{bare}\""))
    } else {
        Err(format!(
            "\"{}\" is no handler's name: it is the name of a file below the handlers' folder without its \
             extension, of letters, digits, - and _, with / between folders",
            to_one_line(text)
        ))
    }
}

fn check_combination(definition: &Definition, now: Millis) -> Result<(), Vec<Problem>> {
    let schedule = &definition.schedule;
    if definition.recurring && schedule.is_one_time() {
        let problem = format!("must be false with the one-time schedule \"{schedule}\"");
        return Err(vec![Problem::new("recurring", problem)]);
    }
    schedule
        .check_reachable(now, now, definition.timezone)
        .map_err(|error| vec![Problem::new("schedule", error.to_string())])
}

/// Checks that `startAt` and `endAt` leave a planned time, at `now`.
fn check_bounds(definition: &Definition, now: Millis) -> Result<(), Vec<Problem>> {
    let Definition { schedule, start_at, end_at, .. } = definition;
    let field = match (start_at, end_at) {
        (None, None) => return Ok(()),
        (Some(_), _) => "startAt",
        (None, Some(_)) => "endAt",
    };
    let refuse = |field, problem: String| Err(vec![Problem::new(field, problem)]);
    // The bounds of a task that only runs after another one are those of its runs.
    let only_follows = matches!(**schedule, Schedule::Never) && definition.after.is_some();
    if schedule.is_one_time() && !only_follows {
        let kind = match **schedule {
            Schedule::Never => "schedule \"never\", which plans no run".to_owned(),
            _ => format!("one-time schedule \"{schedule}\""),
        };
        return refuse(field, format!("must be null with the {kind}"));
    }
    if let (Some(start), Some(end)) = (start_at, end_at)
        && start >= end
    {
        return refuse("endAt", format!("must be later than startAt, which is {start}, not {end}"));
    }
    if only_follows {
        return Ok(());
    }
    // The first time of all tasks is the one without jitter.
    let has_run = |end_at| {
        let bounded = Definition { jitter: 0, end_at, ..definition.clone() };
        bounded.plan(now, TaskId::from_bytes([0; 16])).next_after(now).is_some()
    };
    let leaves_none = format!("leaves no run of the schedule \"{schedule}\" that is still to come");
    match (has_run(*end_at), end_at) {
        (true, _) => Ok(()),
        (false, Some(_)) if has_run(None) => refuse("endAt", leaves_none),
        (false, _) => refuse(field, leaves_none),
    }
}

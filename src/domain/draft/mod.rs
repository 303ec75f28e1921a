//! Draft: a create or update body, read field by field; every problem is named at once.

mod reader;
#[cfg(test)]
pub(crate) mod tests;

use serde_json::{Map, Value};

use self::reader::{Place, Reader, check_object, unknown_keys};
use super::{
    Millis,
    definition::{Backoff, Definition, Misfire, OnExhausted, Overlap},
    schedule::Schedule,
    zone::parse_zone,
};

/// What is wrong with one field, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The field, with a path inside `params`.
    pub field: String,
    /// A phrase for people.
    pub problem: String,
}

impl Problem {
    /// A problem with `field`, whose name is cut if nobody would read it to its end, and is two quotes
    /// if it has none.
    #[must_use]
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let mut field = field.into();
        if let Some((end, _)) = field.char_indices().nth(LONGEST_FIELD) {
            field.replace_range(end.., "…");
        }
        if field.is_empty() {
            field.push_str("\"\"");
        }
        Self { field, problem: problem.into() }
    }
}

/// Of the names in a body and of what is wrong with it, so much is told: an answer that grew with
/// them could be many times as long as the body.
pub const MOST_PROBLEMS: usize = 20;
/// Characters.
const LONGEST_FIELD: usize = 200;

/// What a body may leave out, from the server's settings.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// An IANA time zone name.
    pub timezone: String,
    /// How many executions a task keeps.
    pub keep_executions: u64,
}

/// The fields that a body gives, each valid by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    name: Option<String>,
    description: Option<String>,
    handler: Option<String>,
    params: Option<Map<String, Value>>,
    schedule: Option<String>,
    timezone: Option<String>,
    recurring: Option<bool>,
    max_retries: Option<u64>,
    retry_delay: Option<u64>,
    retry_backoff: Option<Backoff>,
    timeout: Option<u64>,
    overlap: Option<Overlap>,
    misfire: Option<Misfire>,
    on_exhausted: Option<OnExhausted>,
    keep_executions: Option<u64>,
}

const FIELDS: [&str; 16] = [
    "name",
    "description",
    "type",
    "handler",
    "params",
    "schedule",
    "timezone",
    "recurring",
    "maxRetries",
    "retryDelay",
    "retryBackoff",
    "timeout",
    "overlap",
    "misfire",
    "onExhausted",
    "keepExecutions",
];

const REQUIRED: [&str; 4] = ["name", "description", "handler", "schedule"];

/// Parameters are at most this many bytes of JSON.
pub const MAX_PARAMS_BYTES: usize = 256 * 1024;
/// And at most this many levels deep.
pub const MAX_PARAMS_DEPTH: usize = 32;

impl Draft {
    /// Reads a body.
    ///
    /// # Errors
    /// Every problem with it: unknown keys, wrong types, values out of range.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { body, problems: unknown_keys(body, &FIELDS) };
        if let Some(kind) = reader.string("type", 0, 50)
            && kind != "script"
        {
            reader.report("type", format!("\"{kind}\" is not supported: only \"script\" is"));
        }
        let draft = Self {
            name: reader.name(),
            description: reader.string("description", 0, 200),
            handler: reader.checked("handler", |text| handler_name(text).map(|()| text.to_owned())),
            params: reader.params(),
            schedule: reader.checked("schedule", |text| {
                Schedule::parse(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
            }),
            timezone: reader.checked("timezone", |text| {
                parse_zone(text).map(|zone| zone.name().to_owned()).map_err(|e| e.to_string())
            }),
            recurring: reader.boolean("recurring"),
            max_retries: reader.integer("maxRetries", 0, 10),
            retry_delay: reader.integer("retryDelay", 1000, 3_600_000),
            retry_backoff: reader
                .choice("retryBackoff", &[("fixed", Backoff::Fixed), ("exponential", Backoff::Exponential)]),
            timeout: reader.integer("timeout", 100, 86_400_000),
            overlap: reader.choice(
                "overlap",
                &[
                    ("skip", Overlap::Skip),
                    ("queue", Overlap::Queue),
                    ("allow", Overlap::Allow),
                    ("replace", Overlap::Replace),
                ],
            ),
            misfire: reader.choice(
                "misfire",
                &[("once", Misfire::Once), ("skip", Misfire::Skip), ("all", Misfire::All)],
            ),
            on_exhausted: reader
                .choice("onExhausted", &[("continue", OnExhausted::Continue), ("stop", OnExhausted::Stop)]),
            keep_executions: reader.integer("keepExecutions", 1, 10_000),
        };
        if reader.problems.is_empty() { Ok(draft) } else { Err(reader.problems) }
    }

    /// Reads the body of a new task.
    ///
    /// # Errors
    /// Those of [`Draft::read`], and required fields that are missing.
    pub fn read_new(body: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        let missing = REQUIRED.into_iter().filter(|field| !body.contains_key(*field));
        let mut problems: Vec<_> = missing.map(|field| Problem::new(field, "is required")).collect();
        match Self::read(body) {
            Ok(draft) if problems.is_empty() => Ok(draft),
            Ok(_) => Err(problems),
            Err(others) => {
                problems.extend(others);
                Err(problems)
            }
        }
    }

    /// The handler it names.
    #[must_use]
    pub fn handler(&self) -> Option<&str> {
        self.handler.as_deref()
    }

    /// A new task's definition, created at `now`, of a draft that [`Draft::read_new`] read.
    ///
    /// # Errors
    /// Fields that do not go together.
    pub fn create(self, defaults: &Defaults, now: Millis) -> Result<Definition, Vec<Problem>> {
        let definition = Definition {
            name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            handler: self.handler.unwrap_or_default(),
            params: self.params.unwrap_or_default(),
            schedule: self.schedule.unwrap_or_default(),
            timezone: self.timezone.unwrap_or_else(|| defaults.timezone.clone()),
            recurring: self.recurring.unwrap_or(false),
            max_retries: retries(self.max_retries, 0),
            retry_delay: self.retry_delay.map_or(60_000, u64::cast_signed),
            retry_backoff: self.retry_backoff.unwrap_or(Backoff::Fixed),
            timeout: self.timeout.unwrap_or(300_000),
            overlap: self.overlap.unwrap_or(Overlap::Skip),
            misfire: self.misfire.unwrap_or(Misfire::Once),
            on_exhausted: self.on_exhausted.unwrap_or(OnExhausted::Continue),
            keep_executions: self.keep_executions.unwrap_or(defaults.keep_executions),
        };
        together(definition, now)
    }

    /// `old` with the fields that are given.
    ///
    /// # Errors
    /// Fields that do not go together.
    pub fn update(self, old: &Definition, now: Millis) -> Result<Definition, Vec<Problem>> {
        let old = old.clone();
        let definition = Definition {
            name: self.name.unwrap_or(old.name),
            description: self.description.unwrap_or(old.description),
            handler: self.handler.unwrap_or(old.handler),
            params: self.params.unwrap_or(old.params),
            schedule: self.schedule.unwrap_or(old.schedule),
            timezone: self.timezone.unwrap_or(old.timezone),
            recurring: self.recurring.unwrap_or(old.recurring),
            max_retries: retries(self.max_retries, old.max_retries),
            retry_delay: self.retry_delay.map_or(old.retry_delay, u64::cast_signed),
            retry_backoff: self.retry_backoff.unwrap_or(old.retry_backoff),
            timeout: self.timeout.unwrap_or(old.timeout),
            overlap: self.overlap.unwrap_or(old.overlap),
            misfire: self.misfire.unwrap_or(old.misfire),
            on_exhausted: self.on_exhausted.unwrap_or(old.on_exhausted),
            keep_executions: self.keep_executions.unwrap_or(old.keep_executions),
        };
        together(definition, now)
    }
}

/// Reads the body of a run by hand: `{"params": {…}}` or nothing.
///
/// # Errors
/// Every problem with it.
pub fn read_run(body: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Vec<Problem>> {
    let mut reader = Reader { body, problems: unknown_keys(body, &["params"]) };
    let params = reader.params();
    if reader.problems.is_empty() { Ok(params) } else { Err(reader.problems) }
}

/// How many bytes parameters take as JSON.
pub(super) fn params_bytes(params: &Map<String, Value>) -> usize {
    serde_json::to_string(params).map_or(usize::MAX, |text| text.len())
}

/// Parameters that came some other way than in a body.
///
/// # Errors
/// Every problem with them.
pub fn check_params(params: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let bytes = params_bytes(params);
    if bytes > MAX_PARAMS_BYTES {
        problems.push(Problem::new(
            "params",
            format!("takes {bytes} bytes as JSON: at most {MAX_PARAMS_BYTES} are allowed"),
        ));
    }
    check_object(Place::Field("params"), params, 1, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Whether `text` can name a handler.
///
/// # Errors
/// What is wrong with it.
pub fn handler_name(text: &str) -> Result<(), String> {
    let part_is_good = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else if text.len() > 200 {
        Err("is longer than 200 characters".to_owned())
    } else if text.split('/').all(part_is_good) {
        Ok(())
    } else if let Some(bare) = text.strip_suffix(".js").filter(|bare| bare.split('/').all(part_is_good)) {
        Err(format!("is a file name: leave the extension out and write \"{bare}\""))
    } else {
        Err(format!(
            "\"{text}\" is no handler's name: it is the name of a file below the handlers' folder without its \
             extension, of letters, digits, - and _, with / between folders"
        ))
    }
}

fn retries(given: Option<u64>, otherwise: u32) -> u32 {
    given.and_then(|n| u32::try_from(n).ok()).unwrap_or(otherwise)
}

fn together(definition: Definition, now: Millis) -> Result<Definition, Vec<Problem>> {
    let table = definition.timetable(now).map_err(|e| vec![Problem::new("schedule", e.to_string())])?;
    if definition.recurring && table.schedule.is_one_time() {
        return Err(vec![Problem::new(
            "recurring",
            format!("must be false with the one-time schedule \"{}\"", definition.schedule),
        )]);
    }
    table
        .schedule
        .check_reachable(now, now, table.zone)
        .map_err(|e| vec![Problem::new("schedule", e.to_string())])?;
    Ok(definition)
}

//! The table of a task's fields: a row has a field's name, its accepted values and its documentation.
//! Bodies are read by it, documents list the fields in its order, and `docs/api.md` shows it. The type
//! of a field is in `Definition`, its default in `Definition::defaults`.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, IntoDeserializer, value::Error};
use serde_json::{Map, Value};

use super::{
    Defaults, MAX_PARAMS_BYTES, MAX_PARAMS_DEPTH, check_params, handler_name,
    problem::{Problem, Problems},
    rules::read_rules,
    shapes,
    values::{kind_of, read_after, read_key, read_tags, read_whole, told, whole_part},
};
use crate::domain::{
    definition::Definition,
    schedule::Timetable,
    text::{count, has_visible, to_one_line},
    time,
    zone::parse_zone,
};

/// One field of a task that a user decides about.
pub struct Field {
    /// Its name in bodies and documents.
    pub name: &'static str,
    preset: Preset,
    pub(super) accept: Accept,
    pub(super) meaning: &'static str,
}

/// The value of a field that the body of a new task leaves out.
#[derive(PartialEq, Eq)]
enum Preset {
    /// None: the body must give it.
    Required,
    /// The one of [`Definition::defaults`].
    Fixed,
    /// The server's setting of this key.
    Setting(&'static str),
}

/// The values that a field takes, and where they go.
pub(super) enum Accept {
    /// A string of so many characters that `put` takes.
    Text { from: usize, to: usize, put: fn(&mut Definition, &str) -> Result<(), String> },
    /// A string that `put` alone judges.
    Parsed {
        allowed: &'static str,
        schema: fn() -> Value,
        put: fn(&mut Definition, &str) -> Result<(), String>,
    },
    /// An object that [`check_params`] accepts.
    Params { put: fn(&mut Definition, &Map<String, Value>) },
    /// `true` or `false`.
    Switch { put: fn(&mut Definition, bool) },
    /// A whole number in a range.
    Whole { from: u64, to: u64, unit: &'static str, put: fn(&mut Definition, u64) },
    /// A whole number in a range, or null.
    Maybe { from: u64, to: u64, unit: &'static str, put: fn(&mut Definition, Option<u64>) },
    /// A whole number in a range around 0.
    Signed { from: i8, to: i8, put: fn(&mut Definition, i8) },
    /// One of some words, each of which `put` takes.
    Choice { words: &'static [&'static str], put: fn(&mut Definition, &str) },
    /// A value that `put` alone judges; `absent` is the JSON of its default.
    Judged {
        allowed: &'static str,
        absent: fn() -> Value,
        schema: fn() -> Value,
        put: fn(&mut Definition, &Value) -> Result<(), Vec<Problem>>,
    },
}

use Accept::{Choice, Judged, Maybe, Params, Parsed, Signed, Switch, Text, Whole};
use Preset::{Fixed, Required, Setting};

const fn row(name: &'static str, preset: Preset, accept: Accept, meaning: &'static str) -> Field {
    Field { name, preset, accept, meaning }
}

const fn parsed(
    allowed: &'static str,
    schema: fn() -> Value,
    put: fn(&mut Definition, &str) -> Result<(), String>,
) -> Accept {
    Parsed { allowed, schema, put }
}

const fn whole(from: u64, to: u64, unit: &'static str, put: fn(&mut Definition, u64)) -> Accept {
    Whole { from, to, unit, put }
}

/// The latest moment of a field.
pub(super) const LATEST: u64 = time::LATEST.unsigned_abs();

const fn moment(put: fn(&mut Definition, Option<u64>)) -> Accept {
    Maybe { from: 0, to: LATEST, unit: "ms since 1970", put }
}

/// Every field, in the order of documents.
pub static FIELDS: &[Field] = &[
    row(
        "name",
        Required,
        Text { from: 3, to: 50, put: put_name },
        "unique; a visible character, no control characters",
    ),
    row(
        "description",
        Required,
        Text { from: 0, to: 200, put: |task, text| put(&mut task.description, Ok(text.to_owned())) },
        "for people",
    ),
    row("type", Fixed, parsed("`script`", shapes::kind, |_, kind| check_type(kind)), "the kind of task"),
    row(
        "handler",
        Required,
        parsed("the name of a [handler](handlers.md) that loads", shapes::handler, |task, text| {
            put(&mut task.handler, handler_name(text).map(|()| text.to_owned()))
        }),
        "the function that runs",
    ),
    row("params", Fixed, Params { put: |task, params| task.params = params.clone() }, "the handler's input"),
    row(
        "schedule",
        Required,
        parsed("a [schedule](schedules.md)", shapes::schedule, |task, text| {
            put(&mut task.schedule, Timetable::parse(text).map_err(|e| e.to_string()))
        }),
        "when it runs; `never` if it is left out and `after` is given",
    ),
    row(
        "timezone",
        Setting("timezone"),
        parsed("an IANA name, such as `Europe/Berlin`", shapes::zone, |task, text| {
            put(&mut task.timezone, parse_zone(text).map_err(|e| e.to_string()))
        }),
        "the zone whose clocks the schedule follows",
    ),
    row(
        "recurring",
        Fixed,
        Switch { put: |task, on| task.recurring = on },
        "whether the task goes on after its first run",
    ),
    row(
        "maxRetries",
        Fixed,
        whole(0, 10, "", |task, n| task.max_retries = u32::try_from(n).unwrap_or(u32::MAX)),
        "attempts after the first",
    ),
    row(
        "retryDelay",
        Fixed,
        whole(1000, 3_600_000, "ms", |task, n| task.retry_delay = n.cast_signed()),
        "the wait between attempts",
    ),
    row(
        "retryBackoff",
        Fixed,
        Choice { words: &["fixed", "exponential"], put: |task, word| choose(&mut task.retry_backoff, word) },
        "how the wait grows; `exponential`: it doubles, ±10 %, up to 24 h",
    ),
    row(
        "timeout",
        Fixed,
        whole(100, 86_400_000, "ms", |task, n| task.timeout = n),
        "the time of one attempt",
    ),
    row(
        "overlap",
        Fixed,
        Choice {
            words: &["skip", "queue", "allow", "replace"],
            put: |task, word| choose(&mut task.overlap, word),
        },
        "when a run is due while another goes on",
    ),
    row(
        "misfire",
        Fixed,
        Choice { words: &["once", "skip", "all"], put: |task, word| choose(&mut task.misfire, word) },
        "when the time of a run was missed",
    ),
    row(
        "onExhausted",
        Fixed,
        Choice { words: &["continue", "stop"], put: |task, word| choose(&mut task.on_exhausted, word) },
        "when the last attempt failed; `stop`: a recurring task has no next run",
    ),
    row(
        "keepExecutions",
        Setting("history.keep"),
        whole(1, 10_000, "", |task, n| task.keep_executions = n),
        "executions that are kept",
    ),
    row(
        "tags",
        Fixed,
        Judged {
            allowed: "an array of at most 20 different strings of 1 to 40 characters",
            absent: || Value::Array(Vec::new()),
            schema: shapes::tags,
            put: |task, value| read_tags(value).map(|tags| task.tags = tags),
        },
        "words to find the task by",
    ),
    row(
        "startAt",
        Fixed,
        moment(|task, at| task.start_at = at.map(u64::cast_signed)),
        "no run is planned before; intervals count from it",
    ),
    row("endAt", Fixed, moment(|task, at| task.end_at = at.map(u64::cast_signed)), "no run is planned after"),
    row(
        "maxRuns",
        Fixed,
        Maybe { from: 1, to: 1_000_000_000, unit: "", put: |task, most| task.max_runs = most },
        "runs after which none is planned, counted while the field is set",
    ),
    row(
        "jitter",
        Fixed,
        whole(0, 3_600_000, "ms", |task, n| task.jitter = n.cast_signed()),
        "each run is planned so much later at most; the task's id decides, the same each time",
    ),
    row(
        "priority",
        Fixed,
        Signed { from: -10, to: 10, put: |task, n| task.priority = n },
        "of runs that are due and wait for a runner, the highest start first",
    ),
    row(
        "concurrencyKey",
        Fixed,
        Judged {
            allowed: "1 to 100 characters, or `null`",
            absent: || Value::Null,
            schema: shapes::key,
            put: |task, value| read_key(value).map(|key| task.concurrency_key = key),
        },
        "of all tasks with this key, [so many](schedules.md#concurrency-keys) executions run at once",
    ),
    row(
        "after",
        Fixed,
        Judged {
            allowed: "`{taskId, on}` with `on` one of `success`, `failure`, `end`; or `null`",
            absent: || Value::Null,
            schema: shapes::after,
            put: |task, value| read_after(value).map(|after| task.after = after),
        },
        "runs when an [occurrence of that task](schedules.md#after-another-task) ends so",
    ),
    row(
        "alerts",
        Fixed,
        Judged {
            allowed: "an array of rules: who is told of what, or `null`",
            absent: || Value::Null,
            schema: shapes::alerts,
            put: |task, value| {
                let rules = (!value.is_null()).then(|| read_rules("alerts", value)).transpose()?;
                task.alerts = rules;
                Ok(())
            },
        },
        "messages about runs; `null`: those of the settings, `[]`: none",
    ),
];

fn put<T>(slot: &mut T, value: Result<T, String>) -> Result<(), String> {
    value.map(|value| *slot = value)
}

fn put_name(task: &mut Definition, name: &str) -> Result<(), String> {
    let escaped = to_one_line(name);
    let refused = if escaped != name {
        Some(format!(
            "must not have control or bidirectional characters, such as a line break: it is \"{escaped}\""
        ))
    } else if !has_visible(name) {
        Some("must have a visible character".to_owned())
    } else {
        None
    };
    put(&mut task.name, refused.map_or_else(|| Ok(name.to_owned()), Err))
}

fn check_type(kind: &str) -> Result<(), String> {
    if kind == "script" { Ok(()) } else { Err(format!("\"{kind}\" is not supported: only \"script\" is")) }
}

/// Takes the value that serde calls `word`. A test holds that there is one for each word.
fn choose<T: DeserializeOwned>(slot: &mut T, word: &str) {
    if let Ok(value) = T::deserialize(IntoDeserializer::<Error>::into_deserializer(word)) {
        *slot = value;
    }
}

impl Field {
    /// Whether the body of a new task must have it.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.preset == Required
    }

    /// Puts a body's value into `task`, or reports why it cannot be.
    pub(super) fn put(&self, value: &Value, task: &mut Definition, problems: &mut Problems) {
        let wrong = |wanted: &str| format!("must be {wanted}, not {}", kind_of(value));
        let refused = match (&self.accept, value) {
            (Text { from, to, put }, Value::String(text)) => {
                check_length(text, *from, *to).and_then(|()| put(task, text)).err()
            }
            (Choice { words, put }, Value::String(text)) => {
                let choices: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
                if let Some(word) = problems.choose(self.name, text, &choices) {
                    put(task, word);
                }
                None
            }
            (Parsed { put, .. }, Value::String(text)) => put(task, text).err(),
            (Text { .. } | Parsed { .. } | Choice { .. }, _) => Some(wrong("a string")),
            (Params { put }, Value::Object(params)) => {
                match check_params(params) {
                    Ok(()) => put(task, params),
                    Err(found) => problems.0.extend(found),
                }
                None
            }
            (Params { .. }, _) => Some(wrong("an object")),
            (Switch { put }, Value::Bool(on)) => {
                put(task, *on);
                None
            }
            (Switch { .. }, _) => Some(wrong("true or false")),
            (Maybe { put, .. }, Value::Null) => {
                put(task, None);
                None
            }
            (Maybe { from, to, put, .. }, value) => match read_whole(value, *from, *to) {
                Ok(number) => {
                    put(task, Some(number));
                    None
                }
                Err(problem) => Some(format!("{problem}, or null")),
            },
            (Whole { from, to, put, .. }, value) => {
                read_whole(value, *from, *to).map(|number| put(task, number)).err()
            }
            (Signed { from, to, put }, value) => match whole_part(value) {
                Some(number) if (*from..=*to).contains(&number) => {
                    put(task, number);
                    None
                }
                _ => Some(format!("must be a whole number from {from} to {to}, not {}", told(value))),
            },
            (Judged { put, .. }, value) => {
                problems.0.extend(put(task, value).err().unwrap_or_default());
                None
            }
        };
        if let Some(problem) = refused {
            problems.report(self.name, problem);
        }
    }

    /// Its value in `stored`, the JSON of a definition, which leaves out what many tasks do not use.
    #[must_use]
    pub fn show<'a>(&self, stored: &'a Value) -> Cow<'a, Value> {
        Cow::Owned(match (stored.get(self.name), &self.accept) {
            (Some(value), _) => return Cow::Borrowed(value),
            (None, _) if self.name == "type" => "script".into(),
            (None, Whole { .. } | Signed { .. }) => 0.into(),
            (None, Judged { absent, .. }) => absent(),
            (None, _) => Value::Null,
        })
    }

    /// The values it takes, for the documentation.
    fn allowed(&self) -> String {
        match &self.accept {
            Parsed { allowed, .. } => (*allowed).to_owned(),
            Text { from: 0, to, .. } => format!("at most {to} characters"),
            Text { from, to, .. } => format!("{from} to {to} characters"),
            Params { .. } => {
                format!("an object; at most {} KiB and {MAX_PARAMS_DEPTH} levels", MAX_PARAMS_BYTES / 1024)
            }
            Switch { .. } => "`true`, `false`".to_owned(),
            Signed { from, to, .. } => format!("{from} to {to}"),
            Judged { allowed, .. } => (*allowed).to_owned(),
            Maybe { from, to, unit, .. } => {
                format!("{from} to {to} {unit}").trim_end().to_owned() + ", or `null`"
            }
            Whole { from, to, unit, .. } => format!("{from} to {to} {unit}").trim_end().to_owned(),
            Choice { words, .. } => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The default, for the documentation.
    fn default(&self, defaults: &Value) -> String {
        match &self.preset {
            Required => "required".to_owned(),
            Setting(key) => format!("the setting `{key}`"),
            Fixed => match self.show(defaults).into_owned() {
                Value::String(text) => format!("`{text}`"),
                value => format!("`{value}`"),
            },
        }
    }
}

/// The table of fields of `docs/api.md`, in Markdown, with a line break at its end.
#[must_use]
pub fn reference() -> String {
    let settings = Defaults { timezone: chrono_tz::UTC, keep_executions: 0 };
    let defaults = serde_json::to_value(Definition::defaults(&settings)).unwrap_or_default();
    let mut table = "| field | default | values | meaning |\n|---|---|---|---|\n".to_owned();
    for field in FIELDS {
        let (name, default) = (field.name, field.default(&defaults));
        table += &format!("| `{name}` | {default} | {} | {} |\n", field.allowed(), field.meaning);
    }
    table
}

fn check_length(text: &str, from: usize, to: usize) -> Result<(), String> {
    let length = text.chars().count();
    if (from..=to).contains(&length) {
        return Ok(());
    }
    let allowed = if from == 0 { format!("at most {to}") } else { format!("{from} to {to}") };
    Err(format!("has {}: {allowed} are allowed", count(length, "character")))
}

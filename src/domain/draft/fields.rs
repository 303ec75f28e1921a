//! The table of a task's fields: a row has a field's name, its accepted values and its documentation.
//! Bodies are read by it, documents list the fields in its order, and `docs/api.md` shows it. The type
//! of a field is in `Definition`, its default in `Definition::defaults`.

use serde::de::{DeserializeOwned, IntoDeserializer, value::Error};
use serde_json::{Map, Value};

use super::{Defaults, MAX_PARAMS_BYTES, MAX_PARAMS_DEPTH, check_params, handler_name, problem::Problems};
use crate::domain::{
    definition::Definition,
    schedule::Timetable,
    text::{has_visible, to_one_line},
    zone::parse_zone,
};

/// One field of a task that a user decides about.
pub struct Field {
    /// Its name in bodies and documents.
    pub name: &'static str,
    preset: Preset,
    accept: Accept,
    meaning: &'static str,
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
enum Accept {
    /// A string of so many characters that `put` takes.
    Text { from: usize, to: usize, put: fn(&mut Definition, &str) -> Result<(), String> },
    /// A string that `put` alone judges.
    Parsed { allowed: &'static str, put: fn(&mut Definition, &str) -> Result<(), String> },
    /// An object that [`check_params`] accepts.
    Params { put: fn(&mut Definition, &Map<String, Value>) },
    /// `true` or `false`.
    Switch { put: fn(&mut Definition, bool) },
    /// A whole number in a range.
    Whole { from: u64, to: u64, unit: &'static str, put: fn(&mut Definition, u64) },
    /// One of some words, each of which `put` takes.
    Choice { words: &'static [&'static str], put: fn(&mut Definition, &str) },
}

use Accept::{Choice, Params, Parsed, Switch, Text, Whole};
use Preset::{Fixed, Required, Setting};

const fn row(name: &'static str, preset: Preset, accept: Accept, meaning: &'static str) -> Field {
    Field { name, preset, accept, meaning }
}

const fn parsed(allowed: &'static str, put: fn(&mut Definition, &str) -> Result<(), String>) -> Accept {
    Parsed { allowed, put }
}

const fn whole(from: u64, to: u64, unit: &'static str, put: fn(&mut Definition, u64)) -> Accept {
    Whole { from, to, unit, put }
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
    row("type", Fixed, parsed("`script`", |_, kind| check_type(kind)), "the kind of task"),
    row(
        "handler",
        Required,
        parsed("the name of a [handler](handlers.md) that loads", |task, text| {
            put(&mut task.handler, handler_name(text).map(|()| text.to_owned()))
        }),
        "the function that runs",
    ),
    row("params", Fixed, Params { put: |task, params| task.params = params.clone() }, "the handler's input"),
    row(
        "schedule",
        Required,
        parsed("a [schedule](schedules.md)", |task, text| {
            put(&mut task.schedule, Timetable::parse(text).map_err(|e| e.to_string()))
        }),
        "when it runs",
    ),
    row(
        "timezone",
        Setting("timezone"),
        parsed("an IANA name, such as `Europe/Berlin`", |task, text| {
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
    pub(super) fn is_required(&self) -> bool {
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
            (Whole { from, to, put, .. }, value) => match whole_number(value) {
                Some(number) if (from..=to).contains(&&number) => {
                    put(task, number);
                    None
                }
                _ => {
                    let got = if value.is_number() { value.to_string() } else { kind_of(value).to_owned() };
                    Some(format!("must be a whole number from {from} to {to}, not {got}"))
                }
            },
        };
        if let Some(problem) = refused {
            problems.report(self.name, problem);
        }
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
            Fixed if self.name == "type" => "`script`".to_owned(),
            Fixed => match &defaults[self.name] {
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
    Err(format!("has {length} characters: {allowed} are allowed"))
}

/// The number, if it is whole. A client may write it as a float.
fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|f| f.fract() == 0.0 && (0.0..1e15).contains(f))?;
        format!("{float:.0}").parse().ok()
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

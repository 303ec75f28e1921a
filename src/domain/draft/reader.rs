//! Reading a body's fields one by one.

use std::fmt;

use serde_json::{Map, Value};

use super::{MAX_PARAMS_DEPTH, MOST_PROBLEMS, Problem, check_params};

pub(super) fn unknown_keys(body: &Map<String, Value>, known: &[&str]) -> Vec<Problem> {
    body.keys()
        .filter(|key| !known.contains(&key.as_str()))
        .take(MOST_PROBLEMS)
        .map(|key| Problem::new(key.as_str(), format!("is not known here; known are {}", known.join(", "))))
        .collect()
}

/// Reads fields and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) body: &'a Map<String, Value>,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn report(&mut self, field: &str, problem: impl Into<String>) {
        self.problems.push(Problem::new(field, problem));
    }

    fn text(&mut self, field: &str) -> Option<String> {
        match self.body.get(field)? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.report(field, format!("must be a string, not {}", kind(other)));
                None
            }
        }
    }

    pub(super) fn string(&mut self, field: &str, least: usize, most: usize) -> Option<String> {
        let text = self.text(field)?;
        let length = text.chars().count();
        if (least..=most).contains(&length) {
            return Some(text);
        }
        let allowed = if least == 0 { format!("at most {most}") } else { format!("{least} to {most}") };
        self.report(field, format!("has {length} characters: {allowed} are allowed"));
        None
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let name = self.string("name", 3, 50)?;
        if name.chars().any(char::is_control) {
            self.report("name", "has control characters, such as a line break");
            return None;
        }
        Some(name)
    }

    pub(super) fn checked<T>(
        &mut self,
        field: &str,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(field)?;
        check(&text).map_err(|problem| self.report(field, problem)).ok()
    }

    pub(super) fn boolean(&mut self, field: &str) -> Option<bool> {
        match self.body.get(field)? {
            Value::Bool(value) => Some(*value),
            other => {
                self.report(field, format!("must be true or false, not {}", kind(other)));
                None
            }
        }
    }

    pub(super) fn integer(&mut self, field: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.body.get(field)?;
        let whole = value.as_u64().or_else(|| {
            let float = value.as_f64().filter(|f| f.fract() == 0.0 && (0.0..1e15).contains(f))?;
            format!("{float:.0}").parse().ok()
        });
        match whole {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let got = if value.is_number() { value.to_string() } else { kind(value).to_owned() };
                self.report(field, format!("must be a whole number from {least} to {most}, not {got}"));
                None
            }
        }
    }

    pub(super) fn choice<T: Copy>(&mut self, field: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(field)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.report(field, format!("must be one of {}, not \"{text}\"", names.join(", ")));
        }
        found
    }

    pub(super) fn params(&mut self) -> Option<Map<String, Value>> {
        match self.body.get("params")? {
            Value::Object(params) => match check_params(params) {
                Ok(()) => Some(params.clone()),
                Err(problems) => {
                    self.problems.extend(problems);
                    None
                }
            },
            other => {
                self.report("params", format!("must be an object, not {}", kind(other)));
                None
            }
        }
    }
}

/// Where in the parameters something is. It becomes words only where there is something to say:
/// a path for every value would be long work if a key is long.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Field(&'a str),
    Key(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

pub(super) fn check_object(
    place: Place<'_>,
    object: &Map<String, Value>,
    depth: usize,
    problems: &mut Vec<Problem>,
) {
    if too_deep(place, depth, problems) {
        return;
    }
    for (key, value) in object {
        let place = Place::Key(&place, key);
        if ["__proto__", "constructor", "prototype"].contains(&key.as_str()) {
            report(place, format!("the key \"{key}\" is not allowed at any level"), problems);
        } else {
            check_value(place, value, depth, problems);
        }
    }
}

fn check_value(place: Place<'_>, value: &Value, depth: usize, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(object) => check_object(place, object, depth + 1, problems),
        Value::Array(items) if !too_deep(place, depth + 1, problems) => {
            for (index, item) in items.iter().enumerate() {
                check_value(Place::Item(&place, index), item, depth + 1, problems);
            }
        }
        _ => {}
    }
}

fn too_deep(place: Place<'_>, depth: usize, problems: &mut Vec<Problem>) -> bool {
    let deep = depth > MAX_PARAMS_DEPTH;
    if deep {
        report(place, format!("is nested deeper than {MAX_PARAMS_DEPTH} levels"), problems);
    }
    deep
}

fn report(place: Place<'_>, problem: String, problems: &mut Vec<Problem>) {
    if problems.len() < MOST_PROBLEMS {
        problems.push(Problem::new(place.to_string(), problem));
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

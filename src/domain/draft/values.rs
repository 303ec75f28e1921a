//! Values of fields that are more than a word or a number: tags, a key, the predecessor.

use serde_json::Value;

use super::problem::{Problem, Problems};
use crate::domain::{
    definition::after::{After, On},
    ids::TaskId,
    text::{count, has_visible, to_one_line},
};

/// The most tags of a task.
pub(super) const MOST_TAGS: usize = 20;
/// The longest tag, in characters.
pub(super) const LONGEST_TAG: usize = 40;
/// The longest concurrency key, in characters.
pub(super) const LONGEST_KEY: usize = 100;

/// Reads the tags of a task.
///
/// # Errors
/// The problems with them.
pub(super) fn read_tags(value: &Value) -> Result<Vec<String>, Vec<Problem>> {
    let Value::Array(items) = value else {
        return Err(vec![Problem::new(
            "tags",
            format!("must be an array of strings, not {}", kind_of(value)),
        )]);
    };
    if items.len() > MOST_TAGS {
        let problem = format!("has {} tags: at most {MOST_TAGS} are allowed", items.len());
        return Err(vec![Problem::new("tags", problem)]);
    }
    let (mut tags, mut problems) = (Vec::<String>::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let read = match item {
            Value::String(tag) if tags.contains(tag) => Err(format!("is \"{tag}\" once more: give it once")),
            Value::String(tag) => check_label(tag, LONGEST_TAG).map(|()| tag.clone()),
            other => Err(format!("must be a string, not {}", kind_of(other))),
        };
        match read {
            Ok(tag) => tags.push(tag),
            Err(problem) => problems.push(Problem::new(format!("tags[{index}]"), problem)),
        }
    }
    if problems.is_empty() { Ok(tags) } else { Err(problems) }
}

/// Reads a concurrency key.
///
/// # Errors
/// The problem with it.
pub(super) fn read_key(value: &Value) -> Result<Option<String>, Vec<Problem>> {
    let problem = match value {
        Value::Null => return Ok(None),
        Value::String(key) => match check_label(key, LONGEST_KEY) {
            Ok(()) => return Ok(Some(key.clone())),
            Err(problem) => problem,
        },
        other => format!("must be a string or null, not {}", kind_of(other)),
    };
    Err(vec![Problem::new("concurrencyKey", problem)])
}

/// Checks a short text that people read and that is a part of keys.
fn check_label(text: &str, longest: usize) -> Result<(), String> {
    let length = text.chars().count();
    let escaped = to_one_line(text);
    if !(1..=longest).contains(&length) {
        Err(format!("has {}: 1 to {longest} are allowed", count(length, "character")))
    } else if escaped != text {
        Err(format!("must not have control or bidirectional characters: it is \"{escaped}\""))
    } else if !has_visible(text) {
        Err("must have a visible character".to_owned())
    } else {
        Ok(())
    }
}

/// Reads the predecessor of a task.
///
/// # Errors
/// The problems with it.
pub(super) fn read_after(value: &Value) -> Result<Option<After>, Vec<Problem>> {
    let object = match value {
        Value::Null => return Ok(None),
        Value::Object(object) => object,
        other => {
            let problem = format!("must be an object with taskId and on, or null, not {}", kind_of(other));
            return Err(vec![Problem::new("after", problem)]);
        }
    };
    let mut problems = Problems::default();
    for name in object.keys().filter(|name| !["taskId", "on"].contains(&name.as_str())) {
        problems.report(&format!("after.{name}"), "is not known here; known are taskId, on");
    }
    let task_id = object.get("taskId").and_then(|id| id.as_str()?.parse::<TaskId>().ok());
    if task_id.is_none() {
        problems
            .report("after.taskId", "must be the id of a task, such as \"task-01arz3ndektsv4rrffq69g5fav\"");
    }
    let on = match object.get("on") {
        Some(Value::String(word)) => problems.choose("after.on", word, &On::NAMES),
        _ => {
            problems.report("after.on", "must be one of \"success\", \"failure\", \"end\"");
            None
        }
    };
    problems.finish()?;
    Ok(task_id.zip(on).map(|(task_id, on)| After { task_id, on }))
}

/// Reads a whole number in a range.
///
/// # Errors
/// A phrase that names the range.
pub(super) fn read_whole(value: &Value, from: u64, to: u64) -> Result<u64, String> {
    whole_number(value)
        .filter(|number| (from..=to).contains(number))
        .ok_or_else(|| format!("must be a whole number from {from} to {to}, not {}", told(value)))
}

/// A small whole number. A client may write it as a float.
pub(super) fn whole_part(value: &Value) -> Option<i8> {
    let float = value.as_f64().filter(|f| f.fract() == 0.0 && (-128.0..128.0).contains(f))?;
    format!("{float:.0}").parse().ok()
}

/// A value that is wrong: a number as it is, of anything else the kind.
pub(super) fn told(value: &Value) -> String {
    if value.is_number() { value.to_string() } else { kind_of(value).to_owned() }
}

/// The number, if it is whole. A client may write it as a float.
#[must_use]
pub fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|f| f.fract() == 0.0 && (0.0..1e19).contains(f))?;
        format!("{float:.0}").parse().ok()
    })
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

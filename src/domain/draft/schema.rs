//! JSON Schemas of bodies: what the table of fields takes, for programs.
//!
//! A schema tells about each value by itself. Whether values go together, and whether a handler or a
//! channel is there, only the server knows.

use serde_json::{Map, Value, json};

use super::{
    LATEST, MOST_BACKFILLED,
    fields::{Accept, FIELDS, Field},
    params::FORBIDDEN_KEYS,
    values::{LONGEST_KEY, LONGEST_TAG, MOST_TAGS},
};
use crate::domain::{
    alerts::{HOUR, LONGEST_CHANNEL, MOST_RULES, Occasion, YEAR},
    definition::after::On,
};

/// The body of a new task.
#[must_use]
pub fn new_task() -> Value {
    let required = FIELDS.iter().filter(|field| field.is_required() && field.name != "schedule");
    let required: Vec<_> = required.map(|field| field.name).collect();
    let mut body = changed_task();
    body["required"] = json!(required);
    body["anyOf"] = json!([
        {"required": ["schedule"]},
        {"required": ["after"], "properties": {"after": {"type": "object"}}},
    ]);
    body
}

/// The body of a change.
#[must_use]
pub fn changed_task() -> Value {
    let fields: Map<_, _> = FIELDS.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
    json!({"type": "object", "properties": fields, "additionalProperties": false})
}

/// The body of a run.
#[must_use]
pub fn run() -> Value {
    json!({"type": "object", "properties": {"params": params()}, "additionalProperties": false})
}

/// The body of a backfill.
#[must_use]
pub fn backfill() -> Value {
    let moment = json!({"type": "integer", "minimum": 0, "maximum": LATEST});
    let max =
        json!({"type": "integer", "minimum": 1, "maximum": MOST_BACKFILLED, "default": MOST_BACKFILLED});
    json!({
        "type": "object",
        "properties": {"from": moment, "to": moment, "max": max},
        "required": ["from", "to"],
        "additionalProperties": false,
    })
}

impl Field {
    /// The JSON Schema of its values.
    #[must_use]
    pub fn schema(&self) -> Value {
        let mut schema = match &self.accept {
            Accept::Text { from, to, .. } => {
                json!({"type": "string", "minLength": from, "maxLength": to, "format": self.name})
            }
            Accept::Parsed { schema, .. } | Accept::Judged { schema, .. } => schema(),
            Accept::Params { .. } => params(),
            Accept::Switch { .. } => json!({"type": "boolean"}),
            Accept::Whole { from, to, .. } => json!({"type": "integer", "minimum": from, "maximum": to}),
            Accept::Signed { from, to, .. } => json!({"type": "integer", "minimum": from, "maximum": to}),
            Accept::Maybe { from, to, .. } => {
                json!({"type": ["integer", "null"], "minimum": from, "maximum": to})
            }
            Accept::Choice { words, .. } => json!({"type": "string", "enum": words}),
        };
        schema["description"] = without_links(self.meaning).into();
        schema
    }
}

/// A text whose links are their words: links lead to files of the documentation.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, words, after)) = rest.split_once('[').and_then(|(before, link)| {
        let (words, target) = link.split_once("](")?;
        Some((before, words, target.split_once(')')?.1))
    }) {
        plain.push_str(before);
        plain.push_str(words);
        rest = after;
    }
    plain + rest
}

pub(super) fn kind() -> Value {
    json!({"type": "string", "enum": ["script"]})
}

pub(super) fn handler() -> Value {
    json!({
        "type": "string", "maxLength": 200, "pattern": "^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", "format": "handler",
    })
}

pub(super) fn schedule() -> Value {
    json!({"type": "string", "format": "schedule"})
}

pub(super) fn zone() -> Value {
    json!({"type": "string", "format": "timezone"})
}

fn params() -> Value {
    json!({"type": "object", "propertyNames": {"not": {"enum": FORBIDDEN_KEYS}}})
}

pub(super) fn tags() -> Value {
    let tag = json!({"type": "string", "minLength": 1, "maxLength": LONGEST_TAG, "format": "tag"});
    json!({"type": "array", "items": tag, "maxItems": MOST_TAGS, "uniqueItems": true})
}

pub(super) fn key() -> Value {
    json!({"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_KEY, "format": "tag"})
}

pub(super) fn after() -> Value {
    let ends = On::NAMES.map(|(name, _)| name);
    json!({
        "type": ["object", "null"],
        "properties": {
            "taskId": {"type": "string", "format": "task"},
            "on": {"type": "string", "enum": ends},
        },
        "required": ["taskId", "on"],
        "additionalProperties": false,
    })
}

pub(super) fn alerts() -> Value {
    let within = |from: i64, to: i64| json!({"type": ["integer", "null"], "minimum": from, "maximum": to});
    let occasions = Occasion::ALL.map(Occasion::name);
    let slow = json!({
        "type": ["object", "null"],
        "properties": {
            "factor": {"type": "number", "minimum": 1, "maximum": 100},
            "floor": {"type": "integer", "minimum": 1, "maximum": YEAR},
        },
        "additionalProperties": false,
    });
    let rule = json!({
        "type": "object",
        "properties": {
            "channel": {
                "type": "string", "minLength": 1, "maxLength": LONGEST_CHANNEL, "pattern": "^[A-Za-z0-9_-]+$",
                "format": "channel",
            },
            "on": {
                "type": ["array", "null"],
                "items": {"type": "string", "enum": occasions},
                "uniqueItems": true,
            },
            "after": within(1, 100),
            "autoPause": {"type": ["boolean", "null"]},
            "remindEvery": within(HOUR, YEAR),
            "late": within(1000, YEAR),
            "slow": slow,
            "silence": within(1000, YEAR),
        },
        "required": ["channel"],
        "additionalProperties": false,
    });
    json!({"type": ["array", "null"], "items": rule, "maxItems": MOST_RULES})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_have_no_links() {
        let body = changed_task();
        let fields = body["properties"].as_object().expect("fields");
        assert!(fields.values().all(|field| !field.to_string().contains("](")), "{body}");
        assert_eq!(
            body["properties"]["after"]["description"],
            "runs when an occurrence of that task ends so"
        );
    }
}

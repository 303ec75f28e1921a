//! Shapes: the JSON Schemas of single values, which the table of fields names.

use serde_json::{Value, json};

use super::{
    params::FORBIDDEN_KEYS,
    values::{LONGEST_KEY, LONGEST_TAG, MOST_TAGS},
};
use crate::domain::{
    alerts::{LONGEST_CHANNEL, MOST_RULES, Occasion, SHORTEST_REMINDER, YEAR},
    definition::after::On,
};

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

pub(super) fn params() -> Value {
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
                "minItems": 1,
                "uniqueItems": true,
            },
            "after": within(1, 100),
            "autoPause": {"type": ["boolean", "null"]},
            "remindEvery": within(SHORTEST_REMINDER, YEAR),
            "late": within(1000, YEAR),
            "slow": slow,
            "silence": within(1000, YEAR),
        },
        "required": ["channel"],
        "additionalProperties": false,
    });
    json!({"type": ["array", "null"], "items": rule, "maxItems": MOST_RULES})
}

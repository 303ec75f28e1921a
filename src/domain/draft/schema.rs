//! JSON Schemas of bodies: what the table of fields takes, for programs.
//!
//! A schema tells about each value by itself. Whether values go together, and whether a handler or a
//! channel is there, only the server knows.

use serde_json::{Map, Value, json};

use super::{
    LATEST, MOST_BACKFILLED,
    fields::{Accept, FIELDS, Field},
    shapes::params,
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

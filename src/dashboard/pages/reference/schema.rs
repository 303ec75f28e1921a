//! Schemas in words, and values that fit them.

use serde_json::{Map, Value, json};

use crate::domain::time::LATEST;

/// Samples are this many documents deep.
const DEEP: usize = 3;
/// A moment in samples: 2027-01-15, 08:00 UTC.
const MOMENT: i64 = 1_800_000_000_000;

/// The named schemas of the document.
#[derive(Clone, Copy)]
pub(super) struct Schemas<'a>(pub(super) &'a Value);

/// A value with its name.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) is_required: bool,
    /// The values that it takes, in words.
    pub(super) values: String,
    /// The document that it is, or that it is a list of.
    pub(super) document: Option<String>,
    pub(super) meaning: String,
}

/// A named document.
pub(super) struct Document {
    pub(super) name: String,
    pub(super) meaning: String,
    /// The words, if it is one of some.
    pub(super) values: String,
    pub(super) fields: Vec<Row>,
}

impl<'a> Schemas<'a> {
    /// Every named schema, by name.
    pub(super) fn documents(self) -> Vec<Document> {
        let mut all: Vec<_> = self
            .0
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| {
                let fields = self.fields(schema);
                let values = if fields.is_empty() { self.in_words(schema) } else { String::new() };
                Document { name: name.clone(), meaning: meaning_of(schema), values, fields }
            })
            .collect();
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all
    }

    /// The fields of an object, also of one that is made of several.
    pub(super) fn fields(self, schema: &Value) -> Vec<Row> {
        let own = schema["properties"].as_object().into_iter().flatten();
        let required: Vec<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let own = own.map(|(name, schema)| self.row(name, required.contains(&name.as_str()), schema));
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let parts = parts.flat_map(|part| match name_of(part) {
            Some(name) => self.fields(&self.0[name]),
            None => self.fields(part),
        });
        parts.chain(own).collect()
    }

    /// A parameter of a path, a query or the headers.
    pub(super) fn parameter(self, parameter: &Value) -> Row {
        let name = parameter["name"].as_str().unwrap_or_default();
        let mut row = self.row(name, parameter["required"] == true, &parameter["schema"]);
        if parameter["in"] != "query" {
            row.meaning = format!("in the {}", parameter["in"].as_str().unwrap_or_default());
        }
        row
    }

    fn row(self, name: &str, is_required: bool, schema: &Value) -> Row {
        let mut values = self.in_words(schema);
        if let Some(default) = schema.get("default") {
            values += &format!("; {default} if left out");
        }
        let some = schema["oneOf"].as_array().and_then(|either| either.first());
        let document = [Some(schema), some, schema.get("items")].into_iter().flatten().find_map(name_of);
        let meaning = [meaning_of(schema), some.map(meaning_of).unwrap_or_default()].concat();
        Row { name: name.to_owned(), is_required, values, document: document.map(str::to_owned), meaning }
    }

    /// The values that fit a schema.
    fn in_words(self, schema: &Value) -> String {
        if let Some(name) = name_of(schema) {
            return name.to_owned();
        }
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<_> = words
                .iter()
                .map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned))
                .collect();
            return words.join(", ");
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            if let Some(parts) = schema[key].as_array() {
                let parts: Vec<_> = parts.iter().map(|part| self.in_words(part)).collect();
                return parts.join(if key == "allOf" { " and " } else { " or " });
            }
        }
        let kinds: Vec<_> = match &schema["type"] {
            Value::String(kind) => vec![self.kind_in_words(kind, schema)],
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).map(|kind| self.kind_in_words(kind, schema)).collect()
            }
            _ => vec!["any JSON".to_owned()],
        };
        kinds.join(" or ")
    }

    fn kind_in_words(self, kind: &str, schema: &Value) -> String {
        let bound = |name: &str| schema.get(name).filter(|bound| **bound != u64::MAX && **bound != i64::MAX);
        let range = |least: &str, most: &str, unit: &str| match (bound(least), bound(most)) {
            (Some(least), Some(most)) => format!(" {least} to {most}{unit}"),
            (Some(least), None) if *least != 0 => format!(" {least} or more{unit}"),
            (None, Some(most)) => format!(" at most {most}{unit}"),
            _ => String::new(),
        };
        match kind {
            // The end of the calendar of schedules bounds moments only.
            "integer" if bound("maximum").is_some_and(|most| *most == LATEST) => {
                "epoch milliseconds".to_owned()
            }
            "integer" => format!("whole number{}", range("minimum", "maximum", "")),
            "number" => format!("number{}", range("minimum", "maximum", "")),
            "string" => {
                let form = schema["format"].as_str().filter(|form| ["timezone", "schedule"].contains(form));
                format!("{}{}", form.unwrap_or("text"), range("minLength", "maxLength", " characters"))
            }
            "boolean" => "true or false".to_owned(),
            "array" => {
                format!("list{} of {}", range("minItems", "maxItems", ""), self.in_words(&schema["items"]))
            }
            other => other.to_owned(),
        }
    }

    /// A value that fits a schema.
    pub(super) fn sample(self, schema: &Value) -> Value {
        self.sample_of(schema, "", DEEP)
    }

    /// The fields of a body that must be there.
    pub(super) fn needed(self, schema: &Value) -> Value {
        let first = |of: &str| schema[of][0]["required"].as_array().into_iter().flatten();
        let either = first("oneOf").chain(first("anyOf"));
        let names = schema["required"].as_array().into_iter().flatten().chain(either);
        let mut names: Vec<_> = names.filter_map(Value::as_str).collect();
        if names.is_empty() {
            // A change of nothing shows nothing.
            names.extend(
                schema["properties"].as_object().into_iter().flat_map(Map::keys).next().map(String::as_str),
            );
        }
        let fields = names
            .into_iter()
            .map(|name| (name.to_owned(), self.sample_of(&schema["properties"][name], name, DEEP)));
        Value::Object(fields.collect())
    }

    /// A value for a path or a query.
    pub(super) fn sample_text(self, schema: &Value, name: &str) -> String {
        let sample = self.sample_of(schema, name, DEEP);
        sample.as_str().map_or_else(|| sample.to_string(), str::to_owned)
    }

    fn sample_of(self, schema: &Value, name: &str, deep: usize) -> Value {
        if let Some(reference) = name_of(schema) {
            return self.sample_of(&self.0[reference], name, deep.saturating_sub(1));
        }
        if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
            return first.clone();
        }
        if let Some(first) =
            schema["oneOf"].as_array().or(schema["anyOf"].as_array()).and_then(|parts| parts.first())
            && schema.get("properties").is_none()
        {
            return self.sample_of(first, name, deep);
        }
        if let Some(default) = schema.get("default") {
            return default.clone();
        }
        let kind = schema["type"].as_str().or(schema["type"][0].as_str());
        match kind {
            Some("integer") => sample_number(schema, name),
            Some("number") => json!(0.5),
            Some("boolean") => json!(true),
            Some("string") => sample_string(schema, name).into(),
            Some("array") if deep == 0 => json!([]),
            Some("array") => json!([self.sample_of(&schema["items"], name, deep - 1)]),
            _ if schema.get("properties").is_some() || schema.get("allOf").is_some() => {
                if deep == 0 {
                    return json!({});
                }
                let mut object = Map::new();
                for part in schema["allOf"].as_array().into_iter().flatten() {
                    if let Value::Object(fields) = self.sample_of(part, name, deep) {
                        object.extend(fields);
                    }
                }
                for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                    object.insert(name.clone(), self.sample_of(schema, name, deep - 1));
                }
                Value::Object(object)
            }
            _ => json!({}),
        }
    }
}

fn sample_number(schema: &Value, name: &str) -> Value {
    let is_moment = ["At", "For", "Run", "Time", "Retry", "Success", "Failure", "Until"]
        .iter()
        .any(|end| name.ends_with(end))
        || ["time", "from", "to", "until", "since", "start", "end", "planned", "next", "told"]
            .contains(&name);
    match schema["minimum"].as_i64() {
        _ if is_moment => json!(MOMENT),
        Some(least) if least > 0 => json!(least),
        _ => json!(0),
    }
}

fn sample_string(schema: &Value, name: &str) -> String {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    for prefix in ["task", "exec", "token", "alert"] {
        if pattern.starts_with(&format!("^{prefix}-")) {
            return format!("{prefix}-01kf0000000000000000000000");
        }
    }
    match (schema["format"].as_str(), name) {
        (Some("schedule"), _) => "0 9 * * 1",
        (Some("timezone"), _) | (_, "timezone") => "Europe/Berlin",
        (Some("handler"), _) | (_, "handler") => "reports/sales",
        (Some("channel"), _) | (_, "channel") => "ops",
        (_, "description") => "Sends the report of the week",
        _ if pattern == "^[0-9a-f]{64}$" || name == "hash" || name.ends_with("Hash") => {
            return "9f".repeat(32);
        }
        (_, "name" | "taskName") if pattern.starts_with("^[A-Za-z_]") => "API_KEY",
        (_, "name" | "taskName") => "weekly report",
        (_, "q") => "report",
        (_, "error") => "the coffee is empty",
        (_, "key") => "last-page",
        (_, "") => "text",
        (_, other) => other,
    }
    .to_owned()
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

fn meaning_of(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('`', "")
}

//! The fields in which two definitions of a task differ.

use serde_json::{Map, Value};

use super::{FieldChange, LONGEST};
use crate::domain::{
    access::redact::{MASK, Redaction, USUAL},
    definition::Definition,
};

/// The change of a field, if there is one.
#[must_use]
pub fn changed(field: &str, from: Value, to: Value) -> Option<FieldChange> {
    (from != to).then(|| FieldChange { field: field.to_owned(), from: shorten(from), to: shorten(to) })
}

/// The fields in which two definitions differ. Parameters are compared by key, and those whose name is that
/// of a secret are masked.
#[must_use]
pub fn changes_of_task(old: &Definition, new: &Definition) -> Vec<FieldChange> {
    let (mut old, mut new) = (fields(old), fields(new));
    let (old_params, new_params) = (take_object(&mut old, "params"), take_object(&mut new, "params"));
    let mut found = differences(&old, &new, "");
    let usual = Redaction::new(&USUAL.map(str::to_owned));
    let mask = |params: Map<String, Value>| {
        let mut params = Value::Object(params);
        usual.mask(&mut params);
        params
    };
    // Compare the values before they are masked: a secret that has changed is a change.
    for change in differences(&old_params, &new_params, "params.") {
        let key = change.field.strip_prefix("params.").unwrap_or_default();
        let hide = |params: &Map<String, Value>| match params.get(key) {
            None => Value::Null,
            Some(_) if usual.names(key) => Value::from(MASK),
            Some(value) => {
                let one = Map::from_iter([(key.to_owned(), value.clone())]);
                shorten(mask(one).get(key).cloned().unwrap_or_default())
            }
        };
        let (from, to) = (hide(&old_params), hide(&new_params));
        found.push(FieldChange { field: change.field, from, to });
    }
    found
}

fn fields(definition: &Definition) -> Map<String, Value> {
    match serde_json::to_value(definition) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn take_object(fields: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match fields.shift_remove(name) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// The keys whose values differ, each with both values.
fn differences(old: &Map<String, Value>, new: &Map<String, Value>, prefix: &str) -> Vec<FieldChange> {
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let keys = new.keys().chain(gone);
    let value = |fields: &Map<String, Value>, key: &str| fields.get(key).cloned().unwrap_or_default();
    keys.filter(|key| old.get(*key) != new.get(*key))
        .filter_map(|key| changed(&format!("{prefix}{key}"), value(old, key), value(new, key)))
        .collect()
}

/// The value itself, or the beginning of its JSON if that is longer than [`LONGEST`].
#[must_use]
pub fn shorten(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= LONGEST {
        return value;
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    Value::from(format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::draft::tests::definition;

    #[test]
    fn fields_and_parameters_differ_by_key_and_secrets_are_hidden() {
        let with = |schedule: &str, params: Value| {
            let mut definition = definition(schedule);
            definition.params = params.as_object().cloned().unwrap_or_default();
            definition
        };
        let old = with("@hourly", json!({ "a": 1, "b": 2, "password": "x", "in": { "token": "t", "n": 1 } }));
        let new = with("@daily", json!({ "a": 1, "c": 3, "password": "y", "in": { "token": "u", "n": 1 } }));
        let found: Vec<_> = changes_of_task(&old, &new)
            .into_iter()
            .map(|change| (change.field, change.from, change.to))
            .collect();
        let hidden = json!({ "token": MASK, "n": 1 });
        assert_eq!(
            found,
            [
                ("schedule".to_owned(), json!("@hourly"), json!("@daily")),
                ("params.c".to_owned(), json!(null), json!(3)),
                ("params.password".to_owned(), json!(MASK), json!(MASK)),
                ("params.in".to_owned(), hidden.clone(), hidden),
                ("params.b".to_owned(), json!(2), json!(null)),
            ]
        );
        assert_eq!(changes_of_task(&new, &new), []);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let long = shorten(json!("ä".repeat(2000)));
        assert!(long.as_str().is_some_and(|text| text.len() <= LONGEST + 3 && text.ends_with('…')));
        assert_eq!(shorten(json!([1])), json!([1]));
    }
}

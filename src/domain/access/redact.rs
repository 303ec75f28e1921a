//! Masks for the values that a viewer or an operator must not see: those under keys such as `password`.

use std::collections::HashSet;

use serde_json::Value;

/// The text in place of a value.
pub const MASK: &str = "•••";

/// The names that are masked in the audit, and by default in answers.
pub const USUAL: [&str; 8] =
    ["password", "passwd", "secret", "token", "apikey", "authorization", "cookie", "privatekey"];

/// Fields of documents whose insides are masked: the data of tasks and runs.
const MASKED: [&str; 2] = ["params", "result"];

/// The names whose values are masked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction(HashSet<String>);

impl Redaction {
    /// Masks values under keys that are, or end in, one of these names; case, `-` and `_` do not count.
    #[must_use]
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| plain(name)).filter(|name| !name.is_empty()).collect())
    }

    /// Masks the params and results of a document, wherever they are in it.
    pub fn mask_document(&self, document: &mut Value) {
        match document {
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_document(item)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    if MASKED.contains(&name.as_str()) { self.mask(value) } else { self.mask_document(value) }
                }
            }
            _ => {}
        }
    }

    /// Masks the values under the names.
    pub fn mask(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    if self.names(name) {
                        *value = Value::from(MASK);
                    } else {
                        self.mask(value);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether the value under a key is masked.
    #[must_use]
    pub fn names(&self, key: &str) -> bool {
        let key = plain(key);
        self.0.iter().any(|name| key.ends_with(name))
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !['-', '_'].contains(c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_under_the_names_are_masked_in_params_and_results_only() {
        let redaction = Redaction::new(&["token".to_owned(), "api_key".to_owned()]);
        let mut document = json!({
            "token": "a name",
            "task": { "params": { "accessToken": 5, "API-Key": { "x": 1 }, "keys": [{ "token": null, "n": 1 }] } },
            "executions": [{ "result": { "token": "t", "tokens": 3 }, "output": [] }],
        });
        redaction.mask_document(&mut document);
        assert_eq!(
            document,
            json!({
                "token": "a name",
                "task": { "params": { "accessToken": "•••", "API-Key": "•••", "keys": [{ "token": "•••", "n": 1 }] } },
                "executions": [{ "result": { "token": "•••", "tokens": 3 }, "output": [] }],
            })
        );
        Redaction::new(&[String::new()]).mask_document(&mut document);
        assert_eq!(document["executions"][0]["result"]["tokens"], 3, "an empty name masks nothing");
    }
}

//! Parameters: an object of bounded size and depth, without keys that mean something to JavaScript.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::problem::{MOST_PROBLEMS, Problem};

/// The most bytes that parameters take as JSON.
pub const MAX_PARAMS_BYTES: usize = 256 * 1024;
/// The most levels of objects and arrays that parameters have.
pub const MAX_PARAMS_DEPTH: usize = 32;
/// Keys with which a handler could change the prototype of its objects.
pub(super) const FORBIDDEN_KEYS: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// The bytes that parameters take as JSON.
pub(in crate::domain) fn params_bytes(params: &Map<String, Value>) -> usize {
    serde_json::to_string(params).map_or(usize::MAX, |text| text.len())
}

/// The longest parameters, in bytes of JSON, that are in a row itself.
pub const INLINE: usize = 8 * 1024;
/// Longer parameters that are kept of one task: the newest different ones.
pub const KEPT_APART: usize = 20;

/// Parameters, or the hash under which longer ones are kept apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RowParams {
    /// At most [`INLINE`] bytes.
    Inline(Map<String, Value>),
    /// SHA-256 of the JSON text, hexadecimal.
    Apart(String),
}

impl RowParams {
    /// The parameters as a row keeps them.
    #[must_use]
    pub fn of(params: &Map<String, Value>) -> Self {
        if params_bytes(params) <= INLINE {
            return Self::Inline(params.clone());
        }
        // A map of JSON values always becomes JSON.
        let text = serde_json::to_vec(params).unwrap_or_default();
        Self::Apart(HEXLOWER.encode(&Sha256::digest(text)))
    }

    /// The parameters and the hash: one of the two.
    #[must_use]
    pub fn split(self) -> (Option<Map<String, Value>>, Option<String>) {
        match self {
            Self::Inline(params) => (Some(params), None),
            Self::Apart(hash) => (None, Some(hash)),
        }
    }
}

/// Checks the size, the depth and the keys of parameters.
///
/// # Errors
/// The problems with them, at most [`MOST_PROBLEMS`] with keys and levels.
pub fn check_params(params: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let bytes = params_bytes(params);
    if bytes > MAX_PARAMS_BYTES {
        problems.push(Problem::new(
            "params",
            format!("takes {bytes} bytes as JSON: at most {MAX_PARAMS_BYTES} are allowed"),
        ));
    }
    check_object(JsonPath::Field("params"), params, 1, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The path of a value inside the parameters. It becomes text only for a problem: with a long key
/// at every level, the text of every path would be long work.
#[derive(Clone, Copy)]
enum JsonPath<'a> {
    Field(&'a str),
    Key(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

fn check_object(path: JsonPath<'_>, object: &Map<String, Value>, depth: usize, problems: &mut Vec<Problem>) {
    if is_too_deep(path, depth, problems) {
        return;
    }
    for (key, value) in object {
        let path = JsonPath::Key(&path, key);
        if FORBIDDEN_KEYS.contains(&key.as_str()) {
            report(path, format!("the key \"{key}\" is not allowed at any level"), problems);
        } else {
            check_value(path, value, depth, problems);
        }
    }
}

fn check_value(path: JsonPath<'_>, value: &Value, depth: usize, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(object) => check_object(path, object, depth + 1, problems),
        Value::Array(items) if !is_too_deep(path, depth + 1, problems) => {
            for (index, item) in items.iter().enumerate() {
                check_value(JsonPath::Item(&path, index), item, depth + 1, problems);
            }
        }
        _ => {}
    }
}

fn is_too_deep(path: JsonPath<'_>, depth: usize, problems: &mut Vec<Problem>) -> bool {
    let deep = depth > MAX_PARAMS_DEPTH;
    if deep {
        report(path, format!("is nested deeper than {MAX_PARAMS_DEPTH} levels"), problems);
    }
    deep
}

fn report(path: JsonPath<'_>, problem: String, problems: &mut Vec<Problem>) {
    if problems.len() < MOST_PROBLEMS {
        problems.push(Problem::new(path.to_string(), problem));
    }
}

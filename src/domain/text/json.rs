//! JSON of handlers, read as JavaScript wrote it and within the levels that can be kept.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The most levels of objects and arrays in a value that is kept. JSON is read to 127 levels, and a
/// value stands inside the levels of a record, of a line of a copy and of an answer.
pub const LEVELS: usize = 120;

/// Why a text is not read.
#[derive(Debug)]
pub enum Unreadable {
    /// It has too many levels.
    TooDeep,
    /// It is not JSON, or none of the expected form.
    Wrong(serde_json::Error),
}

/// Reads JSON as JavaScript writes it. Half of a surrogate pair, which it escapes, is read as U+FFFD.
///
/// # Errors
/// When the text is not JSON of the expected form.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(&replace_halves(text)));
    parsed.map_err(|error| match error.to_string().starts_with("recursion limit") {
        true => Unreadable::TooDeep,
        false => Unreadable::Wrong(error),
    })
}

/// Counts the objects and arrays around the innermost value.
#[must_use]
pub fn count_levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count_levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(count_levels).max().unwrap_or(0),
        _ => 0,
    }
}

/// Replaces every escaped half of a surrogate pair by U+FFFD; whole pairs are never escaped.
fn replace_halves(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        clean.push_str(before);
        let half = escape.len() >= 6 && escape.is_char_boundary(6) && {
            let digits = escape[1..6].to_ascii_lowercase();
            digits.starts_with("ud") && digits.as_bytes()[2] >= b'8'
        };
        // An escape is two characters, of which the second may be a backslash.
        let end = if half { 6 } else { escape.chars().take(2).map(char::len_utf8).sum() };
        clean.push_str(if half { "\u{fffd}" } else { &escape[..end] });
        rest = &escape[end..];
    }
    clean + rest
}

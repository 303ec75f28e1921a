//! From what a runner reports to what is kept.

use serde_json::{Value, json};

use crate::domain::execution::{Ending, Reason};

/// Characters of a result that is kept as a summary.
const PREVIEW: usize = 1000;

pub(super) fn failed(reason: Reason, error: impl Into<String>) -> Ending {
    Ending::Failed { reason, error: error.into(), stack: None, result: None }
}

/// A result as it is kept. JSON of the engine may hold what our JSON does not: half of a
/// character (kept as U+FFFD) and any number of levels (kept as a summary).
pub(super) fn kept(text: &str) -> Result<Value, Ending> {
    let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(&without_halves(text)));
    parsed.or_else(|error| {
        if error.to_string().starts_with("recursion limit") {
            let preview: String = text.chars().take(PREVIEW).collect();
            let summary = format!("JSON nested over 127 levels, {} bytes", text.len());
            return Ok(json!({ "truncated": true, "summary": summary, "preview": preview }));
        }
        Err(failed(Reason::BadResult, format!("the result cannot be kept as JSON: {error}")))
    })
}

/// With U+FFFD for every escaped half of a surrogate pair; whole pairs are never escaped.
fn without_halves(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_with_half_a_character_or_very_many_levels_is_kept() {
        let cases = [
            (r#"{"a":"\ud83d","b":"\\ud83d"}"#, json!({"a": "\u{fffd}", "b": "\\ud83d"})),
            (r#"["\uDFFF\n","💥"]"#, json!(["\u{fffd}\n", "💥"])),
        ];
        for (text, expected) in cases {
            assert_eq!(kept(text), Ok(expected), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
        assert_eq!(kept(&deep).map(|value| value["truncated"].clone()), Ok(json!(true)));
        assert!(kept("{").is_err());
    }
}

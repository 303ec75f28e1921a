//! The end that a runner reports, and the ending that is kept of it.

use serde_json::{Value, json};

use crate::{
    domain::{
        binding::mask::Mask,
        execution::{Ending, Reason},
        text::json::{self, LEVELS, Unreadable},
    },
    runtime::protocol::End,
};

/// Characters of a result in its summary.
const PREVIEW: usize = 1000;
/// The longest error or stack that is kept, in bytes; a runner cuts them at half of it.
const LONGEST: usize = 16 * 1024;
/// Bytes that the JSON around a preview takes at most.
const SUMMARY: u64 = 8 * 1024;

/// An attempt that failed without a stack; parts of `error` may come from a runner.
pub(super) fn failed(reason: Reason, error: impl Into<String>) -> Ending {
    Ending::Failed { reason, error: cut(error.into()), stack: None, result: None }
}

/// Cuts a report to the limits of results and texts. A runner keeps to them by itself, unless a
/// handler has broken out into it.
pub(super) fn enforce_limits(end: End, characters: u64) -> End {
    // A character takes three bytes at most; those with four count as two.
    let most = characters.saturating_mul(3).saturating_add(SUMMARY);
    let too_long = |text: &str| text.len() as u64 > most;
    match end {
        End::Returned { result } if too_long(&result) => End::Failed {
            reason: Reason::BadResult,
            error: format!("the runner reported {} bytes as the result, {most} are allowed", result.len()),
            stack: None,
            result: None,
        },
        End::Failed { reason, error, stack, result } => End::Failed {
            reason,
            error: cut(error),
            stack: stack.map(cut),
            result: result.filter(|text| !too_long(text)),
        },
        end => end,
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

/// A result from its JSON text. Half of a character is kept as U+FFFD, and more than [`LEVELS`]
/// levels as a summary.
pub(super) fn parse_result(text: &str) -> Result<Value, Ending> {
    match json::parse(text) {
        Ok(value) if json::count_levels(&value) <= LEVELS => Ok(value),
        Err(Unreadable::Wrong(error)) => {
            Err(failed(Reason::BadResult, format!("the result cannot be kept as JSON: {error}")))
        }
        Ok(_) | Err(Unreadable::TooDeep) => {
            let preview: String = text.chars().take(PREVIEW).collect();
            let summary = format!("JSON nested over {LEVELS} levels, {} bytes", text.len());
            Ok(json!({ "truncated": true, "summary": summary, "preview": preview }))
        }
    }
}

/// A line of output without secrets; `cut` says that its end may have been cut off.
pub(super) fn hide_in_line(mask: &Mask, message: String, cut: bool) -> String {
    if cut { mask.apply_to_cut(message) } else { mask.apply(message) }
}

/// The end of a run without the secrets that the run has been given.
pub(super) fn hide_in_end(mask: &Mask, end: End) -> End {
    if mask.is_empty() {
        return end;
    }
    let hide = |text| mask.apply(text);
    match end {
        End::Failed { reason, error, stack, result } => End::Failed {
            reason,
            error: hide(error),
            stack: stack.map(hide),
            result: result.map(|text| hide_in_result(mask, text)),
        },
        End::Returned { result } => End::Returned { result: hide_in_result(mask, result) },
        End::Loaded => End::Loaded,
    }
}

/// A result's JSON text without secrets. A text that is no JSON, or nested too deep to be read, is taken
/// as one text, of which only a summary is kept.
fn hide_in_result(mask: &Mask, text: String) -> String {
    match json::parse::<Value>(&text) {
        Ok(value) => {
            let cut = value.get("truncated").is_some_and(|cut| cut == true);
            mask.apply_to_json(value, cut).to_string()
        }
        Err(_) => mask.apply(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_that_does_not_cut_what_it_reports_is_cut_here() {
        let failed = |error: &str, result: &str| End::Failed {
            reason: Reason::Exception,
            error: error.to_owned(),
            stack: Some(error.to_owned()),
            result: Some(result.to_owned()),
        };
        let fits = [End::Loaded, End::Returned { result: "東".repeat(10_000) }, failed("no", "{}")];
        for end in fits {
            assert_eq!(enforce_limits(end.clone(), 10_000), end);
        }
        let long = "東".repeat(20_000);
        let returned = enforce_limits(End::Returned { result: long.clone() }, 10_000);
        assert!(
            matches!(returned, End::Failed { reason: Reason::BadResult, result: None, .. }),
            "{returned:?}"
        );
        let End::Failed { error, stack, result, .. } = enforce_limits(failed(&long, &long), 10_000) else {
            panic!("it failed");
        };
        assert_eq!((error.len(), stack, result), (LONGEST - 1, Some(error), None));
    }

    #[test]
    fn a_result_with_half_a_character_or_very_many_levels_is_parse_result() {
        let cases = [
            (r#"{"a":"\ud83d","b":"\\ud83d"}"#, json!({"a": "\u{fffd}", "b": "\\ud83d"})),
            (r#"["\uDFFF\n","💥"]"#, json!(["\u{fffd}\n", "💥"])),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_result(text), Ok(expected), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
        assert_eq!(parse_result(&deep).map(|value| value["truncated"].clone()), Ok(json!(true)));
        assert!(parse_result("{").is_err());
    }
}

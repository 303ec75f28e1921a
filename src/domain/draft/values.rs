//! Values of fields that are more than a word or a number: tags.

use serde_json::Value;

use super::{fields::kind_of, problem::Problem};
use crate::domain::text::{has_visible, to_one_line};

/// The most tags of a task.
pub(super) const MOST_TAGS: usize = 20;
/// The longest tag, in characters.
pub(super) const LONGEST_TAG: usize = 40;

/// Reads the tags of a task.
///
/// # Errors
/// The problems with them.
pub(super) fn read_tags(value: &Value) -> Result<Vec<String>, Vec<Problem>> {
    let Value::Array(items) = value else {
        return Err(vec![Problem::new(
            "tags",
            format!("must be an array of strings, not {}", kind_of(value)),
        )]);
    };
    if items.len() > MOST_TAGS {
        let problem = format!("has {} tags: at most {MOST_TAGS} are allowed", items.len());
        return Err(vec![Problem::new("tags", problem)]);
    }
    let (mut tags, mut problems) = (Vec::<String>::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let read = match item {
            Value::String(tag) if tags.contains(tag) => Err(format!("is \"{tag}\" once more: give it once")),
            Value::String(tag) => check_label(tag, LONGEST_TAG).map(|()| tag.clone()),
            other => Err(format!("must be a string, not {}", kind_of(other))),
        };
        match read {
            Ok(tag) => tags.push(tag),
            Err(problem) => problems.push(Problem::new(format!("tags[{index}]"), problem)),
        }
    }
    if problems.is_empty() { Ok(tags) } else { Err(problems) }
}

/// Checks a short text that people read and that is a part of keys.
fn check_label(text: &str, longest: usize) -> Result<(), String> {
    let length = text.chars().count();
    let escaped = to_one_line(text);
    if !(1..=longest).contains(&length) {
        Err(format!("has {length} characters: 1 to {longest} are allowed"))
    } else if escaped != text {
        Err(format!("must not have control or bidirectional characters: it is \"{escaped}\""))
    } else if !has_visible(text) {
        Err("must have a visible character".to_owned())
    } else {
        Ok(())
    }
}

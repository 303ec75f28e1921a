//! The text of a panic, for logs and answers.

use std::any::Any;

/// At most this many characters of a panic's text go into a line.
const LINE: usize = 200;

/// The text a panic carries; "no text" for a payload that is no string.
#[must_use]
pub fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text")
}

/// The text of a panic on one line of at most 200 characters.
#[must_use]
pub fn line_of(panic: &(dyn Any + Send)) -> String {
    let line: String = text_of(panic).split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LINE).collect()
}

//! Text that a user or a handler has shaped, before it is shown to people.
//!
//! A terminal obeys control characters: they move its cursor, change its title or hide a line.
//! So they are shown as JSON writes them (`\u001b`) and not sent.

pub mod json;

use std::{borrow::Cow, fmt::Write};

/// `text` in one line, without control characters.
#[must_use]
pub fn to_one_line(text: &str) -> Cow<'_, str> {
    escape(text, |c| !acts_on_terminal(c))
}

/// `text` without control characters but line breaks and tabs.
#[must_use]
pub fn show_controls(text: &str) -> Cow<'_, str> {
    escape(text, |c| !acts_on_terminal(c) || c == '\n' || c == '\t')
}

/// Whether a terminal may obey a character: the control characters, the separators of lines and
/// paragraphs, and the marks that turn the direction of writing (UAX #9).
fn acts_on_terminal(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || turns_writing(c)
}

/// Whether a character is a mark that turns the direction of writing (UAX #9): the text beside it is then shown in
/// another order than it has.
#[must_use]
pub fn turns_writing(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a person sees anything of `text`: a character that is neither blank nor, as Unicode's property
/// `Default_Ignorable_Code_Point` (version 16) tells it, shown as nothing.
#[must_use]
pub fn has_visible(text: &str) -> bool {
    let is_ignored = |c: char| {
        matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
    };
    // The Braille pattern without dots is a letter of which nothing is seen.
    let is_blank = |c: char| c.is_whitespace() || c.is_control() || c == '\u{2800}';
    text.chars().any(|c| !is_ignored(c) && !is_blank(c))
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&stays) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if stays(c) => escaped.push(c),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            // Writing to a string cannot fail.
            c => drop(write!(escaped, "\\u{:04x}", u32::from(c))),
        }
    }
    Cow::Owned(escaped)
}

/// A number with its noun: `1 character`, `2 characters`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A duration for people, to two digits or more: `250 ms`, `2.3 s`, `5 min`, `1 h 20 min`.
#[must_use]
pub fn duration_in_words(millis: i64) -> String {
    let seconds = millis / 1000;
    match (millis, seconds) {
        (..1000, _) => format!("{millis} ms"),
        (_, ..10) if millis % 1000 >= 100 => format!("{seconds}.{} s", millis % 1000 / 100),
        (_, ..60) => format!("{seconds} s"),
        (_, ..3600) if seconds % 60 == 0 || seconds >= 600 => format!("{} min", seconds / 60),
        (_, ..3600) => format!("{} min {} s", seconds / 60, seconds % 60),
        (_, ..86_400) if seconds / 60 % 60 == 0 => format!("{} h", seconds / 3600),
        (_, ..86_400) => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ if seconds / 3600 % 24 == 0 => format!("{} d", seconds / 86_400),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_blanks_and_ignored_characters_shows_nothing() {
        for text in ["", "   ", "\u{a0}\u{3000}\t", "\u{200b}\u{200d}\u{feff}", "\u{3164}\u{2800}\u{e0041}"] {
            assert!(!has_visible(text), "{text:?}");
        }
        for text in ["a", " . ", "\u{200b}東", "👨\u{200d}👩"] {
            assert!(has_visible(text), "{text:?}");
        }
    }

    #[test]
    fn no_control_character_is_left() {
        let cases = [
            ("plain 東京 💥 é", "plain 東京 💥 é", "plain 東京 💥 é"),
            ("a\nb\tc\r", "a\\nb\\tc\\r", "a\nb\tc\\r"),
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007", "\\u001b]0;title\\u0007"),
            ("\u{9b}31m\u{7f}\0", "\\u009b31m\\u007f\\u0000", "\\u009b31m\\u007f\\u0000"),
            ("\u{2028}\u{202e}txt.exe", "\\u2028\\u202etxt.exe", "\\u2028\\u202etxt.exe"),
        ];
        for (text, line, lines) in cases {
            assert_eq!((to_one_line(text).as_ref(), show_controls(text).as_ref()), (line, lines), "{text:?}");
        }
    }

    #[test]
    fn durations_are_said_with_their_two_largest_units() {
        let cases = [
            (250, "250 ms"),
            (1000, "1 s"),
            (2345, "2.3 s"),
            (45_900, "45 s"),
            (90_000, "1 min 30 s"),
            (300_000, "5 min"),
            (3_600_000, "1 h"),
            (4_800_000, "1 h 20 min"),
            (86_400_000, "1 d"),
            (180_000_000, "2 d 2 h"),
        ];
        for (millis, words) in cases {
            assert_eq!(duration_in_words(millis), words);
        }
    }
}

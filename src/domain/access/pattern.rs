//! Patterns of handlers' names: `reports/sales`, `reports/*` or `*`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest pattern, in bytes.
pub const LONGEST: usize = 200;

/// Handlers by name: one, all below a folder, or all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// Whether the pattern stands for a handler.
    #[must_use]
    pub fn matches(&self, handler: &str) -> bool {
        match self.0.strip_suffix('*') {
            // The folder keeps its slash: `reports/*` is not `reports-old/x`, nor the handler `reports/`.
            Some(folder) => handler.len() > folder.len() && handler.starts_with(folder),
            None => self.0 == handler,
        }
    }

    /// Orders patterns that match the same handler: the deeper folder is more exact, a handler's name is most
    /// exact.
    #[must_use]
    pub fn exactness(&self) -> usize {
        self.0.strip_suffix('*').map_or(usize::MAX, str::len)
    }

    /// Whether the pattern stands for every handler of `other`.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        match (self.0.strip_suffix('*'), other.0.strip_suffix('*')) {
            (Some(folder), Some(inner)) => inner.starts_with(folder),
            (None, Some(_)) => false,
            (_, None) => self.matches(&other.0),
        }
    }
}

/// Text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pattern is a handler's name, a folder with /* behind it, or *, of 1 to {LONGEST} characters")]
pub struct NotAPattern;

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let name = text.strip_suffix("/*").unwrap_or(text);
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let right = text == "*" || name.split('/').all(is_part);
        if right && text.len() <= LONGEST { Ok(Self(text.to_owned())) } else { Err(NotAPattern) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_pattern_is_refused() {
        for text in ["", "/", "a/", "/a", "a//b", "a*", "*/a", "a/*/b", "**", "a b", "ä", "a/..", "a\n"] {
            assert_eq!(text.parse::<Pattern>(), Err(NotAPattern), "{text:?}");
        }
        assert!("x".repeat(200).parse::<Pattern>().is_ok());
        assert!("x".repeat(201).parse::<Pattern>().is_err());
    }

    #[test]
    fn a_pattern_includes_another_if_each_handler_of_that_matches() {
        let pattern = |text: &str| text.parse::<Pattern>().expect("a pattern");
        for (outer, inner, includes) in [
            ("*", "a/*", true),
            ("*", "*", true),
            ("a/*", "*", false),
            ("a/*", "a/b/*", true),
            ("a/*", "ab/*", false),
            ("a/*", "a/b", true),
            ("a/*", "a", false),
            ("a", "a", true),
            ("a", "a/*", false),
        ] {
            assert_eq!(pattern(outer).includes(&pattern(inner)), includes, "{outer} {inner}");
        }
    }
}

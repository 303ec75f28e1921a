//! Problems with the named values of a request, collected so that an answer names all of them.

use serde::Serialize;

/// At most this many problems of a kind are reported per request, so that an error is never much
/// longer than the body that caused it.
pub const MOST_PROBLEMS: usize = 20;
/// A longer field name is cut in a problem, in characters.
const LONGEST_FIELD: usize = 200;

/// A mistake in one field, with its correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field, with a path inside `params`.
    pub field: String,
    /// A phrase for people.
    pub problem: String,
}

impl Problem {
    /// A problem with `field`. A long name is cut, an empty one is shown as two quotes.
    #[must_use]
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let mut field = field.into();
        if let Some((end, _)) = field.char_indices().nth(LONGEST_FIELD) {
            field.replace_range(end.., "…");
        }
        if field.is_empty() {
            field.push_str("\"\"");
        }
        Self { field, problem: problem.into() }
    }
}

/// The words with which a phrase about a field begins, if the field is its subject.
const VERBS: [&str; 12] =
    ["is", "are", "must", "has", "have", "needs", "leaves", "names", "cannot", "does", "may", "was"];

/// A field and the phrase about it as one sentence. A phrase with a subject of its own stands behind a colon.
#[must_use]
pub fn sentence(field: &str, problem: &str) -> String {
    let phrase = problem.strip_prefix("the ").and_then(|rest| rest.strip_prefix(field)?.strip_prefix(' '));
    let phrase = phrase.unwrap_or(problem);
    let first = phrase.split(' ').next().unwrap_or_default();
    let between = if VERBS.contains(&first) { " " } else { ": " };
    format!("{field}{between}{phrase}")
}

/// The problems with a body or a query so far.
#[derive(Debug, Default)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// Adds a problem with `field`.
    pub fn report(&mut self, field: &str, problem: impl Into<String>) {
        self.0.push(Problem::new(field, problem));
    }

    /// Reports the names that are not `known`.
    pub fn report_unknown<'a>(&mut self, names: impl Iterator<Item = &'a str>, known: &[&str]) {
        let known_are = match known {
            [] => "none is".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        for name in names.filter(|name| !known.contains(name)).take(MOST_PROBLEMS) {
            self.report(name, format!("is not known here; {known_are}"));
        }
    }

    /// The value of `word` among `choices`; reports a word that is none of them.
    pub fn choose<T: Copy>(&mut self, field: &str, word: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.report(field, format!("must be one of {}, not \"{word}\"", names.join(", ")));
        }
        found
    }

    /// Nothing, if nothing is wrong.
    ///
    /// # Errors
    /// The problems, in the order in which they were reported.
    pub fn finish(self) -> Result<(), Vec<Problem>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_one_subject() {
        for (field, problem, said) in [
            ("name", "has 1 character: 3 to 50 are allowed", "name has 1 character: 3 to 50 are allowed"),
            ("schedule", "the schedule is empty: give one", "schedule is empty: give one"),
            ("schedule", "a cron expression has 5 fields", "schedule: a cron expression has 5 fields"),
            ("timezone", "\"Mars\" is not a time zone", "timezone: \"Mars\" is not a time zone"),
        ] {
            assert_eq!(sentence(field, problem), said);
        }
    }
}

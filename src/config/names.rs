//! Names of settings: the spelling of each origin, and the known name that is nearest to an
//! unknown one.

use strsim::levenshtein;

use super::{
    Origin,
    keys::{KEYS, Key},
    value::Raw,
};

/// The prefix of the server's variables.
pub(super) const PREFIX: &str = "ISOCHRON_";
/// Variables of the commands that ask a server; they are no settings.
pub(super) const OF_CLIENTS: [&str; 2] = ["ISOCHRON_SERVER", "ISOCHRON_TOKEN"];

impl Key {
    /// The variable: `limits.outputBytes` is `ISOCHRON_LIMITS__OUTPUT_BYTES`.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", split_humps(self.name, '_', "__").to_ascii_uppercase())
    }

    /// The name in `origin`, if it can be there at all.
    pub(super) fn written(&self, origin: &Origin) -> Option<String> {
        match origin {
            Origin::Environment => Some(self.variable()),
            Origin::Flag => self.flag.then(|| flag(self.name)),
            Origin::File { .. } | Origin::Default => (!self.is_only_variable()).then(|| self.name.to_owned()),
        }
    }
}

/// A camel-case key with `hump` before each capital and `level` for each dot.
fn split_humps(name: &str, hump: char, level: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        match c {
            '.' => out.push_str(level),
            'A'..='Z' => out.extend([hump, c.to_ascii_lowercase()]),
            _ => out.push(c),
        }
    }
    out
}

/// A key as a flag: `logFormat` is `--log-format`.
pub(super) fn flag(name: &str) -> String {
    format!("--{}", split_humps(name, '-', "."))
}

/// A variable's name with the levels of a key of the file, for comparing.
pub(super) fn key_of(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).replace("__", ".")
}

/// The row with this key of the file.
pub(super) fn find_key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether there are keys below `inside`, which ends with a dot.
pub(super) fn is_group(inside: &str) -> bool {
    KEYS.iter().any(|key| key.name.starts_with(inside))
}

/// The last parts of the keys below `inside`.
pub(super) fn members(inside: &str) -> String {
    KEYS.iter().filter_map(|key| key.name.strip_prefix(inside)).collect::<Vec<_>>().join(", ")
}

/// The secret setting that a key is an attempt at, also an unknown one or one misplaced in a table.
pub(super) fn find_secret(name: &str, origin: &Origin) -> Option<&'static Key> {
    find_key(name).or_else(|| nearest(name, origin)).filter(|key| key.is_only_variable())
}

/// Whether the value of the unknown key `name` may be a secret. A value is shown if it is too
/// short for a token and its key has no telling name.
pub(super) fn hides_value(name: &str, near: Option<&Key>, raw: &Raw<'_>) -> bool {
    let name = letters(name);
    near.is_some_and(Key::secret)
        || ["token", "secret", "password", "auth", "key", "admin"].iter().any(|word| name.contains(word))
        || raw.length() >= 16
}

/// The known key that `name` most resembles, if it does resemble one. In a file the
/// admin token is compared too, so that its author learns why it is refused.
pub(super) fn nearest(name: &str, origin: &Origin) -> Option<&'static Key> {
    let (whole, leaf) = (letters(name), letters(last(name)));
    KEYS.iter()
        .filter(|key| key.flag || *origin != Origin::Flag)
        .filter_map(|key| {
            let known = letters(key.name);
            let by_whole = levenshtein(&whole, &known);
            // The right name in the wrong table, or in none.
            let by_leaf = 1 + levenshtein(&leaf, &letters(last(key.name)));
            let (far, most) = (by_whole.min(by_leaf), 1 + known.len().min(whole.len()) / 4);
            (far <= most).then_some((far, key))
        })
        .min_by_key(|(far, _)| *far)
        .map(|(_, key)| key)
}

/// The part after the last dot.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The letters and digits of a name, in lower case.
fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

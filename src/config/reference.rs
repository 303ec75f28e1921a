//! The table of settings for the documentation.

use std::iter;

use super::{Origin, concurrency::AT_ONCE, grants::GRANTED_NET, keys::KEYS};

/// One setting, for documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The key in the file.
    pub key: &'static str,
    /// The variable in the environment.
    pub variable: String,
    /// The flag, if there is one.
    pub flag: Option<String>,
    /// The value where no origin gives one.
    pub default: &'static str,
    /// The values that are allowed, as a noun phrase.
    pub allowed: String,
    /// The meaning, as a noun phrase.
    pub meaning: &'static str,
}

/// Every setting, in the order of the documentation.
pub fn settings() -> impl Iterator<Item = Reference> {
    KEYS.iter().map(|key| Reference {
        key: key.name,
        variable: key.variable(),
        flag: key.written(&Origin::Flag),
        default: key.default,
        allowed: key.accept.allowed(),
        meaning: key.meaning,
    })
}

/// The table of `docs/settings.md`, in Markdown, with a line break at its end.
#[must_use]
pub fn reference() -> String {
    let head = "| key | default | meaning | allowed |\n|---|---|---|---|\n".to_owned();
    let rows = settings().zip(KEYS).map(|(row, key)| {
        let name = if key.is_only_variable() { row.variable.as_str() } else { row.key };
        let default = if key.preset.is_some() { format!("`{}`", row.default) } else { row.default.into() };
        format!("| `{name}` | {default} | {} | {} |\n", row.meaning, row.allowed)
    });
    let grants = format!(
        "| `grants.<handler>.net` | as the server | hosts and addresses that `fetch` of this handler may reach, \
         within those of the server; `<handler>` may end in `/*`, as in `grants.\"reports/*\".net`, and the most \
         exact one counts; in the file only | {GRANTED_NET} |\n"
    );
    let keys = format!(
        "| `concurrency.<key>` | `1` | executions at once of all tasks with that `concurrencyKey`; in the file only | \
         {AT_ONCE} |\n"
    );
    let alerts = "| `alerts.<channel>`, `alerts.default`, `alerts.server` | none | where [alerts](alerts.md) go; in the file \
         only | tables |\n"
        .to_owned();
    iter::once(head).chain(rows).chain([grants, keys, alerts]).collect()
}

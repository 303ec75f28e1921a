//! `concurrency.<key>`: how many executions of the tasks with a key are in progress at once, in the file
//! only.

use toml::de::DeValue;

use super::{Config, ConfigError, Setting, grants::refuse, value::Raw};

/// The most executions at once that a setting may name.
const MOST: u32 = 1024;
/// The values of `concurrency.<key>`.
pub(super) const AT_ONCE: &str = "an integer from 1 to 1024 (executions)";

/// Applies the number of one key.
pub(super) fn apply(
    config: &mut Config,
    key: &str,
    value: &DeValue<'_>,
    setting: Setting,
) -> Result<(), ConfigError> {
    let raw = Raw::Toml(value);
    if !(1..=100).contains(&key.chars().count()) {
        return Err(refuse(setting, &raw, "a key of 1 to 100 characters"));
    }
    let number = match value {
        DeValue::Integer(number) => raw_number(number.as_str(), number.radix()),
        _ => None,
    };
    let Some(number) = number else { return Err(refuse(setting, &raw, AT_ONCE)) };
    config.concurrency.insert(key.to_owned(), number);
    Ok(())
}

fn raw_number(text: &str, radix: u32) -> Option<u32> {
    u32::from_str_radix(text, radix).ok().filter(|number| (1..=MOST).contains(number))
}

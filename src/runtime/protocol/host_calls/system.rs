//! `isochron:system`: upkeep of the store.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read;

/// A call of a function of `isochron:system`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SystemCall {
    /// `removeHistory`
    RemoveHistory {
        /// Days.
        older_than: f64,
        /// Whether to count only.
        dry_run: bool,
    },
    /// `statistics`
    Statistics {
        /// Whether figures that take longer are wanted too.
        detailed: bool,
    },
    /// `get`
    Get {
        /// The value's key.
        key: String,
    },
    /// `put`
    Put {
        /// The value's key.
        key: String,
        /// The value as JSON text.
        value: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RemoveHistory {
    older_than: f64,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statistics {
    #[serde(default)]
    detailed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Get {
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    key: String,
    value: Value,
}

impl SystemCall {
    /// A call from the function's name and its argument as JSON text.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn parse(function: &str, argument: &str) -> Result<Self, String> {
        Ok(match function {
            "removeHistory" => {
                let RemoveHistory { older_than, dry_run } = read(argument)?;
                Self::RemoveHistory { older_than, dry_run }
            }
            "statistics" => Self::Statistics { detailed: read::<Statistics>(argument)?.detailed },
            "get" => Self::Get { key: read::<Get>(argument)?.key },
            "put" => {
                let Put { key, value } = read(argument)?;
                Self::Put { key, value: value.to_string() }
            }
            other => return Err(format!("isochron:system has no function {other}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_call_is_read_from_its_json_argument() {
        let key = || "k".to_owned();
        for (function, argument, call) in [
            (
                "removeHistory",
                r#"{"olderThan": 1.5}"#,
                SystemCall::RemoveHistory { older_than: 1.5, dry_run: false },
            ),
            ("statistics", r#"{"detailed": true}"#, SystemCall::Statistics { detailed: true }),
            ("get", r#"{"key": "k"}"#, SystemCall::Get { key: key() }),
            (
                "put",
                r#"{"key": "k", "value": {"b": 1, "a": 0.1}}"#,
                SystemCall::Put { key: key(), value: r#"{"b":1,"a":0.1}"#.to_owned() },
            ),
        ] {
            assert_eq!(SystemCall::parse(function, argument), Ok(call));
        }
    }

    #[test]
    fn a_wrong_function_or_argument_is_an_error_that_names_it() {
        for (function, argument, words) in [
            ("drop", "{}", "no function drop"),
            ("removeHistory", r#"{"olderThan": "7"}"#, "the argument is wrong: invalid type: string"),
            ("removeHistory", "{}", "missing field `olderThan`"),
            ("statistics", r#"{"deep": true}"#, "unknown field `deep`"),
            ("get", "[", "the argument is wrong"),
        ] {
            let error = SystemCall::parse(function, argument).expect_err(argument);
            assert!(error.contains(words), "{error}");
        }
    }
}

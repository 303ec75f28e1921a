//! `ctx.kv`: entries under keys.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read;

/// A call of a function of `ctx.kv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KvCall {
    /// Whether the entries are those that all tasks share.
    pub shared: bool,
    /// The function.
    pub function: KvFunction,
}

/// A function of `ctx.kv` with its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum KvFunction {
    /// `get` and `entry`
    Entry {
        /// The key.
        key: String,
    },
    /// `list`
    List {
        /// The start of the keys.
        prefix: String,
        /// Entries at most.
        limit: Option<usize>,
        /// The key after which to go on.
        cursor: Option<String>,
    },
    /// `set`
    Set {
        /// The key.
        key: String,
        /// The value as JSON text.
        value: String,
        /// Milliseconds.
        ttl: Option<u64>,
    },
    /// `compareAndSet`
    CompareAndSet {
        /// The key.
        key: String,
        /// The version that there must be; `None`: no entry.
        version: Option<u64>,
        /// The value as JSON text.
        value: String,
        /// Milliseconds.
        ttl: Option<u64>,
    },
    /// `increment`
    Increment {
        /// The key.
        key: String,
        /// The number to add.
        by: f64,
    },
    /// `delete`
    Delete {
        /// The key.
        key: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    shared: bool,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    shared: bool,
    #[serde(default)]
    prefix: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    shared: bool,
    key: String,
    value: Value,
    ttl: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompareAndSet {
    shared: bool,
    key: String,
    version: Option<u64>,
    value: Value,
    ttl: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Increment {
    shared: bool,
    key: String,
    by: f64,
}

impl KvCall {
    /// A call from the function's name and its argument as JSON text.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn parse(function: &str, argument: &str) -> Result<Self, String> {
        let (shared, function) = match function {
            "entry" => {
                let Key { shared, key } = read(argument)?;
                (shared, KvFunction::Entry { key })
            }
            "list" => {
                let List { shared, prefix, limit, cursor } = read(argument)?;
                (shared, KvFunction::List { prefix, limit, cursor })
            }
            "set" => {
                let Set { shared, key, value, ttl } = read(argument)?;
                (shared, KvFunction::Set { key, value: value.to_string(), ttl })
            }
            "compareAndSet" => {
                let CompareAndSet { shared, key, version, value, ttl } = read(argument)?;
                (shared, KvFunction::CompareAndSet { key, version, value: value.to_string(), ttl })
            }
            "increment" => {
                let Increment { shared, key, by } = read(argument)?;
                (shared, KvFunction::Increment { key, by })
            }
            "delete" => {
                let Key { shared, key } = read(argument)?;
                (shared, KvFunction::Delete { key })
            }
            other => return Err(format!("ctx.kv has no function {other}")),
        };
        Ok(Self { shared, function })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_from_its_json_argument() {
        let key = || "k".to_owned();
        for (name, argument, function) in [
            ("entry", r#"{"shared": false, "key": "k"}"#, KvFunction::Entry { key: key() }),
            (
                "set",
                r#"{"shared": false, "key": "k", "value": {"b": 0.1}, "ttl": 5}"#,
                KvFunction::Set { key: key(), value: r#"{"b":0.1}"#.to_owned(), ttl: Some(5) },
            ),
            (
                "compareAndSet",
                r#"{"shared": false, "key": "k", "version": null, "value": "\ud800"}"#,
                KvFunction::CompareAndSet {
                    key: key(),
                    version: None,
                    value: "\"\u{fffd}\"".to_owned(),
                    ttl: None,
                },
            ),
        ] {
            assert_eq!(KvCall::parse(name, argument), Ok(KvCall { shared: false, function }));
        }
        for (name, argument, words) in [
            ("drop", "{}", "no function drop"),
            ("set", r#"{"shared": false, "key": "k"}"#, "missing field `value`"),
            ("set", r#"{"shared": false, "key": "k", "value": 1, "ttl": -1}"#, "the argument is wrong"),
            ("entry", r#"{"shared": false, "key": "k", "more": 1}"#, "unknown field `more`"),
        ] {
            let error = KvCall::parse(name, argument).expect_err(argument);
            assert!(error.contains(words), "{error}");
        }
        let deep =
            format!(r#"{{"shared":false,"key":"k","value":{}{}}}"#, "[".repeat(2000), "]".repeat(2000));
        let error = KvCall::parse("set", &deep).expect_err("it is too deep");
        assert!(error.contains("nested over"), "{error}");
    }
}

//! What `isochron:system` offers to the built-in handlers: upkeep of the store.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    clock::Clock,
    runtime::{Later, SystemCalls},
    store::Store,
};

const DAY: f64 = 86_400_000.0;
/// Values that handlers keep lie under their own prefix.
const PREFIX: &str = "system/";

/// The calls, on a store.
pub struct System {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RemoveHistory {
    older_than: f64,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statistics {
    #[serde(default)]
    detailed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    key: String,
    value: Value,
}

impl System {
    /// On `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    async fn answer(&self, method: &str, argument: &str) -> Result<Value, String> {
        match method {
            "removeHistory" => {
                let RemoveHistory { older_than, dry_run } = read(argument)?;
                if !(0.0..=36_500.0).contains(&older_than) {
                    return Err(format!(
                        "olderThan must be a number of days from 0 to 36500, not {older_than}"
                    ));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "at most a hundred years of milliseconds"
                )]
                let before = self.clock.now() - (older_than * DAY) as i64;
                self.store.remove_history(before, dry_run).await.map(|removal| json!(removal)).map_err(failed)
            }
            "statistics" => {
                let Statistics { detailed } = read(argument)?;
                self.store.statistics(detailed).await.map(Value::Object).map_err(failed)
            }
            "get" => {
                let Key { key } = read(argument)?;
                let value = self.store.get(format!("{PREFIX}{key}")).await.map_err(failed)?;
                Ok(value.unwrap_or(Value::Null))
            }
            "put" => {
                let Put { key, value } = read(argument)?;
                if key.is_empty() || key.len() > 200 {
                    return Err("a key has 1 to 200 bytes".to_owned());
                }
                self.store.put(format!("{PREFIX}{key}"), value).await.map_err(failed)?;
                Ok(Value::Null)
            }
            other => Err(format!("isochron:system has no function {other}")),
        }
    }
}

impl SystemCalls for System {
    fn call<'a>(&'a self, method: &'a str, argument: &'a str) -> Later<'a, Result<String, String>> {
        Box::pin(async move { self.answer(method, argument).await.map(|value| value.to_string()) })
    }
}

fn read<'a, T: Deserialize<'a>>(argument: &'a str) -> Result<T, String> {
    serde_json::from_str(argument).map_err(|e| format!("the argument is wrong: {e}"))
}

fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The calls where there is no store: `isochron run`.
pub struct NoSystem;

impl SystemCalls for NoSystem {
    fn call<'a>(&'a self, _method: &'a str, _argument: &'a str) -> Later<'a, Result<String, String>> {
        Box::pin(async {
            Err("isochron:system needs the server's store: create a task for this handler and run it there"
                .to_owned())
        })
    }
}

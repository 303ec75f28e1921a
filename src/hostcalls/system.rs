//! `isochron:system`: upkeep of the store by the built-in handlers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::explain;
use crate::{clock::Clock, runtime::protocol::SystemCall, store::Store};

const DAY: f64 = 86_400_000.0;
/// The longest age that history can be removed by, in days.
const LONGEST: f64 = 36_500.0;
/// The longest key, in bytes.
const LONGEST_KEY: usize = 200;
/// Values that handlers keep lie under their own prefix.
const PREFIX: &str = "system/";

pub(super) struct System {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl System {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    pub(super) async fn answer(&self, call: SystemCall) -> Result<Value, String> {
        match call {
            SystemCall::RemoveHistory { older_than, dry_run } => {
                self.remove_history(older_than, dry_run).await
            }
            SystemCall::Statistics { detailed } => {
                self.store.statistics(detailed).await.map(Value::Object).map_err(explain)
            }
            SystemCall::Get { key } => {
                let value = self.store.get(format!("{PREFIX}{key}")).await.map_err(explain)?;
                Ok(value.unwrap_or(Value::Null))
            }
            SystemCall::Put { key, value } => {
                if key.is_empty() || key.len() > LONGEST_KEY {
                    return Err(format!("a key has 1 to {LONGEST_KEY} bytes"));
                }
                let value = serde_json::from_str(&value).map_err(|e| format!("the value is no JSON: {e}"))?;
                self.store.put(format!("{PREFIX}{key}"), value).await.map_err(explain)?;
                Ok(Value::Null)
            }
        }
    }

    async fn remove_history(&self, older_than: f64, dry_run: bool) -> Result<Value, String> {
        if !(0.0..=LONGEST).contains(&older_than) {
            return Err(format!("olderThan must be a number of days from 0 to {LONGEST}, not {older_than}"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most a hundred years of milliseconds")]
        let before = self.clock.now() - (older_than * DAY) as i64;
        let removal = self.store.remove_history(before, dry_run).await.map_err(explain)?;
        Ok(json!(removal))
    }
}

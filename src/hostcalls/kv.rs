//! `ctx.kv`: the entries of the caller's task, and those that all tasks share.

use std::sync::Arc;

use serde_json::{Value, json};

use super::explain;
use crate::{
    domain::{Millis, text::json},
    runtime::{
        Attempt,
        protocol::{KvCall, KvFunction},
    },
    store::{
        Change, Edit, Edited, Entry, EntryQuery, Expected, Fence, LONGEST_KEY, LONGEST_TTL, LONGEST_VALUE,
        Owner, Quota, Store,
    },
};

/// Entries of a list at most, and without a limit of its own.
const LIST: (usize, usize) = (1000, 100);

pub(super) struct Kv {
    store: Arc<dyn Store>,
    quota: Quota,
}

impl Kv {
    pub(super) fn new(store: Arc<dyn Store>, quota: Quota) -> Self {
        Self { store, quota }
    }

    pub(super) async fn answer(&self, attempt: Attempt, call: KvCall) -> Result<Value, String> {
        let owner = if call.shared { Owner::Shared } else { Owner::Task(attempt.task) };
        let fence = Fence { task: attempt.task, execution: attempt.execution };
        let edit = |key: String, change| self.edit(owner, fence, key, change);
        match call.function {
            KvFunction::Entry { key } => {
                check_key(&key)?;
                let found = self.store.entry(owner, key).await.map_err(explain)?;
                Ok(found.map_or(Value::Null, |entry| show(None, entry)))
            }
            KvFunction::List { prefix, limit, cursor } => self.list(owner, prefix, limit, cursor).await,
            KvFunction::Set { key, value, ttl } => {
                let change = set(&key, &value, ttl, Expected::Any)?;
                match edit(key, change).await? {
                    Edited::Set(entry) => Ok(entry.version.into()),
                    Edited::Removed | Edited::Unchanged(_) => Ok(Value::Null),
                }
            }
            KvFunction::CompareAndSet { key, version, value, ttl } => {
                let expected = version.map_or(Expected::Absent, Expected::Version);
                let change = set(&key, &value, ttl, expected)?;
                Ok(matches!(edit(key, change).await?, Edited::Set(_)).into())
            }
            KvFunction::Increment { key, by } => match edit(key, Change::Increment { by }).await? {
                Edited::Set(entry) => Ok(entry.value),
                Edited::Removed | Edited::Unchanged(_) => Ok(Value::Null),
            },
            KvFunction::Delete { key } => {
                let edited = edit(key, Change::Delete { expected: Expected::Any }).await?;
                Ok((edited == Edited::Removed).into())
            }
        }
    }

    async fn edit(&self, owner: Owner, fence: Fence, key: String, change: Change) -> Result<Edited, String> {
        check_key(&key)?;
        let edit = Edit { owner, key, change, fence: Some(fence), quota: self.quota, audit: None };
        self.store.edit(edit).await.map_err(explain)
    }

    async fn list(
        &self,
        owner: Owner,
        prefix: String,
        limit: Option<usize>,
        cursor: Option<String>,
    ) -> Result<Value, String> {
        let limit = limit.unwrap_or(LIST.1);
        if !(1..=LIST.0).contains(&limit) {
            return Err(format!("limit is a whole number from 1 to {}, not {limit}", LIST.0));
        }
        if prefix.len() > LONGEST_KEY || cursor.as_ref().is_some_and(|cursor| cursor.len() > LONGEST_KEY) {
            return Err(format!("a prefix and a cursor have at most {LONGEST_KEY} bytes"));
        }
        let query = EntryQuery { prefix, after: cursor, limit };
        let page = self.store.entries(owner, query).await.map_err(explain)?;
        let cursor = page.entries.last().filter(|_| page.more).map(|(key, _)| key.clone());
        let entries: Vec<_> = page.entries.into_iter().map(|(key, entry)| show(Some(key), entry)).collect();
        Ok(json!({ "entries": entries, "cursor": cursor }))
    }
}

fn show(key: Option<String>, entry: Entry) -> Value {
    let Entry { value, version, expires_at } = entry;
    let mut shown = json!({ "value": value, "version": version, "expiresAt": expires_at });
    if let (Some(key), Value::Object(fields)) = (key, &mut shown) {
        fields.shift_insert(0, "key".to_owned(), key.into());
    }
    shown
}

fn set(key: &str, text: &str, ttl: Option<u64>, expected: Expected) -> Result<Change, String> {
    if text.len() > LONGEST_VALUE {
        return Err(format!(
            "the value for \"{key}\" has {} bytes as JSON; {LONGEST_VALUE} are the most",
            text.len()
        ));
    }
    let ttl = match ttl {
        Some(ttl) if !(1..=LONGEST_TTL).contains(&ttl) => {
            return Err(format!("ttl is a number of milliseconds from 1 to {LONGEST_TTL}, not {ttl}"));
        }
        ttl => ttl.and_then(|ttl| Millis::try_from(ttl).ok()),
    };
    Ok(Change::Set { value: read_value(&format!("the value for \"{key}\""), text)?, ttl, expected })
}

/// Reads a value within the levels that can be kept.
pub(super) fn read_value(what: &str, text: &str) -> Result<Value, String> {
    match json::parse::<Value>(text) {
        Ok(value) if json::count_levels(&value) <= json::LEVELS => Ok(value),
        Ok(_) | Err(json::Unreadable::TooDeep) => {
            Err(format!("{what} is nested over {} levels", json::LEVELS))
        }
        Err(json::Unreadable::Wrong(error)) => Err(format!("{what} is no JSON: {error}")),
    }
}

fn check_key(key: &str) -> Result<(), String> {
    match key.len() {
        1..=LONGEST_KEY => Ok(()),
        0 => Err("a key is not empty".to_owned()),
        bytes => Err(format!("a key has at most {LONGEST_KEY} bytes, this one has {bytes}")),
    }
}

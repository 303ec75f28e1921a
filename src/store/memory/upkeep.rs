//! The upkeep of a store in memory: figures, and its end.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::{MemoryStore, nodes};
use crate::{
    domain::facts::TaskStatus,
    store::{Answer, Condition, Report, StoreError, Upkeep, ready},
};

impl Upkeep for MemoryStore {
    fn statistics(&self, detailed: bool) -> Answer<Map<String, Value>> {
        let data = self.disk.data();
        let kinds = [
            ("tasks", data.tasks.len()),
            ("executions", data.rows.len()),
            ("output", data.output.len()),
            ("audit", data.audit.len()),
            ("values", data.values.len()),
            ("entries", data.entries.len()),
            ("steps", data.steps.len()),
            ("bindings", data.bindings.len()),
            ("tokens", data.tokens.len()),
            ("alerts", data.outbox.len()),
            ("params", data.params.len()),
            ("versions", data.versions_of_handlers.len()),
        ];
        let collections: Map<_, _> =
            kinds.into_iter().map(|(kind, count)| (kind.to_owned(), json!({ "count": count }))).collect();
        let mut answer = Map::new();
        answer.insert("bytesOnDisk".to_owned(), kinds.iter().map(|(_, count)| count).sum::<usize>().into());
        answer.insert("collections".to_owned(), collections.into());
        if detailed {
            let statuses = TaskStatus::ALL.into_iter().map(|status| {
                let count = data.tasks.values().filter(|task| task.status() == status).count();
                (status.name().to_owned(), count.into())
            });
            answer.insert("taskStatus".to_owned(), Value::Object(statuses.collect()));
        }
        ready(Ok(answer))
    }

    fn condition(&self) -> Answer<Condition> {
        ready(Ok(Condition::default()))
    }

    fn report(&self) -> Report {
        self.report.clone()
    }

    fn close(&self) -> Answer<()> {
        let store = self.clone();
        Box::pin(async move {
            if store.closed.load(Ordering::SeqCst) {
                return Err(StoreError::Closed);
            }
            if store.identity.is_shared() {
                // A node that is gone has nothing to leave.
                let _ = store.perform(nodes::leave(store.identity.clone(), store.now.clone())).await;
            }
            store.closed.store(true, Ordering::SeqCst);
            Ok(())
        })
    }
}

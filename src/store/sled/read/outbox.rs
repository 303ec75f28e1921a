//! Reads of alerts on their way.

use std::collections::BTreeMap;

use crate::{
    domain::{Millis, alerts::Delivery, facts::Task, ids::TaskId},
    store::{
        MOST_COUNTED, OutboxQuery, Place, StoreError, WaitingAlerts,
        sled::{
            engine::{Bytes, EngineResult, keys, outbox, txn::backend},
            read::{
                records::{decode, get},
                view::View,
            },
        },
    },
};

pub(crate) fn deliveries(tree: &View, query: &OutboxQuery) -> Result<Vec<Delivery>, StoreError> {
    let prefix = outbox::deliveries(query.place, query.channel.as_deref());
    let (mut from, mut to) = (prefix.clone(), keys::after_prefix(&prefix));
    if let Some(after) = query.after {
        let at = [&prefix[..], &after.to_bytes()].concat();
        if query.newest_first { to = at } else { from = [&at[..], &[0]].concat() }
    }
    let mut found = Vec::new();
    let range = tree.range(from..to);
    let entries: Box<dyn Iterator<Item = EngineResult<(Bytes, Bytes)>>> =
        if query.newest_first { Box::new(range.rev()) } else { Box::new(range) };
    for entry in entries {
        if found.len() == query.limit {
            break;
        }
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        let Some(bytes) = tree.durable_value(&key, bytes) else { continue };
        found.extend(decode::<Delivery>(tree, &key, &bytes));
    }
    Ok(found)
}

pub(crate) fn waiting(tree: &View) -> Result<BTreeMap<String, WaitingAlerts>, StoreError> {
    let mut waiting: BTreeMap<String, WaitingAlerts> = BTreeMap::new();
    for place in [Place::Pending, Place::Held] {
        for key in tree.prefix_keys(&outbox::deliveries(place, None)).take(MOST_COUNTED) {
            let key = key.map_err(backend("scan the store"))?;
            let Some(channel) = outbox::channel_of(&key) else { continue };
            let counts = waiting.entry(channel.to_owned()).or_default();
            *if place == Place::Held { &mut counts.held } else { &mut counts.pending } += 1;
        }
    }
    Ok(waiting)
}

pub(crate) fn next_alarm(tree: &View) -> Result<Option<(Millis, TaskId)>, StoreError> {
    let first = tree.prefix_keys(&[keys::ALARM]).next().transpose().map_err(backend("scan the store"))?;
    Ok(first.and_then(|key| keys::read_millis(&key[1..]).zip(keys::last_task(&key))))
}

pub(crate) fn alarmed(tree: &View, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
    let from = after.map_or_else(|| vec![keys::FIRING], |after| [&outbox::firing(after)[..], &[0]].concat());
    let mut tasks = Vec::new();
    for entry in tree.range(from..keys::after_prefix(&[keys::FIRING])).take(limit) {
        let (key, _) = entry.map_err(backend("scan the store"))?;
        if let Some(task) = keys::last_task(&key) {
            tasks.extend(get::<Task>(tree, &keys::task(task))?);
        }
    }
    Ok(tasks)
}

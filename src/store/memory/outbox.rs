//! Alerts on their way.

use std::collections::BTreeMap;

use super::disk::{Data, Operation, Prepared, Write, delivery_key};
use crate::{
    domain::{alerts::Delivery, facts::Task, ids::TaskId},
    store::{OutboxQuery, Place, WaitingAlerts},
};

pub(super) fn deliveries(data: &Data, query: &OutboxQuery) -> Vec<Delivery> {
    let all = data.outbox.iter().filter(|((place, channel, id), _)| {
        let beyond = |after| if query.newest_first { *id < after } else { *id > after };
        *place == query.place
            && query.channel.as_ref().is_none_or(|wanted| wanted == channel)
            && query.after.is_none_or(beyond)
    });
    let all = all.map(|(_, delivery)| delivery.clone());
    if query.newest_first { all.rev().take(query.limit).collect() } else { all.take(query.limit).collect() }
}

pub(crate) fn settle(old: Vec<Delivery>, new: Vec<Delivery>) -> Operation<()> {
    Box::new(move |_| {
        let old = old.iter().map(|delivery| Write::RemoveDelivery(delivery_key(delivery)));
        let new = new.into_iter().map(|delivery| Write::Delivery(Box::new(delivery)));
        Ok(Prepared { answer: (), writes: old.chain(new).collect() })
    })
}

pub(super) fn waiting(data: &Data) -> BTreeMap<String, WaitingAlerts> {
    let mut waiting: BTreeMap<String, WaitingAlerts> = BTreeMap::new();
    for (place, channel, _) in data.outbox.keys() {
        match place {
            Place::Pending => waiting.entry(channel.clone()).or_default().pending += 1,
            Place::Held => waiting.entry(channel.clone()).or_default().held += 1,
            Place::Over => {}
        }
    }
    waiting
}

pub(super) fn alarmed(data: &Data, after: Option<TaskId>, limit: usize) -> Vec<Task> {
    let tasks = data.tasks.values().filter(|task| after.is_none_or(|after| task.id > after));
    tasks.filter(|task| task.is_firing()).take(limit).cloned().collect()
}

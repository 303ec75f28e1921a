//! The faulty store's alerts on their way.

use std::collections::BTreeMap;

use super::store::FaultyStore;
use crate::{
    domain::{Millis, alerts::Delivery, facts::Task, ids::TaskId},
    store::{Answer, Outbox, OutboxQuery, WaitingAlerts, memory::outbox::settle},
};

impl Outbox for FaultyStore {
    fn deliveries(&self, query: OutboxQuery) -> Answer<Vec<Delivery>> {
        self.0.memory.deliveries(query)
    }

    fn settle(&self, old: Vec<Delivery>, new: Vec<Delivery>) -> Answer<()> {
        self.perform("settle", false, settle(old, new), |_, _, ()| {})
    }

    fn waiting(&self) -> Answer<BTreeMap<String, WaitingAlerts>> {
        self.0.memory.waiting()
    }

    fn next_alarm(&self) -> Answer<Option<(Millis, TaskId)>> {
        self.0.memory.next_alarm()
    }

    fn alarmed(&self, after: Option<TaskId>, limit: usize) -> Answer<Vec<Task>> {
        self.0.memory.alarmed(after, limit)
    }
}

//! The figures of the channels for a token that is bound to handlers: those of the messages that it may see.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::deliveries::{Filter, read};
use crate::{
    api::state::Shared,
    domain::{
        Millis,
        access::Grant,
        alerts::{Delivery, State},
    },
    store::StoreError,
};

/// Messages that the figures are made from, at most: the newest.
const MOST: usize = 1000;

/// The figures of a channel.
#[derive(Default)]
struct Figures {
    pending: u64,
    held: u64,
    last_delivered: Option<Millis>,
    last_failed: Option<(Millis, String)>,
}

impl Figures {
    fn add(&mut self, delivery: &Delivery) {
        match delivery.state {
            State::Pending { .. } => self.pending += 1,
            State::Held => self.held += 1,
            State::Delivered { at } => self.last_delivered = self.last_delivered.max(Some(at)),
            State::GivenUp { .. } | State::Dropped { .. } => {}
        }
        let failed = delivery.attempts.iter().rev().find(|attempt| !attempt.ok);
        let failed = failed.map(|attempt| (attempt.time.saturating_add(attempt.took), attempt.failure()));
        self.last_failed = self.last_failed.take().max(failed);
    }
}

/// Replaces the figures of channels with those of the messages that a grant covers.
///
/// # Errors
/// When the store fails.
pub(super) async fn keep(
    api: &Shared,
    grant: Grant,
    channels: &mut [Map<String, Value>],
) -> Result<(), StoreError> {
    let found = read(api, &Filter { channel: None, task: None, status: None, grant }, None, MOST).await?;
    let mut figures: BTreeMap<&str, Figures> = BTreeMap::new();
    for delivery in &found.deliveries {
        figures.entry(&delivery.alert.channel).or_default().add(delivery);
    }
    for channel in channels {
        let name = channel.get("name").and_then(Value::as_str).unwrap_or_default();
        let Figures { pending, held, last_delivered, last_failed } = figures.remove(name).unwrap_or_default();
        let (failed, why) = last_failed.unzip();
        channel.extend([
            ("pending".to_owned(), json!(pending)),
            ("held".to_owned(), json!(held)),
            ("lastDelivered".to_owned(), json!(last_delivered)),
            ("lastFailed".to_owned(), json!(failed)),
            ("lastError".to_owned(), json!(why)),
        ]);
    }
    Ok(())
}

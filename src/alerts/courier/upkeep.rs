//! Upkeep of the outbox: the last hour at a start, old messages, messages without a channel.

use super::{HOUR, PART};
use crate::{
    alerts::Alerts,
    domain::{
        Millis,
        alerts::{Attempt, Delivery, State},
        lock::lock,
    },
    store::{OutboxQuery, Place, StoreError},
};

/// Messages that are over are kept this long, in milliseconds.
const KEPT: Millis = 7 * 24 * HOUR;

impl Alerts {
    /// Reads the messages of before the start: the times of those of the last hour, for the most messages in an
    /// hour, and the last successes and failures of each channel.
    pub(super) async fn remember(&self) -> Result<(), StoreError> {
        let query =
            OutboxQuery { place: Place::Over, channel: None, after: None, newest_first: true, limit: PART };
        let mut known = self.parts.store.deliveries(query).await?;
        for name in self.channels.keys() {
            known.extend(self.read(Place::Pending, name, PART).await?);
        }
        let from = self.parts.clock.now() - HOUR;
        for delivery in known {
            let Some(ready) = self.channels.get(&delivery.alert.channel) else { continue };
            let mut state = lock(&ready.state);
            if let State::Delivered { at } = delivery.state {
                state.last_delivered = state.last_delivered.max(Some(at));
                if at > from {
                    state.sent.push_back(at);
                }
            } else if let Some(attempt) = delivery.attempts.last()
                && state.last_failed.as_ref().is_none_or(|(time, _)| *time < attempt.time)
            {
                state.last_failed = Some((attempt.time, attempt.failure()));
            }
        }
        for ready in self.channels.values() {
            lock(&ready.state).sent.make_contiguous().sort_unstable();
        }
        Ok(())
    }

    /// Removes old messages, and gives those up whose channel is no longer in the settings.
    pub(super) async fn tidy(&self, now: Millis) -> Result<(), StoreError> {
        loop {
            let query = OutboxQuery {
                place: Place::Over,
                channel: None,
                after: None,
                newest_first: false,
                limit: PART,
            };
            let mut old = self.parts.store.deliveries(query).await?;
            old.retain(|delivery| delivery.alert.time < now - KEPT);
            if old.is_empty() {
                break;
            }
            self.parts.store.settle(old, Vec::new()).await?;
        }
        for channel in self.parts.store.waiting().await?.into_keys() {
            while !self.channels.contains_key(&channel) {
                let mut old = self.read(Place::Pending, &channel, PART).await?;
                old.extend(self.read(Place::Held, &channel, PART).await?);
                if old.is_empty() {
                    break;
                }
                let answer = format!("there is no channel {channel} in the settings");
                let attempt = Attempt { time: now, took: 0, status: None, answer, ok: false };
                let given_up = |delivery: &Delivery| Delivery {
                    state: State::GivenUp { at: now },
                    attempts: vec![attempt.clone()],
                    ..delivery.clone()
                };
                let new = old.iter().map(given_up).collect();
                self.parts.store.settle(old, new).await?;
            }
        }
        Ok(())
    }
}

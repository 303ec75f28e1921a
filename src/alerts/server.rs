//! The server itself: troubles that no task has, told when they begin and when they end.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use tokio::sync::watch;

use super::Alerts;
use crate::{
    clock::Stopwatch,
    domain::{
        Millis,
        alerts::{Alert, Delivery, Kind},
    },
    store::StoreError,
};

/// Milliseconds between two looks.
const EVERY: Millis = 30_000;
/// A commit that takes longer than this many milliseconds is slow.
const SLOW: Millis = 1000;
/// A clock that has moved by more than this many milliseconds beside the time that passed was set.
const JUMP: Millis = 5000;
/// The keys of the troubles that were told, and of the value that measures a commit.
const TOLD: &str = "alerts.server";
const PULSE: &str = "alerts.pulse";

/// Tells the troubles that other parts of the server have now.
pub trait Signs: Send + Sync + 'static {
    /// Each trouble with a line for people.
    fn look(&self) -> Vec<(Kind, String)>;
}

/// The troubles that were told, each with its first time in epoch milliseconds.
type Told = BTreeMap<Kind, Millis>;

impl Alerts {
    /// Watches the server until a stop, if a channel hears of it.
    pub async fn watch_server(self: Arc<Self>, signs: Arc<dyn Signs>, mut stopping: watch::Receiver<bool>) {
        if self.server.is_empty() {
            return;
        }
        let mut last = None;
        while !*stopping.borrow() {
            let now = self.parts.clock.now();
            let jump =
                last.and_then(|(then, passed): (Millis, Stopwatch)| clock_jump(now - then, passed.millis()));
            last = Some((now, Stopwatch::start()));
            if let Err(error) = self.look_at_server(&*signs, jump, now).await {
                tracing::warn!(%error, "the troubles of the server cannot be told");
            }
            tokio::select! {
                biased;
                _ = stopping.changed() => {}
                () = self.parts.clock.sleep_until(now.saturating_add(EVERY)) => {}
            }
        }
    }

    async fn look_at_server(
        &self,
        signs: &dyn Signs,
        jump: Option<String>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let told = self.parts.store.get(TOLD.to_owned()).await?;
        let told: Told = told.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        let mut found: BTreeMap<Kind, String> = signs.look().into_iter().collect();
        if let Some(text) = self.measure(now).await? {
            found.insert(Kind::StoreSlow, text);
        }
        let (mut messages, after) = compare(&told, &found, now);
        messages.extend(jump.map(|text| (Kind::ClockJump, Kind::ClockJump, text)));
        let deliveries: Vec<_> = messages.iter().flat_map(|message| self.of_server(message, now)).collect();
        if !deliveries.is_empty() {
            self.parts.store.settle(Vec::new(), deliveries).await?;
            self.parts.scheduler.alerted().notify_one();
        }
        if after != told {
            self.parts.store.put(TOLD.to_owned(), json!(after)).await?;
        }
        Ok(())
    }

    /// Measures a commit; a line for people if it is slow.
    async fn measure(&self, now: Millis) -> Result<Option<String>, StoreError> {
        let stopwatch = Stopwatch::start();
        self.parts.store.put(PULSE.to_owned(), json!(now)).await?;
        let took = stopwatch.millis();
        Ok((took > SLOW).then(|| format!("The store is slow: a commit has taken {took} ms")))
    }

    /// The messages about a trouble for the channels that hear of it.
    fn of_server(&self, (about, kind, text): &(Kind, Kind, String), now: Millis) -> Vec<Delivery> {
        let channels = self.server.iter().filter(|(_, kinds)| kinds.contains(about));
        let delivery = |(channel, _): &(String, Vec<Kind>)| {
            Delivery::new(Alert { lines: vec![text.clone()], ..self.own(channel, *kind, now) })
        };
        channels.map(delivery).collect()
    }
}

/// The messages (each with the trouble, its kind and a line) that lead from the troubles told to those
/// found, and the troubles told after them.
fn compare(told: &Told, found: &BTreeMap<Kind, String>, now: Millis) -> (Vec<(Kind, Kind, String)>, Told) {
    let mut messages = Vec::new();
    let mut after = Told::new();
    for (kind, text) in found {
        if !told.contains_key(kind) {
            messages.push((*kind, *kind, text.clone()));
        }
        after.insert(*kind, told.get(kind).copied().unwrap_or(now));
    }
    for kind in told.keys().filter(|kind| !found.contains_key(kind)) {
        messages.push((*kind, Kind::Recovery, format!("The server is well again: no more {}", kind.name())));
    }
    (messages, after)
}

/// A line for people, if the clock was set: it has moved by `moved` milliseconds while `passed` have passed.
fn clock_jump(moved: Millis, passed: Millis) -> Option<String> {
    let by = moved - passed;
    let seconds = by.unsigned_abs() / 1000;
    let direction = if by < 0 { "back" } else { "forward" };
    (by.abs() > JUMP).then(|| format!("The clock was set {direction} by {seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_when_it_begins_and_when_it_ends() {
        let found = |kinds: &[Kind]| kinds.iter().map(|kind| (*kind, "it is so".to_owned())).collect();
        let (messages, told) = compare(&Told::new(), &found(&[Kind::DiskLow]), 1);
        assert_eq!(messages, [(Kind::DiskLow, Kind::DiskLow, "it is so".to_owned())]);
        assert_eq!(told, Told::from([(Kind::DiskLow, 1)]));
        assert_eq!(compare(&told, &found(&[Kind::DiskLow]), 2), (vec![], told.clone()), "told already");
        let (messages, told) = compare(&told, &found(&[Kind::BackupFailed]), 3);
        let kinds: Vec<_> = messages.iter().map(|(about, kind, _)| (*about, *kind)).collect();
        assert_eq!(
            kinds,
            [(Kind::BackupFailed, Kind::BackupFailed), (Kind::DiskLow, Kind::Recovery)],
            "one begins, one ends"
        );
        assert_eq!(told, Told::from([(Kind::BackupFailed, 3)]));
    }

    #[test]
    fn a_clock_that_was_set_shows_beside_the_time_that_passed() {
        assert_eq!(clock_jump(30_400, 30_000), None);
        assert_eq!(clock_jump(3_630_000, 30_000).as_deref(), Some("The clock was set forward by 3600 s"));
        assert_eq!(clock_jump(-30_000, 30_000).as_deref(), Some("The clock was set back by 60 s"));
    }
}

//! The server itself: troubles that no task has, told when they begin and when they end.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

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

/// A trouble of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// One of [`Kind::OF_SERVER`].
    pub kind: Kind,
    /// The token or the handler that has it; empty: the server.
    pub about: String,
    /// How it stands.
    pub state: SignState,
}

/// How a trouble stands. One without a sign is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignState {
    /// It is there.
    There {
        /// How bad it is: a trouble that gets worse is told again.
        level: u32,
        /// A line for people.
        text: String,
    },
    /// Nothing is known now: it stands as it stood before.
    Unknown,
}

impl Sign {
    /// A trouble of the server itself.
    #[must_use]
    pub fn of_server(kind: Kind, text: String) -> Self {
        Self { kind, about: String::new(), state: SignState::There { level: 0, text } }
    }

    /// A trouble of which nothing is known now.
    #[must_use]
    pub fn unknown(kind: Kind, about: String) -> Self {
        Self { kind, about, state: SignState::Unknown }
    }
}

/// Tells the troubles that other parts of the server have now. `heard` are the kinds that a channel hears of.
pub trait Signs: Send + Sync + 'static {
    /// All troubles of the kinds at `now`, in epoch milliseconds.
    fn look<'a>(
        &'a self,
        heard: &'a [Kind],
        now: Millis,
    ) -> Pin<Box<dyn Future<Output = Vec<Sign>> + Send + 'a>>;
}

/// The troubles that were told, by kind and bearer, each with its first time in epoch milliseconds and its
/// level.
type Told = BTreeMap<String, (Millis, u32)>;

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
        let heard: Vec<_> = self.server.iter().flat_map(|(_, kinds)| kinds.iter().copied()).collect();
        let mut found = signs.look(&heard, now).await;
        found.extend(self.measure(now).await?.map(|text| Sign::of_server(Kind::StoreSlow, text)));
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
fn compare(told: &Told, found: &[Sign], now: Millis) -> (Vec<(Kind, Kind, String)>, Told) {
    let mut messages = Vec::new();
    let mut after = Told::new();
    for Sign { kind, about, state } in found {
        let key = format!("{}:{about}", kind.name());
        let known = told.get(&key);
        let SignState::There { level, text } = state else {
            after.extend(known.map(|known| (key, *known)));
            continue;
        };
        if known.is_none_or(|(_, known)| known < level) {
            messages.push((*kind, *kind, text.clone()));
        }
        after.insert(key, (known.map_or(now, |(since, _)| *since), *level));
    }
    for key in told.keys().filter(|key| !after.contains_key(*key)) {
        let Some((name, about)) = key.split_once(':') else { continue };
        let Some(kind) = Kind::OF_SERVER.into_iter().find(|kind| kind.name() == name) else { continue };
        let text = match kind {
            // A token that has gone, or has ended, has not recovered.
            Kind::TokenExpiring => continue,
            Kind::HandlerBroken => format!("The handler {about} loads again, or no task uses it any more"),
            _ => format!("The server is well again: no more {name}"),
        };
        messages.push((kind, Kind::Recovery, text));
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

    fn sign(kind: Kind, about: &str, level: u32) -> Sign {
        let state = SignState::There { level, text: format!("{about} {level}") };
        Sign { kind, about: about.to_owned(), state }
    }

    #[test]
    fn a_trouble_is_told_when_it_begins_and_when_it_ends() {
        let full = [Sign::of_server(Kind::DiskLow, "it is so".to_owned())];
        let (messages, told) = compare(&Told::new(), &full, 1);
        assert_eq!(messages, [(Kind::DiskLow, Kind::DiskLow, "it is so".to_owned())]);
        assert_eq!(told, Told::from([("disk-low:".to_owned(), (1, 0))]));
        assert_eq!(compare(&told, &full, 2), (vec![], told.clone()), "told already");
        let (messages, told) = compare(&told, &[sign(Kind::BackupFailed, "", 0)], 3);
        let kinds: Vec<_> = messages.iter().map(|(about, kind, _)| (*about, *kind)).collect();
        assert_eq!(
            kinds,
            [(Kind::BackupFailed, Kind::BackupFailed), (Kind::DiskLow, Kind::Recovery)],
            "one begins, one ends"
        );
        assert_eq!(told, Told::from([("backup-failed:".to_owned(), (3, 0))]));
    }

    #[test]
    fn a_token_is_told_again_as_its_end_comes_nearer_and_each_handler_for_itself() {
        let mut told = Told::new();
        let mut texts = |found: &[Sign]| {
            let (messages, after) = compare(&told, found, 1);
            told = after;
            messages.into_iter().map(|(_, _, text)| text).collect::<Vec<_>>()
        };
        let token = |level| sign(Kind::TokenExpiring, "ci", level);
        let broken = |name| sign(Kind::HandlerBroken, name, 0);
        assert_eq!(texts(&[token(1), broken("a")]), ["ci 1", "a 0"]);
        assert_eq!(texts(&[token(1), broken("a"), broken("b")]), ["b 0"]);
        assert_eq!(
            texts(&[token(2), broken("b")]),
            ["ci 2", "The handler a loads again, or no task uses it any more"]
        );
        assert_eq!(texts(&[broken("b")]), [""; 0], "a token that has gone is no recovery");
        let unknown = |name: &str| Sign::unknown(Kind::HandlerBroken, name.to_owned());
        assert_eq!(texts(&[unknown("b"), unknown("c")]), [""; 0], "a check that broke off tells nothing");
        assert_eq!(texts(&[broken("b")]), [""; 0], "it is still as it was");
    }

    #[test]
    fn a_clock_that_was_set_shows_beside_the_time_that_passed() {
        assert_eq!(clock_jump(30_400, 30_000), None);
        assert_eq!(clock_jump(3_630_000, 30_000).as_deref(), Some("The clock was set forward by 3600 s"));
        assert_eq!(clock_jump(-30_000, 30_000).as_deref(), Some("The clock was set back by 60 s"));
    }
}

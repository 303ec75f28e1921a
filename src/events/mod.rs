//! Events: the news of tasks and of the server, numbered and published to listeners.
//!
//! `domain::step` derives the events of a step; the scheduler adds those of a create, a delete and
//! of progress. They are published here, and only here, once the change is durable. Each event gets
//! the next number of a sequence that starts at 1 with the server; with the store's count of openings
//! it is an id that no other event has.
//!
//! The newest events are held in a [`ring`], so that a listener who comes back reads on where it was.
//! An event is held as it is: its [`text`] is made once, when the first listener asks for it.
//!
//! Misuse to avoid: publishing before a change is durable; taking the order of two tasks' events
//! for the order of their commits; taking an event for the truth. An event says which record has
//! changed, so a listener that acts on it reads that record again.

mod ring;
#[cfg(test)]
mod tests;
mod text;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use self::ring::Ring;
use crate::domain::{lock::lock, step::Event};

/// The name of this server in ids of events.
const NODE: &str = "a";

/// Events that a listener takes at once, at most: their texts are made while publishers wait.
const TAKEN: usize = 64;

/// The publisher of events.
#[derive(Debug, Clone)]
pub struct Events(Arc<Bus>);

/// Called with each event as it is published.
type Observer = Box<dyn Fn(&Event) + Send + Sync>;

struct Bus {
    /// How often the store has been opened.
    epoch: u64,
    /// Held while events are added, so that they arrive in order.
    ring: Mutex<Ring>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
    observer: OnceLock<Observer>,
    /// Events that listeners have missed.
    missed: AtomicU64,
    /// Those who watch.
    watchers: AtomicUsize,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Events {
    /// A publisher. `epoch` tells how often the store has been opened: the ids of events begin anew
    /// with each opening.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self(Arc::new(Bus {
            epoch,
            ring: Mutex::default(),
            newest: watch::channel(0).0,
            observer: OnceLock::new(),
            missed: AtomicU64::new(0),
            watchers: AtomicUsize::new(0),
        }))
    }

    /// Gives the events of one change their numbers and tells every listener.
    pub fn publish(&self, events: impl IntoIterator<Item = Event>) {
        self.add(events, self.0.observer.get());
    }

    /// As [`Events::publish`], for changes of other servers, which their observers have seen.
    pub fn publish_of_others(&self, events: impl IntoIterator<Item = Event>) {
        self.add(events, None);
    }

    fn add(&self, events: impl IntoIterator<Item = Event>, observer: Option<&Observer>) {
        let mut ring = self.ring();
        let before = ring.next();
        for event in events {
            if let Some(observe) = observer {
                observe(&event);
            }
            ring.push(event);
        }
        let next = ring.next();
        drop(ring);
        if next > before {
            // Never backwards: another publisher may have been faster.
            self.0.newest.send_if_modified(|newest| {
                let news = next - 1 > *newest;
                *newest = (*newest).max(next - 1);
                news
            });
        }
    }

    /// Lets every listener miss an event, those too who come back. The events that are held are forgotten.
    pub fn break_off(&self) {
        let mut ring = self.ring();
        ring.leave_out();
        let newest = ring.next() - 1;
        drop(ring);
        self.0.newest.send_replace(newest);
    }

    /// Somebody watches the changes of all servers from now on, until this is dropped.
    #[must_use]
    pub fn watch(&self) -> Watching {
        self.0.watchers.fetch_add(1, Ordering::Relaxed);
        Watching(self.clone())
    }

    /// The number of those who watch.
    #[must_use]
    pub fn watchers(&self) -> usize {
        self.0.watchers.load(Ordering::Relaxed)
    }

    /// Calls `observer` with each event from now on, once, as it is published. There is one observer: a
    /// second one is not called. It must be quick, as publishers wait for it.
    pub fn observe(&self, observer: impl Fn(&Event) + Send + Sync + 'static) {
        let _ = self.0.observer.set(Box::new(observer));
    }

    /// The number of events that listeners have missed because they were not held any more.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0.missed.load(Ordering::Relaxed)
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        let newest = self.0.newest.subscribe();
        Listener { events: self.clone(), next: self.ring().next(), newest }
    }

    /// Listens to the events that are held, and on.
    #[must_use]
    pub fn listen_to_held(&self) -> Listener {
        let newest = self.0.newest.subscribe();
        Listener { events: self.clone(), next: self.ring().first(), newest }
    }

    /// Listens to the events after the one with this id; `None` if they are not held any more, or it
    /// is no id of this server.
    #[must_use]
    pub fn listen_after(&self, id: &str) -> Option<Listener> {
        let (origin, number) = id.rsplit_once('.')?;
        let next = number.parse::<u64>().ok()?.checked_add(1)?;
        let newest = self.0.newest.subscribe();
        let ring = self.ring();
        let held = origin == self.origin() && (ring.first()..=ring.next()).contains(&next);
        drop(ring);
        held.then(|| Listener { events: self.clone(), next, newest })
    }

    /// The id of the event with a number.
    #[must_use]
    pub fn id(&self, number: u64) -> String {
        format!("{}.{number}", self.origin())
    }

    /// The id of the newest event.
    #[must_use]
    pub fn newest_id(&self) -> String {
        let newest = self.ring().next() - 1;
        self.id(newest)
    }

    fn origin(&self) -> String {
        format!("{NODE}.{}", self.0.epoch)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.0.ring)
    }
}

/// Somebody who watches; see [`Events::watch`].
#[derive(Debug)]
pub struct Watching(Events);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Hears the events after a certain one, in order.
#[derive(Debug)]
pub struct Listener {
    events: Events,
    /// The number of the next event to hear.
    next: u64,
    newest: watch::Receiver<u64>,
}

/// An event that was heard.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    /// The event.
    pub event: Arc<Event>,
    /// Its JSON, shared by all listeners.
    pub text: Arc<str>,
}

/// More events were published than are held for a listener: it goes on after those that it missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("events were missed")]
pub struct Missed;

/// The end of a wait for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The event.
    Event,
    /// More events than are held: the event may have been among those that were missed.
    TooMany,
}

impl Listener {
    /// The number of the last event that was heard or left out.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next - 1
    }

    /// Waits until there are events that were not heard, wanted or not.
    pub async fn wait(&mut self) {
        let next = self.next;
        // The sender is in `self.events`, so the wait does not fail.
        let _ = self.newest.wait_for(|newest| *newest >= next).await;
    }

    /// Takes the next events that are `wanted`, a few at a time; none if nothing was published since.
    /// Call it again until [`Listener::is_behind`] is false.
    ///
    /// # Errors
    /// [`Missed`], once, before the events after those that were missed.
    pub fn take(&mut self, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Numbered>, Missed> {
        let mut ring = self.events.ring();
        if self.next < ring.first() {
            self.events.0.missed.fetch_add(ring.next() - self.next, Ordering::Relaxed);
            self.next = ring.next();
            return Err(Missed);
        }
        let mut heard = Vec::new();
        while heard.len() < TAKEN
            && let Some(event) = ring.get(self.next)
        {
            let number = self.next;
            self.next += 1;
            if wanted(event) {
                let event = event.clone();
                heard.push(Numbered { number, event, text: ring.text(number) });
            }
        }
        Ok(heard)
    }

    /// Whether events were published that were not heard.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.next <= *self.newest.borrow()
    }

    /// Waits for an event that is `wanted`; for as long as it takes.
    pub async fn hear(&mut self, wanted: impl Fn(&Event) -> bool) -> Heard {
        loop {
            if let Some(heard) = self.search(&wanted) {
                return heard;
            }
            self.wait().await;
        }
    }

    /// The first event that is `wanted` among those that were not heard.
    fn search(&mut self, wanted: impl Fn(&Event) -> bool) -> Option<Heard> {
        let ring = self.events.ring();
        if self.next < ring.first() {
            self.next = ring.next();
            return Some(Heard::TooMany);
        }
        while let Some(event) = ring.get(self.next) {
            self.next += 1;
            if wanted(event) {
                return Some(Heard::Event);
            }
        }
        None
    }
}

//! Events: the news of tasks, numbered and published to listeners.
//!
//! `domain::step` derives the events of a step; the scheduler adds those of a create, a delete and
//! stored output. It publishes all of them here, and only here, once the change is durable. Each event gets the next number of a sequence that
//! starts at 1 with the server.
//!
//! Misuse to avoid: publishing before a change is durable; taking the order of two tasks' events
//! for the order of their commits; taking an event for the truth. An event says which record has
//! changed, so a listener reads that record again.

use std::sync::{Arc, Mutex};

use tokio::sync::broadcast::{self, error::RecvError};

use crate::domain::{lock::lock, step::Event};

/// A listener that falls behind by more batches than this misses the oldest ones, and is told so.
const BACKLOG: usize = 4096;

/// The events of one change, with consecutive numbers.
#[derive(Debug, Clone)]
pub struct Batch {
    first: u64,
    events: Arc<[Event]>,
}

impl Batch {
    /// The events with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, Event)> {
        (self.first..).zip(self.events.iter().copied())
    }

    /// The events.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        self.events.iter().copied()
    }
}

/// The publisher of events.
#[derive(Debug, Clone)]
pub struct Events(Arc<Bus>);

#[derive(Debug)]
struct Bus {
    /// The number of the next event. Held while events are sent, so that they arrive in order.
    next: Mutex<u64>,
    sender: broadcast::Sender<Batch>,
}

impl Default for Events {
    fn default() -> Self {
        Self(Arc::new(Bus { next: Mutex::new(1), sender: broadcast::channel(BACKLOG).0 }))
    }
}

impl Events {
    /// Gives the events of one change their numbers and sends them to every listener.
    pub fn publish(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut next = lock(&self.0.next);
        let first = *next;
        *next += events.len() as u64;
        // Without listeners the events are only counted.
        let _ = self.0.sender.send(Batch { first, events: events.into() });
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.0.sender.subscribe())
    }
}

/// Hears the events that are published after its making.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<Batch>);

/// The end of a wait for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The event.
    Event,
    /// More events than can be kept for a listener: the event may have been among those it missed.
    TooMany,
}

impl Listener {
    /// The events, with their numbers, that were published and not heard yet.
    #[cfg(test)]
    pub(crate) fn heard(&mut self) -> impl Iterator<Item = (u64, Event)> {
        std::iter::from_fn(|| self.0.try_recv().ok()).flat_map(|batch| batch.numbered().collect::<Vec<_>>())
    }

    /// Waits for an event that is `wanted`; for as long as it takes.
    pub async fn hear(&mut self, wanted: impl Fn(Event) -> bool) -> Heard {
        loop {
            match self.0.recv().await {
                Ok(batch) if batch.events().any(&wanted) => return Heard::Event,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Heard::TooMany,
                // The server is gone.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;
    use crate::domain::ids::TaskId;

    fn changed(task: u128) -> Event {
        Event::TaskChanged { task: TaskId(Ulid(task)) }
    }

    #[test]
    fn events_are_numbered_in_their_order_whether_anybody_listens_or_not() {
        let events = Events::default();
        events.publish(vec![changed(1)]);
        let mut listener = events.listen();
        events.publish(vec![]);
        events.publish(vec![changed(2), changed(3)]);
        events.clone().publish(vec![changed(4)]);
        assert_eq!(listener.heard().collect::<Vec<_>>(), [(2, changed(2)), (3, changed(3)), (4, changed(4))]);
    }

    #[tokio::test]
    async fn a_listener_that_falls_behind_is_told_that_it_missed_events() {
        let events = Events::default();
        let mut listener = events.listen();
        events.publish(vec![changed(1), changed(2)]);
        assert_eq!(listener.hear(|event| event == changed(2)).await, Heard::Event);
        (0..=BACKLOG).for_each(|_| events.publish(vec![changed(3)]));
        assert_eq!(listener.hear(|event| event == changed(4)).await, Heard::TooMany);
    }
}

//! Ring: the newest events, and the texts of the very newest.

use std::{collections::VecDeque, sync::Arc};

use super::text;
use crate::domain::step::{Event, News};

/// Events that are held at most.
const MOST: usize = 10_000;
/// Bytes of held events at most, by estimate.
const MOST_BYTES: usize = 3 * 1024 * 1024;
/// Newest events whose texts are kept, once they are made. Listeners that keep up share them.
const TEXTS: usize = 1024;
/// The bytes of a held event beside its texts, by estimate.
const EVENT_BYTES: usize = 240;

/// The newest events, with consecutive numbers.
#[derive(Debug)]
pub(super) struct Ring {
    /// The number of the oldest held event.
    first: u64,
    held: VecDeque<Held>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    event: Arc<Event>,
    text: Option<Arc<str>>,
}

impl Default for Ring {
    fn default() -> Self {
        Self { first: 1, held: VecDeque::new(), bytes: 0 }
    }
}

impl Ring {
    /// The number of the oldest event that is held, or of the next one if none is.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.first + self.held.len() as u64
    }

    /// Adds an event with the next number; the oldest events make room for it.
    pub(super) fn push(&mut self, event: Event) {
        self.bytes += size(&event);
        self.held.push_back(Held { event: Arc::new(event), text: None });
        if let Some(old) = self.held.len().checked_sub(TEXTS + 1) {
            self.held[old].text = None;
        }
        while self.held.len() > MOST || self.bytes > MOST_BYTES && self.held.len() > 1 {
            if let Some(oldest) = self.held.pop_front() {
                self.bytes -= size(&oldest.event);
                self.first += 1;
            }
        }
    }

    /// Forgets all events, and a number that no event has.
    pub(super) fn leave_out(&mut self) {
        (self.first, self.bytes) = (self.next() + 1, 0);
        self.held.clear();
    }

    /// The event with a number, if it is held.
    pub(super) fn get(&self, number: u64) -> Option<&Arc<Event>> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.held.get(index).map(|held| &held.event)
    }

    /// The text of the event with a number; empty if it is not held.
    pub(super) fn text(&mut self, number: u64) -> Arc<str> {
        let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let is_new = self.held.len().saturating_sub(index) <= TEXTS;
        let Some(held) = self.held.get_mut(index) else { return Arc::default() };
        match &held.text {
            Some(text) => text.clone(),
            None => {
                let text: Arc<str> = text::of(&held.event).into();
                if is_new {
                    held.text = Some(text.clone());
                }
                text
            }
        }
    }
}

/// The bytes of an event in memory, by estimate.
fn size(event: &Event) -> usize {
    let subject = event.subject.as_ref().map_or(0, |subject| subject.name.len() + subject.handler.len());
    let news = match &event.news {
        News::Started(row, _) | News::Ended(row, _) | News::Skipped(row, _) => {
            row.error.as_ref().map_or(0, |error| error.len())
        }
        News::Progress(_, progress) => progress.text.as_ref().map_or(0, String::len),
        News::Alert(detail) | News::Config(detail) => {
            // Rare, so that their exact size costs nothing.
            serde_json::to_string(detail).map_or(0, |text| 2 * text.len())
        }
        News::TaskCreated(_) | News::TaskUpdated(_) | News::TaskDeleted | News::HandlersChanged => 0,
    };
    EVENT_BYTES + subject + news
}

//! Outbox: the alerts on their way, and the tasks whose alerts wait for the clock.
//!
//! A step's alerts are written with it, as deliveries that wait for their turn. Nobody but the sender of
//! alerts changes a delivery, so that it needs no fence.

use std::collections::BTreeMap;

use super::words::Answer;
use crate::domain::{
    Millis,
    alerts::{AlertId, Delivery, State},
    facts::Task,
    ids::TaskId,
};

/// The most waiting deliveries that [`Outbox::waiting`] counts.
pub const MOST_COUNTED: usize = 10_000;

/// The part of the outbox in which a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Waits for its turn; by channel, then in the order of the ids.
    Pending,
    /// Is held back; by channel, then in the order of the ids.
    Held,
    /// Nothing further happens to it; in the order of the ids.
    Over,
}

impl Place {
    /// All places.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Held, Self::Over];

    /// The place of a delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        match delivery.state {
            State::Pending { .. } => Self::Pending,
            State::Held => Self::Held,
            _ => Self::Over,
        }
    }
}

/// A part of the outbox.
#[derive(Debug, Clone)]
pub struct OutboxQuery {
    /// The place.
    pub place: Place,
    /// The channel; not for [`Place::Over`], which has no order by channel.
    pub channel: Option<String>,
    /// Only deliveries beyond this one, in the order of the answer. Needs the channel, where there is one.
    pub after: Option<AlertId>,
    /// Whether the newest comes first.
    pub newest_first: bool,
    /// Deliveries to return at most.
    pub limit: usize,
}

/// Numbers of deliveries of a channel that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingAlerts {
    /// For their turn.
    pub pending: u64,
    /// For the end of quiet hours or of a mute.
    pub held: u64,
}

/// Alerts on their way.
pub trait Outbox {
    /// Reads deliveries.
    fn deliveries(&self, query: OutboxQuery) -> Answer<Vec<Delivery>>;
    /// Removes deliveries, as they were read, and writes others, in one change.
    fn settle(&self, old: Vec<Delivery>, new: Vec<Delivery>) -> Answer<()>;
    /// Counts the deliveries that wait, by channel; [`MOST_COUNTED`] at most.
    fn waiting(&self) -> Answer<BTreeMap<String, WaitingAlerts>>;
    /// Reads the task whose alerts wait for the clock, and its time, earliest first.
    fn next_alarm(&self) -> Answer<Option<(Millis, TaskId)>>;
    /// Reads tasks that have a message whose occasion lasts, in the order of their ids.
    fn alarmed(&self, after: Option<TaskId>, limit: usize) -> Answer<Vec<Task>>;
}

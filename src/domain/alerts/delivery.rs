//! Deliveries: alerts on their way, as the store keeps them.

use serde::{Deserialize, Serialize};

use super::Alert;
use crate::domain::Millis;

/// An alert and what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The message.
    pub alert: Alert,
    /// Where it stands.
    pub state: State,
    /// The attempts to deliver it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum State {
    /// It waits for its turn in the channel.
    Pending {
        /// The next attempt is not before this time, epoch milliseconds.
        not_before: Millis,
    },
    /// Quiet hours or a mute hold it back.
    Held,
    /// The channel has taken it.
    Delivered {
        /// Epoch milliseconds.
        at: Millis,
    },
    /// It could not be delivered within its time.
    GivenUp {
        /// Epoch milliseconds.
        at: Millis,
    },
    /// Quiet hours drop it.
    Dropped {
        /// Epoch milliseconds.
        at: Millis,
    },
}

/// One attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Epoch milliseconds of its start.
    pub time: Millis,
    /// Milliseconds that it took.
    pub took: Millis,
    /// The status of the answer, if there was an HTTP answer.
    pub status: Option<u16>,
    /// The first part of the answer, or the error.
    pub answer: String,
    /// Whether the channel has taken the message.
    pub ok: bool,
}

impl Attempt {
    /// Why it has failed: the status with the first part of the answer, or the error.
    #[must_use]
    pub fn failure(&self) -> String {
        match self.status {
            None => self.answer.clone(),
            Some(status) if self.answer.is_empty() => format!("status {status}"),
            Some(status) => format!("status {status}: {}", self.answer),
        }
    }
}

impl Delivery {
    /// A delivery that has just been decided.
    #[must_use]
    pub fn new(alert: Alert) -> Self {
        let not_before = alert.time;
        Self { alert, state: State::Pending { not_before }, attempts: Vec::new() }
    }
}

impl State {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Held => "held",
            Self::Delivered { .. } => "delivered",
            Self::GivenUp { .. } => "given-up",
            Self::Dropped { .. } => "dropped",
        }
    }

    /// Whether nothing further happens to it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Delivered { .. } | Self::GivenUp { .. } | Self::Dropped { .. })
    }
}

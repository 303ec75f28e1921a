//! Documents about alerts: channels, messages whose occasion lasts, deliveries.

use serde::Deserialize;

use crate::domain::{
    Millis,
    alerts::{Attempt, Occasion},
};

/// The state of all alerts.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Alerts {
    pub(in crate::dashboard) channels: Vec<Channel>,
    pub(in crate::dashboard) firing: Vec<Firing>,
    pub(in crate::dashboard) mute: Option<Mute>,
}

/// A channel of the settings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Channel {
    pub(in crate::dashboard) name: String,
    pub(in crate::dashboard) kind: String,
    /// The part of its address that may be shown.
    pub(in crate::dashboard) place: String,
    /// Messages that wait for their turn.
    pub(in crate::dashboard) pending: u64,
    /// Messages that quiet hours or a mute hold back.
    pub(in crate::dashboard) held: u64,
    pub(in crate::dashboard) quiet_until: Option<Millis>,
    pub(in crate::dashboard) last_delivered: Option<Millis>,
    pub(in crate::dashboard) last_failed: Option<Millis>,
    pub(in crate::dashboard) last_error: Option<String>,
}

impl Channel {
    /// The last error, if no message has been delivered since.
    pub(in crate::dashboard) fn trouble(&self) -> Option<(Millis, &str)> {
        let failed = self.last_failed.filter(|&failed| self.last_delivered.is_none_or(|ok| ok < failed))?;
        Some((failed, self.last_error.as_deref().unwrap_or("no answer")))
    }
}

/// A message whose occasion lasts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Firing {
    pub(in crate::dashboard) task_id: String,
    pub(in crate::dashboard) task_name: String,
    pub(in crate::dashboard) handler: String,
    pub(in crate::dashboard) channel: String,
    pub(in crate::dashboard) occasion: Occasion,
    pub(in crate::dashboard) since: Millis,
    pub(in crate::dashboard) told: Millis,
    /// Where the newest message stands, if that is known.
    pub(in crate::dashboard) delivery: Option<String>,
}

/// A mute.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Mute {
    pub(in crate::dashboard) until: Millis,
    pub(in crate::dashboard) tag: Option<String>,
    pub(in crate::dashboard) reason: Option<String>,
    pub(in crate::dashboard) by: String,
}

/// A page of deliveries.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Deliveries {
    pub(in crate::dashboard) deliveries: Vec<Delivery>,
    pub(in crate::dashboard) next_cursor: Option<String>,
    pub(in crate::dashboard) complete: bool,
}

/// A message and what has become of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Delivery {
    pub(in crate::dashboard) channel: String,
    pub(in crate::dashboard) status: String,
    pub(in crate::dashboard) time: Millis,
    pub(in crate::dashboard) next_attempt: Option<Millis>,
    pub(in crate::dashboard) task_id: Option<String>,
    pub(in crate::dashboard) execution_id: Option<String>,
    pub(in crate::dashboard) summary: String,
    #[serde(default)]
    pub(in crate::dashboard) lines: Vec<String>,
    pub(in crate::dashboard) attempts: Vec<Attempt>,
}
